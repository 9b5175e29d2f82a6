"""The files that dkimgate ships: they load, they are safe, and their reference tells the truth."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from itertools import product
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from dkimgate.config import dkimgate_yaml, yaml_file
from dkimgate.config.marks import MarkedPart
from dkimgate.facts import DMARC_RESULTS, Arrival, Facts, HeaderSigns, Origin, Sign, Spam, Upstream
from dkimgate.policy.decide import decide
from dkimgate.policy.describe import reference
from dkimgate.policy.guard import refuses_signature
from dkimgate.policy.language.loader import from_document, load
from dkimgate.policy.language.vocabulary import FACTS
from tests.documents import POLICIES, Example

FOLDER = Path(__file__).parents[2] / "config"
POLICY = load(FOLDER / "policy.yaml")
REFERENCE = (FOLDER / "policy.md").read_text("utf-8")

OURS = Facts(author="hosted.example", hosted="hosted.example", origin=Origin.SUBMITTED, arrival=Arrival("none"))
PHISH = replace(
    OURS,
    origin=Origin.FORWARDED,
    sender="friend@hosted.example",
    arrival=Arrival("fail", "fail", spam=Spam(True, 14.9, 3.0)),
)
ODD = HeaderSigns(*[True] * len(fields(HeaderSigns)))
HAM = Spam(False, 2.0, 5.0)

TABLE = [
    ("a user logged in", OURS, "own-users", Sign.AUTHOR),
    ("a program of ours", replace(OURS, origin=Origin.LOCAL), "own-users", Sign.AUTHOR),
    (
        "a script without a Message-ID",
        replace(OURS, origin=Origin.LOCAL, header=HeaderSigns(message_id_missing=True)),
        "own-users",
        Sign.AUTHOR,
    ),
    (
        "a scanner that writes to itself",
        replace(OURS, header=HeaderSigns(from_equals_to=True)),
        "own-users",
        Sign.AUTHOR,
    ),
    (
        "every oddity, and a little spam",
        replace(OURS, header=ODD, arrival=Arrival("none", spam=HAM)),
        "own-users",
        Sign.AUTHOR,
    ),
    (
        "a login that sends spam",
        replace(OURS, arrival=Arrival("none", spam=Spam(True, 5.0, 5.0))),
        "own-users-at-risk",
        Sign.NONE,
    ),
    ("a login that resends a forgery", replace(OURS, upstream=Upstream("fail")), "own-users-at-risk", Sign.NONE),
    (
        "a user who writes as somebody else",
        replace(OURS, author="partner.example", hosted=None),
        "own-users",
        Sign.NONE,
    ),
    ("a user with two From fields", replace(OURS, author=None), "own-users", Sign.NONE),
    ("the founding case", PHISH, "never-launder", Sign.NONE),
    ("a forgery without a spam verdict", replace(PHISH, arrival=Arrival("fail")), "never-launder", Sign.NONE),
    ("nobody knows", replace(PHISH, arrival=Arrival("unknown")), "never-launder", Sign.NONE),
    (
        "spam with a DMARC pass",
        replace(PHISH, arrival=Arrival("pass", spam=Spam(True, 6.0, 5.0))),
        "never-launder",
        Sign.NONE,
    ),
    (
        "spam by its flag alone",
        replace(PHISH, arrival=Arrival("pass", spam=Spam(True, 0.0, 5.0))),
        "never-launder",
        Sign.NONE,
    ),
    (
        "a hosted domain that passed",
        replace(PHISH, arrival=Arrival("pass", "pass", "pass")),
        "arrived-authenticated",
        Sign.AUTHOR,
    ),
    (
        "the same at the door",
        replace(PHISH, origin=Origin.INBOUND, arrival=Arrival("pass")),
        "arrived-authenticated",
        Sign.AUTHOR,
    ),
    ("a hosted domain without DMARC", replace(PHISH, arrival=Arrival("none")), "other-peoples-mail", Sign.NONE),
    (
        "a stranger's mail",
        replace(PHISH, author="a.example", hosted=None, arrival=Arrival("pass")),
        "other-peoples-mail",
        Sign.NONE,
    ),
]


@pytest.mark.parametrize(("facts", "rule", "sign"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_the_shipped_policy_does(facts: Facts, rule: str, sign: Sign) -> None:
    decision = decide(facts, POLICY)
    assert (decision.rule, decision.sign) == (rule, sign)


def test_the_shipped_policy_needs_no_guard() -> None:
    """All words, scores around the limit and oddities: the policy itself signs nothing that law 1 forbids."""
    scores = [
        Spam(False, 0.0, 5.0),
        Spam(False, 4.99, 5.0),
        Spam(False, 5.0, 5.0),
        Spam(True, 0.0, 5.0),
        Spam(True, 14.9, 3.0),
    ]
    signed = 0
    for origin, dmarc, spf, spam, header, upstream in product(
        Origin, DMARC_RESULTS, ("none", "pass", "fail"), scores, (HeaderSigns(), ODD), (None, "pass", "fail")
    ):
        facts = replace(
            PHISH, origin=origin, arrival=Arrival(dmarc, spf, spam=spam), header=header, upstream=Upstream(upstream)
        )
        decision = decide(facts, POLICY)
        assert refuses_signature(facts, decision) is None, facts
        signed += decision.sign is Sign.AUTHOR
    assert signed > 100


def test_the_shipped_policy_starts_without_a_forwarder() -> None:
    assert not POLICY.uses_forwarder
    assert POLICY.mode == "enforce"


def test_the_shipped_configuration_is_the_default_one() -> None:
    """What is commented out as the default is the default, and what is not is what a beginner may keep."""
    shipped = dkimgate_yaml.load(FOLDER / "dkimgate.yaml")
    assert shipped.policy == FOLDER / "policy.yaml"
    changed = {
        name for name in type(shipped).model_fields if getattr(shipped, name) != getattr(dkimgate_yaml.Config(), name)
    }
    assert changed == {"listen", "user", "policy", "trust"}
    assert not shipped.keys and not shipped.trust.border_strips_forgeries


def keys_of(model: type[BaseModel]) -> set[str]:
    """Every key that the configuration knows, at any depth."""
    found = set(model.model_fields)
    for section in (
        dkimgate_yaml.Trust,
        dkimgate_yaml.Key,
        dkimgate_yaml.Forwarder,
        dkimgate_yaml.Signature,
        dkimgate_yaml.Outgoing,
        dkimgate_yaml.Verify,
        dkimgate_yaml.Journal,
        dkimgate_yaml.SpamField,
    ):
        found |= set(section.model_fields)
    return found


def test_the_shipped_configuration_names_every_key() -> None:
    text = (FOLDER / "dkimgate.yaml").read_text("utf-8")
    assert {key for key in keys_of(dkimgate_yaml.Config) if not re.search(rf"\b{key}:", text)} == set()


def test_what_is_commented_out_is_valid_too(tmp_path: Path) -> None:
    text = (FOLDER / "dkimgate.yaml").read_text("utf-8")
    opened = re.sub(
        r"(?m)^( *)#( |  )(?=(- \{|[a-z_]+: ))", lambda match: match[1] + ("  " if match[2] == "  " else ""), text
    )
    opened = re.sub(r"(?m)^[a-z]+: [A-Z].*\n", "", opened).replace("keys: []", "keys:")
    assert len(yaml.safe_load(opened)) > len(yaml.safe_load(text))
    (tmp_path / "dkimgate.yaml").write_text(opened)
    loaded = dkimgate_yaml.load(tmp_path / "dkimgate.yaml")
    assert len(loaded.keys) == 2 and loaded.forwarder is not None and loaded.user == "dkimgate"
    assert loaded.verify == dkimgate_yaml.Verify() and loaded.drain_seconds == dkimgate_yaml.Config().drain_seconds


@pytest.mark.parametrize("example", POLICIES, ids=str)
def test_every_example_in_the_documents_loads(example: Example) -> None:
    from_document(yaml_file.parse(example.policy, example.file))


def test_the_examples_were_found() -> None:
    """As many as the documents mark as YAML: none is passed over because it looks like nothing that is known."""
    marked = [
        line
        for file in (FOLDER / "policy.md", FOLDER / "recipes.md")
        for line in re.findall(r"(?m)^ *```yaml$", file.read_text("utf-8"))
    ]
    assert len([each for each in POLICIES if each.file.name in ("policy.md", "recipes.md")]) == len(marked) >= 10


def test_the_table_of_facts_in_the_reference_is_of_today() -> None:
    for part in reference.PARTS:
        assert part.renewed(REFERENCE) == REFERENCE, "run `make reference`"
    table = REFERENCE.partition("### The facts")[2].partition(reference.PARTS[-1].end)[0]
    assert set(re.findall(r"(?m)^\| `([a-z_.]+)` \|", table)) == set(FACTS)


@pytest.mark.parametrize(
    ("part", "row"),
    list(zip(reference.PARTS, ("| `rules` | a", "| `sign` | `author`", "| `arrival.dmarc` | word:"), strict=True)),
)
def test_a_stale_table_would_be_seen(part: MarkedPart, row: str) -> None:
    stale = REFERENCE.replace(row, "| `old` |")
    assert stale != REFERENCE and part.renewed(stale) == REFERENCE
