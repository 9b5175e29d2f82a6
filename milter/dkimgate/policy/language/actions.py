"""What a rule does, read from its keys: the signature, the seal, the envelope, the disposition, and changes of the
header."""

from __future__ import annotations

import re
from typing import Any, cast

from dkimgate.config.values import FIELD_NAME
from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where
from dkimgate.evidence import sources
from dkimgate.facts import Disposition, EnvelopeAction, Sign
from dkimgate.policy.language import texts
from dkimgate.policy.language.model import Mode
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.language.vocabulary import DISPOSITIONS, SIGNS

MODES = ("enforce", "observe")
ENVELOPES = tuple(str(action) for action in EnvelopeAction)
REFUSALS = tuple(str(each) for each in Disposition if not each.leaves)

CHOICES = ("sign", "seal", "envelope", "disposition", "tag", "add", "remove")
"""The keys that do something: a rule has at least one of them."""

KEYS = (*CHOICES, "otherwise", "text", "mode")
"""All keys beside the name and the conditions."""

TEXT = re.compile(r"[ -~]{1,200}")
_REPLY_CODE = re.compile(r"[245](\d\d([ -]|$)|\.\d{1,3}\.\d{1,3}( |$))")

MOST_FIELDS = 20

# what mail programs show or work by, what traces the way, and what only signers write; evidence is not here
_NOT_TO_BE_CHANGED = re.compile(
    r"from|sender|reply-to|to|cc|bcc|subject|date|message-id|in-reply-to|references|mime-version|content-.*|resent-.*|received|return-path"
    r"|delivered-to|x-original-to|domainkey-signature|arc-.*",
    re.IGNORECASE,
)


def read(problems: Problems, where: Where, mapping: dict[str, object]) -> dict[str, Any]:
    """The fields of a Rule that say what it does. Without `sign` nothing is signed; without `disposition` the message
    is accepted."""
    sign = Sign(_word(problems, where, mapping, "sign", SIGNS) or "none")
    disposition = Disposition(_word(problems, where, mapping, "disposition", DISPOSITIONS) or "accept")
    envelope = EnvelopeAction(_word(problems, where, mapping, "envelope", ENVELOPES) or "keep")
    otherwise = _word(problems, where, mapping, "otherwise", REFUSALS)
    if otherwise is not None and envelope is EnvelopeAction.KEEP:
        problems.add(
            (*where, "otherwise"),
            "policy.otherwise-without-unalign",
            "otherwise: this key needs `envelope: unalign`. It tells what to do if the sender can't be rewritten",
        )
    if otherwise is not None and not disposition.leaves:
        problems.add(
            (*where, "otherwise"),
            "policy.otherwise-not-needed",
            f"otherwise: the rule does not accept the message ({disposition}), so remove this key",
        )
    if not disposition.is_kept:
        _nothing_else(problems, where, mapping, disposition, sign)
    return {
        "sign": sign,
        "disposition": disposition,
        "text": _text(problems, (*where, "text"), mapping["text"], disposition, envelope)
        if "text" in mapping
        else None,
        "seal": _flag(problems, where, mapping, "seal"),
        "envelope": envelope,
        "otherwise": Disposition(otherwise) if otherwise is not None else None,
        "tag": _line(problems, (*where, "tag"), mapping["tag"]) if "tag" in mapping else None,
        "add": _added(problems, (*where, "add"), mapping["add"]) if "add" in mapping else (),
        "remove": _removed(problems, (*where, "remove"), mapping["remove"]) if "remove" in mapping else (),
        "mode": cast(Mode | None, _word(problems, where, mapping, "mode", MODES)),
    }


def _nothing_else(
    problems: Problems, where: Where, mapping: dict[str, object], disposition: Disposition, sign: Sign
) -> None:
    """A message that does not go through is neither signed nor changed."""
    for key in CHOICES:
        if key in mapping and key != "disposition" and not (key == "sign" and sign is Sign.NONE):
            what = "signed" if key == "sign" else "changed"
            text = f"{key}: the message does not pass ({disposition}), so it can't be {what}: remove this key"
            problems.add((*where, key), "policy.change-of-refused", text)


