"""The daemon by libmilter and pymilter (`milter_library: pymilter`) between the same real servers: a part of what the others test by
our own protocol code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import running
from tests.chain import harness
from tests.chain.harness import Chain, Signer
from tests.chain.test_chain_gate import test_a_forgery_leaves_as_it_came, test_the_second_door_is_closed
from tests.chain.test_chain_milter_tools import (
    test_one_connection_more_does_not_carry_over,
    test_what_did_not_is_not,
    test_what_earned_it_is_signed,
)
from tests.needs import need

__all__ = [
    "test_a_forgery_leaves_as_it_came",
    "test_one_connection_more_does_not_carry_over",
    "test_the_second_door_is_closed",
    "test_what_did_not_is_not",
    "test_what_earned_it_is_signed",
]

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def gated(library_of_the_module: None) -> Iterator[Chain]:
    """The fixture of the other modules, by pymilter."""
    need(harness.missing())
    with harness.started(Signer.DKIMGATE) as chain:
        yield chain


@pytest.fixture(scope="module")
def library_of_the_module() -> Iterator[None]:
    running.MILTER_LIBRARY["milter_library"] = "pymilter"
    yield
    running.MILTER_LIBRARY.clear()


def test_it_is_pymilter_that_speaks(gated: Chain) -> None:
    assert "milter_library: pymilter" in (gated.folder / "signer.yaml").read_text()
