"""The second door where receivers differ: macros, records that only some can read, records that are too much to look at."""

from __future__ import annotations

import time

import pytest
import spf

from dkimgate.gate.envelope_spf import outgoing_spf
from tests.gate.test_gate_envelope_spf import HELO, OTHER, OURS, OURS6, ask, way
from tests.world.dns import FakeResolver

MACROS = [f"%{{{macro}}}" for macro in (*"slodiphvcrt", *"LSH", "l1r-", "h2", "s+")]
"""Of RFC 7208 section 7.2. Not every receiver knows that c, r and t are for explanations."""
MACRO_TERMS = (
    "exists:{}.hosted.example",
    "include:{}.hosted.example",
    "a:{}.hosted.example",
    "redirect={}.hosted.example",
)
TYPED = ("ceo@hosted.example", '"ceo"@hosted.example', '"c\\eo"@hosted.example')
"""As MAIL FROM is typed. Postfix sends the same sender for each (tests/chain/test_chain_rewriting.py)."""
WAYS_OUT: dict[str, dict[str, object]] = {
    "all is known": {},
    "the name in EHLO is not": {"helo": None},
    "local(8) may put in an owner": {"owners": ("hash:/etc/aliases",), "origins": frozenset({"hosted.example"})},
}


@pytest.mark.parametrize("way_out", WAYS_OUT)
@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("term", MACRO_TERMS)
def test_law_1_a_record_with_macros_passes_here_where_it_passes_there(term: str, typed: str, way_out: str) -> None:
    """pyspf expands the macro of what the next host sees: that name exists, so SPF passes there."""
    there = spf.query(
        i=str(OURS), s="owner-list@hosted.example" if "owner" in way_out else "ceo@hosted.example", h=HELO
    )
    there.p, there.r, there.t = "unknown", "mx.receiver.example", "1"  # section 7.3: where the client has no name
    for macro in MACROS:
        name = str(there.expand(macro, stripdot=False))
        terms = term.format(macro) + (" -all" if "redirect" not in term else "")
        zone: dict[str, dict[str, list[str]]] = {
            "hosted.example": {"TXT": [f"v=spf1 {terms}"]},
            f"{name.lower()}.hosted.example": {"TXT": ["v=spf1 +all"], "A": [str(OURS)]},
        }
        asked = way(**WAYS_OUT[way_out])  # type: ignore[arg-type]
        assert outgoing_spf(typed, asked, "hosted.example", FakeResolver(zone).lookup())[0] is True, macro


@pytest.mark.parametrize("typed", TYPED)
def test_of_a_record_without_macros_the_local_part_is_nothing(typed: str) -> None:
    domain = typed.replace("hosted", "elsewhere")
    assert ask(domain, "elsewhere.example")[0] == (False, "lookup")
    assert ask("friend@byexists.example", "byexists.example", (OTHER,))[0] == (False, "lookup"), "all of it is known"


@pytest.mark.parametrize("sender", ["eve@attacker.example", "", "ceo@hosted.example"])
@pytest.mark.parametrize(
    ("origins", "author", "passes"),
    [
        (frozenset({"hosted.example"}), "hosted.example", (True, "lookup")),
        (frozenset({"mx.hosted.example"}), "hosted.example", (False, "lookup")),
        (frozenset({"elsewhere.example"}), "elsewhere.example", (False, "lookup")),
        (frozenset({"nobody.example"}), "elsewhere.example", (False, "unaligned")),
        (None, "elsewhere.example", (True, "assumed")),
    ],
)
def test_law_1_whoever_is_the_sender_local_8_may_put_an_owner_in_his_place(
    origins: frozenset[str] | None, author: str, passes: tuple[bool, str], sender: str
) -> None:
    if sender.endswith(author):
        passes = (True, passes[1] if origins else "assumed")
    assert ask(sender, author, owners=("hash:/etc/aliases",), origins=origins)[0] == passes


