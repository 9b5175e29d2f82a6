"""The passport as properties: it says what the border knew, any change of it or of what it is bound to shows, and no octets break it."""

from __future__ import annotations

import hmac
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.evidence.claims import arrival_of
from dkimgate.facts import Claim, Spam, Standing
from dkimgate.message.message import HeaderField
from dkimgate.passport.binding import binding_of
from dkimgate.passport.field import FIELD_NAME, base64_of, parse, text_of
from dkimgate.passport.reading import Validity, claims, spam
from dkimgate.passport.secrets import Secrets, new_secret
from tests.passport.scenes import (
    BAD,
    BARE,
    BODY,
    FAIL,
    GOOD,
    HOST,
    NOW,
    ORIGINAL,
    PASS,
    SECRETS,
    SPAM,
    Scene,
    field,
    passport,
)
from tests.world.mail import TRUST, message

WORDS = (
    "pass",
    "none",
    "neutral",
    "policy",
    "fail",
    "softfail",
    "hardfail",
    "permerror",
    "temperror",
    "reject",
    "bestguesspass",
    "x" * 99,
    "",
)
DOMAINS = (
    "hosted.example",
    "mail.hosted.example",
    "attacker.example",
    "bücher.example",
    "x;y",
    "a" * 60 + ".example",
    "",
    "_spf.x.example",
)
PROPERTIES = ("header.from", "smtp.mailfrom", "header.d", "header.i")

any_claim = st.builds(
    Claim,
    st.sampled_from(("dmarc", "spf", "dkim", "arc")),
    st.sampled_from(WORDS),
    st.just(HOST),
    st.just("Authentication-Results"),
    st.sampled_from(Standing),
    properties=st.lists(st.tuples(st.sampled_from(PROPERTIES), st.sampled_from(DOMAINS)), max_size=3).map(tuple),
)
any_spam = st.none() | st.builds(Spam, st.booleans(), st.floats(), st.floats(min_value=0.001))
printable = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=60).map(str.encode)


def test_it_says_what_the_border_knew() -> None:
    reading = GOOD.reading()
    [judged] = reading.fields
    assert judged.passport is not None
    assert (judged.passport.host, judged.passport.queue_id, judged.passport.author, judged.passport.time) == (
        HOST,
        "4F2B",
        "hosted.example",
        int(NOW),
    )
    found = [(c.method, c.result, c.by, c.field, c.standing, c.position, c.properties) for c in claims(reading)]
    end = (HOST, FIELD_NAME, Standing.TRUSTED, 0)
    assert found == [
        ("dmarc", "pass", *end, (("header.from", "hosted.example"),)),
        ("spf", "softfail", *end, ()),
        ("dkim", "pass", *end, (("header.d", "hosted.example"),)),
        ("dkim", "fail", *end, ()),
        ("arc", "none", *end, ()),
        ("spam", "no", *end, (("score", "0.5"), ("required", "5"))),
    ]
    assert spam(BAD.reading()) == SPAM


@settings(deadline=None)
@given(st.lists(any_claim, max_size=20).map(tuple), any_spam)
def test_the_way_through_the_passport_promotes_nothing(stated: tuple[Claim, ...], verdict: Spam | None) -> None:
    """What a listener behind the border concludes is what the border concluded of what it believes, or worse."""
    believed = [c for c in stated if c.standing is not Standing.UPSTREAM]
    worst = verdict or Spam()
    before, _ = arrival_of(believed, "hosted.example", True, TRUST, worst)
    reading = BARE.with_passport(passport(stated, verdict)).reading()
    assert reading.outcome is Validity.VALID
    after, _ = arrival_of(claims(reading), "hosted.example", True, TRUST, spam(reading))
    order = ("pass", "none", "unknown", "temperror", "permerror", "fail")
    assert order.index(after.dmarc) >= order.index(before.dmarc)
    assert after.badly >= before.badly
    assert before.aligned or not after.aligned
    for method in ("spf", "dkim", "arc"):
        assert getattr(after, method) != "pass" or getattr(before, method) == "pass"


@pytest.mark.parametrize("stated", [PASS, FAIL])
def test_nothing_is_lost_of_what_real_verification_yields(stated: tuple[Claim, ...]) -> None:
    before, _ = arrival_of(stated, "hosted.example", True, TRUST, SPAM)
    reading = BARE.with_passport(passport(stated, SPAM)).reading()
    after, _ = arrival_of(claims(reading), "hosted.example", True, TRUST, spam(reading))
    assert after == before