def _word(problems: Problems, where: Where, mapping: dict[str, object], key: str, words: tuple[str, ...]) -> str | None:
    return problems.word((*where, key), mapping[key], words) if key in mapping else None


def _flag(problems: Problems, where: Where, mapping: dict[str, object], key: str) -> bool:
    value = mapping.get(key, False)
    if isinstance(value, bool):
        return value
    problems.add((*where, key), "yaml.expected-flag", f"{key}: expected true or false, found {shown(value)}")
    return False


def _text(
    problems: Problems, where: Where, value: object, disposition: Disposition, envelope: EnvelopeAction
) -> str | None:
    text = _line(problems, where, value)
    if text is None:
        return None
    if not disposition.takes_text and envelope is EnvelopeAction.KEEP:
        problems.add(
            where,
            "policy.text-unread",
            "text: nobody would read this text. It needs hold, defer, reject or `envelope: unalign`, and the rule "
            f"says {disposition}",
        )
        return None
    if _REPLY_CODE.match(text):
        problems.add(
            where,
            "policy.text-reply-code",
            "text: remove the reply code. dkimgate puts 4xx or 5xx and the enhanced status code in front",
        )
        return None
    return text


def _line(problems: Problems, where: Where, value: object) -> str | None:
    """One line of ASCII that may name facts."""
    name = next(step for step in reversed(where) if isinstance(step, str))
    if not isinstance(value, str) or not TEXT.fullmatch(value) or not value.strip():
        problems.add(
            where,
            "policy.text",
            f"{name}: expected one line of 1 to 200 ASCII characters, found {shown(value)}{trap(value)}",
        )
        return None
    wrong = texts.mistake(value)
    if wrong is not None:
        problems.add(where, "policy.text-fact", f"{name}: {wrong}")
        return None
    return value


def _added(problems: Problems, where: Where, value: object) -> tuple[tuple[str, str], ...]:
    fields = (
        problems.mapping(where, value, "a mapping of header fields such as {X-Arrived-With: 'dmarc={arrival.dmarc}'}")
        or {}
    )
    made = []
    for name, content in fields.items():
        text = _line(problems, (*where, name), content)
        if _may_change(problems, (*where, name), name, adding=True) and text is not None:
            made.append((name, text))
    if len(made) > MOST_FIELDS:
        problems.add(where, "policy.too-many-fields", f"add: expected at most {MOST_FIELDS} fields, found {len(made)}")
    return tuple(made)


def _removed(problems: Problems, where: Where, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or len(names) > MOST_FIELDS:
        problems.add(
            where,
            "policy.remove",
            f"remove: expected a list of 1 to {MOST_FIELDS} names of header fields, found {shown(value)}{trap(value)}",
        )
        return ()
    found = []
    for index, name in enumerate(names):
        here = (*where, index) if isinstance(value, list) else where
        if not isinstance(name, str):
            problems.add(
                here, "policy.remove", f"remove: expected the name of a header field, found {shown(name)}{trap(name)}"
            )
        elif _may_change(problems, here, name, adding=False):
            found.append(name)
    return tuple(found)


def _may_change(problems: Problems, where: Where, name: str, *, adding: bool) -> bool:
    key = "add" if adding else "remove"
    if not FIELD_NAME.fullmatch(name):
        problems.add(
            where,
            "value.header-field",
            f"{key}: {name!r} is not the name of a header field (write it without the colon)",
        )
        return False
    evidence = [source for source in sources.ALL if source.holds(name.lower())]
    if not adding and any(source.verdict for source in evidence):
        problems.add(
            where,
            "policy.remove-verdict",
            f"remove: {name} tells how the message arrived. Without it, dkimgate would sign the message if it comes "
            "here again",
        )
        return False
    if _NOT_TO_BE_CHANGED.fullmatch(name) or any(
        not (source.addable if adding else source.removable) for source in evidence
    ):
        why = "readers, delivery and verifiers depend on it" + (
            ", and only the program that normally writes it may add it" if adding else ""
        )
        problems.add(where, "policy.protected-field", f"{key}: a policy can't {key} {name}: {why}")
        return False
    return True
