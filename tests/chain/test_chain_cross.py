"""OpenDKIM and OpenDMARC beside our own checks: of the same message both say the same, or the case says why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.chain import dkimgate_signer, scenarios, world
from tests.chain.cross_cases import CASES
from tests.chain.harness import Chain
from tests.chain.mail import Delivered
from tests.chain.senders import Sent, Verdict, by_dkimpy, changed, longer, plain, signed, topped
from tests.chain.servers import UNCHECKED_PORT
from tests.chain.test_chain_review import MISLEADING

pytestmark = pytest.mark.servers

HAM = "Hello, here is the recipe you asked for."
FRIEND = f"friend@{world.HOSTED}"
WE_ARE_LAXER = {"record: a policy that is none, with rua=", "record: no policy, with rua="}
OTHER_BEHIND_THE_BORDER = {
    "header: Authentication-Results signed as absent": Verdict(
        "dkim", "pass"
    ),  # there we leave out what our milters added
    "header: no From": Verdict(
        "", ""
    ),  # sendmail(1) made one of the sender: then it is an author of whom nothing is known
    "alignment: null sender, HELO aligned": Verdict("", "fail"),  # a result for EHLO tells no sender
}


def verified(record: dict[str, Any], method: str) -> list[dict[str, Any]]:
    """The claims that the gate made itself."""
    return [claim for claim in record["claims"] if claim["method"] == method and claim["standing"] == "verified"]


def passing(record: dict[str, Any]) -> list[str]:
    """`domain/selector` of each signature that the gate found valid."""
    found = [dict(claim["properties"]) for claim in verified(record, "dkim") if claim["result"] == "pass"]
    return sorted(f"{properties['header.d']}/{properties['header.s']}" for properties in found)


def verdict(spf: str | None, signatures: list[str], dmarc: str | None) -> Verdict:
    """In the words of the cases."""
    return Verdict(" ".join([*["spf"] * (spf == "pass"), *["dkim"] * bool(signatures)]), dmarc or "")


def our_verdict(record: dict[str, Any]) -> Verdict:
    """What the gate says."""
    return verdict(only(record, "spf"), passing(record), only(record, "dmarc"))


def only(record: dict[str, Any], method: str) -> str | None:
    """The result of the one claim of that method that the gate made itself."""
    results: list[str] = [claim["result"] for claim in verified(record, method)]
    assert len(results) <= 1
    return results[0] if results else None


def observed(chain: Chain, message: Delivered) -> tuple[dict[str, Any], dict[str, Any]]:
    """The checker's records of a message: in the session in which it entered, and where it left."""
    entering, leaving = dkimgate_signer.records(chain.folder, message.message_id, dkimgate_signer.CHECKER)
    assert (entering["origin"], leaving["origin"]) == ("inbound", "forwarded")
    assert (entering["error"], leaving["error"]) == (None, None)
    return entering, leaving


@pytest.fixture(scope="module")
def sent(crossed: Chain) -> dict[str, Sent]:
    """Every case, handed in at once: that takes a quarter of the time."""
    messages = {name: case.sent() for name, case in CASES.items()}
    for message in messages.values():
        crossed.hand_in(message.letter, client=message.client, recipient=FRIEND, sender=message.sender)
    return messages


@pytest.mark.parametrize("name", CASES)
def test_we_say_what_opendkim_and_opendmarc_say_or_why_not(crossed: Chain, sent: dict[str, Sent], name: str) -> None:
    case = CASES[name]
    got = crossed.receive(sent[name].letter)
    entering, leaving = observed(crossed, got)
    assert verdict(got.arrival("spf"), got.valid_on_arrival(), got.arrival("dmarc")) == case.theirs
    assert our_verdict(entering) == case.ours
    if case.theirs == case.ours:
        assert passing(entering) == sorted(text.lower() for text in got.valid_on_arrival())

    # where it leaves, nobody can ask SPF any more: a header is a text, whoever wrote it
    expected = OTHER_BEHIND_THE_BORDER.get(
        name, replace(case.ours, passes=case.ours.passes.removeprefix("spf").strip())
    )
    found = our_verdict(leaving)
    assert found.passes == expected.passes
    # without it, what is no pass by a signature may be unknown, or a record that only some receivers apply
    assert found.dmarc in ({expected.dmarc, "", "permerror"} if "spf" in case.theirs.passes else {expected.dmarc})
    assert found.dmarc != "pass" or "dkim" in found.passes
    assert verified(leaving, "spf") == []