@settings(deadline=None)
@given(st.lists(any_claim, max_size=40).map(tuple), any_spam, st.text(max_size=80), st.text(max_size=80))
def test_it_fits_into_a_kilobyte_and_into_a_header(
    stated: tuple[Claim, ...], verdict: Spam | None, queue_id: str, host: str
) -> None:
    of = replace(ORIGINAL, queue_id=queue_id)
    value = passport(stated, verdict, of=of, host=host)
    assert len(FIELD_NAME) + 2 + len(value) < 1024
    assert re.fullmatch(rb"[!-~ ]+(\n\t[!-~ ]+)*", value)
    assert BARE.with_passport(value).reading().outcome is Validity.VALID


def test_names_of_the_greatest_length_still_fit() -> None:
    long = ".".join(["a" * 60] * 4) + ".example"
    names = [f"s{n}.{long[4:]}" for n in range(9)]
    many = (
        *(Claim("dkim", "pass", HOST, "", Standing.VERIFIED, properties=(("header.d", name),)) for name in names),
        Claim("spf", "pass", HOST, "", Standing.VERIFIED, properties=(("smtp.mailfrom", f"x@{long}"),)),
    )
    of = message(f"From: a@{long}\n")
    value = passport(many, SPAM, of=of)
    assert len(value) < 1024
    reading = Scene(of.header).with_passport(value).reading()
    assert reading.outcome is Validity.VALID
    assert {(c.method, c.result) for c in claims(reading)} == {("dkim", "pass"), ("spf", "pass"), ("spam", "yes")}


def test_many_signatures_keep_the_aligned_one() -> None:
    names = [f"d{n}.list.example" for n in range(50)] + ["hosted.example"]
    stated = tuple(
        Claim("dkim", "pass", HOST, "", Standing.VERIFIED, properties=(("header.d", name),)) for name in names
    )
    found = claims(BARE.with_passport(passport(stated)).reading())
    assert "hosted.example" in {c.property("header.d") for c in found}


def test_a_property_that_is_there_twice_names_nobody() -> None:
    twice = (("header.d", "attacker.example"), ("header.d", "hosted.example"))
    found = claims(
        BARE.with_passport(passport((Claim("dkim", "pass", HOST, "", Standing.VERIFIED, properties=twice),))).reading()
    )
    assert [c.properties for c in found if c.method == "dkim"] == [()]


@settings(deadline=None)
@given(st.data())
def test_any_changed_octet_of_the_field_shows(data: st.DataObject) -> None:
    value = GOOD.header[0].value
    at = data.draw(st.integers(0, len(value) - 1))
    octet = bytes([data.draw(st.integers(0, 255))])
    changed = value[:at] + octet + value[at + 1 :]
    reading = GOOD.changed(FIELD_NAME.lower(), changed).reading()
    same = re.sub(rb"[ \t\r\n]", b"", changed) == re.sub(rb"[ \t\r\n]", b"", value)
    assert (reading.outcome is Validity.VALID) is same


@pytest.mark.parametrize(
    "key", ["message-id", "date", "from", "subject", "to", "content-type", "content-transfer-encoding", "mime-version"]
)
@settings(deadline=None)
@given(value=printable)
def test_any_changed_bound_field_shows(key: str, value: bytes) -> None:
    squeezed = b" ".join(value.split())
    original = next(f.value for f in GOOD.header if f.key == key)
    if (
        squeezed == b" ".join(original.split())
        or b"=?" in value
        or (key == "from" and b"<ask@hosted.example>" in value)
    ):
        return
    scene = GOOD.changed(key, b" " + value)
    assert scene.reading().outcome in (Validity.REPLAYED, Validity.CHANGED)
    assert scene.dmarc() == "unknown"


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_any_other_body_shows(body: bytes) -> None:
    assert replace(GOOD, body=body).reading().outcome is (Validity.VALID if body == BODY else Validity.CHANGED)


@settings(deadline=None)
@given(st.integers(-100_000, 100_000))
def test_it_is_good_for_ten_minutes(seconds: int) -> None:
    outcome = replace(GOOD, now=int(NOW) + seconds).reading().outcome
    assert outcome is (Validity.FUTURE if seconds < -60 else Validity.STALE if seconds > 600 else Validity.VALID)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"X-Dkimgate-Passport", b"x-dkimgate-passport ", b"From", b"Date", b"Subject"]),
            st.binary(max_size=300),
        ),
        max_size=6,
    )
)
def test_any_octets_are_read_without_an_exception(fields: list[tuple[bytes, bytes]]) -> None:
    header = tuple(HeaderField(name, value) for name, value in fields)
    for found in (header, header + GOOD.header):
        reading = Scene(found).reading()
        claims(reading)
        spam(reading)
        passport(of=replace(ORIGINAL, header=found))
    assert Scene(header).reading().outcome in (Validity.ABSENT, Validity.MALFORMED)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="vktha=;,:-1.09passfilmx \t\n/yes", max_size=200))
