"""The values of a configuration file. One function checks each kind of value; its error says what was expected."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, StrictInt, StrictStr, ValidationInfo

from dkimgate.config import authserv
from dkimgate.config.problem import BadValue
from dkimgate.config.slow_pattern import repeats_repeats, slowness

MOST_WORKERS = 256
LEAST_LINE = 64
MOST_LINE = 1 << 30

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_FILE_NAME = re.compile("[^\0\ud800-\udfff]+")


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            return ipaddress.ip_network(value)
        except ValueError as error:
            raise BadValue(
                "value.network", f"{error}: expected a network such as 192.0.2.0/24 or 2001:db8::/32"
            ) from None
    raise BadValue("value.network", 'expected a network in quotes, such as "::1/128"')


def _address(value: object) -> object:
    if not isinstance(value, str):
        raise BadValue("value.address", 'expected an IP address in quotes, such as "192.0.2.1"')
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        raise BadValue("value.address", f"{value!r} is not an IP address") from None


def _domain(value: str) -> str:
    name = value.lower().rstrip(".")
    if not _DOMAIN.fullmatch(name):
        raise BadValue(
            "value.domain", f"{value!r} is not a domain name (write international names as A-labels, xn--...)"
        )
    return name


def _host(value: str) -> str:
    return "*." + _domain(value[2:]) if value.startswith("*.") else _domain(value)


def _mode(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise BadValue("value.file-mode", f'{value!r} is not a file mode: expected a mode such as "0660"')
    return value


def _workers(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS):
        return value
    raise BadValue("value.workers", f"expected auto, or a whole number from 1 to {MOST_WORKERS}")


def _line_length(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or LEAST_LINE <= value <= MOST_LINE):
        return value
    raise BadValue(
        "value.line-length",
        f"expected a number of octets from {LEAST_LINE} to {MOST_LINE}, or 0 for lines of any length",
    )


def _listener(value: str) -> str:
    if value.startswith("unix:") and len(value) > len("unix:"):
        if not value.startswith("unix:/"):
            raise BadValue(
                "value.socket-path",
                f"{value!r}: expected the whole path, beginning with /. Only in main.cf the path begins at Postfix's "
                "queue directory",
            )
        if len(os.fsencode(value)) > 107 + len("unix:"):
            raise BadValue("value.socket-path-too-long", "the path of a unix-domain socket has at most 107 bytes")
        return value
    match = re.fullmatch(r"inet6?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", value)
    if match and 0 < int(match[2]) < 65536:
        return value
    raise BadValue(
        "value.socket",
        f"{value!r} is not a listener: expected unix:PATH or inet:HOST:PORT (IPv6 in brackets: inet:[::1]:8891)",
    )


def _path(value: object, info: ValidationInfo) -> Path:
    """Relative paths start at the folder of the configuration file."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not _FILE_NAME.fullmatch(value):
        raise BadValue("value.file-path", "expected the path of a file (in quotes if it is a number)")
    base = (info.context or {}).get("folder", Path())
    return _joined(base, value)


@lru_cache(maxsize=64)
def _joined(base: Path, value: str) -> Path:
    """Once for the keys that share a file, which mostly stand together."""
    return Path(base, value)


FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
"""The name of a header field (RFC 5322 section 3.6.8), as it is written in a configuration or a policy."""


def _field_name(value: str) -> str:
    if not FIELD_NAME.fullmatch(value):
        raise BadValue(
            "value.header-field", f"{value!r} is not the name of a header field (write it without the colon)"
        )
    return value


_VERDICT_GROUPS = ("flag", "score", "bar")


def _pattern(value: str) -> str:
    """A pattern that strangers' text is matched with."""
    try:
        groups = re.compile(value, re.IGNORECASE).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise BadValue("value.pattern", f"not a valid regular expression: {error}") from None
    unknown = sorted(set(groups) - {*_VERDICT_GROUPS, "required"})
    if unknown:
        raise BadValue("value.pattern-group", f"unknown group {unknown[0]!r}; valid here: flag, score, bar, required")
    if not set(groups) & set(_VERDICT_GROUPS):
        raise BadValue(
            "value.pattern-without-group",
            r"expected a group with a verdict: (?P<flag>yes), (?P<score>\d+) or (?P<bar>\++)",
        )
    if repeats_repeats(value):
        raise BadValue(
            "value.pattern-slow",
            "the pattern repeats a group that contains repetitions or alternatives, such as (a+)*. A sender could "
            "keep the daemon busy for hours",
        )
    if (slow := slowness(value)) is not None:
        raise BadValue(
            "value.pattern-slow",
            f"the pattern is slow on {slow}. A sender could keep the daemon busy: use fewer * and +, or *+ and ++",
        )
    return value


NetworkText = Annotated[Network, BeforeValidator(_network)]
AddressText = Annotated[Address, BeforeValidator(_address)]
Domain = Annotated[StrictStr, AfterValidator(_domain)]
AuthservId = Annotated[StrictStr, AfterValidator(authserv.valid)]
Host = Annotated[StrictStr, AfterValidator(_host)]
SocketText = Annotated[StrictStr, AfterValidator(_listener)]
FilePath = Annotated[Any, AfterValidator(_path)]
Mode = Annotated[StrictStr, AfterValidator(_mode)]
Workers = Annotated[Literal["auto"] | StrictInt, BeforeValidator(_workers)]
LineLength = Annotated[int, BeforeValidator(_line_length)]
FieldName = Annotated[StrictStr, AfterValidator(_field_name)]
Pattern = Annotated[StrictStr, AfterValidator(_pattern)]


@functools.lru_cache(maxsize=1024)
def _parsed(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_in(ip: str | None, networks: tuple[Network, ...]) -> bool:
    """Is the address in one of the networks? False for a text that is not an address."""
    address = _parsed(ip) if ip else None
    if address is None:
        return False
    return any(address.version == network.version and address in network for network in networks)
