"""The configuration files and command lines of Debian's servers, as an administrator would write them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chain import world

NOBODY = 65534

UNCHECKED_PORT = 2525
BORDER_PORT = 2526
"""Where the forwarder takes mail that nothing of ours verifies."""

PROGRAMS = (
    *("unshare", "nsenter", "ip", "ss", "swaks", "miltertest", "saslpasswd2"),
    *("postfix", "unbound", "opendkim", "opendmarc", "spamd", "spamc", "spamass-milter", "postsrsd"),
)
"""What must be installed (Debian: postfix sasl2-bin libsasl2-modules unbound opendkim opendmarc spamd spamass-milter postsrsd swaks miltertest)."""

Command = tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Milter:
    """A milter: its command line, and the unix-domain socket that it listens on."""

    name: str
    command: Command
    socket: Path

    @property
    def address(self) -> str:
        """As Postfix's `smtpd_milters` names it."""
        return f"unix:{self.socket}"


def unbound(folder: Path, records: Sequence[str], silent: Sequence[str] = ()) -> Command:
    """A name server on 127.0.0.1 that knows `records`, answers SERVFAIL in the zones `silent`, and answers NXDOMAIN to all else."""
    lines = [
        "server:",
        "  interface: 127.0.0.1",
        "  do-daemonize: no",
        '  chroot: ""',
        '  username: ""',
        '  pidfile: ""',
    ]
    lines += ["  use-syslog: no", '  module-config: "iterator"', '  local-zone: "." static']
    # unbound answers for the reverse zones of the documentation addresses by itself unless it is told not to
    for network in ("2.0.192", "100.51.198", "113.0.203"):
        lines.append(f'  local-zone: "{network}.in-addr.arpa." static')
    lines += [f"  local-zone: {zone}. transparent" for zone in silent]
    lines += [f"  local-data: '{record}'" for record in records]
    # it asks no name server on its own host, so it has nobody to ask and answers SERVFAIL
    for zone in silent:
        lines += ["stub-zone:", f"  name: {zone}.", "  stub-addr: 127.0.0.1"]
    file = _write(folder / "unbound.conf", *lines)
    return ("unbound", "-d", "-c", file)


def opendkim_verifier(folder: Path, host: str) -> Milter:
    """OpenDKIM as the border uses it: it verifies all, and reports also that there is no signature."""
    socket = folder / f"{host}.opendkim-verify.sock"
    file = _write(
        folder / f"{host}.opendkim-verify.conf",
        "Mode v",
        f"Socket local:{socket}",
        "UMask 000",
        f"AuthservID {host}",
        "AlwaysAddARHeader yes",
        # what comes from an internal host is not verified, and 127.0.0.1 is one unless this names another
        "InternalHosts 192.0.2.254",
        # its resolver reads no resolv.conf
        "Nameservers 127.0.0.1",
        "Syslog no",
    )
    return Milter(f"{host}.opendkim-verify", ("opendkim", "-f", "-x", file), socket)


def opendmarc(folder: Path, host: str, *settings: str) -> Milter:
    """OpenDMARC, which looks at SPF itself and only reports; `settings` are lines of its configuration beside these."""
    socket = folder / f"{host}.opendmarc.sock"
    nothing = _write(folder / f"{host}.opendmarc.ignore")
    file = _write(
        folder / f"{host}.opendmarc.conf",
        f"Socket local:{socket}",
        "UMask 000",
        f"AuthservID {host}",
        f"TrustedAuthservIDs {host}",
        "RejectFailures false",
        "SPFSelfValidate true",
        f"IgnoreHosts {nothing}",
        "Syslog false",
        *settings,
    )
    return Milter(f"{host}.opendmarc", ("opendmarc", "-f", "-c", file), socket)


def opendkim_signer(folder: Path, keys: world.Keys) -> Milter:
    """OpenDKIM as forwarders run it: it signs what comes from this host or from an authenticated client."""
    socket = folder / "signer.sock"
    entries = {domain: f"{world.GATE_SELECTOR}._domainkey.{domain}" for domain in (world.HOSTED, world.HOSTED_SPF)}
    key_lines = [
        f"{name} {domain}:{world.GATE_SELECTOR}:{keys.file(domain, world.GATE_SELECTOR)}"
        for domain, name in entries.items()
    ]
    key_table = _write(folder / "signer.keytable", *key_lines)
    signing_table = _write(folder / "signer.signingtable", *(f"*@{domain} {name}" for domain, name in entries.items()))
    file = _write(
        folder / "signer.opendkim.conf",
        "Mode s",
        f"Socket local:{socket}",
        "UMask 000",
        "InternalHosts 127.0.0.1",
        f"KeyTable {key_table}",
        f"SigningTable refile:{signing_table}",
        # the way to the keys leads through /tmp, which others can write to
        "RequireSafeKeys no",
        "Canonicalization relaxed/relaxed",
        "Syslog no",
    )
    return Milter("signer", ("opendkim", "-f", "-x", file), socket)


