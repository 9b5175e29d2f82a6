"""The second door, as somebody tries it who has read the source: a forged message departs with pass by SPF, without any signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dkimgate.cli import check_departure
from dkimgate.facts import Disposition, Outcome
from dkimgate.message.author import author_of
from dkimgate.message.message import Connection
from dkimgate.postfix import way_out
from dkimgate.postfix.authors import Authors
from tests.laws.attack_authors import AUTHORS
from tests.laws.attack_world import AUTHOR, BORDER, HOSTED_KEY, NOW, STRANGER, ZONE
from tests.postfix.test_postfix_way_out import host
from tests.world.dns import FakeResolver
from tests.world.host import Host
from tests.world.keys import pem
from tests.world.mail import REINJECTED, fields

OURS = "v=spf1 ip4:203.0.113.10 -all"
FORWARDERS: dict[str, dict[str, list[str]]] = {
    "forwarder.example": {"TXT": [OURS]},
    "bounce.forwarder.example": {"TXT": [OURS]},
    "_dmarc.forwarder.example": {"TXT": ["v=DMARC1; p=reject"]},
    "partner.example": {"TXT": [OURS]},
    "_dmarc.partner.example": {"TXT": ["v=DMARC1; p=reject"]},
}
"""Beside those that the attacks know: the forwarder's own domains, and one whose mail leaves by us too, though we hold no key of it."""

Write = Callable[[str], Path]


DEPARTURE = "addresses: [203.0.113.10], helo: mx.forwarder.example, origin: partner.example"


class Door(Host):
    """A forwarder whose address stands in the SPF records of its domains; nothing has checked a message before the gate does."""

    def __init__(self, folder: Path, departure: str = DEPARTURE) -> None:
        super().__init__(
            folder,
            "keys: [{domain: hosted.example, selector: a, file: key.pem}, {domain: forwarder.example, selector: a, file: key.pem}]\n"
            "forwarder: {domain: forwarder.example}\nunalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n"
            f"departure: {{{departure}}}\n",
            zone=ZONE | FORWARDERS,
            key=pem(HOSTED_KEY),
            now=NOW,
        )

    def goes(self, header: bytes, sender: str, client: Connection = STRANGER) -> tuple[Outcome, dict[str, Any]]:
        return self.send(header, client, b"Pay me.\r\n", sender=sender), self.record


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def by(author: str) -> bytes:
    return AUTHOR.replace(b"ask@hosted.example", author.encode())


@pytest.mark.parametrize("departure", ["", "addresses: [], helo: mx.forwarder.example, origin: partner.example"])
@pytest.mark.parametrize("sender", ["friend@partner.example", "friend@mail.partner.example"])
@pytest.mark.parametrize("author", ["boss@partner.example", "boss@mail.partner.example"])
def test_law_1_where_no_address_is_known_no_domain_passes_by_spf(
    sender: str, author: str, departure: str, tmp_path: Path
) -> None:
    """Also none that we hold no key for: partner.example has us in its record, and nobody here can know that."""
    outcome, record = Door(tmp_path, departure=departure).goes(by(author), sender)
    assert outcome.sender is not None and outcome.sender.endswith(
        f"={sender.partition('@')[2]}=friend@bounce.forwarder.example"
    )
    assert (record["outgoing"]["spf_source"], record["departure"]["dmarc"]) == ("assumed", "fail")


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1; p=reject",
        "v=DMARC1; p=reject; aspf=s",
        "v=DMARC1; p=reject; aspf=s; adkim=s",
        "v=DMARC1; p=reject; foo; aspf=s",  # rspamd reads no tag behind one that it can't read
        "v=DMARC1; p=reject;; aspf=s",
        "v=DMARC1; p=none; pct=0; t=y; fo=1",
    ],
)
@pytest.mark.parametrize(
    "sender", ["friend@partner.example", "friend@news.partner.example", "friend@hr.partner.example"]
)
@pytest.mark.parametrize("author", ["boss@partner.example", "boss@news.partner.example"])
def test_law_1_nothing_in_a_dmarc_record_shuts_the_door(author: str, sender: str, record: str, door: Door) -> None:
    """Receivers differ in what they make of the tags: real OpenDMARC takes a sub-domain for aligned under aspf=s."""
    below = {name: {"TXT": [OURS]} for name in ("news.partner.example", "hr.partner.example")}
    published = {"_dmarc.partner.example": {"TXT": [record]}}
    door.asks(ZONE | FORWARDERS | below | published)
    outcome, told = door.goes(by(author), sender)
    assert told["departure"]["dmarc"] != "pass"
    assert outcome.sender is not None and outcome.sender.endswith("@bounce.forwarder.example")


OF_THE_HOST = {
    "the host": "www-data@mx.forwarder.example",
    "the host, in capitals": "WWW-DATA@MX.FORWARDER.EXAMPLE",
    "its organization": "www@web.forwarder.example",
    "a bare name": "www-data",
    "a domain with a key": "web@hosted.example",
    "a domain that is delivered here": "web@virtual.example",
    "one below it": "web@www.virtual.example",
}


