"""The gate seals: what the MTA is told, what the record says, what is kept and asked for it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import dkim
import pytest

from dkimgate.arc.validate import Validation
from dkimgate.config.problem import ConfigError
from dkimgate.dkim.keys import SigningKey
from dkimgate.facts import Disposition, Outcome
from dkimgate.message.message import Connection
from dkimgate.record.journal import JournalError
from tests.arc.sealing import EDDA, FAIL, LETTER, LIST, PASS, RELAY, ZONE, Mail, chain_of, mail
from tests.arc.test_arc_chain import RECORDS
from tests.problems import refusals, told
from tests.world.dns import Zone
from tests.world.host import Host, launders, sent
from tests.world.keys import DOMAIN, Signer, pem_of, zone
from tests.world.mail import BORDER, OUTSIDE, REINJECTED
from tests.world.mail import message as made

SEAL = "{name: all, sign: none, seal: true}"
SIGN = "{name: all, sign: forwarder, seal: true}"
ARRIVED = b"Authentication-Results: mx.forwarder.example; dmarc=%s header.from=author.example\n"
NOW = 1_790_000_000.0
SPF = {**ZONE, "author.example": {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]}}


def arrived(letter: bytes = LETTER, dmarc: bytes = b"fail") -> Mail:
    return mail(ARRIVED % dmarc + BORDER.encode() + letter)


class Sealer(Host):
    """A gate that seals in the name of mail.relay.example."""

    sender = "ann@author.example"

    def __init__(
        self,
        folder: Path,
        rule: str = SEAL,
        key: SigningKey = RELAY,
        more: str = "",
        mode: str = "enforce",
        zone: Zone = ZONE,
    ) -> None:
        keys = f"keys: [{{domain: {key.domain}, selector: {key.selector}, file: key.pem}}]\n"
        settings = f"{keys}forwarder: {{domain: {key.domain}}}\n{more}"
        super().__init__(folder, settings, launders(rule, mode), zone=zone, key=pem_of(key.private), now=NOW)

    def take(self, message: Mail, connection: Connection = REINJECTED, problem: str | None = None) -> Outcome:
        return self.send(message.header, connection, message.body, problem=problem)

    def forward(self, message: Mail) -> Mail:
        """The message as it leaves."""
        return Mail(sent(message.header, self.take(message)), message.body)

    @property
    def asked_for_the_seal(self) -> list[tuple[str, str]]:
        """The questions, but for those that tell whether the envelope opens a door (`_dmarc.`)."""
        return [each for each in self.dns.asked if not each[0].startswith("_dmarc.")]

    @property
    def decision(self) -> dict[str, Any]:
        found: dict[str, Any] = self.record["decision"]
        return found


def verified(message: Mail) -> str:
    return str(
        (dkim.arc_verify(message.raw, dnsfunc=lambda name, timeout=5: RECORDS.get(name, b""))[0] or b"ended").decode()
    )


def test_a_refused_message_carries_the_truth(tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    leaving = host.forward(arrived())
    assert [each.key for each in leaving.header[:3]] == [
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
    ]
    assert " ".join(leaving.header[2].text.split()) == (
        "i=1; mx.forwarder.example; arc=none smtp.remote-ip=192.0.2.66; dmarc=fail header.from=author.example"
    )
    assert (verified(leaving), chain_of(leaving).cv) == ("pass", Validation.PASS)
    assert host.decision["seal"] is True
    assert host.decision["unsealed"] is None
    assert host.decision["signatures"] == []
    assert host.asked_for_the_seal == []


def test_the_set_stands_on_our_own_signature(tmp_path: Path) -> None:
    host = Sealer(tmp_path, SIGN)
    leaving = host.forward(arrived(dmarc=b"pass"))
    assert [each.key for each in leaving.header[:4]] == [
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "dkim-signature",
    ]
    assert verified(leaving) == "pass"
    assert dkim.verify(leaving.raw, dnsfunc=lambda name, timeout=5: RECORDS.get(name, b""))
    assert verified(leaving.changed(b"DKIM-Signature: v=1; a", b"DKIM-Signature: v=1;  x=1; a")) == "fail"
    assert (host.decision["seal"], len(host.decision["signatures"])) == (True, 1)


@pytest.mark.parametrize("results", [PASS, FAIL])
def test_on_top_of_a_chain(results: str, tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    leaving = host.forward(arrived(mail().sealed(LIST, results).raw))
    assert (verified(leaving), len(chain_of(leaving).sets)) == ("pass", 2)
    assert "arc=pass smtp.remote-ip=192.0.2.66 header.oldest-pass=0" in " ".join(leaving.header[2].text.split())


def test_on_top_of_a_broken_chain(tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    leaving = host.forward(arrived(mail().sealed(LIST).changed(b"Ann", b"Eve").raw))
    assert "i=2; a=rsa-sha256; t=1790000000; cv=fail;" in leaving.header[0].text
    assert "arc=fail" in leaving.header[2].text
    assert verified(leaving) == "ended"
    assert host.take(leaving).fields == ()
    assert (host.decision["seal"], "has ended" in host.decision["unsealed"]) == (False, True)


def test_a_list_of_ours_may_change_what_came_in_with_a_whole_chain(tmp_path: Path) -> None:
    letter = mail().sealed(LIST).changed(b"Lunch", b"[list] Lunch").raw
    said = (
        b"Authentication-Results: mx.forwarder.example; arc=pass; dkim=pass header.d=author.example;"
        b" dmarc=pass header.from=author.example\n" + BORDER.encode()
    )
    # a signature that does not cover the subject is whole still
    header, relaxed = b"From: Ann <ann@author.example>\r\n", b"Hello, all\r\n\r\nlunch at one?\r\n"
    letter = Signer(domain="author.example", names=("from",)).sign(header, relaxed).replace(b"\r\n", b"\n") + letter
    genuine = {
        "s._domainkey.author.example": zone()[f"s._domainkey.{DOMAIN}"],
        "_dmarc.author.example": {"TXT": ["v=DMARC1; p=reject"]},
    }
    host = Sealer(tmp_path, zone={**ZONE, **genuine})
    assert verified(host.forward(mail(said + letter))) == "pass"
    assert "cv=pass" in host.forward(mail(said + letter)).header[0].text
    failed = said.replace(b"dmarc=pass", b"dmarc=fail")
    for stranger in (
        failed,
        said.replace(b"mx.forwarder", b"mx.stranger"),
        BORDER.encode() + said.partition(b"\n")[0] + b"\n",
    ):
        assert "cv=fail" in host.forward(mail(stranger + letter)).header[0].text


def test_where_dns_does_not_answer(tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    host.asks(ZONE, {LIST.name})
    assert host.take(arrived(mail().sealed(LIST).raw)) == Outcome(Disposition.ACCEPT)
    assert "can't be validated" in host.decision["unsealed"]


def test_a_body_is_never_kept_and_one_above_the_limit_is_not_validated(tmp_path: Path) -> None:
    host = Sealer(tmp_path, more="verify: {body_limit: 1000000}\n")
    body = (b"x" * 76 + b"\r\n") * 130_000  # 10 MB
    plain, chained = (
        Mail(arrived().header, body),
        Mail(arrived(mail().sealed(LIST, c="relaxed/simple").raw).header, body),
    )
    for message, sealed in ((plain, True), (chained, False)):
        tracemalloc.start()
        assert bool(host.take(message).fields) is sealed
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_500_000
    assert "verify.body_limit" in host.decision["unsealed"]


@pytest.mark.parametrize(
    ("rule", "mode"),
    [
        ("{name: all, sign: none}", "enforce"),
        ("{name: all, seal: true}", "observe"),
        ("{name: all, seal: true, mode: observe}", "enforce"),
        ("{name: some, when: {origin: submitted}, seal: true}", "enforce"),
        ("{name: forwarded, when: {origin: forwarded}, disposition: reject}, {name: rest, seal: true}", "enforce"),
    ],
)
def test_nothing_is_sealed_kept_or_asked_where_the_policy_does_not_say_so(rule: str, mode: str, tmp_path: Path) -> None:
    host = Sealer(tmp_path, rule, mode=mode)
    assert host.take(arrived(mail().sealed(LIST).raw)).fields == ()
    assert (host.kept, host.asked_for_the_seal, host.decision["seal"], host.decision["unsealed"]) == (
        False,
        [],
        False,
        None,
    )


def test_a_message_that_is_held_is_sealed_and_one_that_goes_nowhere_is_not(tmp_path: Path) -> None:
    assert len(Sealer(tmp_path, "{name: all, disposition: hold, seal: true}").take(arrived()).fields) == 3
    rule = "{name: all, seal: true, envelope: unalign, otherwise: reject}"
    host = Sealer(tmp_path, rule, more="departure: {addresses: [192.0.2.10]}\n", zone=SPF)
    assert host.take(arrived()).fields == ()
    assert host.decision["disposition"] == "reject"


def test_a_header_that_could_not_be_collected_whole(tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    assert host.take(arrived(), problem="the header is too long").fields == ()
    assert host.decision["unsealed"] == "the header is too long"


def test_our_own_checks_and_a_seal_share_the_body(tmp_path: Path) -> None:
    host = Sealer(tmp_path, more="verify: {when: always}\n")
    leaving = host.forward(mail(BORDER.encode() + mail().sealed(LIST).raw))
    assert verified(leaving) == "pass"
    assert "dmarc=none" in leaving.header[2].text
    assert "cv=pass" in leaving.header[0].text


def test_what_fails_while_sealing_costs_the_set_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Sealer(tmp_path, SIGN)

    def fail(*_: object) -> None:
        raise RuntimeError("out of wax")

    monkeypatch.setattr("dkimgate.arc.arc_set.seal", fail)
    assert [name for name, _ in host.take(arrived(dmarc=b"pass")).fields] == ["DKIM-Signature"]
    assert "out of wax" in host.decision["unsealed"]


def test_nothing_is_sealed_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Sealer(tmp_path)

    def full(_: bytes) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(host.gate.journal, "write", full)
    assert host.take(arrived()).fields == ()


def test_explain_tells_it(tmp_path: Path) -> None:
    host = Sealer(tmp_path)
    message = arrived(mail().sealed(LIST).raw)
    assessment = host.gate.assess(made(message.header), message.body)
    assert (assessment.sealed, assessment.unsealed) == (True, None)
    assessment = host.gate.assess(made(message.header[:3]), message.body)
    assert not assessment.sealed
    assert "no From" in str(assessment.unsealed)


class TestConfiguration:
    def test_without_a_forwarder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"seal: true.*forwarder:"):
            Sealer(tmp_path, more="forwarder: null\n")

    def test_without_a_key_of_the_forwarder(self, tmp_path: Path) -> None:
        assert told(refusals(lambda: Sealer(tmp_path, more="forwarder: {domain: other.example}\n"))) == [
            "forwarder.no-key"
        ]

    def test_an_ed25519_key_alone_does_not_do(self, tmp_path: Path) -> None:
        assert told(refusals(lambda: Sealer(tmp_path, key=EDDA))) == ["forwarder.no-rsa-key"]

    def test_a_name_that_would_have_to_be_quoted_is_not_used(self, tmp_path: Path) -> None:
        host = Sealer(tmp_path, more='trust: {authserv_ids: ["a;b"]}\n')
        assert b"i=1; mail.relay.example; arc=none" in host.take(arrived(), OUTSIDE).fields[2][1]


STRANGER = Connection(ip="192.0.2.66", name="c.attacker.example", helo="c.attacker.example")
DAY = 86_400
SEALERS = "trust: {arc_sealers: [lists.example, mail.relay.example]}\nverify: {when: %s}\n"
PUBLISHED = {**SPF, "_dmarc.author.example": {"TXT": ["v=DMARC1; p=reject"]}}


@pytest.mark.parametrize("when", ["missing", "always"])
@pytest.mark.parametrize("days", [0, 1, 15, 400, 4_000])
def test_law_1_no_seal_of_ours_keeps_a_message_alive_for_ever(days: int, when: str, tmp_path: Path) -> None:
    """It arrived with a pass once, and was sealed. Whoever has it sends it again, from anywhere, in his own name."""
    gate = Sealer(tmp_path, more=SEALERS % when, zone=PUBLISHED)
    first = mail(LETTER)
    outcome = gate.send(first.header, Connection(ip="192.0.2.10", helo="mail.author.example"), first.body)
    assert gate.record["arrival"]["dmarc"] == "pass"
    sealed = Mail(sent(first.header, outcome), first.body)
    gate.now = NOW + days * DAY
    again = gate.send(sealed.header, STRANGER, sealed.body, sender="eve@attacker.example")
    assert (gate.record["arrival"]["arc"], gate.record["arrival"]["dmarc"]) == ("pass", "fail")
    assert not any(b"dmarc=pass" in value for name, value in again.fields if name == "ARC-Authentication-Results")


@pytest.mark.parametrize(("days", "result"), [(0, "pass"), (6, "pass"), (8, "fail"), (400, "fail")])
def test_law_1_no_old_seal_of_another_does(days: int, result: str, tmp_path: Path) -> None:
    """His key may stand in DNS for years, and few sealers write x=."""
    gate = Sealer(tmp_path, more=SEALERS % "missing", zone=PUBLISHED)
    sealed = mail(LETTER).sealed(LIST, PASS)
    gate.now = NOW + days * DAY
    gate.send(sealed.header, STRANGER, sealed.body, sender="eve@attacker.example")
    assert (gate.record["arrival"]["arc"], gate.record["arrival"]["dmarc"]) == ("pass", result)


def test_law_1_nor_one_that_tells_no_time(tmp_path: Path) -> None:
    gate = Sealer(tmp_path, more=SEALERS % "missing", zone=PUBLISHED)
    sealed = mail(LETTER).sealed(LIST, PASS, seal_as=lambda text: text.replace(" t=1789990000;", ""))
    gate.send(sealed.header, STRANGER, sealed.body, sender="eve@attacker.example")
    assert (gate.record["arrival"]["arc"], gate.record["arrival"]["dmarc"]) == ("pass", "fail")


@pytest.mark.parametrize(
    ("word", "sealed"),
    [(b"fail", True), (b"reject", True), (b"temperror", False), (b"permerror", False), (None, False)],
)
def test_a_bad_arrival_is_sealed_only_if_the_seal_tells_a_fail(
    word: bytes | None, sealed: bool, tmp_path: Path
) -> None:
    """A rspamd that trusts us takes our seal for a good word, unless it says dmarc=fail."""
    gate = Sealer(tmp_path, more="verify: {when: never}\n")
    letter = mail(BORDER.encode() + LETTER) if word is None else arrived(dmarc=word)
    leaving = gate.forward(letter)
    assert gate.decision["seal"] is sealed is (leaving.header[0].key == "arc-seal")
    assert (gate.decision["unsealed"] is None) is sealed
    assert not sealed or "dmarc=fail" in leaving.header[2].text
