"""Texts of a policy that name facts: `dmarc={arrival.dmarc}, risk {risk}`."""

from __future__ import annotations

import re

from dkimgate.config.yaml_file import nearest
from dkimgate.facts import Decision, Facts
from dkimgate.policy.language.fact import Author, Value
from dkimgate.policy.language.vocabulary import FACTS, value_of

LONGEST = 400
"""Characters of a text once its facts are filled in: one line of an SMTP reply, or of a header field, holds it."""

LONGEST_VALUE = 120

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_UNPRINTABLE = re.compile(r"[^ -~]+")

NAMES = ("rule", "hosted", *FACTS)
"""What may stand in braces: the facts, the name of the rule, and the hosted domain."""


def mistake(text: str) -> str | None:
    """What is wrong with the braces of a text, or None."""
    for match in _PART.finditer(text):
        if match[0] in ("{", "}"):
            return f"a single {match[0]!r}: write a fact as {{arrival.dmarc}}, and a plain brace twice"
        if match[1] is not None and match[1] not in NAMES:
            return f"{{{match[1]}}}: there is no such fact{nearest(match[1], NAMES)}"
    return None


def fill(text: str, facts: Facts, decision: Decision) -> str:
    """The text with the values of this message in it: printable ASCII, at most LONGEST characters.

    Values come from outside: octets that don't print become one `?`, and a long one is cut.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        return _shown(_value(match[1], facts, decision))

    return _PART.sub(value, text)[:LONGEST]


def _value(name: str, facts: Facts, decision: Decision) -> Value:
    match name:
        case "rule":
            return decision.rule
        case "hosted":
            return facts.hosted
    return value_of(name, facts, decision.risk)


def _shown(value: Value) -> str:
    match value:
        case None | Author(None):
            return "none"
        case Author(domain):
            text = str(domain)
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.10g}"
        case tuple():
            text = " ".join(value)
        case _:
            text = str(value)
    # an encoded word (RFC 2047) would be read as something else than it says
    return _UNPRINTABLE.sub("?", text).replace("=?", "= ?")[:LONGEST_VALUE]
