"""What a client types as its sender, and what cleanup(8) and smtp(8) make of it."""

from __future__ import annotations

import random

import pytest

from dkimgate.message import domains
from tests.chain import rewriting, world
from tests.chain.test_chain_rewriting import APPENDING, MAPPED, NEVER, ODD_SENDERS, machine  # noqa: F401

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("settings", "sender", "shown", "there"),
    [
        (APPENDING, "ceo", f"ceo@{world.HOSTED}", f"ceo@{world.HOSTED}"),
        (APPENDING, f"{world.HOSTED}!ceo", f"ceo@{world.HOSTED}", f"ceo@{world.HOSTED}"),
        ({"sender_canonical_maps": MAPPED}, "x@stranger.example", f"ceo@{world.HOSTED}", f"ceo@{world.HOSTED}"),
        ({"smtp_generic_maps": MAPPED}, "x@stranger.example", "x@stranger.example", f"ceo@{world.HOSTED}"),
    ],
)
def test_of_mail_from_sendmail_the_gate_is_shown_the_sender_as_cleanup_made_it(
    settings: dict[str, str], sender: str, shown: str, there: str
) -> None:
    """All but what smtp(8) does to it."""
    with rewriting.started(settings) as host:
        seen = host.sendmail(sender, f"x@{world.HOSTED}")
        assert (seen.record["envelope"]["sender"], seen.sender) == (shown, there)
        assert seen.record["outgoing"]["spf_passes"] is True


PIECES = (
    *(
        "ceo",
        "mail",
        world.HOSTED,
        "a.example",
        f"x.{world.HOSTED}",
        "@",
        "@",
        "@",
        ".",
        "!",
        "%",
        '"',
        "(x)",
        "(",
        ":",
        ";",
        ",",
        " ",
        "\\",
    ),
    *("[192.0.2.1]", "'", "=", "+", "/", "\t", "#", "|", "..", "xn--bcher-kva.example", "localhost"),
)


@pytest.mark.parametrize("settings", [APPENDING, NEVER | {"masquerade_domains": world.HOSTED}])
def test_whatever_is_typed_the_gate_foretells_the_sender_that_leaves(settings: dict[str, str]) -> None:
    """Senders put together at random, the same each time."""
    dice = random.Random(8)
    taken = 0
    with rewriting.started(settings) as host:
        for _ in range(ODD_SENDERS):
            sender = "".join(dice.choices(PIECES, k=dice.randint(1, 6)))
            seen = host.send(sender, f"x@{world.HOSTED}")
            if seen.refused:
                continue
            taken += 1
            domain = seen.sender.rpartition("@")[2] or world.FORWARDER
            if domains.a_label(domain) is None or "." not in domain:
                continue  # of no author that DMARC knows
            seen = host.send(sender, f"x@{domain}")
            assert seen.record["outgoing"]["spf_passes"] is True, (sender, seen.sender)
    assert taken > ODD_SENDERS / 5
