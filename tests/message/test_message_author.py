"""From fields: what every reader reads alike has an author domain, all else has none and a reason."""

from __future__ import annotations

import time

import pytest

from dkimgate.message.author import LONGEST_FROM, Author, author_of, author_of_ours, kind_of_problem
from dkimgate.message.message import HeaderField, split_message

BSLASH = "\\"


def read(value: str | bytes, name: bytes = b"From") -> Author:
    """The author of a message with that one From; a space stands behind its colon."""
    raw = value if isinstance(value, bytes) else value.encode("utf-8")
    return author_of(
        [HeaderField(b"Received", b" from a\n by b"), HeaderField(name, b" " + raw), HeaderField(b"Subject", b" x")]
    )


ORDINARY = [
    "j@d.example",
    "<j@d.example>",
    "j@D.EXAMPLE",
    "  j@d.example\t",
    "\n j@d.example",
    "\n\tj@d.example",
    "j+list@d.example",
    "j.q.public@d.example",
    "j%other.example@d.example",
    "o'brien@d.example",
    "!#$&'*+-/?=^_`{|}~@d.example",
    "j=bank.example@d.example",
    "0123@d.example",
    "John <j@d.example>",
    "John<j@d.example>",
    "John Doe <j@d.example>",
    "John  Doe\t<j@d.example>",
    "John\n Doe\n <j@d.example>",
    "John Q. Public <j@d.example>",
    "J. Doe <j@d.example>",
    "... <j@d.example>",
    "'John Doe' <j@d.example>",
    "John O'Brien <j@d.example>",
    "John-Paul & Sons <j@d.example>",
    "100% Free! $$$ <j@d.example>",
    '"Doe, John" <j@d.example>',
    '"Doe, John"<j@d.example>',
    '"John Doe"\n <j@d.example>',
    '"" <j@d.example>',
    'John "Johnny" Doe <j@d.example>',
    '"John" "Doe" <j@d.example>',
    f'"John {BSLASH}"Johnny{BSLASH}" Doe" <j@d.example>',
    f'"Domain{BSLASH}{BSLASH}User" <j@d.example>',
    '"Team: Sales; [Berlin]" <j@d.example>',
    '"John Doe (Sales)" <j@d.example>',
    '"[GitHub]" <j@d.example>',
    '"j@d.example" <j@d.example>',
    '"J@D.Example" <j@d.example>',
    "\"'j@d.example'\" <j@d.example>",
    '"ceo@d.example via List" <j@d.example>',
    '"Sales @ Acme" <j@d.example>',
    '"Sales @ Acme Inc." <j@d.example>',
    '"John (@john)" <j@d.example>',
    "j@d.example (John Doe)",
    "j@d.example\t(John Doe)",
    "j@d.example (Acme Inc., Sales)",
    "j@d.example\n (John Doe)",
    "<j@d.example> (John Doe)",
    "John <j@d.example> (at home)",
    "j@d.example (=?utf-8?Q?M=C3=BCller?=)",
    "j@d.example ()",
    "Jörg Müller <j@d.example>",
    '"Müller, Jörg" <j@d.example>',
    "山田 太郎 <j@d.example>",
    "山田\u3000太郎 <j@d.example>",
    "\u05d3\u05d5\u05d3 <j@d.example>",
    "👩\u200d🔬 Ada <j@d.example>",
    "jörg@d.example",
    "=?utf-8?B?SsO2cmc=?= <j@d.example>",
    "=?UTF-8?b?SsO2cmc=?= <j@d.example>",
    "=?utf-8?B?SsO2cmc?= <j@d.example>",
    "=?utf-8?Q?J=C3=B6rg_M=C3=BCller?= <j@d.example>",
    "=?utf-8?q?J=c3=b6rg?=<j@d.example>",
    "=?utf-8*de?Q?J=C3=B6rg?= <j@d.example>",
    "=?iso-8859-1?Q?J=F6rg?= <j@d.example>",
    "=?iso-8859-1?Q?J=F6rg=92s?= <j@d.example>",
    "=?us-ascii?Q?John?= <j@d.example>",
    "=?windows-1252?Q?J=F6rg?= <j@d.example>",
    "=?koi8-r?B?6dfBzg==?= <j@d.example>",
    "=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <j@d.example>",
    "=?shift_jis?B?g0A=?= <j@d.example>",
    "=?gb2312?B?1cXI/Q==?= <j@d.example>",
    "=?ks_c_5601-1987?B?sei58g==?= <j@d.example>",
    "=?utf-8?B?SsO2?= =?utf-8?B?cmc=?= <j@d.example>",
    "=?utf-8?B?SsM=?=\n =?utf-8?B?tnJn?=\n <j@d.example>",
    "=?utf-8?Q?J=C3=B6rg?= Doe <j@d.example>",
    '"=?utf-8?Q?J=C3=B6rg?=" <j@d.example>',
    "=?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?= <j@d.example>",
    "=?utf-8?Q?=22M=C3=BCller=22?= <j@d.example>",
    "=?utf-8?Q?j=40d.example?= <j@d.example>",
    "=?utf-8?Q?Sales_=40_Acme?= <j@d.example>",
    "=?utf-8?Q??= <j@d.example>",
    "x" * 310 + "@d.example",  # 320 characters
    "\n " + "\n ".join(["=?utf-8?Q?" + "=C3=B6" * 10 + "?="] * 30) + " <j@d.example>",
    '"' + "Long Name " * 90 + '" <j@d.example>',
]

