"""`check`: what a postmaster is told about a configuration."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from dkimgate import cli
from dkimgate.cli.demo_world import demo_file
from dkimgate.config.problem import Problem
from dkimgate.daemon import packets
from dkimgate.gate.gate import Gate
from dkimgate.passport.secrets import new_secret
from dkimgate.postfix import this_host
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System

GOOD = """\
trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}
keys: [{domain: hosted.example, selector: default, file: key.pem}]
departure: {addresses: [192.0.2.10], helo: mx.forwarder.example, origin: forwarder.example}
journal: {file: decisions.jsonl}
"""


def write_key(file: Path, private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> None:
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(mode=0o600)
    file.write_bytes(pem)


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def folder(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> Path:
    write_key(tmp_path / "key.pem", rsa_key)
    (tmp_path / "policy.yaml").write_bytes(demo_file("policy.yaml"))
    return tmp_path


def checked(folder: Path, config: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    listen = "" if "\nlisten:" in config else f"listen: unix:{folder}/sock\n"
    (folder / "dkimgate.yaml").write_text(listen + config)
    status = cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["good"] == (status == 0)
    return status, [
        f"{finding['level']}: {finding['code']}" for finding in said["findings"] if finding["code"] != "user.not-set"
    ]


def texts(folder: Path, code: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words of the findings with that code, as a person sees them."""
    cli.main(["check", "--config", str(folder / "dkimgate.yaml"), "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    return [
        str(Problem(**{key: value for key, value in each.items() if key != "level"}))
        for each in found
        if each["code"] == code
    ]


def test_a_good_configuration_has_no_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = folder / "srs.secret"
    assert cli.main(["srs", "new-secret", "--out", str(secret)]) == 0
    capsys.readouterr()
    srs = f"unalign: {{domain: bounce.forwarder.example, secret_file: {secret}}}\n"
    listen = f"listen: [unix:{folder}/sock, {{socket: unix:{folder}/srs.sock, role: srs}}]\n"
    assert checked(folder, GOOD + listen + srs, capsys) == (0, [])


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


@pytest.mark.parametrize(
    ("old", "new", "status", "finding"),
    [
        ("[mx.forwarder.example], auth", "[], auth", 1, "warning: trust.no-hosts"),
        ("ids: [mx.forwarder.example]", "ids: []", 1, "warning: trust.no-authserv-ids"),
        ("trust: {", "trust: {border_strips_forgeries: true, ", 1, "warning: trust.border-strips-forgeries"),
        ("trust: {", "trust: {networks: [10.0.0.0/8], ", 1, "warning: trust.network-wide"),
        ("addresses: [192.0.2.10], ", "", 0, "note: departure.addresses-unknown"),
        ("[192.0.2.10]", "[]", 0, "note: departure.addresses-unknown"),
        (", helo: mx.forwarder.example", "", 0, "note: departure.helo-unknown"),
        (", origin: forwarder.example", "", 0, "note: departure.origin-unknown"),
        (
            "departure: {",
            "departure: {rewrites_senders: true, ",
            1,
            "warning: departure.rewrites-senders",
        ),
        (
            "helo: mx.forwarder.example",
            "helo: mx.hosted.example",
            1,
            "warning: departure.helo-aligned",
        ),
        (
            "file: decisions",
            "file: missing/decisions",
            2,
            "problem: journal.unwritable",
        ),
        ("keys:", "keys: []\n#", 1, "warning: keys.none"),
        ("trust:", "socket_mode: '0666'\ntrust:", 1, "warning: socket-mode.open"),
        ("trust:", "socket_group: nosuchgroup\ntrust:", 2, "problem: socket-group.missing"),
        ("trust: {hosts: [", "trust: {hosts: [192.0.2.1, ", 1, "warning: trust.hosts-address"),
        ("trust:", "user: nosuchuser\ntrust:", 2, "problem: user.missing"),
        ("trust:", "user: nobody\ntrust:", 2, "problem: file."),
        ("trust:", "user: nobody\ntrust:", 2, "problem: journal.unwritable"),
    ],
)
def test_findings(
    folder: Path, old: str, new: str, status: int, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in GOOD
    found = checked(folder, GOOD.replace(old, new, 1), capsys)
    assert found[0] == status
    assert any(text.startswith(finding) for text in found[1]), found[1]


@pytest.mark.parametrize(
    ("hosts", "here", "services", "missing"),
    [
        ("mx.forwarder.example", "mx.forwarder.example", (), []),
        ("mx.forwarder.example", "MX.Forwarder.Example", (), []),
        ('"*.forwarder.example"', "mx.forwarder.example", (), []),
        ("mx.forwarder.example", "mail.forwarder.example", (), ["mail.forwarder.example"]),
        ("mx.forwarder.example", "debian", (), ["debian"]),
        ("mx.forwarder.example", "mx.forwarder.example", ("out.forwarder.example",), ["out.forwarder.example"]),
        ("mx.forwarder.example", "", (), []),
        ("", "mx.forwarder.example", (), []),  # told by the warning that there are none
    ],
)
def test_postfix_of_this_host_is_one_of_ours(
    folder: Path,
    hosts: str,
    here: str,
    services: tuple[str, ...],
    missing: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings({"myhostname": here}, {"myhostname": services})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    _, found = checked(folder, GOOD.replace("hosts: [mx.forwarder.example]", f"hosts: [{hosts}]"), capsys)
    assert found.count("warning: postfix.myhostname") == len(missing)
    said = texts(folder, "postfix.myhostname", capsys)
    assert all(name in text for text, name in zip(said, missing, strict=True))


@pytest.mark.parametrize(
    ("limit", "told", "warned"),
    [
        ("102400", True, ""),
        ("33554432", True, "16774681"),
        ("102400", False, "63000"),
        ("63000", False, ""),
    ],
)
def test_header_fields_that_postfix_takes_and_libmilter_does_not(
    folder: Path,
    limit: str,
    told: bool,
    warned: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings({"myhostname": "mx.forwarder.example", "header_size_limit": limit}, {})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    monkeypatch.setattr(packets, "accept_large", lambda: told)
    _, found = checked(folder, GOOD, capsys)
    assert ("warning: postfix.header-size-limit" in found) is bool(warned)
    assert all(warned in text for text in texts(folder, "postfix.header-size-limit", capsys))


@pytest.mark.parametrize(("action", "warned"), [("accept", True), ("tempfail", False), ("quarantine", False)])
def test_a_postfix_that_lets_mail_go_without_the_gate(
    folder: Path, action: str, warned: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgery leaves with its envelope then."""
    settings = Settings({"myhostname": "mx.forwarder.example", "milter_default_action": action}, {})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    _, found = checked(folder, GOOD, capsys)
    assert ("warning: postfix.milter-default-action" in found) is warned


def test_a_port_that_all_the_world_reaches_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text(
        f"listen: [inet:0.0.0.0:8891, inet:127.0.0.1:8892, 'inet6:[::1]:8893']\n{GOOD}"
    )
    (said,) = texts(folder, "listen.open-port", capsys)
    assert "inet:0.0.0.0:8891" in said


def test_a_weak_key_and_one_of_a_kind_that_few_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_key(folder / "weak.pem", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    write_key(folder / "ed.pem", ed25519.Ed25519PrivateKey.generate())
    keys = "keys: [{domain: a.example, selector: w, file: weak.pem}, {domain: b.example, selector: e, file: ed.pem}]\n#"
    status, found = checked(folder, GOOD.replace("keys:", keys), capsys)
    assert status == 1
    assert {"warning: key.weak", "warning: keys.only-ed25519"} <= set(found)


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


def test_the_overview(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "dkimgate.yaml"
    file.write_text(f"listen: unix:{folder}/sock\nworkers: 3\n{GOOD}")
    assert cli.main(["check", "--config", str(file)]) == 0
    said = capsys.readouterr().out.replace(str(folder), "/etc/dkimgate")
    start = """\
/etc/dkimgate/dkimgate.yaml: loaded

listens on    unix:/etc/dkimgate/sock
workers       3 for each listener, as the user that starts it
our hosts     mx.forwarder.example
our clients   127.0.0.0/8, ::1/128
authserv-ids  mx.forwarder.example
ARC sealers   none
own checks    missing, DMARC by both, asking the system's resolvers for 5 s at most
passports     none
leaves from   192.0.2.10 as mx.forwarder.example
smtp breaks   lines of more than 998 octets, and makes quoted-printable of 8-bit content for hosts without 8BITMIME
unalign       none
forwarder     none
journal       /etc/dkimgate/decisions.jsonl (if it can't be written: defer)
policy        /etc/dkimgate/policy.yaml (mode: enforce, sha256:"""
    assert said.startswith(start)
    assert "\nKeys\n  hosted.example  default  RSA, 2048 bits\n" in said
    assert re.search(r"\n  own-users +sign: author +when .*origin is one of submitted, local.* and risk < 50\n", said)
    assert "  never-launder          sign: none, envelope: unalign  when arrival.badly is true or risk >= 50\n" in said
    assert "  default                sign: none                     always\n" in said
    ending = "Findings\n  note  user: not set" if os.geteuid() == 0 else "Findings\n  note  unalign: not set"
    assert ending in said


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


def test_what_keeps_the_daemon_from_starting_is_status_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_text("version: 1\nrules:\n  - {name: a, sign: authr}\n")
    (folder / "key.pem").chmod(0o644)
    (folder / "dkimgate.yaml").write_text(f"listen: unix:{folder}/sock\n" + GOOD)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "policy.yaml:3:" in said.err
    assert "key.pem: " in said.err


BORDER = GOOD + "\nlisten: [{socket: unix:/run/dkimgate/b.sock, role: border}]\n"
PASSPORT = "passport: {secret_file: passport.secret}\n"


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (BORDER + PASSPORT + "verify: {when: never}\n", "warning: verify.never-at-border"),
        (GOOD + "\n" + PASSPORT, "note: passport.no-border"),
    ],
)
def test_a_border_that_lacks_something(
    configuration: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "passport.secret").write_text(new_secret("2026a") + "\n")
    (folder / "passport.secret").chmod(0o600)
    assert said in checked(folder, configuration, capsys)[1]


def test_a_border_without_a_passport_does_not_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text(BORDER)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 2
    assert "`passport: {secret_file: ...}`" in capsys.readouterr().err


SRS_LISTENER = "listen: [{socket: unix:/run/dkimgate/m.sock}, {socket: unix:/run/dkimgate/s.sock, role: srs}]\n"


@pytest.mark.parametrize(
    ("configuration", "status", "said"),
    [
        (
            "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n",
            0,
            "note: unalign.no-srs-listener",
        ),
        (
            "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\nuser: nobody\n" + SRS_LISTENER,
            2,
            "problem: file.",
        ),
    ],
)
def test_a_sender_domain_that_lacks_something(
    configuration: str, status: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "srs.secret").touch(mode=0o600)
    (folder / "srs.secret").write_text("vnHGgDCuQdEYRQNQFFq4Vw+B\n")
    found = checked(folder, GOOD + "\n" + configuration, capsys)
    assert found[0] == status
    assert any(text.startswith(said) for text in found[1]), found[1]


def test_a_good_sender_domain_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "srs.secret").touch(mode=0o600)
    (folder / "srs.secret").write_text("vnHGgDCuQdEYRQNQFFq4Vw+B\n")
    configuration = GOOD + "\nunalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n" + SRS_LISTENER
    assert [text for text in checked(folder, configuration, capsys)[1] if text.startswith("note: unalign")] == []
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 0
    said = capsys.readouterr().out
    assert "unix:/run/dkimgate/s.sock (srs)" in said
    assert "for each listener (one where its role is srs)" in said
    assert "bounce.forwarder.example, 1 secret\n" in said


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
    assert cli.main(["srs", "new-secret", "--out", str(folder / "srs.secret")]) == 0
    capsys.readouterr()
    _, found = checked(folder, BARE + "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n", capsys)
    assert "warning: unalign.masqueraded" in found
