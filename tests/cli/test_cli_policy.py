"""`policy test`, `policy show`, `policy schema`: what an operator and a manager see."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from dkimgate import cli
from dkimgate.cli.demo_world import demo_file
from tests.documents import EXAMPLES, Example

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "config" / "policies" / "cases").glob("*.yaml"))

POLICY = """\
version: 1
risk: {dmarc: {fail: 100}, spam: {per_required: 50}}
rules:
  - name: own-users
    when: {origin: [submitted, local], risk: "< 50"}
    sign: author
  - name: never-launder
    when: {any: [{arrival.badly: true}, {risk: ">= 50"}]}
    sign: none
    envelope: unalign
    tag: "[dmarc={arrival.dmarc}]"
  - name: rest
    sign: none
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, cases: str, top: str = "policy: policy.yaml\nhosted: [hosted.example]\n") -> str:
    (folder / "cases.yaml").write_text(top + "cases:\n" + re.sub(r"(?m)^", "  ", cases))
    return "cases.yaml"


FORGED = """\
- name: a forgery
  facts: {from: hosted, arrival.dmarc: fail, outgoing.spf_passes: true, outgoing.unalignable: true}
"""


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name)
def test_the_shipped_policies_do_what_their_cases_say(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "test", str(file)]) == 0
    assert "all as expected" in capsys.readouterr().out


def test_every_shipped_policy_has_its_cases() -> None:
    shipped = {file.name for file in (ROOT / "config" / "policies").glob("*.yaml")}
    assert {file.name for file in CASES} == shipped | {"policy.yaml"}


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.is_cases], ids=str)
def test_the_example_of_the_reference_runs(example: Example, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_bytes((ROOT / "config" / "policy.yaml").read_bytes())
    (folder / "cases.yaml").write_text(example.text)
    assert cli.main(["policy", "test", "cases.yaml"]) == 0, capsys.readouterr().out


def test_the_reference_has_an_example() -> None:
    assert "config/policy-tests.md" in {str(each.file.relative_to(ROOT)) for each in EXAMPLES if each.is_cases}


def test_a_line_a_case_and_a_diff_where_one_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = FORGED + "  expect: {rule: never-launder, envelope: unalign, departure: fail, tag: '[dmarc=fail]'}\n"
    bad = """\
- name: a user with spam
  facts: {origin: submitted, from: hosted, spam.score: 6}
  expect: {rule: own-users, sign: author, risk: "< 50", seal: false, tag: ""}
"""
    assert cli.main(["policy", "test", write(folder, good + bad)]) == 1
    assert (
        capsys.readouterr().out
        == """\
cases.yaml  tests policy.yaml
  ok      a forgery
  FAILED  a user with spam  cases.yaml:7
          rule     expected own-users
                   found    never-launder
          sign     expected author
                   found    none
          risk     expected < 50
                   found    60
          tag      expected no text
                   found    [dmarc=none]
          decided  by never-launder (policy.yaml:7)
          why not  own-users (policy.yaml:4): risk is 60, wanted < 50
          facts    arrival.badly is true, risk is 60, origin is 'submitted'
          risk     spam 60

2 cases, 1 failed
"""
    )


def test_json_tells_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = FORGED + "  expect: {rule: rest}\n"
    assert cli.main(["policy", "test", "--json", write(folder, cases)]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["cases"], told["failed"]) == (1, 1)
    case = told["files"][0]["cases"][0]
    assert case["differences"] == [{"key": "rule", "expected": "rest", "found": "never-launder"}]
    assert case["decided"]["envelope"] == "unalign" and case["decided"]["departure"] == "fail"
    assert {
        "about": "why not",
        "text": "rest (policy.yaml:12): would also match, but never-launder comes first",
    } in case["why"]


def test_verbose_tells_of_every_case_what_decided(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "test", "-v", write(folder, FORGED + "  expect: {sign: none}\n")]) == 0
    said = capsys.readouterr().out
    assert "sign     is none\n" in said
    assert "decided  by never-launder (policy.yaml:7)\n" in said


def test_a_rule_that_the_policy_has_not_fails_the_case(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "test", write(folder, FORGED + "  expect: {rule: never-launders}\n")]) == 1
    assert "why      there is no rule 'never-launders'; did you mean 'never-launder'?" in capsys.readouterr().out


