"""Authentication-Results as hosts write them, and as RFC 8601 lets them be written; authres is the oracle wherever it accepts a field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import authres
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.authres.authentication_results import MAX_LENGTH, Reading, read
from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.evidence.claims import claims_of
from dkimgate.evidence.route import route_of
from dkimgate.facts import Standing
from dkimgate.message.message import HeaderField
from tests.world.mail import AUTHOR, BORDER, TRUST, facts, message

WILD: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "results_in_the_wild.yaml").read_text("utf-8"))
READ_BY_AUTHRES = ("smtp", "header", "body", "policy")


def by_authres(text: str) -> authres.AuthenticationResultsHeader | None:
    """What authres makes of a field; None where it refuses it."""
    try:
        return authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    except authres.AuthResError:
        return None


def agree(ours: Reading, theirs: authres.AuthenticationResultsHeader) -> None:
    """Both read the same. authres leaves out properties of types that it doesn't know, and a quoted value with a property behind it."""
    assert ours.strict
    assert (ours.authserv_id or "").lower() == theirs.authserv_id
    assert [(r.method, r.result) for r in ours.results] == [(r.method, r.result) for r in theirs.results]
    for our, their in zip(ours.results, theirs.results, strict=True):
        found = list(our.properties)
        for item in their.properties:
            wanted = (f"{item.type}.{item.name}", str(item.value or "").replace("\\", ""))
            while found and (found[0][0], found[0][1].replace("\\", "")) != wanted:
                left_out = found.pop(0)
                assert left_out[0].split(".")[0] not in READ_BY_AUTHRES or '"' in str(theirs._asked), (left_out, wanted)
            assert found, wanted
            found.pop(0)
        assert all(name.split(".")[0] not in READ_BY_AUTHRES or '"' in str(theirs._asked) for name, _ in found), found


@pytest.mark.parametrize("row", WILD, ids=[row["of"] for row in WILD])
def test_a_field_from_the_wild(row: dict[str, Any]) -> None:
    reading = read(row["field"])
    assert reading.authserv_id == row["by"]
    assert [f"{r.method}={r.result}" for r in reading.results] == row["results"]
    assert reading.strict is not row.get("loose", False)


@pytest.mark.parametrize("row", WILD, ids=[row["of"] for row in WILD])
def test_authres_agrees_about_a_field_from_the_wild(row: dict[str, Any]) -> None:
    theirs = by_authres(row["field"])
    if theirs is not None and not row.get("unlike_authres"):
        theirs._asked = row["field"]
        agree(read(row["field"]), theirs)


def test_the_oracle_is_asked_often_enough() -> None:
    accepted = [row["of"] for row in WILD if by_authres(row["field"]) is not None]
    assert len(WILD) >= 75
    assert len(accepted) >= 45, accepted


HURTS = {"fail", "hardfail", "softfail", "permerror", "temperror"}


@pytest.mark.parametrize(
    "damage", ["{} (unclosed", '{} "unclosed', "{} \0", "{};;=", "\x01{}", "{} " + "x" * MAX_LENGTH]
)
def test_what_hurts_survives_any_damage(damage: str, subtests: pytest.Subtests) -> None:
    for row in WILD:
        said = [
            result
            for result in row["results"]
            if result.split("=")[0] in ("dmarc", "spf", "dkim", "arc") and result.split("=")[1] in HURTS
        ]
        with subtests.test(row["of"]):
            reading = read(damage.format(row["field"]))
            assert {f"{r.method}={r.result}" for r in reading.results} >= set(said)
            assert not any(r.result == "pass" for r in reading.results)


# --- the grammar of RFC 8601 section 2.2 -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A field, and what it says."""

    text: str
    authserv_id: str
    results: list[tuple[str, str, list[tuple[str, str]], str | None]]