def spamd(folder: Path) -> tuple[Command, Path]:
    """SpamAssassin's daemon, with its stock rules and without the network. Gives its command line and its socket."""
    socket = folder / "spamd.sock"
    command: Command = (
        *("spamd", "--local", "--nouser-config", "--username=nobody", "--min-children=1", "--max-children=2"),
        *(f"--socketpath={socket}", "--socketmode=0666", "--syslog=stderr", f"--pidfile={folder}/spamd.pid"),
        # the addresses of documentation are illegal ones to SpamAssassin, and would make all mail of this world look like spam
        "--cf=score RCVD_ILLEGAL_IP 0",
        "--cf=use_bayes 0",
    )
    return command, socket


def spamass_milter(folder: Path, spamd_socket: Path) -> Milter:
    """The milter that asks spamd. It leaves Subject and body alone (-m), so that it breaks no signature."""
    socket = folder / "spamass.sock"
    # it has no option for the mode of its socket, which Postfix's smtpd must be able to write to
    command = (
        "sh",
        "-c",
        'umask 000 && exec "$0" "$@"',
        "spamass-milter",
        "-p",
        socket,
        "-m",
        "--",
        "-U",
        spamd_socket,
    )
    return Milter("spamass", command, socket)


def postsrsd(domain: str, secret_file: Path) -> Command:
    """postsrsd, which restores senders for Postfix's tcp_table(5) at port 10002."""
    return ("postsrsd", "-4", "-d", domain, "-s", secret_file, "-f", "10001", "-r", "10002")


@dataclass(frozen=True, slots=True)
class Postfix:
    """One Postfix: its host name, and the folder that holds all of it. It sends from the host's address, and listens on `listens`, or
    there as well."""

    host: str
    folder: Path
    listens: str | None = None

    @property
    def address(self) -> str:
        """The IP address that it listens on."""
        return self.listens or world.ADDRESSES[self.host]

    @property
    def etc(self) -> Path:
        """The folder of its configuration. Postfix warns of all else that stands there."""
        return self.folder / "etc"

    @property
    def command(self) -> Command:
        """Starts it, in the foreground."""
        return ("postfix", "-c", self.etc, "start-fg")

    def configure(self, settings: dict[str, str], services: Sequence[str] = ()) -> None:
        """Write main.cf and master.cf: what every host here needs, `settings` and `services`."""
        self.etc.mkdir(parents=True)
        base = {
            "compatibility_level": "3.6",
            "myhostname": self.host,
            "queue_directory": f"{self.folder}/queue",
            "data_directory": f"{self.folder}/data",
            "maillog_file": "/dev/stdout",
            "inet_interfaces": self.address,
            "inet_protocols": "ipv4",
            "smtp_bind_address": world.ADDRESSES[self.host],
            "smtp_tls_security_level": "none",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "milter_default_action": "tempfail",
            # a message that fails shall come back at once and not fill the time of the test with retries
            "soft_bounce": "no",
        }
        _write(self.etc / "main.cf", *(f"{name} = {value}" for name, value in (base | settings).items()))
        _write(self.etc / "master.cf", *_MASTER_CF, *services)
        (self.folder / "queue").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")


_MASTER_CF = (
    "smtp       inet  n - n - - smtpd",
    "pickup     unix  n - n 60 1 pickup",
    "cleanup    unix  n - n - 0 cleanup",
    "qmgr       unix  n - n 300 1 qmgr",
    "rewrite    unix  - - n - - trivial-rewrite",
    "bounce     unix  - - n - 0 bounce",
    "defer      unix  - - n - 0 bounce",
    "trace      unix  - - n - 0 bounce",
    "verify     unix  - - n - 1 verify",
    "proxymap   unix  - - n - - proxymap",
    "smtp       unix  - - n - - smtp",
    "relay      unix  - - n - - smtp",
    "showq      unix  n - n - - showq",
    "error      unix  - - n - - error",
    "retry      unix  - - n - - error",
    "discard    unix  - - n - - discard",
    "local      unix  - n n - - local",
    "virtual    unix  - n n - - virtual",
    "anvil      unix  - - n - 1 anvil",
    "scache     unix  - - n - 1 scache",
    "postlog    unix-dgram n - n - 1 postlogd",
)


