"""What each source of evidence says of itself, and that everybody who touches its fields goes by it."""

from __future__ import annotations

import pytest

from dkimgate.evidence import below_border, sources
from dkimgate.gate.stripping import strip
from dkimgate.message.message import HeaderField

OURS = "mx.forwarder.example"
NAMED = [(source, name) for source in sources.ALL for name in source.names]


def _ids(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("source", "name"), NAMED, ids=_ids)
def test_a_border_takes_off_what_the_source_says(source: sources.Source, name: str) -> None:
    ours = HeaderField(name.encode(), f" {OURS}; spf=pass".encode())
    others = HeaderField(name.encode(), b" mx.elsewhere.example; spf=pass")
    assert bool(strip([ours], [OURS])) == (source.stripped is not None or source.stripped_in_our_name)
    assert bool(strip([others], [OURS])) == (source.stripped is not None)


@pytest.mark.parametrize("source", sources.ALL, ids=lambda source: source.what)
def test_a_source_is_told_by_its_names_or_their_form(source: sources.Source) -> None:
    assert source.names or source.is_one is not None
    assert all(source.holds(name) and name == name.lower() for name in source.names)
    assert not (source.verdict and source.removable)  # law 2: a message that comes back would look better
    for name, _ in source.inserted_by:
        assert source.holds(name)
        assert below_border.may_stand(name)


def test_no_field_is_two_exact_sources() -> None:
    names = [name for _, name in NAMED]
    assert len(names) == len(set(names))