plain = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
words = st.sampled_from(["a", "b=c", "d;e", '"', "dmarc=pass", "f.g", "=", ";", "\\)", "\\(", "1"])
comments = st.recursive(
    st.lists(words, max_size=3).map(lambda parts: "(" + " ".join(parts) + ")"),
    lambda inner: st.tuples(words, inner, words).map(lambda parts: "(" + " ".join(parts) + ")"),
    max_leaves=3,
)
gap = st.sampled_from([" ", "  ", "\n ", "\n\t", "\t"])
cfws = st.just("") | st.one_of(gap, st.tuples(gap, comments, gap).map("".join), st.tuples(gap, comments).map("".join))
apart = st.one_of(gap, st.tuples(gap, comments, gap).map("".join))
quotable = st.text('ab;=()@. \\"', max_size=8)
methods = st.sampled_from(["dkim", "spf", "dmarc", "arc", "iprev", "auth", "DKIM", "x-own", "dkim-atps"])
outcomes = st.sampled_from(
    ["pass", "fail", "none", "neutral", "softfail", "temperror", "permerror", "policy", "Pass", "x-y"]
)
names = st.tuples(
    st.sampled_from(["smtp", "header", "policy", "body", "Header"]),
    st.sampled_from(["mailfrom", "d", "i", "s", "from", "iprev", "x-bits"]),
)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def values(draw: st.DrawFn) -> tuple[str, str]:
    """A pvalue as written, and what it means."""
    kind = draw(st.integers(0, 5))
    word = draw(plain)
    if kind == 0:
        inside = draw(quotable)
        return quoted(inside), inside
    if kind == 1:
        return f"@{word}.example", f"@{word}.example"
    if kind == 2:
        return f"{word}@{word}.example", f"{word}@{word}.example"
    if kind == 3:
        return f'"{word} x"@{word}.example', f'"{word} x"@{word}.example'
    if kind == 4:
        return f"{word}+a={word}@{word}.example", f"{word}+a={word}@{word}.example"
    return word, word


@st.composite
def fields(draw: st.DrawFn) -> Written:
    """A field by the grammar."""

    def between() -> str:
        return draw(cfws)

    authserv_id = draw(plain) + ".example"
    version = draw(st.sampled_from(["", "1"]))
    text = between() + authserv_id + (draw(apart) + version if version else "") + between()
    results: list[tuple[str, str, list[tuple[str, str]], str | None]] = []
    count = draw(st.integers(0, 4))
    if count == 0:
        return Written(text + ";" + between() + "none" + between(), authserv_id, [])
    for _ in range(count):
        method, outcome = draw(methods), draw(outcomes)
        text += ";" + between() + method
        if draw(st.booleans()):
            text += between() + "/" + between() + "1"
        text += between() + "=" + between() + outcome
        reason: str | None = None
        if draw(st.booleans()):
            written, reason = draw(st.sampled_from([("ok", "ok"), ('"a; dmarc=pass (b"', "a; dmarc=pass (b")]))
            text += draw(apart) + "reason" + between() + "=" + between() + written
        properties: list[tuple[str, str]] = []
        for _ in range(draw(st.integers(0, 3))):
            kind, name = draw(names)
            written, meant = draw(values())
            text += draw(apart) + kind + between() + "." + between() + name + between() + "=" + between() + written
            properties.append((f"{kind}.{name}".lower(), meant))
        text += between()
        results.append((method.lower(), outcome.lower(), properties, reason))
    return Written(text, authserv_id, results)


@pytest.mark.heavy
@settings(max_examples=400, deadline=None)
@given(fields())
def test_all_that_the_grammar_permits_is_read(written: Written) -> None:
    reading = read(HeaderField(b"Authentication-Results", written.text.encode()).text)
    assert reading.strict, written.text
    assert reading.authserv_id == written.authserv_id
    assert [(r.method, r.result, list(r.properties), r.reason) for r in reading.results] == written.results


@pytest.mark.heavy
@settings(max_examples=150, deadline=None)
@given(fields())
def test_authres_agrees_about_the_grammar(written: Written) -> None:
    text = HeaderField(b"Authentication-Results", written.text.encode()).text
    theirs = by_authres(text)
    if theirs is not None and '""' not in text:  # it takes what follows an empty string for the value
        theirs._asked = text
        agree(read(text), theirs)


# --- one host, several fields -------------------------------------------------------------------------------------------------------------

US = "Authentication-Results: mx.forwarder.example; "