READ_BY_SOME = (
    *("v=spf1 ip4=192.0.2.10 -all", "v=spf1 include=us.example -all", "v=spf1 a=us.example -all"),
    *(
        "v=spf1 ~all ip4:192.0.2.10",
        "v=spf1 -all ip4:192.0.2.10",
        "v=spf1 a ~all ip4:192.0.2.10",
        "v=spf1 -all a:us.example",
    ),
    *("v=spf1 -ip4:192.0.2.10 ip4:192.0.2.0/24 -all", "v=spf1 -a:us.example +ip4:192.0.2.10 -all"),
    *(
        " v=spf1 ip4:192.0.2.10 -all",
        "v=spf1\tip4:192.0.2.10 -all",
        "v=spf1; ip4:192.0.2.10 -all",
        "v=spf1, ip4:192.0.2.10 -all",
    ),
    *("v=spf1.0 ip4:192.0.2.10 -all", "v=spf10 ip4:192.0.2.10 -all", '"v=spf1 ip4:192.0.2.10 -all"'),
    *("spf2.0/mfrom ip4:192.0.2.10 -all", "spf2.0/mfrom,pra ip4:192.0.2.10 -all", "v=spf1 ip4:192.0.2.10; -all"),
    *("v=spf1 ~include:us.example -all", "v=spf1 -include:us.example -all", "v=spf1 ?include:us.example -all"),
    *("v=spf1 redirect:us.example", "v=spf1 ip6:::ffff:192.0.2.10 -all", "v=spf1 -all redirect=us.example"),
    *(
        "v=spf1 ip4:192.0.2.10,-all",
        "v=spf1 ip4:192.0.2.1,192.0.2.10 -all",
        "v=spf1 192.0.2.10 -all",
        "v=spf1 ip4: 192.0.2.10 -all",
    ),
    *(
        "v=spf1 ip4:[192.0.2.10] -all",
        "v=spf1.0 ip4:192.0.2.10/32/ -all",
        "v=spf1; ip4:192.0.2 ip4:192.0.2.10",
        "v=spf1.0 include: us.example a:us.example",
    ),
    *("v=spf1 include:us.example. -all", "v=spf1 ?mx:us.example -all", "v=spf1 ?exists:%{i}.us.example -all"),
)
"""Records by which rspamd 3.4, Mail::SPF or OpenDMARC 1.4.2 lets 192.0.2.10 pass, or which are of the same kinds."""
READ_BY_NOBODY = (
    *(
        "v=spf1 -all",
        "v=spf1 ?all",
        "v=spf1 ip4:198.51.100.0/24 ~all",
        "v=spf1 a mx -all",
        "v=spf1 include:others.example -all",
    ),
    *(
        "v=spf1 ~include:others.example -all",
        "spf2.0/pra -all",
        "v=spf1 redirect=others.example",
        "google-site-verification=192.0.2.10",
    ),
    *("v=spf1 -exists:%{ir}.zen.us.example -all", "v=spf1 exp=us.example -all", "192.0.2.10", "v=DMARC1; p=none"),
)


@pytest.mark.parametrize("record", READ_BY_SOME + READ_BY_NOBODY)
@pytest.mark.parametrize("through", ["{}", "v=spf1 include:odd.example -all", "v=spf1 redirect=odd.example"])
def test_law_1_a_record_that_some_receiver_may_let_us_pass_by_counts_as_a_pass(through: str, record: str) -> None:
    zone: dict[str, dict[str, list[str]]] = {
        "d.example": {"TXT": [through.format(record)], "A": ["192.0.2.1"], "MX": ["0 d.example"]},
        "odd.example": {"TXT": [record], "A": ["192.0.2.1"], "MX": ["0 d.example"]},
        "us.example": {"TXT": ["v=spf1 ip4:192.0.2.10 -all"], "A": ["192.0.2.10"], "MX": ["0 us.example"]},
        "192.0.2.10.us.example": {"A": ["127.0.0.2"]},
        "others.example": {"TXT": ["v=spf1 ip4:198.51.100.0/24 ~all"]},
    }
    passes, source = outgoing_spf("a@d.example", way(), "d.example", FakeResolver(zone).lookup())
    to_nothing = "redirect" in through and not record.startswith("v=spf1")  # an error, which counts as well
    assert passes is (record in READ_BY_SOME or to_nothing)
    assert passes or source == "lookup"


@pytest.mark.parametrize("local", ["é", "a..b", '"a b"', '"a,b"', "a.", ".a"])
@pytest.mark.parametrize("domain", ["elsewhere.example", "nospf.example"])
def test_law_1_of_a_sender_that_a_receiver_may_take_for_null_the_name_in_ehlo_counts_too(
    local: str, domain: str
) -> None:
    """rspamd 3.4 asks SPF of that name where it can't parse the sender."""
    assert ask(f"{local}@{domain}", "forwarder.example")[0] == (True, "lookup")
    assert ask(f"{local}@{domain}", "forwarder.example", helo=None)[0] == (True, "assumed")
    assert ask(f"a@{domain}", "forwarder.example")[0] == (False, "unaligned")
    assert ask("é", "forwarder.example", origins=frozenset({domain}))[0] == (True, "lookup")


def test_law_7_a_record_that_is_too_much_to_look_at_passes_and_costs_little() -> None:
    """Each term of 40 has 40 hosts of 1,000 addresses, by three answers of a stranger's DNS."""
    zone = {
        "much.example": {"TXT": ["v=spf1 " + "mx:m.much.example " * 40 + "-all"]},
        "m.much.example": {"MX": [f"{n} n.much.example" for n in range(40)]},
        "n.much.example": {"A": [f"10.{n // 200}.{n % 200}.1" for n in range(1000)]},
    }
    began = time.process_time()
    found = outgoing_spf("eve@much.example", way((OURS, OURS6)), "much.example", FakeResolver(zone).lookup())
    assert found == (True, "assumed")
    assert time.process_time() - began < 1
