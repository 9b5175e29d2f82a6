"""Fixtures: a chain with OpenDKIM as the signer (the control), and one with dkimgate."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.chain import harness, senders, ways, world
from tests.chain.harness import Chain, Crossed, Signer
from tests.chain.ways import Ways
from tests.needs import need


@pytest.fixture(scope="module")
def control() -> Iterator[Chain]:
    """A forwarder that signs whatever passes through it."""
    need(harness.missing())
    with harness.started(Signer.OPENDKIM) as chain:
        yield chain


@pytest.fixture(scope="module")
def gated() -> Iterator[Chain]:
    """The same forwarder, with dkimgate in OpenDKIM's place."""
    need(harness.missing())
    with harness.started(Signer.DKIMGATE) as chain:
        yield chain


@pytest.fixture(scope="module")
def crossed() -> Iterator[Chain]:
    """A forwarder whose verifiers and whose gate both check everything, and that has a port where nobody does."""
    need(harness.missing())
    with harness.started(Signer.DKIMGATE, Crossed(senders.zone(), (world.SILENT,))) as chain:
        yield chain


@pytest.fixture(scope="session")
def every_way() -> Iterator[Ways]:
    """Many forwarders side by side; see ways.py."""
    need(harness.missing())
    with ways.started() as every:
        yield every


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' logs with a test that failed."""
    report = yield
    for given in getattr(item, "funcargs", {}).values():
        chain = given[ways.GATE] if isinstance(given, dict) and ways.GATE in given else given
        if isinstance(chain, Chain) and report.failed:
            report.sections += [(f"log of {name}", text) for name, text in chain.logs()]
    return report
