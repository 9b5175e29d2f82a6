"""The gate checks what nobody has checked, and asks and keeps nothing where it need not."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from dkimgate.facts import Disposition
from dkimgate.message.message import Connection
from tests.arc.sealing import ZONE as ARC_ZONE
from tests.arc.sealing import mail
from tests.world.host import SHIPPED, Host
from tests.world.keys import BODY, DOMAIN, HEADER, NOW, Signer, zone
from tests.world.mail import BORDER, REINJECTED, message

ZONE = {**zone(), f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]}, DOMAIN: {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]}}
ZONE |= {f"mail.{DOMAIN}": ZONE[DOMAIN]}
STRANGER = Connection(ip="198.51.100.66", helo="c.example")
TRUSTED = b"Authentication-Results: mx.forwarder.example; dmarc=%s header.from=hosted.example\r\n"
BORDER_FIELD = BORDER.replace("\n", "\r\n").encode()
SIGNED = Signer().sign() + HEADER
FORGED = HEADER


class Arrived(Host):
    """A gate with a zone. The sender is not aligned with the author, and the body comes in small pieces."""

    sender = "ann@elsewhere.example"
    size = 7

    def __init__(
        self, folder: Path, verify: str, failing: frozenset[str] = frozenset(), trust: str = "", rules: str = ""
    ) -> None:
        super().__init__(
            folder, f"verify: {{{verify}}}\ntrust: {{{trust}}}", rules, zone=ZONE, failing=failing, now=NOW
        )


SPF = b"Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=%s\r\n"
OTHERS = FORGED.replace(b"ann@hosted.example", b"ann@friend.example")


def test_where_a_host_of_ours_has_spoken_nobody_is_asked_for_what_earns_nothing(tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    other = "ann@elsewhere.test"  # below one registry's suffix, the registry's DMARC record could make the two align
    arrived.send(TRUSTED % b"fail" + BORDER_FIELD + SIGNED, sender=other)
    assert (arrived.dns.asked, arrived.kept, arrived.record["arrival"]["dmarc"]) == ([], False, "fail")
    assert OTHERS != FORGED
    arrived.send(TRUSTED.replace(b"hosted", b"friend") % b"pass" + BORDER_FIELD + OTHERS, sender=other)
    assert (arrived.dns.asked, arrived.kept, arrived.record["arrival"]["dmarc"]) == ([], False, "pass"), (
        "no key, no seal, no envelope"
    )


def test_a_pass_of_ours_that_would_earn_a_signature_is_proved_first(tmp_path: Path) -> None:
    """A verifier of ours may have been talked into it, and a local program may have removed what shows that."""
    arrived = Arrived(tmp_path, "when: missing")
    assert arrived.send(TRUSTED % b"pass" + BORDER_FIELD + FORGED).fields == ()
    assert arrived.dns.asked and arrived.record["arrival"]["dmarc"] == "unknown"
    assert arrived.send(TRUSTED % b"none" + BORDER_FIELD + FORGED).fields == ()
    assert arrived.record["arrival"]["dmarc"] == "unknown"
    assert len(arrived.send(TRUSTED % b"pass" + BORDER_FIELD + SIGNED).fields) == 1
    assert arrived.record["arrival"]["dmarc"] == "pass"
    assert arrived.send(TRUSTED % b"pass" + BORDER_FIELD + SIGNED, body=BODY + b"A footer\r\n").fields == ()
    assert arrived.record["arrival"]["dmarc"] == "unknown", (
        "an honest program may have changed it: that is no proof of a forgery"
    )


HONEST_BORDER = BORDER_FIELD.replace(b"192.0.2.66", b"192.0.2.10")
"""Of a client that SPF of the author domain lists."""


@pytest.mark.parametrize("when", ["missing", "always"])
def test_law_1_no_word_of_spf_proves_anything_in_mail_that_comes_by_again(when: str, tmp_path: Path) -> None:
    """Any program on a host of ours writes such a header: it calls sendmail(1) with a Received field of its own."""
    arrived = Arrived(tmp_path, f"when: {when}")
    for domain in (b"bob@hosted.example", b"hosted.example", b"bob@mail.hosted.example", b"attacker.example"):
        for path in (b"", b"Return-Path: <bob@hosted.example>\r\n"):
            assert arrived.send(path + TRUSTED % b"pass" + SPF % domain + HONEST_BORDER + FORGED).fields == ()
            assert arrived.record["arrival"]["dmarc"] == "unknown"
            assert arrived.record["arrival"]["spf"] != "pass" and arrived.record["arrival"]["aligned"] is False
    session = Connection(ip="192.0.2.10", helo="mail.hosted.example")
    assert len(arrived.send(FORGED, session, sender="bob@hosted.example").fields) == 1, "the border itself"


def test_a_broken_signature_under_our_name_changes_nothing(tmp_path: Path) -> None:
    """What arrived well by another signature is signed. Ten thousand such fields are no honest sender's, and cost no more than without our name."""
    arrived = Arrived(tmp_path, "when: missing")
    passed = TRUSTED % b"pass" + HONEST_BORDER
    broken = (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hosted.example; s=gate; h=from; bh=AAAA; b=AAAA\r\n"
    )
    for forged in (broken, broken * 5):
        assert len(arrived.send(passed + forged + SIGNED).fields) == 1
        assert (arrived.record["own_signature"], arrived.record["arrival"]["dmarc"]) == (False, "pass")
    assert arrived.send(passed + broken * 10_000 + SIGNED).fields == ()
    assert arrived.record["own_signature"] is False
    assert arrived.send(TRUSTED % b"fail" + HONEST_BORDER + broken + FORGED).fields == ()
    assert (arrived.record["own_signature"], arrived.record["arrival"]["dmarc"]) == (False, "fail")