@pytest.mark.parametrize("table", ["canonical_maps", "sender_canonical_maps", "smtp_generic_maps"])
@pytest.mark.parametrize("sender", OF_THE_HOST)
def test_law_1_an_address_of_ours_in_a_strangers_mail_may_become_any_other(sender: str, table: str, door: Door) -> None:
    """The tables of Postfix change it for everybody, also where they are said to contain no address of a stranger."""
    at_work(door, table)
    outcome, record = door.goes(by("boss@partner.example"), OF_THE_HOST[sender])
    assert (record["arrival"]["dmarc"], record["departure"]["dmarc"]) == ("fail", "fail")
    assert outcome.sender is not None and outcome.sender.endswith("@bounce.forwarder.example")


def test_a_strangers_own_address_stays_what_it_is(door: Door) -> None:
    at_work(door, "sender_canonical_maps")
    for sender in ("eve@attacker.example", ""):
        assert door.goes(by("boss@partner.example"), sender)[0].sender is None


def at_work(door: Door, table: str) -> None:
    """Behind a Postfix with such a table, of which the configuration says that it changes no sender of strangers."""
    outgoing = door.gate.config.departure.model_copy(update={"rewrites_senders": False})
    main = {table: "hash:/etc/postfix/own", "virtual_alias_domains": "virtual.example hash:/etc/postfix/more"}
    here = host("203.0.113.10", main=main)
    door.gate.way_out = way_out.find(outgoing, {"hosted.example"}, here, FakeResolver(ZONE).lookup())
    assert not door.gate.way_out.rewritten_by
    assert "departure.own-tables" in {found.code for found in check_departure.findings(door.gate)}


@pytest.mark.parametrize("departure", ["", DEPARTURE])
def test_law_1_a_sender_without_a_domain_opens_no_door(departure: str, tmp_path: Path) -> None:
    """Postfix appends partner.example behind the gate. Where nobody knows what it appends, the message is held: it has no unaligned sender."""
    outcome, record = Door(tmp_path, departure=departure).goes(by("boss@partner.example"), "ceo")
    if departure:
        assert outcome.sender is not None and outcome.sender.endswith("=partner.example=ceo@bounce.forwarder.example")
        assert (record["outgoing"]["spf_source"], record["departure"]["dmarc"]) == ("lookup", "fail")
    else:
        assert (outcome.disposition, outcome.sender) == (Disposition.HOLD, None)


@pytest.mark.parametrize("author", ["ceo", "ceo, boss@partner.example"])
def test_law_1_an_author_without_a_domain_opens_no_door(author: str, door: Door) -> None:
    """The next host may append any domain: no sender is known to be unaligned with it."""
    for sender in ("friend@partner.example", "ceo", ""):
        outcome, record = door.goes(by(author), sender)
        passes = bool(sender)
        assert (record["from"], record["outgoing"]["spf_passes"]) == (None, passes)
        assert outcome.disposition is (Disposition.HOLD if passes else Disposition.ACCEPT)
        assert outcome.fields == ()


NO_AUTHOR = [
    name for name, attempt in AUTHORS.items() if author_of(fields(attempt.author)).domain is None and not attempt.fields
]


@pytest.fixture(scope="module")
def same_door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(tmp_path_factory.mktemp("door"))


@pytest.mark.parametrize("name", NO_AUTHOR)
def test_law_6_a_from_that_is_no_author_gains_nothing_by_a_word_of_ours(name: str, same_door: Door) -> None:
    """rspamd says `dmarc=none` of a From that it can't read, and names no domain. The next receiver may read hosted.example in it."""
    for result in ("dmarc=none", "dmarc=pass", "dkim=none; dmarc=none", "dmarc=none header.from=hosted.example"):
        header = f"Authentication-Results: mx.forwarder.example; {result}\n{BORDER}".encode() + AUTHORS[name].author
        outcome, record = same_door.goes(header, "friend@hosted.example", REINJECTED)
        assert (record["from"], record["arrival"]["dmarc"]) == (None, "unknown")
        assert outcome.disposition is Disposition.HOLD


@pytest.mark.parametrize("change", [{"masquerades": ("example",)}, {"rewritten_by": ("sender_canonical_maps",)}])
def test_law_1_a_sender_that_postfix_makes_aligned_again_is_no_rewritten_one(
    change: dict[str, Any], door: Door
) -> None:
    assert door.goes(by("boss@partner.example"), "boss@partner.example")[0].sender is not None
    door.gate.way_out = replace(door.gate.way_out, **change)
    outcome, record = door.goes(by("boss@partner.example"), "boss@partner.example")
    assert (outcome.disposition, outcome.sender) == (Disposition.HOLD, None)
    assert record["outgoing"]["unalignable"] is False


