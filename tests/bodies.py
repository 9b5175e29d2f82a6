"""Bodies as signatures are compared with them."""

from __future__ import annotations

from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.sent_body import SentBody


def forms(body: bytes, piece: int = 65_536) -> BodyForms:
    """Both forms of a body with CRLF line ends, handed over in pieces of so many octets."""
    taken = SentBody(simple=True)
    for start in range(0, len(body), piece):
        taken.update(body[start : start + piece])
    return taken.forms()
