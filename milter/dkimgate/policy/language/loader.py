"""The policy file: YAML into a frozen Policy, or a ConfigError that names every mistake with file, line and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from dkimgate.config import wrong_kind, yaml_file
from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where, nearest
from dkimgate.facts import DMARC_RESULTS
from dkimgate.policy.language import actions, parse
from dkimgate.policy.language.fact_table import ARC_RESULTS, DKIM_RESULTS, SPF_RESULTS, UPSTREAM_DMARC_RESULTS
from dkimgate.policy.language.model import Condition, Mode, Policy, Rule, Weights
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.language.vocabulary import FACTS, SIGNS
from dkimgate.policy.proof import report, unreachable
from dkimgate.policy.risk import MAX_PART

VERSION = 1
LONGEST_REASON = 500

TOP_KEYS = ("version", "mode", "risk", "rules", "default", "allow_laundering", "laundering_reason")
RULE_KEYS = ("name", "when", *actions.KEYS)
TAKEN = {"default": "the key `default`", "border": "the records of a border listener"}
"""Names that no rule may have."""

_HEADER_SIGNS = tuple(name.removeprefix("header.") for name in FACTS if name.startswith("header."))

WEIGHTS: dict[str, dict[str, str]] = {
    "dmarc": {result: f"dmarc={result}" for result in DMARC_RESULTS},
    "spf": {result: f"spf={result}" for result in SPF_RESULTS},
    "dkim": {result: f"dkim={result}" for result in DKIM_RESULTS},
    "arc": {result: f"arc={result}" for result in ARC_RESULTS},
    "spam": {"per_required": "spam"},
    "upstream": {f"dmarc_{result}": f"upstream.dmarc={result}" for result in UPSTREAM_DMARC_RESULTS},
    "header": {sign: f"header.{sign}" for sign in _HEADER_SIGNS},
}
"""What may stand under `risk`, and the name of the part that it becomes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def load(file: Path, remedy: str = ": correct `policy:` in the configuration") -> Policy:
    """Read a policy file. Raises ConfigError with all its mistakes. `remedy` says what to do if there is no such
    file."""
    return from_document(yaml_file.read(file, remedy))


def from_document(document: yaml_file.Document) -> Policy:
    """`load`, of a document at hand."""
    wrong_kind.refuse(document, wrong_kind.POLICY)
    problems = Problems(document)
    top = problems.mapping((), document.data, "a policy: a mapping with the keys version and rules")
    if top is None:
        problems.raise_any()
        raise AssertionError("a policy that is no mapping was noted as a mistake")
    problems.known((), top, TOP_KEYS)
    _version(problems, top)
    mode = problems.word(("mode",), top["mode"], actions.MODES) if "mode" in top else "enforce"
    weights = _weights(problems, top["risk"]) if "risk" in top else Weights()
    rules = _rules(problems, top)
    default = _default(problems, top)
    allowed, reason = _laundering(problems, top)
    problems.raise_any()
    policy = Policy(cast(Mode, mode), weights, rules, default, allowed, reason, document.sha256, str(document.file))
    _reached(problems, policy)
    problems.raise_any()
    return policy


def _reached(problems: Problems, policy: Policy) -> None:
    """A rule that no message reaches is a mistake. It is looked for where there is no other, which may be the
    reason."""
    for found in unreachable(policy):
        where: Where = ("rules", policy.rules.index(found.rule))
        problems.add((*where, "when") if found.conflict else where, "policy.unreachable", report.unreachable(found))


def _laundering(problems: Problems, top: dict[str, object]) -> tuple[tuple[str, ...], str | None]:
    """The rules that may launder, and why they may: neither goes without the other."""
    if "allow_laundering" not in top:
        if "laundering_reason" in top:
            problems.add(
                ("laundering_reason",),
                "policy.reason-alone",
                "laundering_reason: this key needs `allow_laundering: [rule names]`",
            )
        return (), None
    names, here = top["allow_laundering"], ("allow_laundering",)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        problems.add(
            here, "policy.allow-laundering", f"allow_laundering: expected a list of rule names, found {shown(names)}"
        )
        names = []
    rules = top.get("rules")
    written = rules if isinstance(rules, list) else []
    known = ["default", *(str(rule.get("name")) for rule in written if isinstance(rule, dict))]
    for index, name in enumerate(names):
        if name in names[:index]:
            problems.add(
                (*here, index), "policy.allow-laundering-twice", f"allow_laundering: {name!r} is in the list twice"
            )
        elif name not in known:
            problems.add(
                (*here, index),
                "policy.allow-laundering-unknown",
                f"allow_laundering: there is no rule {name!r}{nearest(name, known)}",
            )
    reason = top.get("laundering_reason")
    if (
        not isinstance(reason, str)
        or len(reason.split()) < 2
        or len(reason) > LONGEST_REASON
        or not reason.isprintable()
    ):
        problems.add(
            ("laundering_reason",) if "laundering_reason" in top else here,
            "policy.laundering-reason",
            "allow_laundering: forgeries will leave as authentic mail. Give the reason in plain words, "
            f'`laundering_reason: "..."` (one line, two words or more, at most {LONGEST_REASON} characters). '
            "Every record of these rules contains it",
        )
        return (), None
    return tuple(names), reason