def test_cases_that_see_nothing_wrong_do_not_hide_that_a_policy_launders(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The author of the case did not think of SPF."""
    (folder / "policy.yaml").write_text(POLICY.replace("    envelope: unalign\n", ""))
    file = write(folder, "- {name: a forgery, facts: {from: hosted, arrival.dmarc: fail}, expect: {departure: fail}}\n")
    assert cli.main(["policy", "test", file]) == 0
    said = capsys.readouterr().out
    assert "all as expected" in said
    assert "the daemon does not start with this policy, because of the rule never-launder" in said
    assert cli.main(["policy", "test", "--json", file]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["unsafe"] == ["never-launder"]
    (folder / "policy.yaml").write_text(POLICY)
    assert cli.main(["policy", "test", file]) == 0
    assert "no daemon starts" not in capsys.readouterr().out


def test_another_policy_can_be_tested_by_the_same_cases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that launders, too: the guard still stands at both doors."""
    (folder / "new.yaml").write_text("version: 1\nrules:\n  - {name: all, sign: author}\n")
    cases = FORGED + "  expect: {rule: all, sign: none, overruled: true, envelope: unalign, departure: fail}\n"
    assert cli.main(["policy", "test", "--policy", "new.yaml", write(folder, cases)]) == 0
    (folder / "new.yaml").write_text(
        'version: 1\nrules:\n  - {name: all, sign: author}\nallow_laundering: [all]\nlaundering_reason: "as a test"\n'
    )
    cases = (
        FORGED + "  expect: {sign: author, signer: hosted.example, overruled: false, departure.dkim_aligned: true}\n"
    )
    assert cli.main(["policy", "test", "--policy", "new.yaml", write(folder, cases)]) == 0


def test_a_whole_message_is_judged_as_explain_would(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a test of a policy asks nobody")

    monkeypatch.setattr(socket, "socket", asked)
    (folder / "extortion.eml").write_bytes(demo_file("extortion.eml"))
    top = "policy: policy.yaml\nhosted: [hosted.example]\ntrust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}\n"
    cases = """\
- name: the message that started it, as sent on by this host
  message: extortion.eml
  sender: friend@hosted.example
  expect: {rule: never-launder, origin: forwarded, arrival.dmarc: fail, risk: ">= 340", disposition: hold, departure.spf_aligned: true}
- name: the same, where SPF names other hosts
  message: extortion.eml
  sender: friend@hosted.example
  facts: {outgoing.spf_passes: false}
  expect: {rule: never-launder, disposition: accept, departure: fail}
- name: the same, where the sender can be rewritten
  message: extortion.eml
  sender: friend@hosted.example
  facts: {outgoing.unalignable: true}
  expect: {envelope: unalign, departure: fail}
- name: what an own check would find
  message: extortion.eml
  facts: {arrival.dmarc: pass, arrival.dkim: pass, arrival.aligned: true, spam: false}
  expect: {rule: rest, departure: pass}
- name: a user of ours, long ago
  text: |
    From: me@hosted.example
    Date: Sat, 01 Jan 2000 00:00:00 +0000

    Hello.
  client: 192.0.2.1
  auth: me
  recipients: [a@b.example, c@d.example]
  expect: {rule: own-users, client.auth: me, recipients.count: 2, header.date_far_off: false, signer: hosted.example}
"""
    assert cli.main(["policy", "test", write(folder, cases, top)]) == 0, capsys.readouterr().out
    capsys.readouterr()
    assert cli.main(["policy", "test", "--verbose", write(folder, cases, top)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "of whole messages: the addresses that mail leaves from are unknown (departure.addresses names none), so every aligned sender"
        in said
    )


def test_a_configuration_says_what_is_ours_and_needs_no_key_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dkimgate.yaml").write_text(
        "trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}\n"
        "keys: [{domain: hosted.example, selector: a, file: gone.pem}]\n"
        "unalign: {domain: bounce.elsewhere.example, secret_file: gone}\n"
    )
    (folder / "extortion.eml").write_bytes(demo_file("extortion.eml"))
    cases = "- {name: it, message: extortion.eml, sender: friend@hosted.example, expect: {from: hosted, envelope: unalign, departure: fail}}\n"
    assert cli.main(["policy", "test", write(folder, cases, "config: dkimgate.yaml\n")]) == 0, capsys.readouterr().out


def test_a_file_that_cannot_be_run_is_status_2_and_the_others_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(folder, FORGED + "  expect: {sign: none}\n")
    (folder / "bad.yaml").write_text("cases:\n  - {name: a, facts: {risk: 1}, expect: {sign: none}}\n")
    (folder / "nowhere.yaml").write_text("cases:\n  - {name: a, facts: {}, expect: {sign: none}}\n")
    assert cli.main(["policy", "test", "bad.yaml", "gone.yaml", "nowhere.yaml", file]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "dkimgate: bad.yaml:2:23: risk can't be given: it is computed from the policy's weights: `expect: {risk: ...}` checks it",
        "dkimgate: gone.yaml: No such file or directory",
        "dkimgate: nowhere.yaml: the file names no policy: write `policy: FILE` at the top, or use --policy FILE",
    ]
    assert said.out.endswith("1 case, all as expected\n")


def test_a_policy_with_mistakes_is_status_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(folder, FORGED + "  expect: {sign: none}\n", "policy: gone.yaml\n")
    assert cli.main(["policy", "test", file]) == 2
    assert (
        capsys.readouterr().err == "dkimgate: gone.yaml: No such file or directory: correct `policy:` in cases.yaml\n"
    )
    for command in (["test", file], ["show"]):
        assert cli.main(["policy", *command, "--policy", "missing.yaml"]) == 2
        assert capsys.readouterr().err == "dkimgate: missing.yaml: No such file or directory\n"
    (folder / "policy.yaml").write_text("version: 1\nrules: [{name: a, sing: author}]\n")
    assert cli.main(["policy", "test", write(folder, FORGED + "  expect: {sign: none}\n")]) == 2
    assert "policy.yaml:2:19: unknown key 'sing'; did you mean 'sign'?" in capsys.readouterr().err


def test_what_a_message_says_cannot_move_the_cursor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = "policy: policy.yaml\ntrust: {hosts: [mx.forwarder.example]}\n"
    (folder / "evil.eml").write_bytes(b"From: a@hosted.example\nMessage-ID: <\x1b]0;x\x07@a>\n\nx\n")
    cases = '- {name: it, message: evil.eml, sender: "\\u202ea@b.example", expect: {rule: rest, sender: "b.example"}}\n'
    assert cli.main(["policy", "test", write(folder, cases, top)]) == 2
    cases = "- {name: it, message: evil.eml, expect: {rule: rest, sender: b.example}}\n"
    assert cli.main(["policy", "test", "-v", write(folder, cases, top)]) == 1
    assert not set("\x1b\x07\u202e") & set(capsys.readouterr().out)


def test_show_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "show", "--policy", "policy.yaml"]) == 0
    said = capsys.readouterr().out
    rows = [re.split(r" {2,}", line.strip()) for line in said.splitlines()]
    assert ["1", "own-users", "it is our own: a user who logged in or a program of ours has sent it, and its risk is below 50",
            "signed for its author's domain, if that is ours"] in rows  # fmt: skip
    assert ["3", "rest", "every other message", "not signed"] in rows
    assert ["default", "no rule matches it", "not signed"] in rows
    assert ["100", "on arrival DMARC failed"] in rows
    assert (
        "No rule makes mail look genuine that arrived badly from outside. This is proved, without exceptions." in said
    )
    assert "If it does not know them, it assumes that every sender of the author's domain passes." in " ".join(
        said.split()
    )


