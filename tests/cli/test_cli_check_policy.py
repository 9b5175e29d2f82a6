"""What `check` tells of a policy: what it proves, what it launders, what is only observed, what nobody hears."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.gate.gate import Gate
from dkimgate.postfix import this_host
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System
from tests.cli.checking import GOOD, checked, texts


def test_what_is_held_for_want_of_a_domain_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (found,) = checked(folder, GOOD, capsys)
    assert status == 0
    assert found == "note: unalign.not-set"
    launders_not = (
        (folder / "policy.yaml")
        .read_text()
        .replace("unalign", "keep")
        .replace("    otherwise: hold\n", "    disposition: hold\n")
    )
    (folder / "new.yaml").write_text(launders_not)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--policy", str(folder / "new.yaml")]) == 0
    said = capsys.readouterr().out
    assert "unalign.not-set" not in said and "/new.yaml (mode: enforce" in said


def test_a_seal_on_what_local_accounts_can_write_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_text(
        (folder / "policy.yaml").read_text().replace("    sign: author\n", "    sign: author\n    seal: true\n", 1)
    )
    status, found = checked(folder, GOOD + "forwarder: {domain: hosted.example}\n", capsys)
    assert status == 0
    assert "note: passport.none-with-seal" in found


def test_observe_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("enforce", "observe"))
    status, found = checked(folder, GOOD, capsys)
    assert status == 1
    assert "warning: policy.observes" in found


def test_a_rule_that_observes_is_a_warning_and_seen_in_the_overview(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.yaml").write_text(
        "version: 1\nrules:\n  - {name: watch, when: {spam: true}, disposition: hold, mode: observe}\ndefault: {disposition: hold}\n"
    )
    status, found = checked(folder, GOOD, capsys)
    assert status == 1
    assert found[0] == "warning: policy.observes"
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 1
    assert "watch    observes: sign: none, hold  when spam is true" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        (
            "when: {spam: true}, disposition: reject",
            "`disposition: reject`",
        ),
        ("disposition: defer", "`disposition: defer`"),
        ("envelope: unalign, otherwise: reject", "`otherwise: reject`"),
        ("when: {origin: [inbound, forwarded]}, disposition: reject", "`disposition: reject`"),
        ("when: {not: {origin: inbound}}, disposition: reject", "`disposition: reject`"),
        ("when: {any: [{origin: inbound}, {spam: true}]}, disposition: reject", "`disposition: reject`"),
        ("when: {origin: inbound, spam: true}, disposition: reject", None),
        ("when: {origin: [submitted, inbound]}, disposition: defer", None),
        ("when: {not: {origin: [local, relayed, forwarded]}}, disposition: reject", None),
        (
            "when: {any: [{origin: inbound, spam: true}, {all: [{origin: submitted}, {risk: '> 5'}]}]}, disposition: reject",
            None,
        ),
        ("when: {client.auth: '*@a.example', spam: true}, disposition: reject", None),
        ("disposition: hold", None),
        ("disposition: discard", None),
        ("envelope: unalign, otherwise: hold", None),
        ("disposition: reject, mode: observe", None),
    ],
)
def test_a_refusal_that_nobody_hears_is_noted(
    rule: str, finding: str | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.yaml").write_text(
        f"version: 1\nrules:\n  - {{name: one, {rule}}}\ndefault: {{disposition: hold}}\n"
    )
    checked(folder, GOOD, capsys)
    noted = texts(folder, "policy.refusal-unheard", capsys)
    assert len(noted) == (finding is not None)
    assert finding is None or (noted[0].startswith(f"{folder}/policy.yaml:3: ") and finding in noted[0])


def test_what_was_proved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text(f"listen: unix:{folder}/sock\n" + GOOD)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Proof proved: no message that arrived badly from outside gets an aligned signature" in said
    assert "never-launder own-users comes first submitted, from hosted.example (hosted), dmarc=permerror" in said
    assert cli.main(["check", "--json", "--config", str(folder / "dkimgate.yaml")]) == 0
    proof = json.loads(capsys.readouterr().out)["proof"]
    assert proof["safe"] is True and proof["launders"] == [] and len(proof["overlaps"]) == 4


LAUNDERS = (
    "version: 1\nrules:\n  - {name: all, when: {from: hosted}, sign: author, envelope: unalign, otherwise: hold}\n"
)
LAUNDERS += "default: {envelope: unalign, otherwise: hold}\n"


def test_a_policy_that_launders_does_not_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_text(LAUNDERS)
    (folder / "dkimgate.yaml").write_text(f"listen: unix:{folder}/sock\n" + GOOD)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "policy.yaml:3: " in said[0] and "'all'" in said[0] and "dmarc=fail" in said[0]
    assert said[1].startswith("dkimgate:     MAIL FROM:<friend@hosted.example>")
    assert "arrival.badly: true" in said[-1]
    assert cli.main(["check", "--json", "--config", str(folder / "dkimgate.yaml")]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["code"], error["line"]) == ("policy.launders", 3) and error["file"].endswith("policy.yaml")


HARD = """\
version: 1
risk: {dmarc: {fail: 900000.01, unknown: 800000.03}, spf: {fail: 700000.07}}
rules:
  - {name: hard, when: {risk: ">= 900000.01"}, sign: author, envelope: unalign, otherwise: hold}