def _version(problems: Problems, top: dict[str, object]) -> None:
    if "version" not in top:
        problems.add((), "policy.version", f"the key 'version' is missing: write `version: {VERSION}` at the top")
    elif type(top["version"]) is not int or top["version"] != VERSION:
        problems.add(("version",), "policy.version", f"version: expected {VERSION}, found {shown(top['version'])}")


def _weights(problems: Problems, value: object) -> Weights:
    """The weights in the order of `WEIGHTS`, so that records look alike however the file is sorted."""
    groups = problems.mapping(("risk",), value, "a mapping such as `dmarc: {fail: 100}`") or {}
    problems.known(("risk",), groups, WEIGHTS)
    found: dict[str, float] = {}
    for group, names in WEIGHTS.items():
        if group not in groups:
            continue
        where: Where = ("risk", group)
        entries = (
            problems.mapping(
                where, groups[group], f"a mapping such as `{'fail' if 'fail' in names else next(iter(names))}: 10`"
            )
            or {}
        )
        problems.known(where, entries, names)
        for key, part in names.items():
            if key in entries:
                found[part] = problems.number((*where, key), entries[key], 0, MAX_PART) or 0.0
    per_required = found.pop("spam", 0.0)
    return Weights(tuple(found.items()), per_required)


def _rules(problems: Problems, top: dict[str, object]) -> tuple[Rule, ...]:
    if "rules" not in top:
        problems.add((), "policy.no-rules", "the key 'rules' is missing: without rules nothing is signed")
        return ()
    items = top["rules"]
    if not isinstance(items, list) or not items:
        problems.add(
            ("rules",),
            "policy.no-rules",
            f"rules: expected a list with `- name: ...` for each rule, found {shown(items)}",
        )
        return ()
    rules: list[Rule] = []
    names: dict[str, int] = {}
    for index, item in enumerate(items):
        where: Where = ("rules", index)
        rule = _rule(problems, where, item, names)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _rule(problems: Problems, where: Where, value: object, names: dict[str, int]) -> Rule | None:
    """One rule; None where its name or its conditions are wrong, which is noted."""
    mapping = problems.mapping(where, value, "a rule: a mapping with name, when and sign")
    if mapping is None:
        return None
    problems.known(where, mapping, RULE_KEYS)
    name = _name(problems, where, mapping, names)
    # of a misspelt action that is said already
    if mapping.keys() <= set(RULE_KEYS) and not any(key in mapping for key in actions.CHOICES):
        problems.add(
            where, "policy.no-action", f"the rule has no action: add `sign: {' | '.join(SIGNS)}`, or a disposition"
        )
    does = actions.read(problems, where, mapping)
    when: Condition | None = None
    if "when" in mapping:
        if not mapping["when"]:
            problems.add(
                (*where, "when"),
                "policy.no-conditions",
                "when: there is no condition. For a rule that takes every message, omit `when`",
            )
            return None
        when = parse.condition(problems, (*where, "when"), mapping["when"])
        if when is None:
            return None
    return None if name is None else Rule(name, when, **does, line=problems.document.line(where))


def _name(problems: Problems, where: Where, mapping: dict[str, object], names: dict[str, int]) -> str | None:
    """The name of a rule: it stands in every record, so it is one word and means one rule."""
    if "name" not in mapping:
        problems.add(where, "policy.rule-name", "the key 'name' is missing: records name the rule that decided")
        return None
    value, here = mapping["name"], (*where, "name")
    if not isinstance(value, str) or not NAME.fullmatch(value):
        problems.add(
            here,
            "policy.rule-name",
            f"name: expected one word of letters, digits and - _ . (at most 64), found {shown(value)}{trap(value)}",
        )
    elif value in TAKEN:
        problems.add(
            here, "policy.rule-name-reserved", f"name: {value!r} is reserved for {TAKEN[value]}: choose another name"
        )
    elif value in names:
        problems.add(
            here, "policy.rule-name-taken", f"name: the rule on line {names[value]} has the name {value!r} already"
        )
    else:
        names[value] = problems.document.line(where)
        return value
    return None


def _default(problems: Problems, top: dict[str, object]) -> Rule:
    if "default" not in top:
        return Rule("default")
    where: Where = ("default",)
    mapping = problems.mapping(where, top["default"], "a mapping such as {sign: none}")
    if mapping is None:
        return Rule("default")
    problems.known(where, mapping, actions.KEYS)
    return Rule("default", None, **actions.read(problems, where, mapping), line=problems.document.line(where))
