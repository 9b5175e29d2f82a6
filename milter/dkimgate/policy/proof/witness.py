"""The witness: of all messages that a state leaves open, one that is plain to read."""

from __future__ import annotations

import ipaddress
import typing

from dkimgate.facts import Facts, Origin
from dkimgate.policy.language.fact import Value
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.arithmetic import Arithmetic
from dkimgate.policy.proof.formula import Formulas
from dkimgate.policy.proof.ranges import ABSENT, PRESENT_ADDRESSES, Ranges, address_of, number_of, union, unrank
from dkimgate.policy.proof.stores import Recipients, State, different
from dkimgate.policy.proof.texts import matched

_LIAR, _USER, _OWN = "192.0.2.66", "198.51.100.7", "127.0.0.1"
_CLIENTS = {Origin.INBOUND: _LIAR, Origin.SUBMITTED: _USER}
_ADDRESSES = (_LIAR, _USER, "203.0.113.5", "2001:db8::66", _OWN)


def witness_of(state: State, formulas: Formulas, arithmetic: Arithmetic) -> Facts | None:
    """The facts of a message that the state describes; None where the numbers of none fit together."""
    numbers = arithmetic.solved(state)
    if numbers is None:
        return None
    if universe.WORDS["arrival.dmarc"][_bit({**state, **numbers}, "arrival.dmarc")] == "pass":
        state, numbers = _with_reasons(state, numbers, arithmetic)
    settled: State = {**state, **{key: bit for key, bit in numbers.items() if key != "spam.ratio"}}
    values: dict[str, typing.Any] = {
        name: known[_bit(settled, name)] for name, known in formulas.values.items() if name != "recipients"
    }
    values["spam.ratio"] = unrank(numbers["spam.ratio"])
    origin = Origin(values["origin"])
    for name, wanted in (("client.auth", Origin.SUBMITTED), ("border.by", Origin.FORWARDED)):
        if values[name] is None and origin is wanted:
            values[name] = _present(state, formulas, name)
    values["sender"] = _alike(formulas, "sender", values["sender"], f"friend@{values['from'].domain}")
    values["recipients"] = _recipients(state, formulas)
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


def _present(state: State, formulas: Formulas, name: str) -> Value:
    """The first text that is left, where one is; else the message is without the fact."""
    store = state[name]
    assert isinstance(store, int)
    left = [value for at, value in enumerate(formulas.values[name]) if store >> at & 1]
    return next((value for value in left if value is not None), None)


def _alike(formulas: Formulas, name: str, text: str, preferred: str) -> str:
    """The preferred text, if no condition of the policy tells it from the other one."""
    atoms = formulas.patterns[name]
    return preferred if matched(atoms, preferred) == matched(atoms, text) else text


def _recipients(state: State, formulas: Formulas) -> tuple[str, ...]:
    store = state["recipients"]
    assert isinstance(store, Recipients)
    bits = different(store) if store.counts.last else None
    if bits is None:
        return ()
    texts = tuple(str(formulas.values["recipients"][bit.bit_length() - 1]) for bit in bits)
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
