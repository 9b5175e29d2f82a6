"""Two hundred ways and more to gain an aligned signature for a forged message of a hosted domain. None may succeed.

Each attempt goes through the real engine in the wiring where it promises most (`attack_world.WIRINGS`), twice: by the shipped policy, and
by one that would sign everything, where the guard alone stands in the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.message.message import HeaderField
from tests.laws.attack_authors import AUTHORS, TOO_MUCH
from tests.laws.attack_fields import OTHERS, SPAM
from tests.laws.attack_passports import CHANGES, FORGED, HONEST, Change, Comeback
from tests.laws.attack_results import RESULTS
from tests.laws.attack_routes import ROUTES
from tests.laws.attack_signed import BY_SHARED, ENVELOPES, SEALS, SHARED, SIGNATURES, SIGNED, TRUSTED, sealed
from tests.laws.attack_world import BODY, LOGIN, NOW, POLICIES, STRANGER, WIRINGS, ZONE, Attempt, Forwarder, aligned

TABLES = {
    "results": RESULTS,
    "routes": ROUTES,
    "other fields": OTHERS,
    "spam": SPAM,
    "signatures": SIGNATURES,
    "envelopes": ENVELOPES,
    "seals": SEALS,
    "authors": AUTHORS,
    "too much": TOO_MUCH,
}
ATTEMPTS = {f"{table}: {name}": attempt for table, attempts in TABLES.items() for name, attempt in attempts.items()}

Open = Callable[[str, str], Forwarder]


@pytest.fixture(scope="module")
def forwarder(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """The forwarder of a wiring and a policy; each configuration is loaded once."""
    loaded: dict[tuple[str, str], Forwarder] = {}
    folder = tmp_path_factory.mktemp("forwarders")

    def of(wiring: str, policy: str) -> Forwarder:
        around = WIRINGS[wiring]
        key = around.configuration, policy
        if key not in loaded:
            loaded[key] = Forwarder(folder / str(len(loaded)), around, policy)
        loaded[key].wiring = around
        return loaded[key]

    return of


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("table", TABLES)
def test_no_attempt_gains_an_aligned_signature(
    table: str, policy: str, forwarder: Open, subtests: pytest.Subtests
) -> None:
    for name, attempt in TABLES[table].items():
        with subtests.test(name):
            ours = forwarder(attempt.wiring, policy)
            outcome = ours.departs(attempt)
            assert not aligned(outcome), ours.record
            assert len(ours.records()) == ours.passages, "one message, one record, at the border and at the gate"


def _at_the_border(ours: Forwarder, header: tuple[HeaderField, ...]) -> HeaderField:
    """The passport that a message from a stranger gets."""
    ours.asks(ZONE)
    ours.now = NOW
    outcome = ours.border(header, STRANGER, BODY, recipients=("ask@hosted.example",))
    return next(
        HeaderField(name.encode(), b" " + value) for name, value in outcome.fields if name == "X-Dkimgate-Passport"
    )


def _comes_back(ours: Forwarder, passports: tuple[HeaderField, ...], change: Change = lambda back: back) -> list[str]:
    back = change(Comeback((*passports, *FORGED)))
    ours.now = NOW + back.later
    try:
        return aligned(ours.send(back.header, back.client, back.body))
    finally:
        ours.now = NOW


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CHANGES)
def test_a_passport_is_good_for_one_message_as_it_was(name: str, policy: str, forwarder: Open) -> None:
    ours = forwarder("border", policy)
    passport = _at_the_border(ours, HONEST)
    assert _comes_back(ours, (passport,)), "unchanged, it helps"
    assert not _comes_back(ours, (passport,), CHANGES[name]), ours.record


@pytest.mark.parametrize("policy", POLICIES)
def test_two_passports_that_contradict_each_other(policy: str, forwarder: Open) -> None:
    ours = forwarder("border", policy)
    good, bad = _at_the_border(ours, HONEST), _at_the_border(ours, FORGED)
    for passports in ((good, bad), (bad, good), (bad,), (bad, bad)):
        assert not _comes_back(ours, passports)


def test_there_are_two_hundred_attempts_and_no_two_are_one() -> None:
    assert len(ATTEMPTS) == sum(map(len, TABLES.values()))
    assert len(set(ATTEMPTS.values())) == len(ATTEMPTS)
    assert len(ATTEMPTS) + len(CHANGES) >= 200


def test_no_wiring_stands_idle() -> None:
    assert {attempt.wiring for attempt in ATTEMPTS.values()} == set(WIRINGS)


HONEST_MAIL = {
    "from a program of ours": Attempt(border="", wiring="checked by the gate"),
    "with a login": Attempt(border="", wiring="checked by the gate", client=LOGIN),
    "passed at the border": Attempt(SIGNED, wiring="verified, SPF passes", border=BY_SHARED),
    "signed by its author, checked by the gate": Attempt(SIGNED),
    "signed by its author, checked always": Attempt(SIGNED, "checked always"),
    "signed by its author, inbound": Attempt(SIGNED, "inbound"),
    "signed by its author, through the border": Attempt(SIGNED, "border"),
    "signed by its author, through a border that strips": Attempt(SIGNED, "border, strips"),
    "signed by its author, only the passport left": Attempt(SIGNED, "border, only the passport is left"),
    "SPF passes, inbound": Attempt(
        "", "inbound", client=replace(STRANGER, ip="203.0.113.10"), sender="ask@hosted.example"
    ),
    "SPF passes by the provider, through the border": Attempt("", "border", client=SHARED, sender="ask@hosted.example"),
    "SPF passes for the null sender's HELO": Attempt(
        "", "inbound", client=replace(STRANGER, ip="203.0.113.10", helo="hosted.example"), sender=""
    ),
    "signed by its author, behind a bridge": Attempt(SIGNED, "behind a bridge"),
    "sealed by the list that we trust": sealed(TRUSTED),
    "sealed by the list that we trust, through the border": sealed(TRUSTED, "border"),
    "with verdicts of other hosts below": Attempt(
        b"Authentication-Results: mx.other.example; dmarc=pass header.from=hosted.example\n" + SIGNED,
        "verified, SPF passes",
        border=BY_SHARED,
    ),
    "with ham below": Attempt(
        b"X-Spam-Status: No, score=0.1 required=5.0\n" + SIGNED, "verified, SPF passes", border=BY_SHARED
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", HONEST_MAIL)
def test_honest_mail_is_signed(name: str, policy: str, forwarder: Open) -> None:
    """The control, in the same wirings: a table in which nothing is ever signed would prove nothing."""
    attempt = HONEST_MAIL[name]
    ours = forwarder(attempt.wiring, policy)
    assert len(aligned(ours.departs(attempt))) == 1, ours.record


@pytest.mark.parametrize("wiring", ["content filter", "LMTP", "two hosts", "verified", "verified, fields below"])
def test_honest_mail_is_signed_where_our_verifiers_say_pass(wiring: str, tmp_path: Path) -> None:
    """The same wirings as in the table, save that the verdict of our own verifier is another."""
    around = WIRINGS[wiring]
    passing = replace(around, above=around.above.replace("dmarc=fail (p=reject dis=none)", "dmarc=pass"))
    ours = Forwarder(tmp_path / "honest", passing, "shipped")
    assert len(aligned(ours.departs(Attempt(SIGNED)))) == 1, ours.record
