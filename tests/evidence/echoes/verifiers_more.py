"""Verifiers that are tried when the tables are written, and not by the tests: rspamd, SpamAssassin, amavisd-new and Exim."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.chain import servers
from tests.chain.servers import Milter
from tests.evidence.echoes import verifiers, zone
from tests.evidence.echoes.verifiers import BACK_PORT, Helper, Wiring, own_folder, write

FILTER_PORT = 10024
EXIM_PORT = 2690
EXIM = os.environ.get("EXIM", "/usr/sbin/exim4")
"""Debian's Exim and Postfix can't be installed side by side: this names an Exim that was unpacked elsewhere."""

PACKAGES = ("rspamd", "spamass-milter", "spamassassin", "amavisd-new")


def rspamd(folder: Path) -> Milter:
    """rspamd as a milter, with the fields that its module milter_headers can write."""
    place = own_folder(folder, "rspamd")
    socket = place / "socket"
    local = place / "local.d"
    local.mkdir()
    suffixes = write(place / "suffixes", "example")
    write(
        local / "options.inc",
        'dns { nameserver = ["127.0.0.1:53:1"]; timeout = 1s; retransmits = 2; }',
        "local_addrs = [127.0.0.0/8];",
        # to compile all the world's suffixes takes half a minute
        f'url_tld = "{suffixes}"; disable_hyperscan = true;',
    )
    write(local / "logging.inc", 'type = "console"; level = "warning";')
    for worker in ("normal", "controller", "fuzzy"):
        write(local / f"worker-{worker}.inc", "enabled = false; count = 0;")
    upstream = 'upstream "local" { default = yes; self_scan = yes; }'
    write(
        local / "worker-proxy.inc",
        f'bind_socket = "{socket} mode=0666"; milter = yes; count = 1; timeout = 20s;',
        upstream,
    )
    write(local / "actions.conf", "reject = null; add_header = 1000; greylist = null; rewrite_subject = null;")
    for module in (
        "rbl",
        "surbl",
        "fuzzy_check",
        "greylist",
        "asn",
        "mx_check",
        "phishing",
        "history_redis",
        "ratelimit",
        "replies",
        "neural",
        "once_received",
    ):
        write(local / f"{module}.conf", "enabled = false;")
    fields = [
        "authentication-results",
        "x-spamd-result",
        "x-spamd-bar",
        "x-spam-status",
        "x-spam-level",
        "x-rspamd-queue-id",
    ]
    write(local / "milter_headers.conf", f"use = {fields};".replace("'", '"'), "skip_local = false;")
    variables = [f"--var={name}={place}" for name in ("DBDIR", "RUNDIR", "LOGDIR")]
    return Milter(
        "rspamd", ("rspamd", "-f", "-u", "nobody", "-g", "nogroup", f"--var=LOCAL_CONFDIR={place}", *variables), socket
    )


def spamass_milter(folder: Path) -> tuple[Milter, Helper]:
    """spamass-milter, and the spamd that it asks."""
    command, socket = servers.spamd(folder)
    return servers.spamass_milter(folder, socket), Helper("spamd", command, socket)


def amavisd(folder: Path) -> Helper:
    """amavisd-new behind Postfix's queue, without scanners: it verifies DKIM signatures."""
    place = own_folder(folder, "amavisd")
    file = write(
        folder / "amavisd.conf",
        "use strict;",
        "$max_servers = 4; $daemon_user = 'nobody'; $daemon_group = 'nogroup';",
        f"$myhostname = '{zone.OURS}'; $mydomain = 'forwarder.example';",
        f"$MYHOME = '{place}'; $TEMPBASE = $MYHOME; $QUARANTINEDIR = undef;",
        '$pid_file = "$MYHOME/pid"; $lock_file = "$MYHOME/lock"; $enable_db = 0; $enable_zmq = 0;',
        f"$inet_socket_port = {FILTER_PORT}; $inet_socket_bind = '127.0.0.1'; @inet_acl = qw(127.0.0.1);",
        f"$forward_method = $notify_method = 'smtp:[127.0.0.1]:{BACK_PORT}';",
        "@bypass_virus_checks_maps = (1); @bypass_spam_checks_maps = (1); @bypass_banned_checks_maps = (1); @bypass_header_checks_maps = (1);",
        "@local_domains_maps = (1); $enable_dkim_verification = 1; $do_syslog = 0; $log_level = 1;",
        "$final_bad_header_destiny = D_PASS; $final_virus_destiny = D_PASS; $final_banned_destiny = D_PASS; $final_spam_destiny = D_PASS;",
        "1;",
    )
    return Helper(
        "amavisd",
        ("amavisd-new" if shutil.which("amavisd-new") else "amavisd", "-c", file, "foreground"),
        port=FILTER_PORT,
    )


def exim(folder: Path, inbox: Path) -> Helper:
    """Exim with ACLs as its specification shows them: SPF at RCPT, DKIM and ${authresults} at DATA."""
    place = own_folder(folder, "exim")
    file = write(
        folder / "exim.conf",
        f"primary_hostname = {zone.OURS}",
        "exim_user = nobody",
        "exim_group = nogroup",
        f"exim_path = {EXIM}",
        f"spool_directory = {place}",
        f"log_file_path = {place}/%slog",
        f"local_interfaces = {zone.ADDRESSES[zone.OURS]}",
        f"daemon_smtp_ports = {EXIM_PORT}",
        "deliver_drop_privilege = true",
        "never_users =",
        "smtp_accept_max_per_host = 100",
        "host_lookup = *",
        "rfc1413_hosts =",
        "domainlist local_domains = hosted.example",
        "acl_smtp_rcpt = acl_rcpt",
        "acl_smtp_dkim = acl_dkim",
        "acl_smtp_data = acl_data",
        "begin acl",
        "acl_rcpt:",
        "  warn spf = pass : fail : softfail : none : neutral : permerror : temperror",
        "  accept domains = +local_domains",
        "  deny",
        "acl_dkim:",
        "  accept",
        "acl_data:",
        "  warn add_header = :at_start:${authresults {$primary_hostname}}",
        "  accept",
        "begin routers",
        "all:",
        "  driver = accept",
        "  transport = inbox",
        "begin transports",
        "inbox:",
        "  driver = appendfile",
        f"  directory = {inbox}",
        "  maildir_format",
        "  delivery_date_add",
        "  envelope_to_add",
        "  return_path_add",
        "  user = nobody",
        "  group = nogroup",
    )
    return Helper("exim", (EXIM, "-C", file, "-bdf", "-q1m"), address=zone.ADDRESSES[zone.OURS], port=EXIM_PORT)


def exim_version() -> str:
    """As Exim says it."""
    return subprocess.run(
        [EXIM, "-C", "/dev/null", "-bV"], capture_output=True, check=True, text=True
    ).stdout.partition("\n")[0]


def more(folder: Path) -> list[Wiring]:
    """The wirings of these."""
    spam, spamd = spamass_milter(folder)
    return [
        Wiring("rspamd", (rspamd(folder),)),
        Wiring("spamass-milter", (spam,), helpers=(spamd,)),
        Wiring("amavisd", filter=amavisd(folder)),
        Wiring("exim", mta=exim(folder, folder / "postfix/mail/inbox")),
    ]


def all_wirings(folder: Path) -> list[Wiring]:
    """Every wiring of the tables."""
    return [*verifiers.wirings(folder), *more(folder)]
