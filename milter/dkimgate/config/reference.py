"""The tables of config/configuration.md, made from the descriptions in the model. `make reference` writes them anew."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from dkimgate.config import dkimgate_yaml, marks
from dkimgate.config.dkimgate_yaml import Config, Listener, Section

HEAD = "| key | meaning | without it | example |\n| --- | --- | --- | --- |\n"


def tables() -> str:
    """A table of the keys at the top, and one for every part of the file."""
    parts = "".join(
        f"\n### `{name}`\n\n{_line(part.__doc__)}\n\n{_table(prefix, part)}" for name, prefix, part in sections()
    )
    return _table("", Config) + parts


def sections() -> Iterator[tuple[str, str, type[Section]]]:
    """The parts of the file: the key, the prefix of its own keys, and the model."""
    yield "listen", "listen[].", Listener
    for name, field in Config.model_fields.items():
        part = _part(field)
        if part is not None and part is not Listener:
            yield name, f"{name}[]." if _is_list(field) else f"{name}.", part


def _table(prefix: str, part: type[Section]) -> str:
    described = _descriptions()
    return HEAD + "".join(
        _row(prefix + name, name, field, described.get((part.__name__, name)))
        for name, field in part.model_fields.items()
    )


def _row(key: str, name: str, field: FieldInfo, described: str | None) -> str:
    part = _part(field)
    if part is not None and described is None:
        cells = (
            f"`{key}`",
            f"{_first_sentence(_line(part.__doc__))} See [`{name}`](#{name})",
            _default(field),
            "see there",
        )
    else:
        (example,) = field.examples or ("",)
        cells = (f"`{key}`", _line(described), _default(field), f"`{name}: {example}`")
    return "| " + " | ".join(cells) + " |\n"


@functools.cache
def _descriptions() -> dict[tuple[str, str], str]:
    """The texts below the keys of the model, by section and key. Pydantic would look for them at every start."""
    found = {}
    parsed = ast.parse(inspect.getsource(dkimgate_yaml)).body
    for section in (each for each in parsed if isinstance(each, ast.ClassDef)):
        for key, below in itertools.pairwise(section.body):
            match key, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[section.name, name] = text
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "an error"
    if field.default is None:
        return "not set"
    if isinstance(field.default, Section):
        return "the defaults there"
    return f"`{_yaml(field.default)}`"


def _yaml(value: object) -> str:
    """The value as it would be written in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return (
            ", ".join(map(_yaml, value))
            if value and isinstance(value[0], Listener)
            else f"[{', '.join(map(_yaml, value))}]"
        )
    if isinstance(value, Listener):
        return value.socket
    text = str(value)
    quoted = (isinstance(value, str) and text.isdecimal()) or text.startswith(":")
    return f'"{text}"' if quoted else text


def _part(field: FieldInfo) -> type[Section] | None:
    """The part of the file that a key holds, or a list of it, or None."""
    for kind in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def _is_list(field: FieldInfo) -> bool:
    return typing.get_origin(field.annotation) is tuple


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


PART = marks.MarkedPart("the table of keys", tables)

if __name__ == "__main__":
    marks.write(PART)
