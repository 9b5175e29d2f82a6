"""Debian's verifiers, each in the settings that its own documents show, behind one Postfix with a port a wiring."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chain.servers import NOBODY, Command, Milter
from tests.evidence.echoes import zone

BACK_PORT = 10025
"""Where Postfix takes mail back from a filter."""

PACKAGES = ("postfix", "opendkim", "opendmarc", "postfix-policyd-spf-python", "pyspf-milter", "dkimpy-milter")
"""Debian's names of what runs here."""


@dataclass(frozen=True, slots=True)
class Helper:
    """A server that is no milter: what a milter asks, a filter that takes mail at a port of 127.0.0.1, or another MTA."""

    name: str
    command: Command
    socket: Path | None = None
    address: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True, slots=True)
class Wiring:
    """What stands behind one port of our host: a policy service (its configuration), milters in this order, a filter behind the queue.

    `mta` takes the place of Postfix.
    """

    name: str
    milters: tuple[Milter, ...] = ()
    policy: Path | None = None
    helpers: tuple[Helper, ...] = ()
    filter: Helper | None = None
    mta: Helper | None = None

    def servers(self) -> Iterator[Helper]:
        """All but the milters, those first that others ask."""
        yield from self.helpers
        if self.filter is not None:
            yield self.filter
        if self.mta is not None:
            yield self.mta


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The version of each package that is installed."""
    command = ["dpkg-query", "-W", "-f=${Package} ${Version}\\n", *packages]
    printed = subprocess.run(command, capture_output=True, check=False, text=True).stdout
    return dict(line.split() for line in printed.splitlines())


def opendkim(folder: Path) -> Milter:
    socket = folder / "opendkim.sock"
    return Milter(
        "opendkim",
        (
            *("opendkim", "-f", "-x"),
            write(
                folder / "opendkim.conf",
                "Mode v",
                f"Socket local:{socket}",
                "UMask 000",
                f"AuthservID {zone.OURS}",
                "AlwaysAddARHeader yes",
                "InternalHosts 192.0.2.254",
                "Nameservers 127.0.0.1",
                "Syslog no",
            ),
        ),
        socket,
    )


def opendmarc(folder: Path, name: str, *settings: str) -> Milter:
    socket = folder / f"{name}.sock"
    nothing = write(folder / f"{name}.ignore")
    # as Debian's list knows every public suffix that there is
    suffixes = write(folder / f"{name}.suffixes", "example")
    file = write(
        folder / f"{name}.conf",
        f"Socket local:{socket}",
        "UMask 000",
        f"AuthservID {zone.OURS}",
        f"TrustedAuthservIDs {zone.OURS}",
        "RejectFailures false",
        f"PublicSuffixList {suffixes}",
        f"IgnoreHosts {nothing}",
        "Syslog false",
        *settings,
    )
    return Milter(name, ("opendmarc", "-f", "-c", file), socket)


def pyspf_milter(folder: Path) -> Milter:
    socket = own_folder(folder, "pyspf-milter") / "socket"
    file = write(
        folder / "pyspf-milter.conf",
        *_SPF_ENGINE,
        f"Socket = local:{socket}",
        f"PidFile = {folder}/pyspf-milter.pid",
        "UserID = nobody:nogroup",
        "UMask = 0",
        "InternalHosts = 127.0.0.1",
    )
    return Milter("pyspf-milter", ("sh", "-c", 'umask 000 && exec "$0" "$@"', "pyspf-milter", file), socket)


def dkimpy_milter(folder: Path) -> Milter:
    socket = own_folder(folder, "dkimpy-milter") / "socket"
    file = write(
        folder / "dkimpy-milter.conf",
        "Mode v",
        f"AuthservID {zone.OURS}",
        "InternalHosts 127.0.0.1",
        f"Socket local:{socket}",
        f"PidFile {folder}/dkimpy-milter.pid",
        "UserID nobody:nogroup",
        "UMask 0",
        "Syslog no",
    )
    return Milter("dkimpy-milter", ("sh", "-c", 'umask 000 && exec "$0" "$@"', "dkimpy-milter", file), socket)


def policyd_spf(folder: Path, header_type: str) -> Path:
    return write(folder / f"policyd-spf-{header_type.lower()}.conf", *_SPF_ENGINE, f"Header_Type = {header_type}")


# it only reports: what it refused would write no field
_SPF_ENGINE = (
    "debugLevel = 0",
    "HELO_reject = False",
    "Mail_From_reject = False",
    "PermError_reject = False",
    "TempError_Defer = False",
    f"Authserv_Id = {zone.OURS}",
    "Lookup_Time = 5",
)


def wirings(folder: Path) -> list[Wiring]:
    """Every wiring, with its files in `folder`."""
    dkim = opendkim(folder)
    dkimpy = dkimpy_milter(folder)
    checks = opendmarc(folder, "opendmarc-checks-spf", "SPFSelfValidate true")
    ignores = opendmarc(folder, "opendmarc-ignores-spf", "SPFSelfValidate true", "SPFIgnoreResults true")
    return [
        Wiring("opendkim, opendmarc", (dkim, checks)),
        Wiring("opendkim, opendmarc that ignores", (dkim, ignores)),
        Wiring("policyd-spf AR, opendkim, opendmarc", (dkim, checks), policyd_spf(folder, "AR")),
        Wiring("policyd-spf SPF, opendkim, opendmarc", (dkim, checks), policyd_spf(folder, "SPF")),
        # the other way round dkimpy-milter would remove what pyspf-milter wrote
        Wiring("dkimpy-milter, pyspf-milter, opendmarc", (dkimpy, pyspf_milter(folder), checks)),
    ]


def postfix(folder: Path, wired: Sequence[Wiring]) -> tuple[Command, dict[str, int]]:
    """Postfix's command line, and the port of each wiring. Mail goes into the Maildir `mail/inbox` in the folder."""
    etc = folder / "etc"
    etc.mkdir(parents=True)
    mail = folder / "mail"
    for made in (folder / "queue", folder / "data", mail):
        made.mkdir()
    shutil.chown(folder / "data", "postfix")
    shutil.chown(mail, NOBODY, NOBODY)
    ports = {wiring.name: 2600 + number for number, wiring in enumerate(wired)}
    services = []
    for number, wiring in enumerate(wired):
        if wiring.mta is not None:
            ports[wiring.name] = wiring.mta.port
            continue
        services += [
            f"{zone.ADDRESSES[zone.OURS]}:{ports[wiring.name]} inet n - n - - smtpd",
            f"  -o {{ smtpd_milters = {', '.join(milter.address for milter in wiring.milters)} }}",
        ]
        if wiring.filter is not None:
            services.append(f"  -o {{ content_filter = filter:[127.0.0.1]:{wiring.filter.port} }}")
        if wiring.policy is not None:
            name = f"policy{number}"
            services.append(
                f"  -o {{ smtpd_recipient_restrictions = check_policy_service unix:private/{name}, permit }}"
            )
            services += [f"{name} unix - n n - 0 spawn", f"  user=nobody argv=/usr/bin/policyd-spf {wiring.policy}"]
    write(
        etc / "main.cf",
        "compatibility_level = 3.6",
        f"myhostname = {zone.OURS}",
        f"queue_directory = {folder}/queue",
        f"data_directory = {folder}/data",
        "maillog_file = /dev/stdout",
        "inet_interfaces = all",
        "inet_protocols = ipv4",
        "mynetworks = 192.0.2.254",
        "mydestination =",
        "alias_maps =",
        "alias_database =",
        "smtpd_relay_restrictions = reject_unauth_destination",
        "strict_rfc821_envelopes = no",
        "smtputf8_enable = yes",
        "milter_default_action = tempfail",
        "virtual_mailbox_domains = hosted.example",
        f"virtual_mailbox_base = {mail}",
        "virtual_mailbox_maps = static:inbox/",
        "recipient_delimiter = +",
        f"virtual_uid_maps = static:{NOBODY}",
        f"virtual_gid_maps = static:{NOBODY}",
    )
    write(etc / "master.cf", *_MASTER_CF, *services)
    return ("postfix", "-c", etc, "start-fg"), ports


_MASTER_CF = (
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
    # as README.postfix of amavisd-new has it
    "filter     unix  - - n - 2 smtp",
    "  -o smtp_send_xforward_command=yes",
    f"127.0.0.1:{BACK_PORT} inet n - n - - smtpd",
    "  -o mynetworks=127.0.0.0/8",
    "  -o smtpd_authorized_xforward_hosts=127.0.0.0/8",
)


def own_folder(folder: Path, name: str) -> Path:
    """A folder for a milter that gives up root before it makes its socket."""
    made = folder / name
    made.mkdir()
    shutil.chown(made, NOBODY, NOBODY)
    return made


def write(file: Path, *lines: str) -> Path:
    """A file of these lines."""
    file.write_text("".join(f"{line}\n" for line in lines))
    return file