RECORDS = {
    "v=spf1 ip4:192.0.2.10 -all": True,
    "v=spf1 include:shared.example -all": True,
    "v=spf1 ?include:shared.example -all": False,
    "v=spf1 ~include:shared.example -all": False,
    "v=spf1 -include:shared.example ip4:192.0.2.10 -all": False,
    "v=spf1 ~all ip4:192.0.2.10": False,
    "v=spf1 ip4=192.0.2.10 -all": False,
    "v=spf1 -ip4:192.0.2.10 ip4:192.0.2.0/24 -all": False,
    "v=spf1; ip4:192.0.2.10 -all": False,
    "spf2.0/mfrom ip4:192.0.2.10 -all": False,
    "v=spf1 ?all": False,
}
"""SPF records, and do they let 192.0.2.10 pass by RFC 7208? rspamd 3.4 says so of each but the last."""
WORDS = {
    "rspamd": b"Authentication-Results: mx.forwarder.example;\r\n\tdkim=none;\r\n\tdmarc=pass (policy=reject) header.from=hosted.example;\r\n"
    b"\tspf=pass (mx.forwarder.example: domain of ceo@hosted.example designates 192.0.2.10 as permitted sender) smtp.mailfrom=ceo@hosted.example\r\n",
    # OpenDKIM's RemoveARAll can't read it, and leaves it where a sender wrote it
    "FortiMail": b"Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=hosted.example; dkim=pass header.i=@hosted.example"
    b" dkim=pass header.i=@hosted.example; dmarc=pass header.from=hosted.example\r\n",
    "SPF alone": SPF % b"ceo@hosted.example",
    "SPF beside DMARC": TRUSTED % b"pass" + SPF % b"ceo@hosted.example",
}