OTHER_DOMAINS = [
    ("j@sub.d.example", "sub.d.example"),
    ("j@localhost", "localhost"),
    ("J <j@d-e.example>", "d-e.example"),
    ("j@3com.example", "3com.example"),
    ("j@bücher.example", "xn--bcher-kva.example"),
    ("J <j@xn--bcher-kva.example>", "xn--bcher-kva.example"),
    ("j@XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ('"j@bücher.example" <j@bücher.example>', "xn--bcher-kva.example"),
    ('"j@xn--bcher-kva.example" <j@bücher.example>', "xn--bcher-kva.example"),
    ("j@例え.example", "xn--r8jz45g.example"),
    ("j@" + ".".join(["a" * 60] * 4) + ".example", ".".join(["a" * 60] * 4) + ".example"),
]


@pytest.mark.parametrize("value", ORDINARY)
def test_ordinary_mail_has_its_author_domain(value: str) -> None:
    author = read(value)
    assert author.problem is None
    assert author.domain == "d.example"
    assert author.address is not None and author.address.lower().endswith("@d.example")


@pytest.mark.parametrize(("value", "domain"), OTHER_DOMAINS)
def test_the_domain_is_given_in_a_labels(value: str, domain: str) -> None:
    assert (read(value).domain, read(value).problem) == (domain, None)


GOOD = HeaderField(b"From", b" j@d.example")
OTHER = b" a@bank.example"


@pytest.mark.parametrize(
    "name",
    [
        b"From",
        b"from",
        b"FROM",
        b"From ",
        b"From\t",
        b" From",
        b"From\x0b",
        b"\xef\xbb\xbfFrom",
        b"Fr\xc2\xadom",
        b"From\xa0",
        b"\x01from",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_two_from_fields_never_have_an_author(name: bytes, first: bool) -> None:
    other = HeaderField(name, OTHER)
    author = author_of([other, GOOD] if first else [GOOD, other])
    assert (author.domain, author.problem) == (None, "2 From fields")


@pytest.mark.parametrize("name", [b"From ", b"From\t", b" From", b"\xef\xbb\xbfFrom", b"Fro\x01m"])
def test_a_from_that_not_all_take_for_from_is_none(name: bytes) -> None:
    author = author_of([HeaderField(name, b" j@d.example")])
    assert author.domain is None
    assert author.problem is not None and "not every reader" in author.problem


@pytest.mark.parametrize("name", [b"from", b"FROM", b"fROM"])
def test_case_of_the_name_does_not_matter(name: bytes) -> None:
    assert read("j@d.example", name).domain == "d.example"


@pytest.mark.parametrize(
    "name", [b"Sender", b"Resent-From", b"X-From", b"From-", b">From", b"Fromm", b"Reply-To", b"X-Original-From", b""]
)
def test_other_fields_are_not_from(name: bytes) -> None:
    assert author_of([HeaderField(name, OTHER), GOOD]).domain == "d.example"
    assert author_of([HeaderField(name, OTHER)]).problem == "no From field"


def test_no_header_at_all() -> None:
    assert author_of([]).problem == "no From field"


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (HeaderField(b"Subject", b" x\rFrom: a@bank.example"), "bare CR"),
        (HeaderField(b"Subject", b" x\r\n y"), "bare CR"),
        (HeaderField(b"Subject", b" x\nFrom: a@bank.example"), "bare LF"),
        (HeaderField(b"Subject", b" x\n"), "bare LF"),
        (HeaderField(b"Subject", b" x\n\n y"), "bare LF"),
        (HeaderField(b"Subject", b" x\0y"), "NUL"),
        (HeaderField(b"Fr\0om", b" a@bank.example"), "NUL"),
        (HeaderField(b"From\r", b" a@bank.example"), "bare CR"),
        (HeaderField(b"X\nFrom", b" a@bank.example"), "bare LF"),
    ],
)
@pytest.mark.parametrize("above", [True, False])
def test_a_field_in_which_others_see_a_second_field(field: HeaderField, words: str, above: bool) -> None:
    author = author_of([field, GOOD] if above else [GOOD, field])
    assert author.domain is None
    assert author.problem is not None and words in author.problem and repr(field.name.decode())[1:-1] in author.problem


@pytest.mark.parametrize(
    "value",
    [
        b" x\n \n y",
        b" x\n\t",
        b"\n \n x",
        b" x\n \n Content preview: from: a",
        b" x\n \n from\n : a",  # a name and its colon stand on one line (RFC 5322 section 2.2)
    ],
)
def test_a_blank_fold_in_another_field_hides_no_author(value: bytes) -> None:
    blank = HeaderField(b"X-Spam-Report", value)
    assert author_of([blank, GOOD]).domain == "d.example"
    assert author_of([GOOD, blank]).domain == "d.example"


@pytest.mark.parametrize(
    "value", [b" x\n \n From: a@bank.example", b" x\n\t\n\n\tFROM : a@bank.example", b" x\n \n y\n \xa0from\t: z"]
)
def test_a_blank_fold_above_what_could_be_from_does(value: bytes) -> None:
    assert author_of([HeaderField(b"X-Spam-Report", value), GOOD]).domain is None


def test_the_longest_from_that_is_read() -> None:
    for length, domain in ((LONGEST_FROM, "d.example"), (LONGEST_FROM + 1, None)):
        address = b" <j@d.example>"
        field = HeaderField(b"From", b" " * (length - len(address)) + address)
        assert author_of([field], 0).domain == domain
        two = HeaderField(b"From", b" " * (length - 25) + b"j@d.example, k@d.example,")
        assert (len(two.value), author_of_ours([two], 0).domain) == (length, domain)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("a bare CR in 'X-A'", "a bare CR in"),
        ('the name of the From field is written "From\'": not every', "the name of the From field is written"),
        ("2 From fields", ""),
        ("an encoded-word in From (U+0000)", "an encoded-word in From"),
        ("readers may find more than one domain in From: a.example", "readers may find more than one domain in From"),
        ("x" * 59 + " y", "x" * 59),
        ("no From field", "no From field"),
    ],
)
def test_problems_are_counted_by_their_kind(problem: str, kind: str) -> None:
    assert kind_of_problem(problem) == kind