def test_every_difference_has_its_reason() -> None:
    """A pass of ours that is not theirs is the kind to worry about."""
    assert all(bool(case.why) == (case.theirs != case.ours) for case in CASES.values())
    assert {name for name, case in CASES.items() if case.ours.dmarc == "pass" != case.theirs.dmarc} == WE_ARE_LAXER


FORGERIES = (scenarios.forgery, scenarios.dressed_forgery, scenarios.rerouted_forgery)


@pytest.mark.parametrize("domain", [world.HOSTED, world.HOSTED_SPF])
@pytest.mark.parametrize("forge", FORGERIES)
def test_both_see_a_forgery(crossed: Chain, forge: scenarios.Scenario, domain: str) -> None:
    got = forge(crossed, domain)
    entering, _ = observed(crossed, got)
    assert (
        verdict(got.arrival("spf"), got.valid_on_arrival(), got.arrival("dmarc"))
        == our_verdict(entering)
        == Verdict("", "fail")
    )


@pytest.mark.parametrize(
    ("send", "passes"), [(scenarios.from_stranger, "spf dkim"), (scenarios.from_other_server, "dkim")]
)
def test_both_see_good_mail(crossed: Chain, send: scenarios.Scenario, passes: str) -> None:
    got = send(crossed, HAM)
    entering, leaving = observed(crossed, got)
    assert (
        verdict(got.arrival("spf"), got.valid_on_arrival(), got.arrival("dmarc"))
        == our_verdict(entering)
        == Verdict(passes, "pass")
    )
    assert our_verdict(leaving) == Verdict("dkim", "pass")


@pytest.mark.parametrize(
    ("field", "dmarc"),
    [(MISLEADING[name], "pass" if name.endswith("that holds a DKIM result") else "fail") for name in MISLEADING],
    ids=list(MISLEADING),
)
def test_opendmarc_that_looks_at_spf_itself_is_misled_by_opendkim_alone(crossed: Chain, field: str, dmarc: str) -> None:
    """systemd/README.md wants `SPFIgnoreResults true` beside `SPFSelfValidate true`. test_chain_review.py shows the same forgeries without."""
    got = scenarios.forgery(crossed, world.HOSTED, field)
    assert got.arrival("dmarc") == dmarc
    entering, _ = observed(crossed, got)
    assert our_verdict(entering) == Verdict("", "fail")
    (record,) = dkimgate_signer.records(crossed.folder, got.message_id)
    assert record["arrival"]["dmarc"] in ("fail", "unknown")
    assert dkimgate_signer.signatures(record) == []


# where nothing of ours verifies what comes in, and `verify.when` is `missing`


@pytest.fixture
def unchecked(crossed: Chain) -> Chain:
    """The same chain; what is sent goes to the port without milters."""
    return replace(crossed, port=UNCHECKED_PORT)


def only_record(chain: Chain, got: Delivered) -> dict[str, Any]:
    """The signer's record; nobody ahead of it has said a word."""
    assert (got.arrival("dmarc"), got.arrival("spf"), got.arrival("dkim")) == (None, None, None)
    (record,) = dkimgate_signer.records(chain.folder, got.message_id)
    assert (record["error"], record["origin"]) == (None, "forwarded")
    assert not [claim for claim in record["claims"] if claim["standing"] == "trusted"]
    return record


def assert_unsigned(chain: Chain, got: Delivered) -> None:
    """Neither the record nor the receiver knows of a signature of ours."""
    record = only_record(chain, got)
    assert record["arrival"]["dmarc"] in ("unknown", "fail", "permerror")
    assert (record["arrival"]["aligned"], record["decision"]["sign"], dkimgate_signer.signatures(record)) == (
        False,
        "none",
        [],
    )
    assert not [signature for signature in got.signatures() if signature.endswith(f"/{world.GATE_SELECTOR}")]
    assert not [signature for signature in got.valid_signatures() if signature.endswith(f"/{world.GATE_SELECTOR}")]


@pytest.mark.parametrize("domain", [world.HOSTED, world.HOSTED_SPF])
@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forgery_that_nobody_checked_is_not_signed(unchecked: Chain, forge: scenarios.Scenario, domain: str) -> None:
    assert_unsigned(unchecked, forge(unchecked, domain))


@pytest.mark.parametrize("field", MISLEADING.values(), ids=MISLEADING)
def test_a_misleading_forgery_that_nobody_checked_is_not_signed(unchecked: Chain, field: str) -> None:
    assert_unsigned(unchecked, scenarios.forgery(unchecked, world.HOSTED, field))