@pytest.mark.parametrize("when", ["missing", "always"])
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("record", RECORDS)
def test_law_2_no_verifier_of_ours_passes_spf_for_what_its_record_does_not(
    record: str, word: str, when: str, tmp_path: Path
) -> None:
    """Its reading of a record may be its own."""
    arrived = Arrived(tmp_path, f"when: {when}", trust="border_strips_forgeries: true")
    shared = {"shared.example": {"TXT": ["v=spf1 ip4:192.0.2.0/28 -all"]}, DOMAIN: {"TXT": [record]}}
    arrived.asks(ZONE | shared)
    for header in (WORDS[word] + HONEST_BORDER, HONEST_BORDER + WORDS[word]):
        assert arrived.send(header + FORGED).fields == ()
        assert arrived.record["arrival"]["dmarc"] != "pass"
    arrived.send(WORDS[word] + FORGED, Connection(ip="192.0.2.10", helo="c.example"), sender=f"ceo@{DOMAIN}")
    assert (arrived.record["arrival"]["dmarc"] == "pass") is RECORDS[record], "the border itself"
    assert arrived.send(WORDS[word] + FORGED, STRANGER, sender="eve@attacker.example").fields == ()


POLICIES = [*sorted(Path(SHIPPED).parent.glob("policies/*.yaml")), Path(SHIPPED)]
OVERLOOKED = {
    "plain": TRUSTED % b"pass",
    "none": TRUSTED % b"none",
    "DKIM alone": b"Authentication-Results: mx.forwarder.example; dkim=pass header.d=hosted.example\r\n",
    "SPF alone": SPF % b"ceo@hosted.example",
    "b=": b"Authentication-Results: mx.forwarder.example; dkim=pass header.i=a@hosted.example header.s=x header.b=ab+/=; dmarc=pass header.from=hosted.example\r\n",
    "FortiMail": WORDS["FortiMail"],
    "rspamd": WORDS["rspamd"],
}
"""Fields in our name that a border may overlook: OpenDKIM's RemoveARAll leaves some where a sender wrote them."""


@pytest.mark.parametrize("word", OVERLOOKED)
@pytest.mark.parametrize("inbound", [True, False])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda file: file.stem)
def test_law_6_a_field_in_our_name_that_the_border_overlooked_gains_nothing(
    policy: Path, inbound: bool, word: str, tmp_path: Path
) -> None:
    """Nothing is signed or sealed for partner.example, and the envelope is not its own: but it is not refused, held or weighed for the word
    either."""
    rules = policy.read_text().replace("seal: true", "seal: false").replace("sign: forwarder", "sign: none")
    arrived = Arrived(tmp_path, "when: missing", trust="border_strips_forgeries: true", rules=rules)
    arrived.asks({name.replace("hosted", "partner"): records for name, records in ZONE.items()})
    forged = FORGED.replace(b"hosted.example", b"partner.example")
    top, client = (b"", STRANGER) if inbound else (BORDER_FIELD, REINJECTED)
    told = []
    for field in (b"", OVERLOOKED[word].replace(b"hosted.example", b"partner.example")):
        outcome = arrived.send(top + field + forged, client, sender="eve@attacker.test")
        arrival = arrived.record["arrival"]
        assert (arrival["dmarc"] in ("pass", "none"), arrival["aligned"]) == (False, False)
        told.append((outcome.disposition, outcome.sender, outcome.fields, arrived.record["risk"]["score"]))
    assert told[1][:3] == told[0][:3] and told[1][3] >= told[0][3]


@pytest.mark.parametrize("sender", ["eve@nospf.example", "eve", "<>", ""])
@pytest.mark.parametrize("dmarc", [b"", TRUSTED % b"pass"])
def test_law_2_spf_of_the_name_in_ehlo_is_none_of_the_sender(dmarc: bytes, sender: str, tmp_path: Path) -> None:
    """policyd-spf prints it where the domain of MAIL FROM has no record. DMARC takes it for the null sender alone, whose Return-Path is
    `<>` (RFC 7489 section 3.1.2, RFC 9989)."""
    word = (
        "Authentication-Results: mx.forwarder.example; spf=pass (sender SPF authorized) smtp.helo=hosted.example"
        f" (client-ip=192.0.2.10; helo=hosted.example; envelope-from={sender}; receiver=hosted.example)\r\n"
    ).encode()
    border = HONEST_BORDER.replace(b"client.attacker.example", b"hosted.example")
    arrived = Arrived(tmp_path, "when: missing")
    assert arrived.send(dmarc + word + border + FORGED).fields == ()
    assert arrived.record["arrival"]["dmarc"] not in ("pass", "none")


