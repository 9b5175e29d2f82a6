"""The JSON Schema for editors: it takes every policy that loads, and marks the mistakes that one makes while typing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dkimgate.config.problem import ConfigError
from dkimgate.config.values import FIELD_NAME
from dkimgate.config.yaml_file import Document
from dkimgate.facts import DMARC_RESULTS
from dkimgate.policy.describe import key_meanings
from dkimgate.policy.describe.schema import schema
from dkimgate.policy.language import actions, loader
from dkimgate.policy.language.fact import Fact, Kind
from dkimgate.policy.language.loader import from_document
from dkimgate.policy.language.parse import COMPARISON
from dkimgate.policy.language.vocabulary import CONDITIONS, FACTS
from tests.documents import POLICIES, Example

CONFIG = Path(__file__).parents[2] / "config"
REFERENCE = (CONFIG / "policy.md").read_text("utf-8")
VALIDATOR = jsonschema.Draft202012Validator(schema())
SHIPPED = [CONFIG / "policy.yaml", *sorted((CONFIG / "policies").glob("*.yaml"))]


def accepts(policy: object) -> bool:
    return bool(VALIDATOR.is_valid(policy))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_it_takes_what_is_shipped(file: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize("example", POLICIES, ids=str)
def test_it_takes_every_example_in_the_documents(example: Example) -> None:
    VALIDATOR.validate(yaml.safe_load(example.policy))


GOOD = {"version": 1, "rules": [{"name": "a", "sign": "author"}]}


def with_rule(**keys: Any) -> dict[str, Any]:
    return {"version": 1, "rules": [{"name": "a", **keys}]}


def when(**facts: Any) -> dict[str, Any]:
    return with_rule(sign="author", when={name.replace("__", "."): value for name, value in facts.items()})


BROKEN: list[object] = [
    None,
    [],
    {"version": 1},
    {"version": 2, "rules": GOOD["rules"]},
    {"rules": GOOD["rules"]},
    {**GOOD, "rules": []},
    {**GOOD, "rule": []},
    {**GOOD, "mode": "enforced"},
    {**GOOD, "risk": {"dmarc": {"faill": 1}}},
    {**GOOD, "risk": {"dmarc": {"fail": -1}}},
    {**GOOD, "risk": {"dmarc": {"fail": "100"}}},
    {**GOOD, "risk": {"dmarc": 100}},
    {**GOOD, "risk": {"spam": {"per_required": True}}},
    {**GOOD, "default": {"name": "x", "sign": "none"}},
    {**GOOD, "default": {"sign": "nobody"}},
    {**GOOD, "allow_laundering": ["a"]},
    {**GOOD, "laundering_reason": "we want to"},
    {**GOOD, "allow_laundering": ["a"], "laundering_reason": "why"},
    with_rule(),
    with_rule(sign="signer"),
    with_rule(mode="observe"),
    with_rule(sign="author", whn={}),
    with_rule(sign="author", when={}),
    with_rule(sign="author", when=[{"spam": True}]),
    with_rule(sign="author", seal="yes"),
    with_rule(sign="author", otherwise="hold"),
    with_rule(sign="none", envelope="unalign", otherwise="accept"),
    with_rule(disposition="reject", sign="author"),
    with_rule(disposition="discard", seal=True),
    with_rule(disposition="defer", tag="x"),
    with_rule(disposition="hold", text="two\nlines"),
    with_rule(sign="none", text="nobody reads it"),
    with_rule(tag=""),
    with_rule(tag="Ärger"),
    with_rule(add={}),
    with_rule(add={"A b": "x"}),
    with_rule(remove=[]),
    with_rule(remove=["X: "]),
    {"version": 1, "rules": [{"name": "default", "sign": "none"}]},
    {"version": 1, "rules": [{"name": "two words", "sign": "none"}]},
    {"version": 1, "rules": [{"sign": "none"}]},
    when(origin="outside"),
    when(origin=[]),
    when(arrival__dmarc="softfail"),
    when(arrival__dmarc="present"),
    when(arrival={"dmarc": "pass"}),
    when(dmarc="pass"),
    when(spam="yes"),
    when(spam=[True]),
    when(risk="50 or more"),
    when(risk=">= fifty"),
    when(risk=True),
    when(client__ip=1),
    when(any={"spam": True}),
    when(any=[]),
    when(any=[{"spm": True}]),
]
BROKEN.append(with_rule(sign="author", when={"not": [{"spam": True}]}))


@pytest.mark.parametrize("policy", BROKEN, ids=lambda policy: json.dumps(policy)[-60:])
def test_it_marks_what_does_not_load(policy: Any) -> None:
    assert not accepts(policy)
    with pytest.raises(ConfigError):
        from_document(Document(Path("p.yaml"), policy))


# mostly such as load; what does not stands among them, in case that it does
patterns = st.sampled_from(
    ["*", "*.example", "Hosted.Example.", "?*.b.example"] * 8
    + ["", "a@b.example", "*@b.example", "hosted", "none", "present", ".", "é", "a.b" * 85 + "..."]
)
numbers = st.sampled_from([1, 50, 3.5, ">= 50", "<50", " != 1.5 ", "> 0"] * 4 + [0, -1, "== 0", "present", "> x"])
networks = st.sampled_from(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"] * 4 + ["192.0.2.1/24", "present", ""])


def _values(name: str) -> st.SearchStrategy[object]:
    fact: Fact = FACTS[name]
    one: st.SearchStrategy[Any]
    match fact.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.WORD:
            one = st.sampled_from([*fact.words, *(["present"] if fact.optional else [])])
        case Kind.NUMBER:
            one = numbers
        case Kind.ADDRESS:
            one = networks
        case _:
            one = patterns
    return one | st.lists(one, min_size=1, max_size=2)


leaves = st.sampled_from(sorted(FACTS)).flatmap(lambda name: _values(name).map(lambda value: {name: value}))
whens = st.recursive(
    leaves,
    lambda inner: st.lists(inner, min_size=1, max_size=2).flatmap(
        lambda parts: st.sampled_from(
            [{"any": parts}, {"all": parts}, {"not": parts[0]}, {k: v for part in parts for k, v in part.items()}]
        )
    ),
    max_leaves=4,
)
texts = st.sampled_from(["a", "[dmarc={arrival.dmarc}]", "x" * 200, "risk {risk}", "two {{braces}}"])
does: dict[str, st.SearchStrategy[object]] = {
    "sign": st.sampled_from(["author", "forwarder", "none"]),
    "seal": st.booleans(),
    "envelope": st.sampled_from(actions.ENVELOPES),
    "otherwise": st.sampled_from(actions.REFUSALS),
    "disposition": st.sampled_from(["accept", "hold", "defer", "reject", "discard"]),
    "text": texts,
    "tag": texts,
    "add": st.dictionaries(st.sampled_from(["X-A", "X-B!"]), texts, min_size=1),
    "remove": st.sampled_from(["X-A", ["X-A"], ["X-A", "x-b"]]),
    "mode": st.sampled_from(actions.MODES),
}


def _some(
    *names: str, also: dict[str, st.SearchStrategy[object]] | None = None
) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(also or {}, optional={name: does[name] for name in names})


deeds = st.one_of(
    _some("seal", "tag", "add", "remove", "mode", also={"sign": does["sign"]}),
    _some("sign", "seal", "otherwise", "text", "tag", "add", "mode", also={"envelope": st.just("unalign")}),
    _some("text", "mode", also={"disposition": st.sampled_from(["hold", "defer", "reject"])}),
    _some(*does),
)
weights = st.fixed_dictionaries(
    {},
    optional={
        group: st.dictionaries(
            st.sampled_from(sorted(names)), st.sampled_from([0, 5, 0.5, 1e6]), min_size=1, max_size=2
        )
        for group, names in loader.WEIGHTS.items()
    },
)
rules = st.builds(
    lambda deed, when: {"name": "a", **deed, **({"when": when} if when else {})}, deeds, st.none() | whens
)
policies = st.builds(
    lambda rule, top: {"version": 1, "rules": [rule], **top},
    rules,
    st.fixed_dictionaries({}, optional={"mode": st.sampled_from(actions.MODES), "risk": weights, "default": deeds}),
)


@pytest.mark.heavy
@given(policies)
@settings(max_examples=100, deadline=None)
def test_what_loads_is_never_marked(policy: dict[str, Any]) -> None:
    try:
        from_document(Document(Path("p.yaml"), policy))
    except ConfigError:
        assume(False)
    VALIDATOR.validate(policy)


def test_every_key_has_its_meaning() -> None:
    assert set(key_meanings.POLICY) == set(loader.TOP_KEYS)
    assert set(key_meanings.RULE) == set(loader.RULE_KEYS)
    assert set(key_meanings.RISK) == set(loader.WEIGHTS)


@pytest.mark.parametrize("fact", FACTS)
def test_the_editor_says_what_the_reference_says(fact: str) -> None:
    assert f"| {FACTS[fact].meaning} |\n" in REFERENCE
    told = schema()["$defs"]["when"]["properties"]
    assert told[fact]["description"] == FACTS[fact].meaning if fact in CONDITIONS else fact not in told


def test_completion_offers_the_words() -> None:
    made = schema()
    assert made["$defs"]["when"]["properties"]["arrival.dmarc"]["anyOf"][0]["enum"] == list(DMARC_RESULTS)
    assert made["$defs"]["rule"]["properties"]["sign"]["enum"] == ["author", "forwarder", "none"]
    assert "present" in made["$defs"]["when"]["properties"]["upstream.dmarc"]["anyOf"][0]["enum"]


def test_the_patterns_are_such_as_editors_know() -> None:
    """JSON Schema has the regular expressions of ECMAScript: what only Python reads would mark every policy, or none."""
    for pattern in (COMPARISON, actions.TEXT, FIELD_NAME, loader.NAME):
        assert pattern.flags == re.UNICODE
        assert not re.search(r"\(\?[^:]|\\[AZzG]|[*+?}]\+", pattern.pattern), pattern.pattern