TWISTED = {
    "changed": lambda: changed(signed(plain(FRIEND)), b"promised", b"premised"),
    "longer than l=": lambda: longer(by_dkimpy(plain(FRIEND), length=True)),
    "by SHA-1": lambda: by_dkimpy(plain(FRIEND), sha1=True),
    "with another From on top": lambda: topped(signed(plain(FRIEND)), b"From: eve@plain.example"),
    "with a From that sendmail(1) makes of the sender": lambda: changed(
        plain(FRIEND), f"From: A Friend <{FRIEND}>\r\n".encode(), b""
    ),
}


@pytest.mark.parametrize("twist", TWISTED)
def test_a_signature_that_was_bent_is_none(unchecked: Chain, twist: str) -> None:
    """Somebody got hold of a message of another server of ours."""
    got = unchecked.send(TWISTED[twist](), client=world.ATTACKER, recipient=FRIEND, sender=FRIEND)
    assert_unsigned(unchecked, got)


def test_good_mail_of_another_server_of_ours_is_signed_by_our_own_checks(unchecked: Chain) -> None:
    got = scenarios.from_other_server(unchecked, HAM)
    record = only_record(unchecked, got)
    assert our_verdict(record) == Verdict("dkim", "pass")
    assert (record["arrival"]["dmarc"], record["arrival"]["aligned"]) == ("pass", True)
    assert dkimgate_signer.signatures(record) == [f"{world.HOSTED}/{world.GATE_SELECTOR}"]
    assert got.valid_signatures() == [f"{world.HOSTED}/{world.GATE_SELECTOR}", f"{world.HOSTED}/{world.OWN_SELECTOR}"]
    assert record["departure"]["dmarc"] == got.departure("dmarc") == "pass"


def test_good_mail_of_a_stranger_is_known_as_good_and_left_alone(unchecked: Chain) -> None:
    got = scenarios.from_stranger(unchecked, HAM)
    record = only_record(unchecked, got)
    assert (our_verdict(record), record["arrival"]["dmarc"]) == (Verdict("dkim", "pass"), "pass")
    assert got.valid_signatures() == [f"{world.GOOD}/{world.OWN_SELECTOR}"]


# what Postfix does to the header on the way


def test_postfix_drops_return_path_twice(crossed: Chain) -> None:
    """The sender's own at the border, and local(8)'s when sendmail(1) hands the message in again."""
    letter = plain(f"alice@{world.GOOD}", f"Return-Path: <liar@{world.HOSTED}>")
    got = crossed.send(letter, client=world.GOOD_HOST, recipient=FRIEND)
    keys = [field.key for field in got.header]
    assert b"liar@" not in got.raw
    assert keys.count("return-path") == 1, "the receiver's own"
    assert keys.count("delivered-to") == 2, "local(8) writes both fields; this one is kept"
    assert verified(observed(crossed, got)[1], "spf") == []


def test_postfix_completes_addresses_behind_the_border_and_breaks_their_signature(crossed: Chain) -> None:
    """So the gate finds it invalid where OpenDKIM found it valid, and so does the receiver."""
    letter = signed(changed(plain(), f"To: {FRIEND}".encode(), b"To: friend"))
    got = crossed.send(letter, client=world.ATTACKER, recipient=FRIEND)
    entering, leaving = observed(crossed, got)
    assert (got.valid_on_arrival(), passing(entering)) == (["good.example/s"], ["good.example/s"])
    assert (passing(leaving), got.valid_signatures()) == ([], [])


@contextmanager
def return_path_kept(chain: Chain) -> Iterator[None]:
    """The forwarder's Postfix drops it no more."""
    etc = chain.folder / "forwarder/etc"
    chain.namespace.run("postconf", "-c", etc, "-e", "message_drop_headers = bcc, content-length, resent-bcc")
    chain.namespace.run("postfix", "-c", etc, "reload")
    try:
        yield
    finally:
        chain.namespace.run("postconf", "-c", etc, "-X", "message_drop_headers")
        chain.namespace.run("postfix", "-c", etc, "reload")


def test_where_return_path_is_kept_it_tells_no_sender_either(crossed: Chain) -> None:
    """Whoever calls sendmail(1) writes it as he likes."""
    attacker = f"x@{world.ATTACKER}"
    lie = plain(FRIEND, f"Return-Path: <{FRIEND}>")
    with return_path_kept(crossed):
        honest = crossed.send(plain(), client=world.GOOD_HOST, recipient=FRIEND)
        liar = crossed.send(lie, client=world.ATTACKER, recipient=FRIEND, sender=attacker)
        forger = scenarios.forgery(crossed, world.HOSTED)
    for got in (honest, liar, forger):
        leaving = observed(crossed, got)[1]
        assert verified(leaving, "spf") == [] and our_verdict(leaving).dmarc != "pass"