SEVERAL = [
    # header above the border, dmarc, dkim
    (US + "dkim=fail header.d=a.example; dkim=pass header.d=hosted.example\n", "unknown", "pass"),
    (US + "dmarc=pass header.from=hosted.example\n" + US + "dkim=pass header.d=hosted.example\n", "pass", "pass"),
    (US + "dmarc=pass header.from=hosted.example\n" + US + "dmarc=fail header.from=hosted.example\n", "fail", "none"),
    (US + "dmarc=fail header.from=hosted.example; dmarc=pass header.from=hosted.example\n", "fail", "none"),
    (US + "dmarc=pass header.from=hosted.example;\n", "pass", "none"),
    (US + "dmarc=unknown header.from=hosted.example;\n", "unknown", "none"),
    (US + "dkim=invalid header.d=hosted.example\n", "unknown", "permerror"),
    (US + "dkim=timeout header.d=hosted.example\n", "unknown", "temperror"),
    (US + "dkim=tempfail header.d=hosted.example\n", "unknown", "temperror"),
    (US + "sender-id=fail header.from=hosted.example\nX-Originating-IP: [192.0.2.66]\n", "unknown", "none"),
]


@pytest.mark.parametrize(("header", "dmarc", "dkim"), SEVERAL)
def test_several_results_and_fields_of_our_host(header: str, dmarc: str, dkim: str) -> None:
    arrival = facts(header + BORDER + AUTHOR).arrival
    assert (arrival.dmarc, arrival.dkim) == (dmarc, dkim)


def test_sender_id_and_the_originating_address_are_left_alone() -> None:
    before = facts(BORDER + AUTHOR)
    after = facts(
        US
        + "sender-id=pass header.from=hosted.example\n"
        + BORDER
        + "X-Originating-IP: 127.0.0.1\nX-Sender-IP: 127.0.0.1\n"
        + AUTHOR
    )
    assert (after.arrival, after.upstream, after.border) == (before.arrival, before.upstream, before.border)


@pytest.mark.parametrize("configured", ["mx.bücher.example", "mx.xn--bcher-kva.example", "MX.Bücher.Example"])
@pytest.mark.parametrize(
    "written", ["mx.bücher.example", "mx.xn--bcher-kva.example", "MX.XN--BCHER-KVA.example", "MX.BÜCHER.example"]
)
def test_our_name_is_ours_in_a_labels_and_u_labels(configured: str, written: str) -> None:
    trust = Trust(hosts=TRUST.hosts, authserv_ids=(configured,))
    arrived = message(f"Authentication-Results: {written}; dmarc=pass header.from=hosted.example\n" + BORDER + AUTHOR)
    assert [claim.standing for claim in claims_of(arrived, route_of(arrived, trust), trust, ())] == [Standing.TRUSTED]


@pytest.mark.parametrize(
    "written",
    ["mx.bucher.example", "mx.\uff42ücher.example", "mx.bücher.example.", "mx.bu\u0308cher.example", "x" * 9000],
)
def test_what_only_looks_like_our_name_is_not_ours(written: str) -> None:
    assert not Trust(authserv_ids=("mx.bücher.example",)).is_authserv_id(written)


@pytest.mark.parametrize("baited", ["mx.bücher.example", "mx.xn--bcher-kva.example"])
@pytest.mark.parametrize("configured", ["mx.bücher.example", "mx.xn--bcher-kva.example"])
def test_a_bait_in_either_spelling_of_our_name_is_seen(configured: str, baited: str) -> None:
    """OpenDMARC may know our name in the other spelling than we."""
    config = Config(trust=Trust(hosts=TRUST.hosts, authserv_ids=(configured,)))
    ours = f"Authentication-Results: {configured}; dmarc=pass header.from=hosted.example\n"
    bait = f"Authentication-Results: {baited}; spf=pass smtp.mailfrom=hosted.example\n"
    assert facts(ours + BORDER + AUTHOR, config=config).arrival.dmarc == "pass"
    assert facts(ours + BORDER + bait + AUTHOR, config=config).arrival.dmarc == "unknown"


@pytest.mark.parametrize("method", ["dmarc", "spf", "dkim", "arc"])
def test_a_result_that_lost_its_semicolon_still_hurts(method: str) -> None:
    reading = read(f"mx.elsewhere.example; iprev=pass policy.iprev=192.0.2.1 {method}=fail x-bits=2048")
    assert [(r.method, r.result) for r in reading.results] == [(method, "fail")]
    assert not reading.strict