def forwarder(
    postfix: Postfix,
    border: Sequence[Milter],
    signers: Sequence[Milter],
    password_file: Path,
    listener: Path | None = None,
    more: dict[str, str] | None = None,
) -> Postfix:
    """The host in the middle: it checks what comes in, forwards a user's mail by a pipe, and signs what it generates itself.

    At UNCHECKED_PORT it takes mail from outside and has no milters there; at BORDER_PORT it has the border listener of dkimgate alone.
    `more` are settings beside these.
    """
    signing = ", ".join(milter.address for milter in signers)
    shared = postfix.folder.parent
    postfix.configure(
        {
            "mydestination": f"{world.FORWARDER}, {world.HOSTED}, {world.HOSTED_SPF}",
            "alias_maps": f"texthash:{shared}/aliases",
            "smtpd_milters": ", ".join(milter.address for milter in border),
            "non_smtpd_milters": signing,
            "cyrus_sasl_config_path": str(postfix.etc / "sasl"),
            **(more or {}),
        },
        [
            "submission inet  n - n - - smtpd",
            "  -o smtpd_sasl_auth_enable=yes",
            "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject",
            f"  -o {{ smtpd_milters={signing} }}",
            "  -o milter_macro_daemon_name=ORIGINATING",
            f"{UNCHECKED_PORT} inet n - n - - smtpd",
            "  -o smtpd_milters=",
            *([f"{BORDER_PORT} inet n - n - - smtpd", f"  -o smtpd_milters=unix:{listener}"] if listener else []),
        ],
    )
    sasl = postfix.etc / "sasl"
    sasl.mkdir()
    _write(
        sasl / "smtpd.conf",
        "pwcheck_method: auxprop",
        "auxprop_plugin: sasldb",
        "mech_list: PLAIN",
        f"sasldb_path: {password_file}",
    )
    _write_aliases(shared)
    return postfix


def home(shared: Path) -> Path:
    """The Maildir of the users of the forwarder who forward nothing."""
    return shared / "home"


def _write_aliases(shared: Path) -> None:
    """Who forwards where; the same for every forwarder of a chain."""
    script = _write(shared / "forward.sh", "#!/bin/sh", 'exec /usr/sbin/sendmail -i -f "$SENDER" "$1"')
    script.chmod(0o755)
    forwards = {"friend": world.VICTIM, "moved": world.REFUSED, "left": world.BOUNCED}
    lines = [f'{user} "|{script} {target}"' for user, target in forwards.items()]
    _write(shared / "aliases", *lines, *(f"{user} {home(shared)}/" for user in world.HOME_USERS))
    home(shared).mkdir(exist_ok=True)
    os.chown(home(shared), NOBODY, NOBODY)


def receiver(folder: Path, border: Sequence[Milter]) -> Postfix:
    """The next host: it checks what comes in and puts it into the Maildir `mail/inbox` in its folder.

    It is also where the partner has its mailboxes. It refuses REFUSED, and takes what is for BOUNCED and sends it back.
    """
    postfix = Postfix(world.RECEIVER, folder)
    mail = folder / "mail"
    gone = f"gone@{world.RECEIVER}"
    postfix.configure(
        {
            "mydestination": world.RECEIVER,
            "alias_maps": "inline:{ { gone = |exit 67 } }",
            "virtual_alias_maps": f"inline:{{ {world.BOUNCED}={gone} }}",
            "smtpd_recipient_restrictions": f"check_recipient_access inline:{{ {{ {world.REFUSED} = REJECT moved, no forwarding address }} }}",
            "virtual_mailbox_domains": f"{world.RECEIVER_DOMAIN}, {world.PARTNER}",
            "virtual_mailbox_base": str(mail),
            "virtual_mailbox_maps": "static:inbox/",
            "virtual_uid_maps": f"static:{NOBODY}",
            "virtual_gid_maps": f"static:{NOBODY}",
            "smtpd_milters": ", ".join(milter.address for milter in border),
        }
    )
    mail.mkdir()
    os.chown(mail, NOBODY, NOBODY)
    return postfix


def _write(file: Path, *lines: str) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines))
    return file
