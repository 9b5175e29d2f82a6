"""What the header gives away, and spam verdicts."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.evidence import lookalike, spam
from dkimgate.evidence.header_signs import signs_of
from dkimgate.facts import HeaderSigns, Spam
from dkimgate.message.author import author_of
from dkimgate.message.message import HeaderField, Message
from tests.world.mail import AUTHOR, message

SIGNS = [
    (AUTHOR, "friend@hosted.example", HeaderSigns()),
    (
        AUTHOR.replace("victim@receiver", "Ask <ASK@hosted").replace("example\nSubject", "example>\nSubject"),
        "",
        HeaderSigns(from_equals_to=True),
    ),
    (AUTHOR.replace("victim@", "ask@hosted.example, victim@"), "", HeaderSigns()),
    (AUTHOR, "bounce@attacker.example", HeaderSigns(return_path_mismatch=True)),
    (AUTHOR, "bounce@lists.hosted.example", HeaderSigns()),
    ("Return-Path: <x@attacker.example>\n" + AUTHOR, "friend@hosted.example", HeaderSigns(return_path_mismatch=True)),
    ("Return-Path: <ask@hosted.example>\n" + AUTHOR, "bounce@attacker.example", HeaderSigns(return_path_mismatch=True)),
    ("Return-Path: <>\n" + AUTHOR, "bounce@attacker.example", HeaderSigns(return_path_mismatch=True)),
    (AUTHOR.replace("Message-ID: <4711@hosted.example>", "Message-ID:"), "", HeaderSigns(message_id_missing=True)),
    (AUTHOR.replace("To: victim@receiver.example", "To: " + "(" * 3000), "", HeaderSigns(recipients_malformed=True)),
    ("", "friend@hosted.example", HeaderSigns(message_id_missing=True, date_missing=True)),
]


@pytest.mark.parametrize(("header", "sender", "expected"), SIGNS)
def test_signs(header: str, sender: str, expected: HeaderSigns) -> None:
    arrived = message(header, sender=sender)
    assert signs_of(arrived, author_of(arrived.header)) == expected


VERDICTS = [
    ("X-Spam-Status", "Yes, score=14.9 required=3.0 tests=A,\n B autolearn=no", Spam(True, 14.9, 3.0)),
    ("X-Spam-Status", "No, score=-9.9 required=5.0", Spam()),
    ("X-Spam-Status", "No, score=2.5 required=5.0", Spam(False, 2.5, 5.0)),
    ("X-Spam-Status", "Yes, hits=7.1 required=5.0", Spam(True, 7.1, 5.0)),
    ("X-Spam-Status", "Yes, score=0.1 required=5.0", Spam(True, 5.0, 5.0)),
    ("X-Spam-Status", "Yes", Spam(True, 5.0, 5.0)),
    ("X-Spam-Status", "Yes, score=14,9 required=3,0", Spam(True, 14.9, 3.0)),
    ("X-Spam-Status", "Yes, score=9 required=0", Spam(True, 9.0, 5.0)),
    ("X-Spam-Status", "No, score=1e999 required=nan", Spam(False, 1.0, 5.0)),
    ("X-Spam-Status", "No, score=99999999999999999999 required=5", Spam(False, 1e6, 5.0)),
    ("x-spam-flag", "YES", Spam(True, 5.0, 5.0)),
    ("X-Spam-Flag ", "yes", Spam(True, 5.0, 5.0)),
    ("X-Spam-Flag", "NO", Spam()),
    ("X-Spam-Score", "14.9 (++++++++++++++)", Spam(False, 14.9, 5.0)),
    ("X-Spam-Score", "-3", Spam()),
    ("X-Spam-Score", "", Spam()),
]


@pytest.mark.parametrize(("name", "value", "expected"), VERDICTS)
def test_verdict(name: str, value: str, expected: Spam) -> None:
    assert spam.verdict_of(HeaderField(name.encode(), b" " + value.encode())) == expected


@given(
    st.lists(st.builds(Spam, st.booleans(), st.floats(0, 1e6), st.floats(0.1, 1e3)), max_size=5),
    st.builds(Spam, st.booleans(), st.floats(0, 1e6), st.floats(0.1, 1e3)),
)
def test_a_further_verdict_never_helps(verdicts: list[Spam], further: Spam) -> None:
    before, after = spam.worst(verdicts), spam.worst([*verdicts, further])
    assert after.ratio >= before.ratio
    assert after.spam or not before.spam
    assert after.spam or not further.spam


@given(st.binary(max_size=80))
def test_any_octets_can_be_read(value: bytes) -> None:
    for name in (b"X-Spam-Status", b"X-Spam-Flag", b"X-Spam-Score"):
        verdict = spam.verdict_of(HeaderField(name, value))
        assert verdict is not None and verdict.score >= 0 < verdict.required


# --- one table a sign: what it is said of, and what it is not said of ---------------------------------------------------------------------

NOW = 1795278025.0  # Sat, 21 Nov 2026 16:20:25 +0000
HOSTED = frozenset({"hosted.example", "mail.forwarder.example", "ab.example", "xn--bcher-kva.example"})
FROM = "From: Friend <ask@hosted.example>\n"
DATE = "Date: Sat, 21 Nov 2026 16:20:20 +0000\n"
ID = "Message-ID: <4711@hosted.example>\n"
SIGNED = "DKIM-Signature: v=1; a=rsa-sha256; d={}; s=s1; bh=x; b=y\n"


def has(sign: str, header: str, outside: bool = True) -> bool:
    arrived = message(header)
    return bool(getattr(signs_of(arrived, author_of(arrived.header), outside, HOSTED, NOW), sign))


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("<4711@hosted.example>", False),
        ("<a.b-c$d%e@[192.0.2.1]>", False),
        ("<AM0PR01@x.prod.outlook.example>\n (a comment)", False),
        ("<4711>", True),
        ("4711@hosted.example", True),
        ("<@hosted.example>", True),
        ("<a b@hosted.example>", True),
        ("<4711@hosted.example> <4712@hosted.example>", True),
        ("", False),
    ],
)
def test_message_id_malformed(written: str, there: bool) -> None:
    assert has("message_id_malformed", f"{FROM}Message-ID: {written}\n") is there


@pytest.mark.parametrize(
    ("written", "missing", "far_off"),
    [
        ("Sat, 21 Nov 2026 16:20:20 +0000", False, False),
        ("21 Nov 26 16:20 GMT", False, False),
        ("Sat, 21 Nov 2026 16:20:20 -0000", False, False),
        ("Sat, 21 Nov 2026 16:20:20 +0000 (UTC)", False, False),
        ("Sat, 14 Nov 2026 16:20:26 +0000", False, False),
        ("Sat, 14 Nov 2026 16:20:24 +0000", False, True),
        ("Sun, 22 Nov 2026 16:20:25 +0000", False, False),
        ("Sun, 22 Nov 2026 16:20:26 +0000", False, True),
        ("Thu, 01 Jan 1970 00:00:00 +0000", False, True),
        ("Fri, 31 Dec 9999 23:59:59 -2359", False, True),
        ("", True, False),
        ("yesterday", True, False),
        ("Sat, 99 Nov 2026 16:20:20 +0000", True, False),
        ("9" * 5000, True, False),
        ("Sat, 21 Nov 2026 16:20:20 +99999999999999", True, False),
    ],
)
def test_date(written: str, missing: bool, far_off: bool) -> None:
    header = f"{FROM}Date: {written}\n"
    assert (has("date_missing", header), has("date_far_off", header)) == (missing, far_off)


def test_without_a_clock_nothing_is_far_off_or_expired() -> None:
    arrived = message(FROM + "Date: Thu, 01 Jan 1970 00:00:00 +0000\nDKIM-Signature: d=hosted.example; x=1\n")
    signs = signs_of(arrived, author_of(arrived.header))
    assert not signs.date_far_off and not signs.expired_signature


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("Friend <ask@hosted.example>", False),
        ('"ask@hosted.example" <ask@hosted.example>', False),
        ('"ASK@Hosted.example" <ask@hosted.example>', False),
        ("ask@hosted.example", False),
        ("ask@hosted.example (ask@hosted.example)", False),
        ('"Sales @ Acme Inc." <ask@hosted.example>', False),
        ('"other@hosted.example" <ask@hosted.example>', True),
        ('"service@bank.example" <ask@hosted.example>', True),
        ('"Bank service@bank.example" <ask@hosted.example>', True),
        ("service@bank.example <ask@hosted.example>", True),
        ("=?utf-8?q?service=40bank.example?= <ask@hosted.example>", True),
        ("=?utf-8?b?c2VydmljZUBiYW5rLmV4YW1wbGU=?= <ask@hosted.example>", True),
        ("ask@hosted.example (service@bank.example)", True),
        ('"<service@bank.example>" <ask@hosted.example>', True),
        ("=?utf-8?q?broken <ask@hosted.example>", False),
        ("", False),
        ("@" * 9000, False),
        ("a." * 4000 + "@", False),
    ],
)
def test_display_name_address(written: str, there: bool) -> None:
    assert has("display_name_address", f"From: {written}\n") is there


@pytest.mark.parametrize(
    ("domain", "there"),
    [
        ("hosted.example", False),
        ("sub.hosted.example", False),
        ("forwarder.example", False),  # one organization with mail.forwarder.example
        ("other.example", False),
        ("hosted.test", False),  # another suffix: an owner of its own
        ("ac.example", False),  # too short for an edit to tell anything
        ("dehost.example", False),
        ("hoted.example", True),  # one letter less
        ("hossted.example", True),  # one more
        ("posted.example", True),  # another
        ("hosetd.example", True),  # two swapped
        ("hosetdx.example", False),
        ("h0sted.example", True),
        ("mail.h0sted.example", True),
        ("f0rvvarder.example", True),  # confusable, and more than one edit
        ("forwarcler.example", True),
        ("bucher.example", True),
        ("xn--hsted-jye.example", True),  # a Cyrillic o
        ("xn--hsted-jua.example", True),
        ("xn--bcher-kva.example", False),
    ],
)
def test_lookalike_domain(domain: str, there: bool) -> None:
    assert has("lookalike_domain", f"From: <ask@{domain}>\n") is there


@pytest.mark.parametrize("domain", ["hosted.example", "hoted.example"])
def test_no_domain_is_like_none(domain: str) -> None:
    arrived = message(f"From: <ask@{domain}>\n")
    assert not signs_of(arrived, author_of(arrived.header)).lookalike_domain


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("victim@receiver.example", False),
        ("<victim@receiver.example>", False),
        ("A Victim <victim@receiver.example>, b@receiver.example", False),
        ('"Victim, A." <victim@receiver.example>,\n "a b"@receiver.example', False),
        ("=?utf-8?q?V=C3=ADctim?= <victim@receiver.example>", False),
        ("victim@receiver.example (a (nested) comment, with a comma)", False),
        ("undisclosed-recipients:;", False),
        ("Friends: a@receiver.example, B <b@receiver.example>;, c@receiver.example", False),
        ("root@[192.0.2.1]", False),
        ("a@receiver.example,, b@receiver.example", False),
        ("", True),
        ("root", True),
        ("victim", True),
        ("<victim@receiver.example", True),
        ("<>", True),
        ("@receiver.example", True),
        ("Victim, A. <victim@receiver.example>", True),
        ("a@b@receiver.example", True),
        ("a@receiver.example b@receiver.example", True),
        ("Friends: a@receiver.example", True),
        ("{{recipient}}", True),
        ('"' * 3001, True),
        ("(" * 3000, True),
        ("a," * 1900, True),
        ("(" * 9000, False),  # too long to tell
    ],
)
@pytest.mark.parametrize("key", ["To", "Cc", "cc "])
def test_recipients_malformed(key: str, written: str, there: bool) -> None:
    assert has("recipients_malformed", f"{FROM}{key}: {written}\n") is there


@pytest.mark.parametrize(
    "name",
    ["Date", "Sender", "Reply-To", "To", "CC", "Bcc", "message-id", "In-Reply-To", "References", "Subject ", "From"],
)
def test_repeated_singletons(name: str) -> None:
    assert has("repeated_singletons", f"{name}: a\n{name.strip().lower()}: a\n")
    assert not has("repeated_singletons", f"{name}: a\n")


@pytest.mark.parametrize("name", ["Received", "DKIM-Signature", "Comments", "Keywords", "X-Spam-Flag", "Resent-To"])
def test_fields_that_may_stand_twice(name: str) -> None:
    assert not has("repeated_singletons", f"{name}: a\n{name}: a\n")


def test_no_received() -> None:
    assert has("no_received", AUTHOR)
    assert not has("no_received", AUTHOR, outside=False)
    assert not has("no_received", "received : from x by y; z\n" + AUTHOR)


@pytest.mark.parametrize(
    ("header", "there"),
    [
        ("", False),
        (SIGNED.format("hosted.example"), False),
        (SIGNED.format("Mail.Hosted.example"), False),
        (SIGNED.format("esp.example"), True),
        (SIGNED.format("esp.example") + SIGNED.format("hosted.example"), False),
        (SIGNED.format("esp.example") + SIGNED.format("hosted.example.evil.example"), True),
        ("DKIM-Signature: v=1; d = hosted\n .example; s=s1\n", False),
        ("DKIM-Signature: v=1; s=s1\n", True),
        ("DKIM-Signature: garbage\n", True),
    ],
)
def test_third_party_signature_only(header: str, there: bool) -> None:
    assert has("third_party_signature_only", header + FROM) is there
    assert has("aligned_signature", header + FROM) is (header != "" and not there)
    assert not has("third_party_signature_only", header + "From: nobody\n"), (
        "without an author domain nothing is aligned or not"
    )


@pytest.mark.parametrize(
    ("tags", "expired", "limited"),
    [
        ("d=hosted.example", False, False),
        # as a verifier finds it: clocks may differ by five minutes
        ("d=hosted.example; t=1; x=1795277724", True, False),
        ("d=hosted.example; t=1; x=1795277725", False, False),
        ("d=hosted.example; x = 1795277\n 724", True, False),
        ("d=hosted.example; x=1795277724x", False, False),
        ("d=hosted.example; x=\u0661", False, False),
        ("d=hosted.example; l=0", False, True),
        ("d=hosted.example;l = 100;b=x", False, True),
        ("d=hosted.example; h=list:l; b=l", False, False),
    ],
)
def test_expired_and_limited_signatures(tags: str, expired: bool, limited: bool) -> None:
    header = f"DKIM-Signature: {tags}\n{FROM}"
    assert (has("expired_signature", header), has("limited_signature", header)) == (expired, limited)


def test_ordinary_mail_shows_no_sign_but_its_signature() -> None:
    arrived = message("Received: from a by b; c\n" + SIGNED.format("hosted.example") + AUTHOR)
    assert signs_of(arrived, author_of(arrived.header), True, HOSTED, NOW) == HeaderSigns(aligned_signature=True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["From", "To", "Date", "Message-ID", "DKIM-Signature", "Return-Path"]),
            st.binary(max_size=60),
        ),
        max_size=6,
    )
)
def test_any_header_has_signs(rows: list[tuple[str, bytes]]) -> None:
    header = tuple(HeaderField(name.encode(), value) for name, value in rows)
    signs_of(Message(header=header), author_of(header), True, HOSTED, NOW)


def test_hostile_headers_take_no_time() -> None:
    hostile = [
        "a@" * 1900,
        "<" * 3900,
        "a." * 1900,
        '"' * 3900,
        ";:" * 1900,
        "=" * 3900,
        "(" * 3900,
        "a@b:" * 900,
        "x:a;" * 900,
        "a " * 1900,
    ]
    started = time.process_time()
    for text in hostile:
        arrived = message(
            "".join(f"{name}: {text}\n" for name in ("From", "To", "Cc", "Date", "Message-ID", "DKIM-Signature"))
        )
        signs_of(arrived, author_of(arrived.header), True, HOSTED, NOW)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize("author", ["hosted.example", "mail.hosted.example", "user.other.example"])
def test_own_mail_waits_for_no_index_of_the_hosted_domains(author: str) -> None:
    """There may be 100,000 of them, and the index is made by the first message that needs it."""
    lookalike._by_suffix.cache_clear()
    assert not lookalike.is_lookalike(author, frozenset({"hosted.example", "user.other.example"}))
    assert lookalike._by_suffix.cache_info().currsize == 0
    assert lookalike.is_lookalike("hosteb.example", frozenset({"hosted.example", "user.other.example"}))
    assert lookalike._by_suffix.cache_info().currsize == 1


@pytest.mark.parametrize("seed", range(40))
def test_among_many_domains_the_same_ones_look_alike_as_among_few(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    labels = ["".join(random.choices("abcé-", k=random.randint(2, 7))) for _ in range(60)]
    hosted = frozenset(labels[:50])
    found = []
    for most in (2_000, 0):
        monkeypatch.setattr(lookalike, "MOST_INDEXED", most)
        lookalike._is_near.cache_clear()
        found.append([lookalike._is_near(label, hosted) for label in labels])
    assert found[0] == found[1] and len(set(found[0])) == 2


def test_many_domains_are_not_indexed_by_every_spelling() -> None:
    lookalike._neighbours.cache_clear()
    hosted = frozenset(f"customer{number}.example" for number in range(3_000))
    assert lookalike.is_lookalike("custmoer17.example", hosted) and lookalike.is_lookalike(
        "customer3017.example", hosted
    )
    assert not lookalike.is_lookalike("stranger.example", hosted)
    assert lookalike._neighbours.cache_info().currsize == 0


def test_what_is_prepared_is_not_made_again_for_a_message() -> None:
    for made in (lookalike._by_suffix, lookalike._skeletons, lookalike._characters, lookalike._spelled):
        made.cache_clear()
    hosted = frozenset(f"customer{number}.example" for number in range(3_000))
    lookalike.prepare(hosted)
    before = [made.cache_info().misses for made in (lookalike._by_suffix, lookalike._skeletons, lookalike._spelled)]
    assert lookalike.is_lookalike("custmoer17.example", hosted)
    assert before == [1, 1, 1]
    assert [
        each.cache_info().misses for each in (lookalike._by_suffix, lookalike._skeletons, lookalike._spelled)
    ] == before
