"""The tables, captured anew from the verifiers that are installed."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.chain.namespace import missing_for_namespaces
from tests.evidence.echoes import capture, table
from tests.evidence.echoes.cases import HOSTILE, PLAIN
from tests.needs import need

pytestmark = pytest.mark.servers

PROGRAMS = ("postfix", "unbound", "opendkim", "opendmarc", "policyd-spf", "pyspf-milter", "dkimpy-milter")

BY_CHANCE = "dkim key can't be looked up"
"""OpenDKIM writes a field or none, by which of its questions was in flight when the name server failed."""


def test_the_verifiers_write_what_the_tables_say() -> None:
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    need(f"not installed: {', '.join(absent)}; `make test` installs them" if absent else missing_for_namespaces())
    cases = [case for case in (*PLAIN, *HOSTILE) if case.name != BY_CHANCE]
    now = capture.run(cases)
    differing = []
    for row in (*table.read("plain"), *table.read("hostile")):
        then = {wiring: written for written in row.written for wiring in written.wirings}
        for wiring, outcome in now.get(row.case, {}).items():
            match outcome:
                case capture.Seen(above=above):
                    before = then[wiring].fields if wiring in then else "refused"
                case capture.Refused():
                    above, before = "refused", then[wiring].fields if wiring in then else "refused"
            if _without_signatures(above) != _without_signatures(before):
                differing.append(f"{row.case}; {wiring}:\n{above}\nand in the table:\n{before}")
    assert differing == []


def _without_signatures(text: str) -> str:
    """Keys are made anew for every capture."""
    return re.sub(r'(?<=header\.b=)(?:"[^"]*"|[^\s;]+)|(?<=got b\')[^\']*|(?<=expected b\')[^\']*', "", text)
