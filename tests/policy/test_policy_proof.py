"""The proof, as a postmaster meets it: policies that are safe, policies that look so, and what is said of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
from dkimgate.config.problem import ConfigError
from dkimgate.facts import Facts, Origin
from dkimgate.policy.decide import decide
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.loader import from_document, load
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import Law, Proof, overlaps, prove, report, uncovered
from dkimgate.policy.proof.laws import breaks
from dkimgate.policy.proof.universe import is_possible
from dkimgate.policy.risk import risk_of
from tests.documents import POLICIES, Example

CONFIG = Path(__file__).parents[2] / "config"
RISK = (
    "risk: {dmarc: {fail: 100, permerror: 40, temperror: 40, unknown: 40}, spf: {fail: 20, softfail: 10}, spam: {per_required: 50},"
    " header: {from_equals_to: 5, message_id_missing: 5}}\n"
)
GUARD = "- {name: never-launder, when: {any: [{arrival.badly: true}, {risk: '>= 50'}]}, envelope: unalign}\n"
SIGN = "- {name: sign, when: {from: hosted}, sign: author, envelope: unalign}\n"
KEEP = "- {name: keep, when: {origin: [forwarded, inbound]}, sign: none}\n"


def parse(rules: str, top: str = RISK, default: str = "{envelope: unalign}") -> Policy:
    return from_document(yaml_file.parse(f"version: 1\n{top}rules:\n{rules}default: {default}\n", Path("policy.yaml")))


def launders(proof: Proof) -> set[str]:
    return {f"{each.rule.name} {each.law}" for each in proof.launders}


def check(policy: Policy) -> Proof:
    """The proof; all that it shows is as it says."""
    proof = prove(policy)
    for each in proof.launders:
        decision = decide(each.witness, policy)
        assert decision.rule == each.rule.name
        assert breaks(each.law, each.witness, decision) and is_possible(each.witness) is None
    for overlap in overlaps(policy):
        assert decide(overlap.witness, policy).rule == overlap.taker.name
        assert holds(overlap.rule.when, overlap.witness, risk_of(overlap.witness, policy.weights))
    left = uncovered(policy)
    assert left is None or decide(left, policy).rule == "default"
    return proof


SAFE = [
    GUARD + SIGN + KEEP,
    "- {name: a, when: {arrival.badly: false, from: hosted}, sign: author, envelope: unalign}\n",
    "- {name: a, when: {arrival.dmarc: [pass, none], spam: false}, sign: author}\n",
    "- {name: a, when: {arrival.dmarc: pass, spam.ratio: '< 1'}, sign: author}\n",
    "- {name: a, when: {origin: [submitted, local]}, sign: author}\n",
    "- {name: a, when: {client.auth: present, not: {origin: forwarded}}, sign: author}\n",
    "- {name: a, when: {not: {any: [{arrival.dmarc: [fail, permerror, temperror, unknown]}, {spam: true}]}}, sign: author}\n",
    "- {name: guard, when: {not: {all: [{arrival.dmarc: [pass, none]}, {spam: false}]}}, disposition: hold}\n"
    + SIGN
    + KEEP,
    "- {name: guard, when: {not: {any: [{arrival.dmarc: pass}, {arrival.dmarc: none}]}}, disposition: reject}\n" + KEEP,
    "- {name: guard, when: {outgoing.spf_passes: true, not: {arrival.dmarc: [pass, none]}}, envelope: unalign}\n"
    + KEEP,
    "- {name: guard, when: {spam.ratio: '>= 1'}, disposition: discard}\n- {name: a, when: {arrival.dmarc: [none, pass]}, sign: author}\n",
    "- {name: a, when: {arrival.badly: true, from: hosted, own_signature: true}, sign: author, envelope: unalign}\n",
    "- {name: a, when: {from: none}, sign: author, envelope: unalign}\n",
    "- {name: guard, when: {from: [hosted.example, '*.hosted.example']}, envelope: unalign}\n"
    "- {name: a, when: {any: [{from: '*.mail.hosted.example'}, {from: hosted.example}, {origin: submitted}]}, sign: author}\n",
    "- {name: guard, when: {client.ip: [0.0.0.0/1, 128.0.0.0/1, '::/0']}, envelope: unalign}\n"
    "- {name: a, when: {any: [{client.ip: present, arrival.dmarc: fail}, {origin: submitted}]}, sign: author}\n",
]


@pytest.mark.parametrize("rules", SAFE)
def test_a_safe_policy_is_never_called_unsafe(rules: str) -> None:
    proof = check(parse(rules))
    assert launders(proof) == set() and proof.safe


BADLY = "{name: a, when: {arrival.badly: true, from: hosted}, sign: author, envelope: unalign}"
UNSAFE = [
    ("the order swapped", SIGN + GUARD + KEEP, {"sign signature"}),
    ("spam forgotten", "- {name: a, when: {arrival.dmarc: pass}, sign: author}\n", {"a signature"}),
    ("and with none", "- {name: a, when: {arrival.dmarc: none}, sign: author}\n", {"a signature"}),
    ("a ratio off by a hair", "- {name: a, when: {arrival.dmarc: pass, spam.ratio: '<= 1'}, sign: author}\n", {"a signature"}),
    (
        "unknown forgotten",
        "- {name: a, when: {arrival.dmarc: [fail, permerror, temperror]}, disposition: hold}\n" + KEEP,
        {"keep departure"},
    ),
    (
        "temperror forgotten",
        "- {name: a, when: {arrival.dmarc: [fail, permerror, unknown]}, disposition: hold}\n" + KEEP,
        {"keep departure"},
    ),
    ("only where it fails", "- {name: a, when: {arrival.dmarc: fail}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("risk of 40 is not 50", "- {name: a, when: {risk: '>= 50'}, envelope: unalign}\n" + SIGN, {"sign signature"}),
    ("aligned is no result", "- {name: a, when: {arrival.aligned: true}, sign: author, disposition: hold}\n", {"a signature"}),
    ("a login may bring an old message", "- {name: a, when: {client.auth: present}, sign: author, envelope: unalign}\n", {"a signature"}),
    ("held, but signed", "- {name: a, when: {origin: inbound}, sign: author, disposition: hold}\n", {"a signature"}),
    ("both doors", "- {name: a, when: {origin: inbound}, sign: author}\n", {"a signature", "a departure"}),
    ("the forwarder's signature", "- {name: a, when: {origin: inbound}, sign: forwarder}\n", {"a departure"}),
    ("no single author", "- {name: a, when: {from: none}, sign: author}\n", {"a departure"}),
    ("signed already, and let go", "- {name: a, when: {own_signature: true}, sign: author}\n", {"a departure"}),
    ("half a network", "- {name: g, when: {client.ip: 192.0.2.0/25}, disposition: hold}\n- {name: a, when: {client.ip: 192.0.2.0/24}, sign: none}\n", {"a departure"}),
    ("a client without address", "- {name: g, when: {client.ip: [0.0.0.0/0, '::/0']}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("one address", "- {name: g, when: {not: {client.ip: 192.0.2.7}}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("below, not the domain", "- {name: g, when: {from: '*.hosted.example'}, disposition: hold}\n- {name: a, when: {from: [hosted.example, '*.hosted.example']}, sign: none}\n", {"a departure"}),
    (
        "a domain below another",
        "- {name: g, when: {from: [hosted.example, '*.mail.hosted.example']}, disposition: hold}\n- {name: a, when: {from: '*.hosted.example'}, sign: none}\n",
        {"a departure"},
    ),
    ("a sender without domain", "- {name: g, when: {sender: ['', '*']}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("the null sender", "- {name: g, when: {sender: '*'}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("one of two recipients", "- {name: g, when: {recipients.all: '*@a.example'}, disposition: hold}\n- {name: a, when: {recipients: '*@a.example'}, sign: none}\n", {"a departure"}),
    (
        "of three recipients",
        "- {name: a, when: {all: [{recipients: '*@a.example'}, {recipients: '*@b.example'}, {recipients: '*@c.example'}], recipients.count: '< 4'}, sign: none}\n",
        {"a departure"},
    ),
    ("not the wrong way round", "- {name: g, when: {not: {arrival.badly: true}}, disposition: hold}\n" + SIGN, {"sign signature"}),
    ("all for any", "- {name: g, when: {arrival.badly: true, risk: '>= 50'}, disposition: hold}\n" + SIGN, {"sign signature"}),
    ("a rule that observes is judged by what it says", "- " + BADLY.replace("sign: author", "sign: author, mode: observe") + "\n", {"a signature"}),
    (
        "spam below another limit",
        "- {name: a, when: {spam: true, arrival.dmarc: pass, risk: '< 60', from: hosted}, sign: author, disposition: hold}\n",
        {"a signature"},
    ),
    ("nobody upstream", "- {name: g, when: {upstream.dmarc: present}, disposition: hold}\n" + KEEP, {"keep departure"}),
    ("many recipients", "- {name: a, when: {recipients.count: '>= 4', arrival.dmarc: fail}, sign: none}\n", {"a departure"}),
    ("an SMTP sender who is not rewritten", "- {name: g, when: {outgoing.unalignable: true}, envelope: unalign}\n" + KEEP, {"keep departure"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "rules", "expected"), UNSAFE)
def test_an_unsafe_policy_is_shown_with_a_message(what: str, rules: str, expected: set[str]) -> None:
    policy = parse(rules)
    proof = check(policy)
    assert launders(proof) == expected and not proof.safe and not proof.unproved, what
    said = "\n".join(map(str, report.problems(policy, proof)))
    assert "launders: this message arrived from outside" in said and "policy.yaml:" in said and said.isascii()


WEIGHTS = [
    (50, ">= 50", True),
    (49.99, ">= 50", False),
    (49.996, ">= 50", True),  # parts have two decimals
    (50, "> 50", False),
    (50.01, "> 50", True),
    (50, ">= 50.001", False),
    (25, ">= 50", False),
]


@pytest.mark.parametrize(("weight", "limit", "safe"), WEIGHTS)
def test_a_risk_is_a_guard_where_its_weights_reach(weight: float, limit: str, safe: bool) -> None:
    top = (
        f"risk: {{dmarc: {{fail: {weight}, permerror: 60, temperror: 60, unknown: 60}}, spam: {{per_required: 60}}}}\n"
    )
    rules = f"- {{name: guard, when: {{risk: '{limit}'}}, envelope: unalign}}\n" + SIGN
    proof = check(parse(rules, top))
    assert proof.safe is safe
    assert safe or proof.launders[0].witness.arrival.dmarc == "fail"


def test_the_largest_weights_add_up_in_no_time() -> None:
    top = "risk: {dmarc: {fail: 1000000, permerror: 999999.99, temperror: 1000000, unknown: 1000000}, spam: {per_required: 1000000}}\n"
    proof = check(parse("- {name: guard, when: {risk: '>= 1000000'}, envelope: unalign}\n" + SIGN, top))
    assert [each.witness.arrival.dmarc for each in proof.launders] == ["permerror"]


@pytest.mark.parametrize(("per_required", "safe"), [(50, True), (49.996, True), (49.99, False), (0, False)])
def test_a_risk_is_a_guard_against_spam_where_its_weight_reaches(per_required: float, safe: bool) -> None:
    top = f"risk: {{dmarc: {{fail: 60, permerror: 60, temperror: 60, unknown: 60}}, spam: {{per_required: {per_required}}}}}\n"
    assert check(parse("- {name: guard, when: {risk: '>= 50'}, envelope: unalign}\n" + SIGN, top)).safe is safe


def test_a_sum_that_no_weights_make_is_no_way_around() -> None:
    """40 and 5s and 20s never make 42."""
    top = "risk: {dmarc: {fail: 40, permerror: 40, temperror: 40, unknown: 40}, spf: {fail: 20}, header: {from_equals_to: 5, no_received: 5}}\n"
    rules = "- {{name: a, when: {{risk: '== {}', arrival.dmarc: [fail, unknown], from: hosted}}, sign: author, disposition: hold}}\n"
    assert "no message can ever match the conditions of the rule 'a'" in unreached(rules.format(42), top)
    proof = check(parse(rules.format(65), top))
    assert launders(proof) == {"a signature"} and proof.launders[0].witness.arrival.spf == "fail"


def unreached(rules: str, top: str = RISK) -> str:
    """What the loader says of the one rule that no message reaches."""
    with pytest.raises(ConfigError) as caught:
        parse(rules, top)
    (said,) = caught.value.problems
    return str(said)


UNREACHABLE = [
    "- {name: a, when: {origin: inbound, client.auth: present}, sign: none}\n",
    "- {name: a, when: {origin: local, border.by: '*'}, sign: none}\n",
    "- {name: a, when: {spam: true, spam.ratio: '< 1'}, sign: none}\n",
    "- {name: a, when: {arrival.dmarc: fail, risk: '< 40'}, sign: none}\n",
    "- {name: a, when: {arrival.badly: true, arrival.dmarc: pass, spam: false}, sign: none}\n",
    "- {name: a, when: {recipients: '*@a.example', recipients.all: '*@b.example'}, sign: none}\n",
    "- {name: a, when: {recipients: 'x@*', recipients.count: '<= 1', all: [{recipients: 'y@*'}]}, sign: none}\n",
    "- {name: a, when: {client.tls: 'TLSv1.3*', not: {client.tls: 'TLSv1*'}}, sign: none}\n",
    "- {name: a, when: {from: 'a.example', not: {from: '*.example'}}, sign: none}\n",
    "- {name: a, when: {sender: '*@b.example', not: {sender: [b.example, c.example]}}, sign: none}\n",
    "- {name: b, when: {client.ip: [192.0.2.0/25, 192.0.2.128/25]}, sign: none}\n- {name: a, when: {client.ip: 192.0.2.0/24}, sign: none}\n",
    "- {name: b, when: {spam: true}, sign: none}\n- {name: c, when: {spam.ratio: '>= 0.5'}, sign: none}\n- {name: a, when: {spam.ratio: '>= 1.5'}, sign: none}\n",
    "- {name: b, when: {from: hosted}, sign: none}\n- {name: a, when: {own_signature: true}, sign: none}\n",
]


@pytest.mark.parametrize("rules", UNREACHABLE)
def test_a_rule_that_no_message_reaches_is_a_problem(rules: str) -> None:
    line = rules.count("\n") + 3  # each rule is a line, behind version, risk and rules
    said = unreached(rules)
    assert (
        said.startswith(f"policy.yaml:{line}:") and "the rule 'a'" in said and ("never match" in said or "take" in said)
    )


@pytest.mark.parametrize(
    "file", [*sorted(CONFIG.rglob("policies/*.yaml")), CONFIG / "policy.yaml"], ids=lambda path: path.stem
)
def test_what_is_shipped_is_safe_or_says_that_it_is_not(file: Path) -> None:
    policy = load(file)
    proof = check(policy)
    assert report.problems(policy, proof) == []
    assert {each.rule.name for each in proof.launders} == set(policy.allow_laundering)
    assert not signs_what_failed(policy)


def signs_what_failed(policy: Policy) -> bool:
    """Does a rule that may launder take mail that is known to be forged? What is said in its favour is that nobody knows."""
    return "policy.launders-failed" in {each.code for each in report.warnings(policy, check(policy))}


_MAY_LAUNDER = re.compile(r"# .*(allow_laundering: \[.*?\])")
ALLOWANCES = [(each, found[1]) for each in POLICIES if (found := _MAY_LAUNDER.search(each.text))]


@pytest.mark.parametrize(("example", "allowance"), ALLOWANCES, ids=lambda each: str(each)[:40])
def test_what_the_documents_allow_is_no_known_forgery(example: Example, allowance: str) -> None:
    text = f"{example.policy}{allowance}\nlaundering_reason: as the document says\ndefault: {{envelope: unalign}}\n"
    policy = from_document(yaml_file.parse(text, example.file))
    assert {each.rule.name for each in check(policy).launders} == set(policy.allow_laundering)
    assert not signs_what_failed(policy)


def test_those_examples_were_found() -> None:
    assert len(ALLOWANCES) >= 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("arrival.badly: true}, {risk", "arrival.dmarc: fail}, {risk"),
        ("arrival.badly: true}, {risk", "spam: true}, {risk"),
        ("envelope: unalign", "envelope: keep"),
        ("arrival.dmarc: pass, from: hosted", "from: hosted"),
        ("any: [{origin: [submitted, local]}, {client.relay: true}], risk", "client.helo: '*.mail.example', risk"),
    ],
)
def test_the_shipped_policy_weakened(old: str, new: str) -> None:
    text = (CONFIG / "policy.yaml").read_text()
    assert old in text
    text = text.replace(old, new).replace("otherwise: hold", "").replace('    text: "arrived', "    #")
    weakened = from_document(yaml_file.parse(text, Path("policy.yaml")))
    # what signs asks for a pass of its own, so that the guard before it may say so once more
    assert prove(weakened).safe is (new == "from: hosted")


def test_overlaps_and_what_no_rule_covers_are_told() -> None:
    policy = parse(
        GUARD
        + "- {name: sign, when: {from: hosted}, sign: author}\n- {name: too, when: {from: 'a.example'}, sign: author}\n"
    )
    check(policy)
    assert [(each.rule.name, each.taker.name) for each in overlaps(policy)] == [
        ("sign", "never-launder"),
        ("too", "never-launder"),
    ]
    left = uncovered(policy)
    assert left is not None and left.hosted is None
    assert uncovered(parse(KEEP + "- {name: rest, sign: none}\n")) is None


def test_rules_that_do_the_same_shadow_nothing() -> None:
    assert (
        overlaps(
            parse("- {name: a, when: {from: hosted}, sign: none}\n- {name: b, when: {from: '*.example'}, sign: none}\n")
        )
        == ()
    )


BY_SENDMAIL = "- {name: list, when: {origin: forwarded, arrival.pass_of: present, arrival.dmarc: unknown, spam: false}, sign: author}\n"


def test_who_signs_what_a_list_made_of_a_pass_has_to_say_so() -> None:
    proof = check(parse(BY_SENDMAIL))
    found = next(each for each in proof.launders if each.rule.name == "list")
    assert any("dmarc=pass header.from=member.example" in line for line in report.message(found.witness))
    allowed = parse(
        BY_SENDMAIL, RISK + "allow_laundering: [list]\nlaundering_reason: only the lists change From here\n"
    )
    assert not [
        line
        for line in map(str, report.problems(allowed, check(allowed)))
        if "unreachable" in line or "nothing" in line
    ]


def test_no_message_has_a_pass_of_its_own_and_one_of_another_domain() -> None:
    said = unreached("- {name: a, when: {arrival.dmarc: pass, arrival.pass_of: present}, sign: none}\n")
    assert said.endswith("the rule 'a': arrival.dmarc is pass and arrival.pass_of is present never match together")


ALLOWED = "allow_laundering: [sign, default]\nlaundering_reason: the old server needs it\n"


def test_laundering_that_is_allowed_is_no_problem_and_an_idle_allowance_is_told() -> None:
    policy = parse(SIGN, RISK + ALLOWED)
    proof = check(policy)
    assert launders(proof) == {"sign signature"} and report.problems(policy, proof) == []
    assert [*map(str, report.warnings(policy, proof))] == [
        "allow_laundering: forgeries that match the rule 'sign' leave as authentic mail, also those with dmarc=fail: the old server needs it",
        "policy.yaml: allow_laundering: the rule 'default' launders nothing: remove its name",
    ]


def test_the_message_is_one_that_a_postmaster_knows() -> None:
    policy = parse(
        "- {name: a, when: {origin: forwarded, arrival.dmarc: pass, spam.ratio: '> 2.9', from: hosted, arrival.arc: fail}, sign: author, envelope: unalign}\n"
    )
    said = str(report.laundering(policy, check(policy).launders[0]))
    assert said.splitlines()[:6] == [
        "policy.yaml:4: the rule 'a' launders: this message arrived from outside as spam and would get a signature of hosted.example:",
        "    MAIL FROM:<friend@hosted.example> RCPT TO:<victim@receiver.example>; client 127.0.0.1",
        "    Received: from [192.0.2.66] by mx.forwarder.example",
        "    Authentication-Results: mx.forwarder.example; dmarc=pass; spf=pass; dkim=pass; arc=fail",
        "    X-Spam-Status: Yes, score=15 required=5",
        "    From: friend@hosted.example",
    ]


def test_facts_that_no_message_has() -> None:
    assert is_possible(Facts()) is None
    assert is_possible(replace(Facts(), origin=Origin.INBOUND, own_signature=True)) is not None
    assert is_possible(replace(Facts(), author="-a.example")) is not None


def test_both_laws_have_names_of_their_own() -> None:
    assert [str(law) for law in Law] == ["signature", "departure"]
