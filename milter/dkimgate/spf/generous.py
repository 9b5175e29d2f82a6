"""SPF records as the most generous reader takes them: for refusals, where a record is not plain.

Receivers read more than RFC 7208 has: rspamd takes `?include:` for `include:` and `ip4=` for `ip4:`, reads on behind
`all`, and takes `spf2.0` and ` v=spf1;` for a version; Mail::SPF finds an IPv4 address in ip6, OpenDMARC a redirect in
`redirect:`. Here every term counts that one of them may match.
"""

from __future__ import annotations

import re

from dkimgate.spf.query import Query, bounded

_VERSION = re.compile(rb"\A[\s\"']*+(?:v\s*+=\s*+)?spf[^\s;,]*+", re.IGNORECASE)
_BETWEEN = re.compile(rb"[\s;,\"'\[\]]+")  # what is split in `ip4:[192.0.2.1]` is an address still
_ADDRESS = re.compile(
    rb"[+?~-]*(?:(?:ipv?[46]?|a|mx)[:=])?(?:::ffff:)?([0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?)", re.IGNORECASE
)
_TERM = re.compile(rb"([+?~-]*)(all|a|mx|ptr|exists|include|ip4|ip6|redirect)(?:[:=]([^\s]*)|(/.*))?", re.IGNORECASE)


class Generous(Query):
    """A query that reads records so. A pass means that some receiver may find one."""

    def _ask(self, name: str, qtype: str) -> list[object]:
        found = super()._ask(name, qtype)
        if qtype != "TXT":
            return found
        records = [text for text in self.lookup.txt(name).values if _VERSION.match(text)]
        loosened = _loosened(b" ".join(_VERSION.sub(b"", text, count=1) for text in records))
        return [(bounded(loosened),)] if records else []


def _loosened(terms: bytes) -> bytes:
    """One record of all terms that may match, each as a pass."""
    made = [b"v=spf1"]
    for text in _BETWEEN.split(terms):
        address, term = _ADDRESS.fullmatch(text.rstrip(b"./")), _TERM.fullmatch(text.rstrip(b"."))
        if address is not None:
            made.append(b"ip4:" + address[1])
        elif term is not None:
            made += _term(term[1], term[2].lower(), term[3], term[4] or b"")
    return b" ".join(made)


def _term(qualifier: bytes, name: bytes, argument: bytes | None, mask: bytes) -> list[bytes]:
    match name:
        case b"all":
            return [b"all"] if qualifier in (b"", b"+") else []
        case b"redirect":
            return [b"include:" + argument] if argument else []  # behind all the others, and they come first anyway
        case b"include" | b"exists" | b"ip4" | b"ip6" if not argument or name == b"ip4":
            return []  # nothing, or no address
    return [name + (b":" + argument if argument else b"") + mask]