BOX = frozenset({"box.local.example"})
GENERIC: dict[str, dict[str, Any]] = {
    "an address": {"authors": Authors(frozenset({"www-data@box.local.example"})), "own": BOX},
    "a domain": {"authors": Authors(frozenset({"@box.local.example"})), "own": BOX},
    "a local part": {"authors": Authors(frozenset({"www-data"})), "own": BOX},
    "everybody": {"authors": Authors(frozenset({"*"})), "own": BOX},
    "nobody knows, but of this host": {"authors": Authors(unseen=("smtp_generic_maps",), own=BOX), "own": BOX},
    "nobody knows": {"authors": Authors(unseen=("smtp_generic_maps",)), "rewritten_by": ("smtp_generic_maps",)},
}
"""Whom smtp_generic_maps may make noreply@hosted.example, behind the gate."""


@pytest.mark.parametrize("sender", ["friend@hosted.example", "www-data@box.local.example", "boss@partner.example", ""])
@pytest.mark.parametrize("record", [[], ["v=DMARC1; p=reject"]])
@pytest.mark.parametrize("table", GENERIC)
def test_law_1_an_author_whom_postfix_changes_behind_the_gate_opens_no_door(
    table: str, record: list[str], sender: str, door: Door
) -> None:
    """Its domain has no DMARC record, or fails it; that of the author whom the next host sees has one, and names us in its SPF record."""
    zone = {"_dmarc.box.local.example": {"TXT": record}} if record else {}
    door.gate.resolver = FakeResolver(ZONE | FORWARDERS | zone)  # type: ignore[assignment]
    door.gate.way_out = replace(door.gate.way_out, **GENERIC[table])
    outcome, told = door.goes(by("www-data@box.local.example"), sender)
    assert told["arrival"]["dmarc"] not in ("pass", "none")
    assert not any(name == "DKIM-Signature" for name, _ in outcome.fields)
    if sender or table == "nobody knows":
        assert outcome.disposition is Disposition.HOLD
    # mail of others goes its way, as far as anybody knows who they are
    if table not in ("everybody", "nobody knows"):
        outcome, told = door.goes(by("somebody@elsewhere.example"), "x@elsewhere.example")
        assert (outcome.disposition, told["arrival"]["dmarc"]) == (Disposition.ACCEPT, "none")


@pytest.mark.parametrize("table", ["an address", "everybody"])
def test_law_1_nor_does_a_pass_of_such_an_author(table: str, door: Door) -> None:
    """It is a pass of another author than the next host finds."""
    door.gate.resolver = FakeResolver(  # type: ignore[assignment]
        ZONE | FORWARDERS | {"_dmarc.box.local.example": {"TXT": ["v=DMARC1; p=reject"]}}
    )
    door.gate.way_out = replace(door.gate.way_out, **GENERIC[table])
    word = f"Authentication-Results: mx.forwarder.example; dmarc=pass header.from=box.local.example\n{BORDER}"
    outcome, told = door.goes(word.encode() + by("www-data@box.local.example"), "friend@hosted.example", REINJECTED)
    assert (outcome.disposition, told["from"], told["arrival"]["dmarc"]) == (Disposition.HOLD, None, "unknown")


def test_a_message_that_cannot_be_judged_waits_where_postfix_may_change_its_author(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(door.gate, "conclude", fails)
    door.gate.way_out = replace(door.gate.way_out, **GENERIC["an address"])
    assert door.goes(by("www-data@box.local.example"), "boss@partner.example")[0].disposition is Disposition.DEFER
    assert door.goes(by("x@elsewhere.example"), "boss@partner.example")[0].disposition is Disposition.ACCEPT


ODD = (
    "friend@{0}(x@elsewhere.example)",
    "friend@{0}(@elsewhere.example",
    'friend@"{0}"',
    "friend@{0};",
    "{0}!friend",
    "friend%{0}",
    '"friend@{0}"',
)


@pytest.mark.parametrize("author", ["hosted.example", "partner.example"])
@pytest.mark.parametrize("written", ODD)
def test_no_way_of_writing_the_sender_hides_it(written: str, author: str, door: Door) -> None:
    """Postfix makes friend@AUTHOR of each, after it has shown it to the milters as it is written here."""
    outcome, record = door.goes(by(f"ask@{author}"), written.format(author))
    assert outcome.disposition is Disposition.HOLD
    assert record["departure"]["spf_aligned"] is True


@pytest.mark.parametrize("author", ["ceo@forwarder.example", "ceo@hosted.example, ceo@forwarder.example"])
@pytest.mark.parametrize(
    "sender", ["friend@hosted.example", "x@bounce.forwarder.example", "ceo@forwarder.example", "x@(a)hosted.example"]
)
def test_a_message_that_cannot_be_judged_is_not_rewritten_to_a_sender_that_aligns(
    sender: str, author: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The domain of the rewritten senders may align with the forwarder's own."""

    def fails(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(door.gate, "conclude", fails)
    assert door.goes(by(author), sender)[0].disposition is Disposition.DEFER
    outcome, _ = door.goes(by("ask@hosted.example"), "friend@hosted.example")
    assert (outcome.disposition, (outcome.sender or "").rpartition("@")[2]) == (
        Disposition.ACCEPT,
        "bounce.forwarder.example",
    )
