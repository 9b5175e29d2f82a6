"""Mail of our own: one domain behind every reading of From is enough, and a From that anybody could read otherwise has no author."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.evidence.gather import see
from dkimgate.facts import Origin
from dkimgate.message.author import author_of, author_of_ours
from dkimgate.message.message import HeaderField
from tests.world.mail import OUTSIDE, USER, message

OURS = [
    b"u@d.example via list <list@d.example>",
    b"J\xfcrgen <u@d.example>",
    b"\xd6\xd0\xb9\xfa <u@d.example>",
    b'"Alice (alice@ext.example) via list" <list@d.example>',
    b"u@d.example <u@d.example>",
    b"Team (Sales) <u@d.example>",
    b"User [Ext] <u@d.example>",
    b'"O\\\'Brien" <u@d.example>',
    b"a@d.example, b@d.example",
    b"u@d.example,",
    b"Doe, John <u@d.example>",
    b"RE: x <u@d.example>",
    b"=?utf-8?Q?=D7=A9=D7=9C=E2=80=8F?= <u@d.example>",
    b"=?utf-8?Q?=E2=9C=85 Deal?= <u@d.example>",
    b"=?x-unknown?Q?J=FCrgen?= <u@d.example>",
    b"=?gb2312?B?1tC5?= <u@d.example>",
    b'<"john doe"@d.example>',
    b'"u@d.example" (x) <u@d.example>',
    b"u@d.example\t(x) <u@d.example>",
    b"<a> <b>, u@d.example, <u@d.example>",
    b"Jos\xe9<u@d.example>",  # < is no second octet of any charset
    b"\xb9\xfa@d.example",
    b"(a () ceo@ext.example) <u@d.example>",
    b"u@d.example , a@d.example",
    b"<>, <u@d.example>",
    b"u@d.example (x), a@d.example",
    # encoded-words without a text, with blanks behind them or inside, in UTF-16, and of broken base64
    b"=?utf-8?Q??= (x) <u@d.example>",
    b"=?utf-8?Q?u=40d.example?= (x) <u@d.example>",
    b"=?utf-8?Q?u=40d.example_x?= (y) <u@d.example>",
    b"=?utf-16be?B?AEo=?= (x) <u@d.example>",
    b"=?utf-8?B?A?= (x) <u@d.example>",
    b"=?utf-8?Q?Really=3F_=3D?= (x) <u@d.example>",
    b"=?x-unknown?q?J=FC?= =?x-unknown?q?rgen?= (x) <u@d.example>",
    b"=?x-unknown?b?SvxyZ2Vu?= (x) <u@d.example>",
    b"<old name> (alice@ext.example) <u@d.example>",
    "שלום\u200f <u@d.example>".encode(),
]
FOREIGN = [
    b'"alice@ext.example" <u@d.example>',
    b"alice@ext.example <u@d.example>",
    b"u@d.example, x@ext.example",
    b'<"x@d.example,b"@ext.example>',
    b"<@ext.example:u@d.example>",
    b"u@d.example .ext.example",
    b"u@d.example(x).ext.example",
    b"u@d.example (x) .ext.example",
    b"u@d.example@ext.example",
    b"=?utf-8?Q?ceo=40ext.example?= <u@d.example>",
    b"=?utf-7?Q?ceo+AEA-ext.example?= <u@d.example>",
    b"=?x-unknown?Q?ceo=40ext.example?= <u@d.example>",
    b"u@[192.0.2.1]",
    "<ceo\uff20ext.example> <u@d.example>".encode(),
    # parentheses that don't enclose a comment for everybody
    b"(a> ceo@ext.example) <u@d.example>",
    b"(a < ceo@ext.example) <u@d.example>",
    b"(a \\(b) ceo@ext.example (c\\) d) <u@d.example>",
    b"( (ceo@ext.example) <u@d.example>",
    b") (ceo@ext.example) <u@d.example>",
    # angle brackets with an address ahead of others without
    b"<u@d.example> <x>",
    b"<a> <u@d.example, x>",
    b"x> <u@d.example>",
    b"<a <u@d.example>",
    # white space behind a domain is dropped by some
    *(b"u@d.example" + blank + b".ext <u@d.example>" for blank in (b" ", b" \t", b"\t ", b" " * 99)),
    b"u@d.example\text.example",
    b"a@d.example, u@d.example ",
    # no domains
    b"u@-a.d.example",
    b"u@a_b..d.example",
    b"u@a_b.d.exam_ple",
    b"u@" + b"a_b." * 62 + b"d.example",
    b"a@d.example, b@ext.example, c@d.example",
    *(b"u@d.example x" + special + b" <u@d.example>" for special in (b",", b":", b";", b"(", b")", b"[", b"]")),
    b"a, u@d.example x, y <u@d.example>",
    # no @ for a reader of double octets
    b"j\xe9@d.example",
    # an encoded-word only for a reader that drops what is not ASCII
    b"=\xff?utf-8?Q?ceo=40ext.example?= <u@d.example>",
    # malformed, or one inside another
    b"=?utf-8?Q?x y <u@d.example>",
    b"=?utf 8?Q?x?= <u@d.example>",
    b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fceo=3D40ext.example=3F=3D?= <u@d.example>",
    # the white space between encoded-words is none of the text (RFC 2047 section 6.2)
    b"=?utf-8?Q?u=40d.example?= =?utf-8?Q?x?= <u@d.example>",
    b"=?utf-8?Q?u=40d.example?=\t=?utf-8?Q?x?= <u@d.example>",
    b"=?utf-8?B?eEBleHQuZXhhbXBsZQ?= <u@d.example>",
    b"=?utf-8?b?eEBleHQuZXhhbXBsZQ==?= <u@d.example>",
    # what a charset can't decode takes nothing away from the rest
    b"=?utf-7?Q?ceo+AEA-ext.example_=FF?= <u@d.example>",
    # a comment only for a reader that replaces full-width forms
    "\uff08ceo@ext.example\uff09 <u@d.example>".encode(),
    # another domain only for a reader that drops quotation marks
    b'u@d.example"".ext.example',
    b'"John <u@d.example>',
    b"J\x1b <u@d.example>",
    b"J\x7f <u@d.example>",
    "J\u2028 <u@d.example>".encode(),
    "J\u2029 <u@d.example>".encode(),
    b'"(" ceo@ext.example ")" <u@d.example>',
    b"=?utf-8?Q?=28?= ceo@ext.example =?utf-8?Q?=29?= <u@d.example>",
    b"(a <ceo@ext.example>) <u@d.example>",
    b"u@d.example (ceo@ext.example)",
    b'"<ceo@ext.example" <u@d.example>',
    b"\x83@ext.example <u@d.example>",
    b"u@ext.example\xff <u@d.example>",
    "u@d.example\u200f.ext.example".encode(),
    b"u@d.example\xad.ext.example",
    b"ceo@ext <u@d.example>",
    b"u@d.example\n \n <x@ext.example>",
    b"u@d.example\0",
    # as real servers read them: OpenDMARC drops white space, rspamd takes it and a semicolon into the domain
    b"<u@d.exam ple>",
    b"<u@d.example .ext.example>",
    b"u@ d.example",
    b"u@d.example ext.example",
    b"x <u@d.exa,mple>",
    b'<"john <u@d.example>doe"@d.example>',
    b"x <>u@d.example>",
    b"friends: a@d.example, b@D.example;",
    b"u@d.example;",
    b"u@d.example (",
    b"u@d.example x, <u@d.example>",
    b") (x@ext.example)y <u@d.example>",
    b"u@d.example x]group: <j@d.example>",
    b"x u@d.example y (<j@d.example>",
]


def own(value: bytes) -> str | None:
    return author_of_ours([HeaderField(b"From", b" " + value)], 0).domain


@pytest.mark.parametrize("value", OURS)
def test_what_every_reader_reads_alike_has_an_author_where_it_is_ours(value: bytes) -> None:
    assert own(value) == "d.example"
    assert author_of([HeaderField(b"From", b" " + value)], 0).domain is None, (
        "the strict reading stays for mail from outside"
    )


@pytest.mark.parametrize(
    "domain", ["a_b.d.example", "_a.d.example", "a_1.d.example", "a_b-c.d.example", "a_b.d-1.example", "a_b.example9-c"]
)
def test_underscores_in_a_domain(domain: str) -> None:
    assert own(b"u@" + domain.encode()) == own(b"u@" + domain.upper().encode()) == domain


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (b" Doe, John <u@d.example>", "u@d.example"),
        (b" a@d.example, B.c@D.example", "B.c@D.example"),
        (b" a@d.example, b @d.example", "b@d.example"),
        (b" a@d.example, b\t@d.example", "b@d.example"),
        (b" a@d.example, " + b"x" * 64 + b"@d.example", "x" * 64 + "@d.example"),
        (b" a@d.example, y" + b"x" * 64 + b"@d.example", "x" * 64 + "@d.example"),
        # no white space behind the colon of From
        (b"<u@d.example>,", "u@d.example"),
        (b"u@d.example,", "u@d.example"),
        (b"<u@d.example,x>", None),
        (b"@ext.example, u@d.example", None),
    ],
)
def test_the_address_is_the_last_one(value: bytes, address: str | None) -> None:
    assert author_of_ours([HeaderField(b"From", value)], 0).address == address


@pytest.mark.parametrize("value", FOREIGN)
def test_what_could_be_read_otherwise_has_none(value: bytes) -> None:
    author = author_of_ours([HeaderField(b"From", b" " + value)], 0)
    assert author.domain is None and author.problem


def test_a_line_that_postfix_breaks_has_none_either() -> None:
    """It reads otherwise at the next host. So does a line of nothing but white space, which ends the header for some."""
    for width, domain in ((998, "d.example"), (999, None)):
        behind = b"a@d.example, b@d.example"
        field = HeaderField(b"From", b" " * (width - len(b"From:") - len(behind)) + behind)
        assert author_of_ours([field]).domain == domain
    assert own(b"a@d.example,\n b@d.example") == "d.example"
    assert own(b"a@d.example,\n \n b@d.example") is None


@pytest.mark.parametrize("second", [b"From", b"from ", b"Fr\xa0om"])
def test_two_fields_have_none(second: bytes) -> None:
    fields = [HeaderField(b"From", b" u@d.example"), HeaderField(second, b" u@d.example")]
    assert author_of_ours(fields).domain is None


def test_only_our_own_mail_is_read_so() -> None:
    config = Config(trust=Trust.model_validate({"hosts": ["mx.d.example"], "networks": ["127.0.0.0/8"]}))
    header = [HeaderField(b"From", b" " + OURS[0])]
    user, stranger = message(header, USER), message(header, OUTSIDE)
    assert (see(user, config).route.origin, see(user, config).domain) == (Origin.SUBMITTED, "d.example")
    assert (see(stranger, config).route.origin, see(stranger, config).domain) == (Origin.INBOUND, None)


@pytest.mark.parametrize(
    "unit",
    [
        b"=?utf-8?Q?a",
        b"=?a?Q??=",
        b"(",
        b"()",
        b'"\\',
        b"<",
        b"<>",
        b"@",
        b"@a.b ",
        b"(@a.b)",
        b"\x83@",
        b"=40",
        b" \t",
        b".",
    ],
)
def test_hostile_fields_take_no_time(unit: bytes) -> None:
    start = time.process_time()
    own(unit * (4000 // len(unit)) + b" <j@d.example>")
    assert time.process_time() - start < 0.2


MAIL = sorted((Path(__file__).parent / "own_mail").glob("*.eml"))


@pytest.mark.parametrize("file", MAIL, ids=lambda file: str(file.stem))
def test_mail_that_people_reported_has_its_author(file: Path) -> None:
    config = Config(trust=Trust.model_validate({"hosts": ["mx.forwarder.example"], "networks": ["127.0.0.0/8"]}))
    assert see(message(file.read_bytes(), USER), config).domain == "hosted.example"