default: {envelope: unalign, otherwise: hold}
"""


def test_a_policy_that_is_too_hard_to_prove_starts_with_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.yaml").write_text(HARD)
    status, found = checked(folder, GOOD, capsys)
    assert status == 1
    assert "warning: policy.unproved" in found
    (said,) = texts(folder, "policy.unproved", capsys)
    assert "policy.yaml:4: the rule 'hard'" in said and "weights and limits of risk are too large" in said
    gate = Gate.load(folder / "dkimgate.yaml")  # as the daemon does, which logs its warnings
    assert [each.code for each in gate.warnings] == ["policy.unproved"]
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 1
    assert "proved, except for hard (too hard to prove, see the findings)" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["policy", "show", "--policy", str(folder / "policy.yaml")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "There is no proof that these rules" in shown
        and "THE DAEMON REFUSES" not in shown
        and "it is proved" not in shown
    )


def test_a_laundering_that_is_allowed_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_text(LAUNDERS + "allow_laundering: [all, default]\nlaundering_reason: the old way\n")
    status, found = checked(folder, GOOD, capsys)
    assert status == 1
    assert {"warning: policy.launders-failed", "warning: policy.launders-nothing"} <= set(found)


def test_a_policy_does_not_remove_what_the_configuration_reads_as_verdicts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = "{name: tidy, when: {spam: true}, remove: [x-acme-verdict], envelope: unalign, otherwise: hold}"
    (folder / "policy.yaml").write_text(
        f"version: 1\nrules: [{rule}]\ndefault: {{envelope: unalign, otherwise: hold}}\n"
    )
    file = folder / "dkimgate.yaml"
    for fields, status in (("", 1), ("spam_fields: [{field: X-Acme-Verdict, pattern: '(?P<flag>bad)'}]\n", 2)):
        file.write_text(f"listen: unix:{folder}/sock\n{GOOD}{fields}")
        assert cli.main(["check", "--config", str(file)]) == status
    assert "'tidy'" in capsys.readouterr().err


POSTFIX = {
    "myhostname": "mx.forwarder.example",
    "myorigin": "forwarder.example",
    "append_dot_mydomain": "no",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "default_transport": "smtp",
    "sender_canonical_classes": "envelope_sender",
    "masquerade_classes": "envelope_sender",
}
BARE = GOOD.replace("departure:", "#") + "verify: {when: never, nameservers: [127.0.0.1], port: 9, deadline: 0.1}\n"


@pytest.mark.parametrize(
    ("source", "more", "finding", "leaves", "rests"),
    [
        (
            "203.0.113.10",
            {},
            "note: departure.addresses-found",
            "203.0.113.10 (found) as mx.forwarder.example",
            "SPF is looked up for mail from 203.0.113.10 (found: the routes",
        ),
        (
            "10.0.0.5",
            {},
            "note: departure.addresses-unknown",
            "unknown as mx.forwarder.example",
            "the addresses that mail leaves from are unknown (mail may leave from 10.0.0.5,",
        ),
        (
            "203.0.113.10",
            {"sender_canonical_maps": "hash:/etc/postfix/canonical"},
            "warning: departure.rewrites-senders",
            "203.0.113.10 (found) as mx.forwarder.example",
            "Postfix may change any sender after the gate (sender_canonical_maps)",
        ),
        (
            "203.0.113.10",
            {"smtp_helo_name": "mail.hosted.example"},
            "warning: departure.helo-aligned",
            "203.0.113.10 (found) as mail.hosted.example",
            "SPF is looked up",
        ),
    ],
)
def test_the_proof_says_what_it_rests_on(
    source: str,
    more: dict[str, str],
    finding: str,
    leaves: str,
    rests: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing stands under `departure:`, so Postfix and the routes are asked."""
    here = System(lambda: Settings({**POSTFIX, **more}), lambda: (ipaddress.ip_address(source),))
    monkeypatch.setattr(this_host, "this_host", lambda: here)
    _, found = checked(folder, BARE, capsys)
    assert finding in found
    cli.main(["check", "--config", str(folder / "dkimgate.yaml")])
    said = " ".join(capsys.readouterr().out.split())
    assert f"leaves from {leaves}" in said
    assert f"The DMARC result on departure is a prediction: {rests}" in said
    cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["proof"]["rests_on"].startswith(rests)
    assert told["departure"]["addresses_known"] == ("unknown" if source == "10.0.0.5" else "found")
    assert told["departure"]["origin"] == ["forwarder.example"]


def test_masquerading_of_rewritten_senders_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = {**POSTFIX, "masquerade_domains": "forwarder.example"}
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: Settings(main)))
    _, found = checked(folder, BARE + "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n", capsys)
    assert "warning: unalign.masqueraded" in found
