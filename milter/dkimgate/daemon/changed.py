"""What a reload has changed, in the words of the configuration: a line a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from dkimgate.config.dkimgate_yaml import Config, Key, Listener, SpamField


def changes(
    old: Config, new: Config, loaded_before: Mapping[str, str], loaded: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """Each change, and whether something is gone that was there. `loaded` is what was read beside the configuration or
    found out, by name: the policy, key files, secrets, the addresses that mail leaves from."""
    yield from _of_section("", old, new)
    for name, value in loaded.items():
        before = loaded_before.get(name, value)  # a new one is told of where it is named
        if before != value:
            yield f"{name}: {value}; {before} before", False


def _of_section(prefix: str, old: BaseModel, new: BaseModel) -> Iterator[tuple[str, bool]]:
    for name in type(new).model_fields:
        before, now = getattr(old, name), getattr(new, name)
        if before == now:
            continue
        where = prefix + name
        if isinstance(before, BaseModel) and isinstance(now, BaseModel):
            yield from _of_section(f"{where}.", before, now)
        elif where == "keys":
            yield _of_keys(before, now)
        elif isinstance(before, tuple) and isinstance(now, tuple):
            yield _of_list(where, [_text(each) for each in before], [_text(each) for each in now])
        else:
            yield f"{where}: {_text(now)}; {_text(before)} before", now is None


def _of_keys(before: Sequence[Key], now: Sequence[Key]) -> tuple[str, bool]:
    """By domain first: one that is gone is no longer signed for."""
    were, are = {key.domain for key in before}, {key.domain for key in now}
    parts = [f"{domain} is gone" for domain in sorted(were - are)] + [
        f"{domain} is new" for domain in sorted(are - were)
    ]
    for domain in sorted(were & are):
        old, new = ({key.selector: key.file for key in keys if key.domain == domain} for keys in (before, now))
        if set(old) != set(new):
            parts.append(f"{domain} has {', '.join(new)}; {', '.join(old)} before")
        elif old != new:
            parts.append(f"{domain} has another file")
    return "; ".join([_count("keys", len(before), len(now)), *(parts or ["in another order"])]), bool(were - are)


def _of_list(name: str, before: Sequence[str], now: Sequence[str]) -> tuple[str, bool]:
    gone, new = [text for text in before if text not in now], [text for text in now if text not in before]
    parts = [f"{text} is gone" for text in gone] + [f"{text} is new" for text in new]
    return "; ".join([_count(name, len(before), len(now)), *(parts or ["in another order, or changed"])]), bool(gone)


def _count(name: str, before: int, now: int) -> str:
    return f"{name}: {now}" if before == now else f"{name}: {now}, {before} before"


def _text(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "true" if value else "false"
        case Listener():
            return f"{value.socket} ({value.role})"
        case SpamField():
            return value.field
        case BaseModel():
            return ", ".join(f"{name} {_text(getattr(value, name))}" for name in type(value).model_fields)
        case tuple():
            return ", ".join(map(_text, value)) or "none"
    return str(value)
