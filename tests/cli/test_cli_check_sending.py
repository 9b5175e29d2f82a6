"""`check` and `log`: what becomes of our signatures behind the gate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.cli import check_sending
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.dkimgate_yaml import Journal as JournalSection
from dkimgate.facts import Arrival, Assessment, Decision, Facts, HeaderChanges, Origin, Sending, Sign
from dkimgate.gate.sending import Smtp
from dkimgate.message.message import Message
from dkimgate.policy import verdict
from dkimgate.postfix import settings as postfix
from dkimgate.postfix import this_host
from dkimgate.record import record
from tests.world.keys import MadeWith

OWN = Facts(
    sender="a@hosted.example", author="hosted.example", hosted="hosted.example", origin=Origin.SUBMITTED, arrival=Arrival("none"),
    recipients=("v@receiver.example",),
)  # fmt: skip


def line(facts: Facts, queue_id: str = "4F2A", signed: bool = True, changes: HeaderChanges | None = None) -> bytes:
    decision = Decision("own-users", Sign.AUTHOR if signed else Sign.NONE)
    assessment = Assessment(facts, decision, verdict.departs(facts, decision), changes=changes or HeaderChanges())
    keys = (MadeWith(),) if signed else ()
    return record.to_line(
        record.make(
            Message(queue_id=queue_id),
            assessment,
            signatures=keys,
            time=1_800_000_000.0,
            ms=1.0,
            policy_hash="sha256:4f2a",
        )
    )


def said(folder: Path, *lines: bytes, asked: postfix.Settings | None = None, smtp: Smtp | None = None) -> list[str]:
    (folder / "decisions.jsonl").write_bytes(b"".join(lines))
    settings = Config(journal=JournalSection(file=folder / "decisions.jsonl"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(this_host, "this_host", lambda: this_host.System(postfix=lambda: asked))
        return [
            f"{finding.level}: {finding.code}: {finding.text}"
            for finding in check_sending.findings(settings, smtp or Smtp())
        ]


BROKEN = replace(OWN, sending=Sending(fields_broken=("references",)))
EIGHT_BIT = replace(OWN, sending=Sending(eight_bit=True))
WWW = replace(OWN, author="www.hosted.example")


def test_signatures_that_hold_are_nothing_to_tell(tmp_path: Path) -> None:
    assert said(tmp_path, line(OWN), line(replace(OWN, sending=Sending(body_broken=True)))) == []
    assert said(tmp_path) == []
    assert said(tmp_path, line(replace(BROKEN), signed=False)) == []


def test_it_is_counted_what_does_not_hold(tmp_path: Path) -> None:
    (told,) = said(
        tmp_path, line(OWN), line(BROKEN), line(BROKEN), b"torn\n", b'{"v": 1}\n', b'{"v": 1, "decision": 5}\n'
    )
    assert told.startswith("warning: signed.line-too-long: ") and " 3 " in told and " 2 " in told
    assert "references 2" in told


def test_it_is_counted_what_may_not_hold(tmp_path: Path) -> None:
    (told,) = said(tmp_path, line(OWN), line(EIGHT_BIT))
    assert told.startswith("note: signed.8bit: ")


def test_sub_domains_that_a_parents_key_signs_for_are_listed(tmp_path: Path) -> None:
    (told,) = said(tmp_path, line(OWN), line(WWW))
    assert (
        told.startswith("note: signed.sub-domains: ") and "www.hosted.example (by the key of hosted.example) 1" in told
    )
    assert "keys check" in told
    (told,) = said(tmp_path, line(replace(WWW, strict_dkim=True)))
    assert told.startswith("warning: signed.strict-alignment: ") and "adkim=s" in told


NO_AUTHOR = replace(OWN, author=None, hosted=None, author_problem="readers may find more than one domain in From: a, b")


def test_own_mail_without_an_author_is_counted(tmp_path: Path) -> None:
    relayed = replace(NO_AUTHOR, origin=Origin.RELAYED, relay=True)
    local = replace(NO_AUTHOR, origin=Origin.LOCAL, author_problem="no From field")
    lines = [line(facts, signed=False) for facts in (NO_AUTHOR, relayed, local)]
    (told,) = said(tmp_path, line(OWN), *lines, b'{"v": 1, "origin": ["submitted"], "author_problem": 5}\n')
    assert (
        told.startswith("warning: signed.no-author: ") and " 4 " in told and "3 " in told and "no From field 1" in told
    )
    assert "readers may find more than one domain in From 2" in told and ": a, b" not in told


def test_mail_from_outside_without_an_author_is_not(tmp_path: Path) -> None:
    relayed = replace(NO_AUTHOR, origin=Origin.RELAYED, relay=False, arrival=Arrival("unknown"))
    outside = replace(NO_AUTHOR, origin=Origin.FORWARDED, arrival=Arrival("unknown"))
    assert said(tmp_path, *(line(facts, signed=False) for facts in (relayed, outside))) == []


def test_the_journal_is_read_from_its_end_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_sending, "MOST_RECORDS", 3)
    assert said(tmp_path, line(BROKEN), line(OWN), line(OWN), line(OWN)) == []
    monkeypatch.setattr(check_sending, "MOST_RECORDS", 1000)
    monkeypatch.setattr(check_sending, "MOST_OCTETS", 1000)
    assert said(tmp_path, line(BROKEN), line(OWN), line(OWN)) == []


@pytest.mark.parametrize("odd", ['"fields_broken": 3', '"fields_broken": [["x"]]', '"fields_broken": {"a": 1}'])
def test_a_record_that_nobody_of_this_version_wrote_stops_nothing(odd: str, tmp_path: Path) -> None:
    text = f'{{"v": 9, "decision": {{"signatures": [1]}}, "departure": {{"signature_holds": "no"}}, "sending": {{{odd}}}}}\n'
    told = said(tmp_path, text.encode(), line(BROKEN))
    assert len(told) == 1 and told[0].startswith("warning: signed.line-too-long: ") and "references 1" in told[0]


def test_a_journal_that_is_not_there_yet(tmp_path: Path) -> None:
    settings = Config(journal=JournalSection(file=tmp_path / "none.jsonl"))
    assert list(check_sending.findings(settings, Smtp())) == []


@pytest.mark.parametrize(
    ("values", "smtp", "words"),
    [
        ({"smtp_line_length_limit": "998", "disable_mime_output_conversion": "no"}, Smtp(), None),
        ({"smtp_line_length_limit": "2048"}, Smtp(2048), None),
        ({"smtp_line_length_limit": "2048"}, Smtp(), "smtp_line_length_limit = 2048"),
        ({"smtp_generic_maps": "hash:/etc/postfix/generic"}, Smtp(), "smtp_generic_maps = hash:/etc/postfix/generic"),
        ({"smtp_header_checks": "regexp:/etc/postfix/out"}, Smtp(), "smtp_header_checks"),
        ({"smtp_mime_header_checks": "regexp:/etc/postfix/out"}, Smtp(), "smtp_mime_header_checks"),
        ({"smtp_nested_header_checks": "regexp:/etc/postfix/out"}, Smtp(), "smtp_nested_header_checks"),
        ({"smtp_body_checks": "regexp:/etc/postfix/out"}, Smtp(), "smtp_body_checks"),
        ({"milter_header_checks": "regexp:/etc/postfix/milters"}, Smtp(), "milter_header_checks"),
        ({"disable_mime_output_conversion": "no"}, Smtp(998, False), "converts_8bit"),
        ({"disable_mime_output_conversion": "yes"}, Smtp(998, False), None),
    ],
)
def test_what_postfix_changes_behind_the_gate_is_told(
    tmp_path: Path, values: dict[str, str], smtp: Smtp, words: str | None
) -> None:
    found = said(tmp_path, asked=postfix.Settings(values), smtp=smtp)
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


def test_a_setting_of_one_service_counts(tmp_path: Path) -> None:
    asked = postfix.Settings({"smtp_line_length_limit": "998"}, {"smtp_line_length_limit": ("512",)})
    assert "512" in said(tmp_path, asked=asked)[0]


@pytest.mark.parametrize(("facts", "words"), [(BROKEN, "signature breaks"), (OWN, ""), (EIGHT_BIT, "")])
def test_log_tail_names_what_will_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: Facts, words: str
) -> None:
    (tmp_path / "j").write_bytes(line(facts))
    assert cli.main(["log", "tail", "--file", str(tmp_path / "j")]) == 0
    out = capsys.readouterr().out
    assert ("signature breaks" in out) is bool(words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (BROKEN, "the signature will not hold: Postfix breaks a line of references that can't be folded"),
        (EIGHT_BIT, "the signature will not hold at a host without 8BITMIME"),
        (replace(WWW, strict_dkim=True), "adkim=s"),
        (
            replace(OWN, sending=Sending(body_broken=True)),
            "the signature fits the body lines as Postfix will break them",
        ),
    ],
)
def test_log_show_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: Facts, words: str) -> None:
    (tmp_path / "j").write_bytes(line(facts, changes=HeaderChanges(folded_names=("Cc",))))
    assert cli.main(["log", "show", "--file", str(tmp_path / "j"), "4F2A"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert words in out
    assert "folded Cc" in out


def test_a_record_of_before_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = json.loads(line(OWN))
    del old["sending"], old["departure"]["signature_holds"], old["decision"]["folded"], old["outgoing"]["strict_dkim"]
    (tmp_path / "j").write_text(json.dumps(old) + "\n")
    assert cli.main(["log", "show", "--file", str(tmp_path / "j"), "4F2A"]) == 0
    assert cli.main(["log", "tail", "--file", str(tmp_path / "j")]) == 0
    assert "dmarc=pass" in capsys.readouterr().out