def test_show_does_not_praise_what_launders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yaml").write_text("version: 1\nrules: [{name: all, sign: author}]\n")
    assert cli.main(["policy", "show", "--policy", "bad.yaml"]) == 0
    said = capsys.readouterr().out
    assert (
        "THE DAEMON REFUSES THIS POLICY: these rules make mail look genuine that arrived badly from outside: all.\n"
        in said
    )
    assert "no exceptions" not in said
    assert cli.main(["policy", "show", "--json", "--policy", "bad.yaml"]) == 0
    assert json.loads(capsys.readouterr().out)["refused_for"] == ["all"]
    (folder / "bad.yaml").write_text(
        (folder / "policy.yaml").read_text().replace("version: 1", "version: 1\nmode: observe")
    )
    assert cli.main(["policy", "show", "--policy", "bad.yaml"]) == 0
    assert "But this policy only watches, and stops nothing." in capsys.readouterr().out


def test_show_tells_what_only_watches_and_what_may_launder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text("policy: policy.yaml\n")
    (folder / "policy.yaml").write_text(
        'version: 1\nmode: observe\nrules: [{name: a, sign: author}]\nallow_laundering: [a]\nlaundering_reason: "a week of looking"\n'
    )
    assert cli.main(["policy", "show", "--config", "dkimgate.yaml"]) == 0
    said = capsys.readouterr().out
    assert (
        "THIS POLICY ONLY WATCHES" in said
        and "from outside: a.\n" in said
        and "The reason: a week of looking\n" in said
    )
    assert "Nothing: every message has a risk of 0." in said


def test_show_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "show", "--json", "--policy", "policy.yaml"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [rule["name"] for rule in told["rules"]] == ["own-users", "never-launder", "rest", "default"]
    assert told["rules"][2]["if"] == "every other message"
    assert told["risk"] == [{"part": "dmarc=fail", "if": "on arrival DMARC failed", "adds": 100.0}]


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("login", "origin"), [("", "inbound"), ("alice", "submitted")])
def test_an_empty_login_of_a_case_is_no_login(login: str, origin: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nrules: [{name: a, sign: none}]\n")
    (tmp_path / "cases.yaml").write_text(
        "policy: policy.yaml\ntrust: {}\ncases:\n"
        f'  - {{name: a, client: 192.0.2.66, auth: "{login}", text: "From: a@b.example\\n\\nx", expect: {{origin: {origin}}}}}\n'
    )
    assert cli.main(["policy", "test", str(tmp_path / "cases.yaml")]) == 0
