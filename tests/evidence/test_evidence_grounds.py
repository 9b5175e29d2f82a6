"""A word of ours helps where it is about the session in which the message entered."""

from __future__ import annotations

import pytest

from dkimgate.evidence.gather import see
from tests.world.mail import AUTHOR, BORDER, CONFIG, message

OURS = (
    "Authentication-Results: mx.forwarder.example;\n\tdkim=pass header.d=hosted.example header.s=s header.b=abcdefgh;\n"
    "\tspf=fail (mx.forwarder.example: domain of ask@hosted.example does not designate {} as permitted sender)"
    " smtp.mailfrom=ask@hosted.example\n"
)


@pytest.mark.parametrize(
    ("border", "told", "same"),
    [
        ("192.0.2.66", "192.0.2.66", True),
        ("192.0.2.66", "192.0.2.67", False),
        ("192.0.2.66", "::ffff:192.0.2.66", True),
        ("::ffff:192.0.2.66", "192.0.2.66", True),
        ("::ffff:192.0.2.66", "192.0.2.67", False),
        ("IPv6:2001:db8::66", "2001:DB8:0::66", True),
        ("IPv6:2001:db8::66", "2001:db8::67", False),
        ("192.0.2.66", "2001:db8::66", False),
    ],
)
def test_it_tells_the_address_of_the_borders_client(border: str, told: str, same: bool) -> None:
    seen = see(message(OURS.format(told) + BORDER.replace("192.0.2.66", border) + AUTHOR), CONFIG)
    claim = next(claim for claim in seen.claims if claim.method == "dkim")
    assert claim.is_believed() is same, claim.why
