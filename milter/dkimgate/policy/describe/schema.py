"""A JSON Schema (draft 2020-12) of the policy file, for editors: made from what the loader goes by, so that the two
agree.

It may let through what the loader refuses (a rule that is never reached, a glob that can't match), never the other way
round.
"""

from __future__ import annotations

from typing import Any

from dkimgate.config.values import FIELD_NAME
from dkimgate.facts import Disposition, Sign
from dkimgate.policy.describe import key_meanings
from dkimgate.policy.language import actions, loader, parse
from dkimgate.policy.language.fact import Fact, Kind
from dkimgate.policy.language.vocabulary import CONDITIONS, DISPOSITIONS, FACTS, SIGNS
from dkimgate.policy.risk import MAX_PART

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_COMPARISON = {"type": "string", "pattern": f"^{parse.COMPARISON.pattern}$"}
_LINE = {"type": "string", "pattern": f"^{actions.TEXT.pattern}$"}
_FIELD = f"^{FIELD_NAME.pattern}$"
_EXAMPLES = {
    Kind.NUMBER: ["< 50", ">= 50"],
    Kind.ADDRESS: ["192.0.2.0/24", "2001:db8::/32"],
    Kind.HOST: ["mx.partner.example", "*.partner.example"],
    Kind.AUTHOR: ["hosted", "none", "*.partner.example"],
    Kind.MAILBOX: ["*@partner.example", ""],
    Kind.MAILBOXES: ["*@partner.example"],
    Kind.TEXT: ["*"],
}


def schema() -> Schema:
    """The whole schema, as JSON has it."""
    return {
        "$schema": DIALECT,
        "title": "dkimgate policy",
        "description": "Which messages have earned a DKIM signature.",
        **_mapping(_top(), _told(key_meanings.POLICY)),
        "required": ["version", "rules"],
        "dependentRequired": {"allow_laundering": ["laundering_reason"], "laundering_reason": ["allow_laundering"]},
        "$defs": {"when": _when(), "action": _action(), "rule": _rule()},
    }


def _told(keys: dict[str, key_meanings.Key]) -> dict[str, str]:
    return {name: key.description for name, key in keys.items()}


def _mapping(properties: dict[str, Schema], told: dict[str, str]) -> Schema:
    """A mapping that is not empty and knows these keys, each with its meaning."""
    described = {
        key: {"description": told[key], **value} if key in told else value for key, value in properties.items()
    }
    return {"type": "object", "properties": described, "additionalProperties": False, "minProperties": 1}


def _top() -> dict[str, Schema]:
    return {
        "version": {"const": loader.VERSION},
        "mode": {"enum": list(actions.MODES), "default": "enforce"},
        "risk": _mapping({group: _weights(names) for group, names in loader.WEIGHTS.items()}, key_meanings.RISK),
        "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}, "minItems": 1},
        "default": {"$ref": "#/$defs/action"},
        "allow_laundering": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "laundering_reason": {"type": "string", "maxLength": loader.LONGEST_REASON, "pattern": r"\S\s+\S"},
    }


def _weights(names: dict[str, str]) -> Schema:
    told: Schema = {name: FACTS[part].meaning for name, part in names.items() if part in FACTS}
    return _mapping({name: {"type": "number", "minimum": 0, "maximum": MAX_PART} for name in names}, told)


def _when() -> Schema:
    branch = {"$ref": "#/$defs/when"}
    several = {"type": "array", "items": branch, "minItems": 1}
    facts = {name: _fact(fact) for name, fact in CONDITIONS.items()}
    told = {name: fact.meaning for name, fact in CONDITIONS.items()} | key_meanings.BRANCHES
    return _mapping({**facts, "any": several, "all": several, "not": branch}, told)


def _fact(fact: Fact) -> Schema:
    """One value, or a list of them."""
    one = _one(fact)
    if fact.kind is Kind.FLAG:
        return one
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _one(fact: Fact) -> Schema:
    examples = {"examples": _EXAMPLES[fact.kind]} if fact.kind in _EXAMPLES else {}
    match fact.kind:
        case Kind.WORD:
            return {"enum": [*fact.words, *(["present"] if fact.optional else [])]}
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.NUMBER:
            return {"anyOf": [{"type": "number"}, _COMPARISON], **examples}
        case Kind.ADDRESS:
            return {"type": "string", "minLength": 1, **examples}
        case Kind.MAILBOX:
            return {"type": "string", **examples}
    return {"type": "string", "minLength": 1, **examples}


def _actions() -> dict[str, Schema]:
    return {
        "sign": {"enum": list(SIGNS)},
        "seal": {"type": "boolean"},
        "envelope": {"enum": list(actions.ENVELOPES)},
        "otherwise": {"enum": list(actions.REFUSALS)},
        "disposition": {"enum": list(DISPOSITIONS)},
        "text": _LINE,
        "tag": _LINE,
        "add": {
            "type": "object",
            "propertyNames": {"pattern": _FIELD},
            "additionalProperties": _LINE,
            "minProperties": 1,
            "maxProperties": actions.MOST_FIELDS,
        },
        "remove": _one_or_several({"type": "string", "pattern": _FIELD}, actions.MOST_FIELDS),
        "mode": {"enum": list(actions.MODES)},
    }


def _one_or_several(one: Schema, most: int) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": most}]}


def _action() -> Schema:
    return {**_mapping(_actions(), _told(key_meanings.RULE)), "allOf": _sense()}


def _rule() -> Schema:
    name: Schema = {"type": "string", "pattern": f"^{loader.NAME.pattern}$", "not": {"const": "default"}}
    properties: dict[str, Schema] = {"name": name, "when": {"$ref": "#/$defs/when"}, **_actions()}
    return {
        **_mapping(properties, _told(key_meanings.RULE)),
        "required": ["name"],
        "anyOf": [{"required": [key]} for key in actions.CHOICES],
        "allOf": _sense(),
    }


def _sense() -> list[Schema]:
    """What goes with what."""
    stays: Schema = {
        "required": ["disposition"],
        "properties": {"disposition": {"enum": [str(each) for each in Disposition if not each.is_kept]}},
    }
    told: Schema = {
        "required": ["disposition"],
        "properties": {"disposition": {"enum": [str(each) for each in Disposition if each.takes_text]}},
    }
    unaligned: Schema = {"required": ["envelope"], "properties": {"envelope": {"const": "unalign"}}}
    changes = [key for key in actions.CHOICES if key not in ("sign", "disposition")]
    return [
        {
            "if": stays,
            "then": {"properties": {"sign": {"const": str(Sign.NONE)}, **dict.fromkeys(changes, False)}},
        },
        {
            "if": {"required": ["otherwise"]},
            "then": {
                **unaligned,
                "properties": {**unaligned["properties"], "disposition": {"const": str(Disposition.ACCEPT)}},
            },
        },
        {"if": {"required": ["text"]}, "then": {"anyOf": [told, unaligned]}},
    ]
