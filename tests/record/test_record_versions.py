"""Records that earlier dkimgates wrote: every line that stands in a journal is read for ever, and decided again as it was then."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from dkimgate.config import yaml_file
from dkimgate.facts import Arrival, HeaderSigns, Holds, Sending, Spam
from dkimgate.policy import verdict
from dkimgate.policy.language import loader
from dkimgate.record import record

POLICY = loader.from_document(
    yaml_file.parse(
        """version: 1
risk: {dmarc: {fail: 100}, spam: {per_required: 50}, header: {from_equals_to: 5}}
rules:
  - {name: bad, when: {arrival.badly: true}, sign: none, envelope: unalign, disposition: hold}
  - {name: ours, when: {from: hosted}, sign: author, seal: true}
""",
        Path("policy.yaml"),
    )
)

# Lines of version 1, as they were written before records had a type. They are not to be touched: journals are full of such.
FORGED = (
    rb'{"v": 1, "time": "2026-11-21T16:20:25.123456Z", "queue_id": "C9E5720C046", "message_id": "<phish@hosted.example>", '
    rb'"client": {"ip": "127.0.0.1", "name": "localhost", "helo": "localhost", "auth": null, "daemon": "ORIGINATING"}, '
    rb'"envelope": {"sender": "fri\u00e9nd@hosted.example", "recipients": ["victim@receiver.example", "b\u001b[2J@receiver.example"], '
    rb'"recipients_total": 2}, '
    rb'"from": "hosted.example", "author_problem": null, "hosted": "hosted.example", "forwarder_aligns": false, "origin": "forwarded", '
    rb'"origin_why": "mx.forwarder.example took it from 192.0.2.66, which is not ours", "border": {"by": "mx.forwarder.example", '
    rb'"ip": "192.0.2.66"}, '
    rb'"claims": [{"method": "dmarc", "result": "fail", "by": "mx.forwarder.example", "field": "Authentication-Results", '
    rb'"standing": "trusted", "why": "our authserv-id, where only our hosts write", "position": 0, "properties": [["header.from", '
    rb'"hosted.example"]]}, {"method": "dkim", "result": "pass", "by": "evil.example", "field": "Authentication-Results", '
    rb'"standing": "upstream", "why": "below the border", "position": 7, "properties": [["header.d", "hosted.example"], ["header.b", '
    rb'"a\"\\b\ud83d\udc80"]]}], '
    rb'"arrival": {"dmarc": "fail", "spf": "softfail", "dkim": "none", "arc": "none", "aligned": false, "spam": {"flag": true, '
    rb'"score": 14.9, "required": 3.0}, "pass_of": "list.example"}, "upstream": {"dmarc": "fail"}, '
    rb'"header": {"from_equals_to": true, "return_path_mismatch": false, "message_id_missing": false, "message_id_malformed": false, '
    rb'"date_missing": false, "date_far_off": true, "display_name_address": false, "lookalike_domain": false, '
    rb'"recipients_malformed": false, "repeated_singletons": false, "no_received": false, "third_party_signature_only": false, '
    rb'"aligned_signature": false, "expired_signature": false, "limited_signature": false}, '
    rb'"outgoing": {"spf_passes": true, "spf_source": "lookup", "unalignable": true, "strict_dkim": true, "sender": "SRS0=x=bounce"}, '
    rb'"own_signature": false, "relay": false, "sending": {"body_broken": true, "fields_broken": ["subject", "cc"], '
    rb'"others_broken": true, "eight_bit": true}, '
    rb'"risk": {"score": 353.33, "parts": {"dmarc=fail": 100.0, "header.from_equals_to": 5.0, "spam": 248.33}}, '
    rb'"decision": {"rule": "bad", "sign": "none", "seal": false, "unsealed": null, "envelope": "unalign", "disposition": "hold", '
    rb'"text": "arrived with dmarc=fail, risk 353.33", "signatures": [], "tag": "[bad]", "added": ["X-A"], "removed": ["X-B"], '
    rb'"folded": ["References"], "not_done": ["add X-C: no"], "overruled": null, "laundering": null, "mode": "enforce"}, '
    rb'"departure": {"dmarc": "fail", "dkim_aligned": false, "spf_aligned": false, "signature_holds": "none"}, '
    rb'"policy": "sha256:4f2a", "ms": 0.422, "error": null}'
)
OWN = (
    rb'{"v": 1, "time": "2026-11-21T16:20:25.123456Z", "queue_id": "C9E5720C046", "message_id": "<1@hosted.example>", '
    rb'"client": {"ip": "198.51.100.7", "name": null, "helo": "laptop", "auth": "aiko", "daemon": "submission"}, '
    rb'"envelope": {"sender": "aiko@hosted.example", "recipients": ["ada@friend.example"], "recipients_total": 1}, '
    rb'"from": "hosted.example", "author_problem": null, "hosted": "hosted.example", "forwarder_aligns": true, "origin": "submitted", '
    rb'"origin_why": "an authenticated user handed it in", "border": null, '
    rb'"claims": [], '
    rb'"arrival": {"dmarc": "none", "spf": "none", "dkim": "none", "arc": "none", "aligned": false, "spam": {"flag": false, '
    rb'"score": 0.0, "required": 5.0}, "pass_of": null}, "upstream": {"dmarc": null}, '
    rb'"header": {"from_equals_to": false, "return_path_mismatch": false, "message_id_missing": false, "message_id_malformed": false, '
    rb'"date_missing": false, "date_far_off": false, "display_name_address": false, "lookalike_domain": false, '
    rb'"recipients_malformed": false, "repeated_singletons": false, "no_received": false, "third_party_signature_only": false, '
    rb'"aligned_signature": false, "expired_signature": false, "limited_signature": false}, '
    rb'"outgoing": {"spf_passes": true, "spf_source": "assumed", "unalignable": false, "strict_dkim": false, "sender": null}, '
    rb'"own_signature": false, "relay": false, "sending": {"body_broken": false, "fields_broken": [], "others_broken": false, '
    rb'"eight_bit": false}, '
    rb'"risk": {"score": 0.0, "parts": {}}, '
    rb'"decision": {"rule": "ours", "sign": "author", "seal": false, "unsealed": "the chain of the message is not valid", '
    rb'"envelope": "keep", "disposition": "accept", "text": null, "signatures": [{"domain": "hosted.example", "selector": "s1", '
    rb'"algorithm": "ed25519-sha256"}], "tag": null, "added": [], "removed": [], "folded": [], "not_done": [], "overruled": null, '
    rb'"laundering": null, "mode": "enforce"}, '
    rb'"departure": {"dmarc": "pass", "dkim_aligned": true, "spf_aligned": true, "signature_holds": "yes"}, "policy": "sha256:4f2a", '
    rb'"ms": 0.422, "error": null}'
)
GIVEN_UP = (
    rb'{"v": 1, "time": "2026-11-21T16:20:25.000000Z", "queue_id": "4711", "message_id": "<1@x.example>", '
    rb'"client": {"ip": "192.0.2.66", "name": "x.example", "helo": "x.example", "auth": null, "daemon": null}, '
    rb'"envelope": {"sender": "a@x.example", "recipients": ["b@hosted.example"], "recipients_total": 1}, '
    rb'"from": null, "author_problem": null, "hosted": null, "forwarder_aligns": null, "origin": null, "origin_why": "", '
    rb'"border": null, '
    rb'"claims": [], '
    rb'"arrival": null, "upstream": {"dmarc": null}, '
    rb'"header": null, '
    rb'"outgoing": null, "own_signature": null, "relay": null, "sending": null, '
    rb'"risk": null, '
    rb'"decision": {"rule": null, "sign": "none", "seal": false, "unsealed": null, "envelope": "keep", "disposition": null, '
    rb'"text": null, "signatures": [], "tag": null, "added": [], "removed": [], "folded": [], "not_done": [], "overruled": null, '
    rb'"laundering": null, "mode": null}, '
    rb'"departure": null, "policy": "sha256:4f2a", "ms": 1, "error": "aborted: connection lost"}'
)

LATER = (
    ("own_signature",),
    ("relay",),
    ("sending",),
    ("arrival", "pass_of"),
    ("departure", "signature_holds"),
    *(("outgoing", name) for name in ("unalignable", "strict_dkim", "sender")),
    *(
        ("decision", name)
        for name in ("seal", "unsealed", "envelope", "tag", "added", "removed", "folded", "not_done", "laundering")
    ),
    *(
        ("header", sign)
        for sign in HeaderSigns.__dataclass_fields__
        if sign not in ("from_equals_to", "return_path_mismatch")
    ),
)
"""What the very first records did not tell."""


@pytest.mark.parametrize("line", [FORGED, OWN, GIVEN_UP])
def test_a_line_of_version_1_is_read_whole_and_written_alike(line: bytes) -> None:
    """But for the keys that came later."""
    written = record.to_line(record.read(json.loads(line)))
    was = json.loads(line)
    assert json.loads(written) == was | {"client": was["client"] | {"tls": None}}
    assert written.replace(b', "tls": null', b"") == line.replace(b'"ms": 1,', b'"ms": 1.0,') + b"\n"


@pytest.mark.parametrize("line", [FORGED, OWN])
def test_a_line_of_version_1_is_decided_again_as_it_was(line: bytes) -> None:
    told = json.loads(line)
    reached = verdict.reach(record.facts_of(record.read(told)), POLICY)
    decision, departure = reached.decision, reached.departure
    assert (decision.rule, str(decision.sign), str(decision.envelope), str(decision.disposition)) == tuple(
        told["decision"][name] for name in ("rule", "sign", "envelope", "disposition")
    )
    assert {"score": decision.risk.score, "parts": dict(decision.risk.parts)} == told["risk"]
    assert {name: getattr(departure, name) for name in told["departure"]} == told["departure"]


def test_its_facts_are_those_that_were_written() -> None:
    facts = record.facts_of(record.read(json.loads(FORGED)))
    assert facts.sender == "fri\u00e9nd@hosted.example"
    assert facts.recipients == ("victim@receiver.example", "b\x1b[2J@receiver.example")
    assert facts.claims[1].property("header.b") == 'a"\\b\U0001f480'
    assert facts.arrival == Arrival("fail", "softfail", "none", "none", False, Spam(True, 14.9, 3.0), "list.example")
    assert facts.header == HeaderSigns(from_equals_to=True, date_far_off=True)
    assert facts.sending == Sending(True, ("subject", "cc"), True, True)
    assert (facts.spf_passes, facts.spf_source, facts.unalignable, facts.strict_dkim) == (True, "lookup", True, True)


def _first(line: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line)
    for *way, name in LATER:
        del reduce(getitem, way, told)[name]
    return told


@pytest.mark.parametrize("line", [FORGED, OWN])
def test_the_first_records_are_read_as_if_nothing_of_what_came_later_had_been(line: bytes) -> None:
    found = record.read(_first(line))
    facts = record.facts_of(found)
    assert (facts.own_signature, facts.relay, facts.strict_dkim, facts.unalignable, facts.sending) == (
        False,
        False,
        False,
        False,
        Sending(),
    )
    assert (found.decision.added, found.decision.seal, found.departure and found.departure.signature_holds) == (
        (),
        False,
        Holds.NONE,
    )
    assert verdict.reach(facts, POLICY).decision.rule == found.decision.rule


@pytest.mark.parametrize("line", [FORGED, OWN])
def test_what_every_record_tells_may_not_be_missing(line: bytes) -> None:
    """Else a record that somebody has cut would be decided on as if it told of better mail."""
    told = _first(line)
    places: list[tuple[str, ...]] = [
        (name,) for name in told if name not in ("origin", "arrival", "header", "outgoing")
    ]
    for part in ("client", "envelope", "arrival", "upstream", "decision", "departure"):
        places += [(part, name) for name in told[part]]
    places += [("arrival", "spam", name) for name in told["arrival"]["spam"]]
    for *way, name in places:
        spoilt = _first(line)
        del reduce(getitem, way, spoilt)[name]
        with pytest.raises(record.RecordError):
            record.read(spoilt)
    for name in ("origin", "arrival", "header", "outgoing"):
        with pytest.raises(record.RecordError):
            record.facts_of(record.read({key: value for key, value in told.items() if key != name}))