def test_text_like_a_passport_is_read_without_an_exception(text: str) -> None:
    reading = GOOD.changed(FIELD_NAME.lower(), text.encode()).reading()
    assert reading.outcome is Validity.MALFORMED
    assert claims(reading) == ()


def test_parts_do_not_run_into_each_other() -> None:
    """No octet may wander from one bound value into the next and leave the digest as it was."""
    seen: dict[bytes, str] = {}
    for header in (
        "Message-ID: ab\nDate: c\n", "Message-ID: a\nDate: bc\n", "Message-ID: abc\n", "Date: abc\n", "Message-ID: ab\nMessage-ID: c\n",
        "Message-ID: abdatec\n", "Message-ID:\nDate: abc\n",
    ):  # fmt: skip
        digest = binding_of(message("From: a@hosted.example\n" + header).header).identity
        assert digest not in seen, (header, seen[digest])
        seen[digest] = header


def test_another_secret_makes_another_mac() -> None:
    other = Secrets.parse(new_secret("2026-11").encode(), Path("other"))
    assert passport() == passport()
    assert passport(secrets=other) != passport()


def test_a_secret_used_for_something_else_too_signs_no_passports() -> None:
    """Whoever gets an HMAC of a text of his choice, under the same secret, must not have a passport by that."""
    tags = parse(GOOD.header[0].value)
    assert tags is not None
    elsewhere = base64_of(hmac.digest(SECRETS.newest.key, text_of(tags).encode(), "sha256"))
    assert GOOD.edited(tags["b"].encode(), elsewhere.encode()).reading().outcome is Validity.FORGED


@pytest.mark.parametrize(
    ("verdict", "read_back"),
    [
        (Spam(False, -0.0, 5.0), Spam(False, 0.0, 5.0)),
        (Spam(False, -9.9, 5.0), Spam(False, 0.0, 5.0)),
        (Spam(False, math.nan, 5.0), Spam(True, 5.0, 5.0)),
        (Spam(False, math.inf, 5.0), Spam(True, 1e6, 5.0)),
        (Spam(True, 0.0, 5.0), Spam(True, 5.0, 5.0)),
        (Spam(False, 4.9999, 5.0), Spam(True, 5.0, 5.0)),  # rounded to what hurts
        (Spam(False, 1.0, 1e-9), Spam(True, 1.0, 0.001)),
        (Spam(False, 1.0, math.inf), Spam(False, 1.0, 5.0)),
    ],
)
def test_odd_scores_come_back_as_numbers_and_no_better(verdict: Spam, read_back: Spam) -> None:
    found = spam(BARE.with_passport(passport(PASS, verdict)).reading())
    assert (found.spam, found.score, found.required) == (read_back.spam, read_back.score, read_back.required)


LONG = 100_000
# one step of work an octet: what is worse than linear takes minutes on these
HEAVY: dict[str, tuple[HeaderField, ...]] = {
    "one field of everything a list is made of": (
        field(b"v=1; k=x; t=1; h=a; q=-; a=-; dmarc=" + b"pass:a.b," * (LONG // 9)),
    ),
    "semicolons": (field(b";" * LONG),),
    "white space": (field(b" \t" * (LONG // 2)),),
    "equals signs": (field(b"=" * LONG),),
    "many fields": (field(b"v=1"),) * (LONG // 30),
    "many whole forged fields": tuple(
        field(passport(secrets=Secrets.parse(new_secret("2026-11").encode(), Path("x")))) for _ in range(150)
    ),
    "a Subject of half encoded-words": (*GOOD.header, HeaderField(b"Subject", b"=?utf-8?q?" * (LONG // 10))),
    "a Subject of question marks": (*GOOD.header, HeaderField(b"Subject", b"=?" * (LONG // 2))),
    "a From of brackets": (*GOOD.header, HeaderField(b"From", b"<(" * (LONG // 2))),
    "folds": (*GOOD.header, HeaderField(b"Message-ID", b"\n " * (LONG // 2))),
}


@pytest.mark.parametrize("header", HEAVY.values(), ids=HEAVY)
def test_heavy_headers_take_no_time(header: tuple[HeaderField, ...]) -> None:
    started = time.process_time()
    reading = Scene(header).reading()
    claims(reading)
    assert time.process_time() - started < 0.5
