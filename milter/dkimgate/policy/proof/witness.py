"""The witness: of all messages that a state leaves open, one that is plain to read."""

from __future__ import annotations

import ipaddress
import typing

from dkimgate.facts import Facts, Origin
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.arithmetic import Arithmetic, State
from dkimgate.policy.proof.language import Language
from dkimgate.policy.proof.ranges import ABSENT, PRESENT_ADDRESSES, Ranges, address_of, number_of, union, unrank
from dkimgate.policy.proof.stores import HOSTED, NONE, PLAIN, Recipients, Texts, different

_LIAR, _USER, _OWN = "192.0.2.66", "198.51.100.7", "127.0.0.1"
_CLIENTS = {Origin.INBOUND: _LIAR, Origin.SUBMITTED: _USER}
_ADDRESSES = (_LIAR, _USER, "203.0.113.5", "2001:db8::66", _OWN)


def witness_of(state: State, languages: dict[str, Language], arithmetic: Arithmetic) -> Facts | None:
    """The facts of a message that the state describes; None where the numbers of none fit together."""
    numbers = arithmetic.solved(state)
    if numbers is None:
        return None
    if universe.WORDS["arrival.dmarc"][_bit({**state, **numbers}, "arrival.dmarc")] == "pass":
        state, numbers = _with_reasons(state, numbers, arithmetic)
    settled: State = {**state, **{key: bit for key, bit in numbers.items() if key not in universe.NUMBERS}}
    values: dict[str, typing.Any] = {name: words[_bit(settled, name)] for name, words in universe.WORDS.items()}
    values |= {name: bool(_bit(settled, name)) for name in universe.FLAGS}
    values |= {name: unrank(numbers[name]) for name in universe.NUMBERS}
    origin = Origin(values["origin"])
    for name, language in languages.items():
        if name == "client.auth":
            values[name] = _text(state, name, language, (PLAIN, NONE) if origin is Origin.SUBMITTED else (NONE, PLAIN))
        elif name == "border.by":
            values[name] = _text(state, name, language, (PLAIN, NONE) if origin is Origin.FORWARDED else (NONE, PLAIN))
        elif name not in ("from", "sender", "recipients"):
            values[name] = _text(state, name, language, (NONE, PLAIN))
    values["from"] = _author(state, languages["from"])
    values["sender"] = _text(state, "sender", languages["sender"], (PLAIN,), f"friend@{values['from'][0]}")
    values["recipients"] = _recipients(state, languages["recipients"])
    values["client.ip"] = _address(state, "client.ip", _CLIENTS.get(origin, _OWN))
    values["border.ip"] = None if values["border.by"] is None else _address(state, "border.ip", _LIAR)
    return universe.message(values)


def _with_reasons(state: State, numbers: dict[str, int], arithmetic: Arithmetic) -> tuple[State, dict[str, int]]:
    """A message whose DMARC passed has a reason for it, where nothing speaks against that."""
    for key in ("arrival.dkim", "arrival.spf"):
        store = state[key]
        assert isinstance(store, int)
        narrow: State = {**state, key: store & 1 << universe.WORDS[key].index("pass")}
        found = arithmetic.solved(narrow) if narrow[key] else None
        if found is not None:
            state, numbers = narrow, found
    return state, numbers


def _bit(state: State, key: str) -> int:
    """The place of the first word that is left."""
    store = state[key]
    assert isinstance(store, int)
    return (store & -store).bit_length() - 1


def _text(state: State, key: str, language: Language, cases: tuple[str, ...], preferred: str = "") -> str | None:
    store = state[key]
    assert isinstance(store, Texts)
    left = dict(store.cases)
    wanted = left[next(case for case in cases if case in left)]
    if wanted is None:
        return None
    return preferred if preferred and language.accepts(wanted, preferred) else language.text(wanted)


def _author(state: State, language: Language) -> tuple[str | None, bool]:
    store = state["from"]
    assert isinstance(store, Texts)
    left = dict(store.cases)
    case = next(case for case in (HOSTED, PLAIN, NONE) if case in left)
    return _text(
        state, "from", language, (case,), "hosted.example" if case == HOSTED else "partner.example"
    ), case == HOSTED


def _recipients(state: State, language: Language) -> tuple[str, ...]:
    store = state["recipients"]
    assert isinstance(store, Recipients)
    texts = different(language, store)
    if texts is None:
        return ()
    number = (store.counts & union((len(texts), universe.COUNTS.last))).first
    return texts + texts[:1] * (number - len(texts))


def _address(state: State, key: str, preferred: str) -> str | None:
    store = state[key]
    assert isinstance(store, Ranges)
    for text in (preferred, *_ADDRESSES):
        if number_of(ipaddress.ip_address(text)) in store:
            return text
    present = store & PRESENT_ADDRESSES
    return address_of(present.first if present else ABSENT)