@pytest.mark.parametrize(
    "connection", [REINJECTED, Connection(ip="203.0.113.5", auth="ann")], ids=["sendmail", "login"]
)
def test_our_own_mail_is_not_checked(connection: Connection, tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: always")
    outcome = arrived.send(HEADER, connection)
    assert (arrived.dns.asked, len(outcome.fields)) == ([], 1)


def test_never_means_never(tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: never")
    assert arrived.send(BORDER_FIELD + SIGNED).fields == ()
    assert (arrived.dns.asked, arrived.kept, arrived.record["arrival"]["dmarc"]) == ([], False, "unknown")


@pytest.mark.parametrize(
    ("border", "connection"),
    [(BORDER_FIELD, REINJECTED), (b"", STRANGER)],
    ids=["re-injected", "in the border session"],
)
def test_what_passes_our_own_check_has_earned_it(border: bytes, connection: Connection, tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    outcome = arrived.send(border + SIGNED, connection)
    assert [name for name, _ in outcome.fields] == ["DKIM-Signature"]
    record = arrived.record
    assert (record["arrival"]["dmarc"], record["arrival"]["dkim"], record["arrival"]["aligned"]) == (
        "pass",
        "pass",
        True,
    )
    assert {claim["standing"] for claim in record["claims"]} == {"verified"}
    assert record["departure"]["dmarc"] == "pass"


FORGERIES = {
    "unsigned": FORGED,
    "a changed subject": SIGNED.replace(b"Lunch", b"Money"),
    "its own pass": TRUSTED % b"pass" + FORGED,
    "a pass of ARC": b"ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example\r\n"
    b"ARC-Message-Signature: i=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
    b"ARC-Seal: i=1; a=rsa-sha256; d=x.example; s=s; cv=none; b=AAAA\r\n" + FORGED,
}


@pytest.mark.parametrize("when", ["missing", "always"])
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize(
    ("border", "connection"),
    [(BORDER_FIELD, REINJECTED), (b"", STRANGER)],
    ids=["re-injected", "in the border session"],
)
def test_a_forgery_fails_our_own_check(
    border: bytes, connection: Connection, forgery: str, when: str, tmp_path: Path
) -> None:
    arrived = Arrived(tmp_path, f"when: {when}", trust="arc_sealers: [x.example]")
    assert arrived.send(border + FORGERIES[forgery], connection).fields == ()
    assert arrived.record["arrival"]["dmarc"] in ("fail", "unknown")


def test_the_worse_of_two_answers_counts(tmp_path: Path) -> None:
    """`always`: a host of ours says pass, and we find nothing that could be the reason."""
    arrived = Arrived(tmp_path, "when: always")
    assert arrived.send(TRUSTED % b"pass" + BORDER_FIELD + SIGNED.replace(b"Lunch", b"Money")).fields == ()
    assert arrived.record["arrival"]["dmarc"] == "unknown"
    arrived.send(TRUSTED % b"fail" + BORDER_FIELD + SIGNED)
    assert arrived.record["arrival"]["dmarc"] == "fail"


def test_what_the_border_states_of_spf_stands_in_for_our_own_check(tmp_path: Path) -> None:
    """OpenDMARC let a signature pass that we don't; on the message's second way only the border's field knows the envelope."""
    arrived = Arrived(tmp_path, "when: always")
    bent = SIGNED.replace(b"Lunch", b"Money")
    for stated, dmarc in [
        (b"spf=fail smtp.mailfrom=hosted.example", "fail"),
        (b"spf=pass smtp.mailfrom=attacker.example", "unknown"),
        (b"spf=pass smtp.mailfrom=hosted.example", "unknown"),
        (b"spf=pass smtp.mailfrom=hosted.example; spf=fail smtp.mailfrom=hosted.example", "fail"),
    ]:
        ours = b"Authentication-Results: mx.forwarder.example; " + stated + b"\r\n"
        arrived.send(TRUSTED % b"pass" + ours + HONEST_BORDER + bent)
        assert arrived.record["arrival"]["dmarc"] == dmarc, stated
    arrived.send(
        TRUSTED % b"pass"
        + HONEST_BORDER
        + b"Authentication-Results: mx.forwarder.example; spf=fail smtp.mailfrom=hosted.example\r\n"
        + bent
    )
    assert arrived.record["arrival"]["dmarc"] == "fail", "what hurts is believed from anyone"
    arrived.send(
        TRUSTED % b"pass"
        + HONEST_BORDER
        + b"Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=hosted.example\r\n"
        + bent
    )
    assert arrived.record["arrival"]["dmarc"] == "unknown", "a sender's own field is not the border's"
    arrived.send(TRUSTED % b"pass" + HONEST_BORDER + bent)
    assert arrived.record["arrival"]["dmarc"] == "unknown", "without a ground of our own a pass is none"


def test_a_sealer_that_we_trust_speaks_for_what_he_changed(tmp_path: Path) -> None:
    """The list in front of us broke the signature; without its seal nobody could know that the message was good."""
    sealed = mail().sealed().raw
    for sealers, expected in (
        ("", "unknown"),
        ("arc_sealers: [lists.example]", "pass"),
        ("arc_sealers: [others.example]", "unknown"),
    ):
        arrived = Arrived(tmp_path, "when: missing", trust=sealers)
        arrived.now = 1_790_000_000.0
        arrived.asks({**ZONE, **ARC_ZONE, "_dmarc.author.example": {"TXT": ["v=DMARC1; p=reject"]}})
        header, _, body = sealed.partition(b"\r\n\r\n")
        arrived.send(BORDER_FIELD + header + b"\r\n", body=body)
        assert (arrived.record["arrival"]["dmarc"], arrived.record["arrival"]["arc"]) == (expected, "pass"), sealers


@pytest.mark.parametrize("failing", [f"_dmarc.{DOMAIN}", f"s._domainkey.{DOMAIN}"])
def test_silent_dns_is_no_pass(failing: str, tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: missing", frozenset({failing}))
    assert arrived.send(BORDER_FIELD + SIGNED).fields == ()
    assert arrived.record["arrival"]["dmarc"] == "temperror"


def test_a_body_too_large_to_be_checked_is_no_pass(tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: missing, body_limit: 10")
    outcome = arrived.send(BORDER_FIELD + SIGNED)
    assert (outcome.fields, outcome.disposition) == ((), Disposition.ACCEPT)
    assert arrived.record["arrival"]["dmarc"] == "temperror"
    assert "body_limit" in arrived.record["claims"][-1]["why"]


@pytest.mark.parametrize("form", ["simple", "relaxed"])
def test_a_body_is_checked_without_being_kept(form: str, tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: always")
    body = b"Nobody keeps this line of text.\r\n" * 250_000  # 8 MB
    signature = Signer(tags={"c": f"relaxed/{form}"}).sign(body=body)
    large = message(BORDER_FIELD + signature + HEADER, sender=arrived.sender)
    tracemalloc.start()
    outcome = arrived.passes(large, body, 65_535)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_500_000
    assert (arrived.record["arrival"]["dmarc"], len(outcome.fields)) == ("pass", 1)


def test_a_message_given_up_before_its_end_has_its_record(tmp_path: Path) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    arrived.gate.judge(message(BORDER_FIELD + SIGNED, queue_id="4F2A")).abort("the client hung up")
    assert (arrived.record["error"], arrived.record["queue_id"]) == ("aborted: the client hung up", "4F2A")
    assert arrived.dns.asked == []


def test_a_check_that_breaks_leaves_the_message_unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    monkeypatch.setattr("dkimgate.evidence.checks_here.check_signatures", lambda *_: 1 / 0)
    assert arrived.send(BORDER_FIELD + SIGNED).fields == ()
    assert "ZeroDivisionError" in arrived.record["error"]
