"""What is read by a short way, because most mail is so plain, is read as the long way reads it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from email.utils import getaddresses, parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dkimgate.dkim import sign
from dkimgate.evidence import header_signs
from dkimgate.message import author, received
from dkimgate.message.author import author_of
from dkimgate.message.lines import LONGEST_LINE
from dkimgate.message.message import HeaderField, Message, kept_by_names

WORDS = st.sampled_from(
    ["Ask", "Friend", "Bücher", "o'brien", "=?utf-8?q?a?=", '"', '"Sales"', "a.b", "x@y.example", ""]
)
LOCALS = st.sampled_from(["ask", "a.b", "a..b", ".a", "a.", "a+b", "ä", '"a b"', "a-b_c", ""])
DOMAINS = st.sampled_from(
    [
        "hosted.example",
        "HOSTED.example",
        "192.0.2.1",
        "a..b",
        "a.",
        "-a.example",
        "xn--bcher-kva.example",
        "bücher.example",
        "1.2",
        "a_b.example",
        "",
    ]
)
BETWEEN = st.sampled_from(["", " ", "  ", "\t", "\n ", ",", ";", "(c)", "\\", "<", ">", ":"])


@st.composite
def mailboxes(draw: st.DrawFn) -> str:
    """Plain ones mostly, and what is nearly plain."""
    words = draw(st.lists(WORDS, max_size=3))
    address = f"{draw(LOCALS)}@{draw(DOMAINS)}"
    inside = f"<{address}>" if draw(st.booleans()) else address
    text = draw(BETWEEN) + " ".join(words) + draw(st.sampled_from([" ", "", "\t"])) + inside
    return " " + text + draw(st.sampled_from(["", "", " ", " (x)", ">", "."]))


@given(mailboxes(), st.sampled_from([0, 30, LONGEST_LINE]))
@example(' "Ask Friend" <ask@hosted.example>', 0)
@example(" " * 40 + "ask@hosted.example", 30)
def test_the_author_of_a_plain_from(text: str, longest: int) -> None:
    header = (HeaderField(b"From", text.encode("utf-8")),)
    fast = author_of(header, longest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(author, "plain_mailbox", lambda field, longest_line: None)
        patch.setattr(author, "_is_usual", lambda field, longest_line: False)
        assert author_of(header, longest) == fast


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b"Subject", b"From ", b"Fr\0om", b"from", b"X-From", b"To", b"Fro\xc3\xbcm", b"\xef\xbb\xbfFrom"]
            ),
            st.sampled_from(
                [
                    b" a",
                    b" a\n b",
                    b" a\nb",
                    b" a\rb",
                    b" \0",
                    b" a\n \nFrom: x@y.example",
                    b" " * 50,
                    b" ask@hosted.example",
                ]
            ),
        ),
        max_size=4,
    ),
    st.sampled_from([0, 20, LONGEST_LINE]),
)
def test_the_fields_beside_from(fields: list[tuple[bytes, bytes]], longest: int) -> None:
    header = (*(HeaderField(*each) for each in fields), HeaderField(b"From", b" ask@hosted.example"))
    fast = author_of(header, longest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(author, "_is_usual", lambda field, longest_line: False)
        assert author_of(header, longest) == fast


@given(st.lists(mailboxes(), min_size=1, max_size=3).map(",".join))
@example("ask@hosted.example, Other <other@hosted.example>")
def test_the_addresses_of_a_plain_list(text: str) -> None:
    text = text.strip()
    plain = header_signs._plain_addresses(text)
    if plain:
        assert header_signs._is_address_list(text)
        assert plain == [address for _, address in getaddresses([text])]


DATES = st.builds(
    "{}{} {} {} {:02}:{:02}:{:02} {}{:02}{:02}{}".format,
    st.sampled_from(["", "Sat, ", "Mon, ", "Xyz, ", "sat, "]),
    st.integers(0, 33),
    st.sampled_from(["Jan", "Feb", "Nov", "nov", "Foo"]),
    st.integers(1890, 2105),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.sampled_from("+-"),
    st.integers(0, 25),
    st.integers(0, 61),
    st.sampled_from(["", " (UTC)", " (CEST)", " (a b)", " x"]),
)


@given(DATES)
@example("Sat, 21 Nov 2026 16:20:20 -0000")
def test_the_usual_form_of_a_date(text: str) -> None:
    try:
        read = parsedate_to_datetime(text)
        expected: float | None = (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        expected = None
    assert header_signs._date(Message(header=(HeaderField(b"Date", b" " + text.encode()),))) == expected


@given(st.lists(st.sampled_from([b"To", b"to", b"Cc", b"To ", b"\0To", b"X"])))
def test_the_index_of_a_header(names: list[bytes]) -> None:
    message = Message(header=tuple(HeaderField(name, b" %d" % number) for number, name in enumerate(names)))
    for key in ("to", "cc", "x", "nothing"):
        scanned = [at for at, field in enumerate(message.header) if field.key == key]
        assert list(message.positions(key)) == scanned
        assert message.fields(key) == [message.header[at] for at in scanned]


RECEIVED = st.builds(
    "from {} ({}){}by {} ({}){}with {} id {}{};{}".format,
    st.sampled_from(["a.example", "from", "by", "[192.0.2.1]", "x;y", "(x)", "with", ""]),
    st.sampled_from(["a.example [192.0.2.1]", "", "a (b) c", "Authenticated sender: x", "x" * 500, "a)b", ";"]),
    st.sampled_from([" ", "\n\t", "", " (x) "]),
    st.sampled_from(["mx.example", "by", "with", "", "a b"]),
    st.sampled_from(["Postfix", "", "(Postfix)"]),
    st.sampled_from([" ", "\n\t"]),
    st.sampled_from(["ESMTP", "id", "", "ESMTPSA"]),
    st.sampled_from(["4F2A", "for", "", "4F;2A"]),
    st.sampled_from(["", "\n\tfor <ask@hosted.example>", " for", " for a b", " via x"]),
    st.sampled_from([" Sat, 21 Nov 2026 16:20:25 +0000 (UTC)", " (", "", ") by other.example (x) with SMTP"]),
)


@given(RECEIVED)
@example("from a (b [192.0.2.1])\tby mx.example (Postfix) with ESMTP id 4F2A for <ask@hosted.example>; x (UTC)")
def test_the_clauses_that_postfix_writes(text: str) -> None:
    assert received._clauses(text) == received._clauses_of_tokens(text)


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=20), st.integers(0, 90))
def test_lines_of_a_signature_are_short(parts: list[tuple[int, bool]], begun: int) -> None:
    """No line but one of a part that is longer itself is longer than 78 octets, the name and the tab as eight included."""
    written = [(b" " if space else b"") + b"x" * size for size, space in parts]
    folded = sign.fold(b"DKIM-Signature", written, b"y" * begun)
    assert folded.replace(b"\n\t", b"").replace(b" ", b"") == b"y" * begun + b"".join(written).replace(b" ", b"")
    first, *others = folded.split(b"\n\t")
    assert len(first) <= max(78 - len("DKIM-Signature: "), begun, 41)
    assert all(len(line) <= 70 for line in others)
    whole = folded + sign._folded_base64(b"z" * 344, sign._room(b"DKIM-Signature", folded))
    assert all(len(line) <= 70 for line in whole.split(b"\n\t")[1 + len(others) :])
    assert whole.split(b"\n\t")[len(others)].count(b"z") % 8 == 0


def test_a_header_that_was_seen_before_is_signed_as_one_that_was_not() -> None:
    names = [b"From", b"To", b"Subject", b"Received", b"to", b"Cc ", b"From"]
    for count in range(1, len(names) + 1):
        header = [HeaderField(name, b" %d" % at) for at, name in enumerate(names[:count])]
        once = sign.select(header, ("received",))
        more = sign.select([HeaderField(field.name, b"x" + field.value) for field in header], ("received",))
        assert once[0] == more[0] and [b"x" + field.value for field in once[1]] == [field.value for field in more[1]]
        listed = Counter(once[0])
        for name in set(once[0]):
            there = [field for field in header if field.name.strip(b" ").lower() == name.encode()]
            assert listed[name] == len(there) + (name in (*sign.SEALED, *sign.SINGLE)), "once more than it stands there"


def test_law_7_of_the_headers_that_are_kept_none_has_long_names() -> None:
    """Strangers choose them: a thousand forms of a header take a megabyte or two, whatever they write."""
    sign._chosen.cache_clear()
    for number in range(3):
        names = [b"X-%d-%d" % (number, at) * 10 for at in range(50)]
        sign.select([HeaderField(b"From", b" ask@hosted.example"), *(HeaderField(name, b" x") for name in names)])
    assert sign._chosen.cache_info().currsize == 0
    looked_at: list[tuple[str, ...]] = []

    @kept_by_names
    def count(names: tuple[str, ...]) -> int:
        looked_at.append(names)
        return len(names)

    for _ in range(2):
        assert (count(("from", "to")), count(("x" * 2000,))) == (2, 1)
    assert looked_at == [("from", "to"), ("x" * 2000,), ("x" * 2000,)]