def test_it_reads_what_split_message_gives() -> None:
    header, _ = split_message(
        b"Subject: x\r\nFrom: =?utf-8?Q?J=C3=B6rg?=\r\n\t<j@d.example>\r\n\r\nFrom: a@bank.example\r\n"
    )
    assert author_of(header) == Author("d.example", "j@d.example")


HOSTILE = [
    b'"' * 1_000_000,
    b"a" * 1_000_000,
    b"\n " * 500_000,
    b"\n" + b" " * 1_000_000,
    b"(" * 4_000,
    b"<" * 4_000,
    b"a, " * 1_300,
    b'"\\' * 2_000,
    b"=?" * 2_000,
    b"=?utf-8?Q?" * 400,
    b"=?utf-8?Q?" + b"=40a.b" * 600 + b"?= <j@d.example>",
    b'"' + b"@" * 4_000 + b'" <j@d.example>',
    b'"@' + b"." * 4_000 + b'" <j@d.example>',
    b"j@" + b"a." * 2_000,
    b"j@" + "ü".encode() * 2_000,
    "\u0f71\u0f72".encode() * 600 + b" <j@d.example>",
    "\ufdfa".encode() * 1_300 + b" <j@d.example>",
    b'"@' + "\uff0e".encode() * 1_300 + b'" <j@d.example>',
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_fields_take_no_time(value: bytes) -> None:
    start = time.process_time()
    read(value)
    author_of([HeaderField(b"Subject", value), GOOD])
    assert time.process_time() - start < 0.2  # what is quadratic takes minutes for a megabyte
