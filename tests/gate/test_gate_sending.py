"""What is signed is what Postfix sends; where it can't be, the record says that the signature will not hold. dkimpy is the judge."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dkimgate.message.message import Connection, HeaderField
from dkimgate.message.message import split_message as mail
from tests.world.host import FORWARDER, Host, Left, launders, verifies
from tests.world.keys import DOMAIN, check, pem, rsa_record
from tests.world.mail import BORDER, REINJECTED, USER, Header, fields, message

REPORTED = Path(__file__).parent / "reported"
BASE = b"From: user@hosted.example\nTo: v@receiver.example\nMessage-ID: <1@hosted.example>\n"
SHORT = b"Hello\r\n"


def host(folder: Path, rule: str = "sign: author", more: str = "") -> Host:
    """Everything is decided by one rule."""
    rest = ", {name: rest, sign: none}" if "when:" in rule else ""
    return Host(folder, FORWARDER + more, launders(f"{{name: all, {rule}}}{rest}"))


def leaves(
    host: Host,
    header: Header,
    body: bytes = SHORT,
    connection: Connection = USER,
    size: int = 65_535,
    sender: str = "user@elsewhere.example",
) -> Left:
    """The sender is not aligned with the author, so that signatures alone count."""
    return host.leaves(message(header, connection, sender), body, size)


@pytest.fixture(scope="module")
def signing() -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as folder:
        yield host(Path(folder))


def left(signing: Host, more: bytes, body: bytes = SHORT, size: int = 65_535) -> Left:
    return leaves(signing, BASE + more, body, size=size)


# --- messages that were reported ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["03a-body-line-3000", "03b-references-one-line"])
def test_a_reported_message_verifies_as_postfix_sends_it(signing: Host, name: str) -> None:
    header, body = mail((REPORTED / f"{name}.eml").read_bytes())
    got = leaves(signing, header, body)
    assert verifies(got.sent())
    assert got.sent() != got.unsent() or name.startswith("03b")
    assert (got.departure["dmarc"], got.departure["signature_holds"]) == ("pass", "yes")
    assert got.record["decision"]["folded"] == (["References"] if name.startswith("03b") else [])
    assert got.record["sending"]["body_broken"] is name.startswith("03a")


def test_the_reported_8_bit_message_may_not_hold(signing: Host) -> None:
    header, body = mail((REPORTED / "04-8bit-body.eml").read_bytes())
    got = leaves(signing, header, body)
    assert verifies(got.sent()), "a host with 8BITMIME gets it as it is"
    assert (got.departure["dmarc"], got.departure["signature_holds"]) == ("pass", "maybe")
    assert got.record["sending"]["eight_bit"] is True


# --- 8-bit content --------------------------------------------------------------------------------------------------------------------

MULTIPART = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
PART = "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("more", "body", "holds"),
    [
        (b"Content-Transfer-Encoding: 8bit\n", SHORT, "maybe"),
        (b"Content-Transfer-Encoding:  8BIT (really)\n", SHORT, "maybe"),
        (b"content-transfer-encoding: binary\n", SHORT, "maybe"),
        (b"Content-Transfer-Encoding: quoted-printable\n", SHORT, "yes"),
        (b"Content-Transfer-Encoding: base64\n", SHORT, "yes"),
        (b"Content-Transfer-Encoding: 7bit\n", SHORT, "yes"),
        (b"Subject: 8bit\n", "Grüße\r\n".encode(), "yes"),  # not declared: smtp(8) sends it as it is
        (MULTIPART, PART.format("8bit", "Grüße").encode(), "maybe"),
        (MULTIPART, PART.format("8bit", "Hello").encode(), "maybe"),
        (MULTIPART, PART.format("8BIT", "Hello").encode(), "maybe"),
        (MULTIPART, PART.format("7bit", "An 8bit computer").encode(), "yes"),
        (MULTIPART, PART.format("base64", "SGVsbG8=").encode(), "yes"),
    ],
)
def test_what_a_host_without_8bitmime_gets_otherwise(signing: Host, more: bytes, body: bytes, holds: str) -> None:
    assert left(signing, more, body).departure["signature_holds"] == holds


def test_a_postfix_that_converts_nothing_leaves_no_doubt(tmp_path: Path) -> None:
    keeping = host(tmp_path, more="departure: {line_length_limit: 998, converts_8bit: false}\n")
    assert left(keeping, b"Content-Transfer-Encoding: 8bit\n").departure["signature_holds"] == "yes"
    assert left(keeping, MULTIPART, PART.format("8bit", "Grüße").encode()).departure["signature_holds"] == "yes"


# --- long lines -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "holds", "folded"),
    [
        (b"Subject: " + b"worder " * 200 + b"\n", "yes", ["Subject"]),
        (b"Subject: " + b"w" * 1200 + b"\n", "no", []),
        (b"Subject:" + b"w" * 990 + b"\n", "yes", []),
        (b"Subject:" + b"w" * 991 + b"\n", "yes", ["Subject"]),
        (b"Subject: " + b"w" * 985 + b" \t \t \t \t \t \n", "yes", ["Subject"]),
        (b"Subject: a" + b" " * 3000 + b"b\n", "yes", []),  # the same, in the middle
        (b"X-Unsigned: " + b"w" * 3000 + b"\n", "yes", []),
        (b"X-Unsigned: " + b"worder " * 2000 + b"\n", "yes", []),
        (b"X" * 1000 + b": w\n", "no", []),
        (b"Subject: " + "Grüße ".encode() * 200 + b"\n", "yes", ["Subject"]),
        (b"Subject: " + b"Gr\xfc\xdfes " * 200 + b"\n", "no", []),  # what is no UTF-8 can't be handed back
        (b"References: <" + b"r" * 985 + b">\n", "yes", ["References"]),
        (
            b"Cc: a@b.example,\n\t" + b"c@d.example, " * 100 + b"\n e@f.example\nDate: " + b"x " * 600 + b"\n",
            "yes",
            ["Cc", "Date"],
        ),
    ],
)
def test_header_lines_are_folded_or_the_record_says_that_it_will_not_hold(
    signing: Host, more: bytes, holds: str, folded: list[str]
) -> None:
    got = left(signing, more)
    assert verifies(got.sent()) is (holds == "yes")
    assert got.departure["signature_holds"] == holds
    assert got.departure["dkim_aligned"] is (holds == "yes")
    assert got.record["decision"]["folded"] == folded
    assert (got.record["decision"]["not_done"] != []) is (holds == "no" and not more.startswith(b"X"))


def test_a_from_of_our_own_is_folded_too(signing: Host) -> None:
    got = leaves(signing, b"From: " + b"=?utf-8?Q?a?= " * 90 + b"<user@hosted.example>\n")
    assert got.record["decision"]["folded"] == ["From"]
    assert verifies(got.sent()) and got.departure["signature_holds"] == "yes"


def test_where_a_rule_only_observes_nothing_is_folded(tmp_path: Path) -> None:
    observing = host(tmp_path, "sign: author, mode: observe")
    got = left(observing, b"Subject: " + b"worder " * 200 + b"\n")
    assert not verifies(got.sent())
    assert (got.departure["signature_holds"], got.record["decision"]["folded"]) == ("no", [])


def test_lines_of_any_length_where_postfix_breaks_none(tmp_path: Path) -> None:
    unbroken = host(tmp_path, more="departure: {line_length_limit: 0}\n")
    got = left(unbroken, b"Subject: " + b"w" * 3000 + b"\n", b"x" * 5000 + b"\r\n")
    assert verifies(got.sent(0)) and not verifies(got.sent())
    assert got.departure["signature_holds"] == "yes"


words = st.sampled_from(
    [b"a", b"word ", b" ", b"\t", b"x" * 50, b" " * 40, b"y" * 400 + b" ", b"w" * 1100, b"\n ", b"\n\t", b"z" * 997]
)
values = st.lists(words, min_size=1, max_size=40).map(b"".join)
names = st.sampled_from(
    [b"Subject", b"References", b"To", b"Date", b"X-Unsigned", b"List-Unsubscribe", b"Content-Type"]
)
lengths = st.sampled_from([0, 1, 76, 997, 998, 999, 1995, 1996, 2048, 4096, 3000])
bodies = st.lists(st.tuples(lengths, st.sampled_from([b"x", b" ", b"x y", b".", b"\t", b"\xfc"])), max_size=8)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(names, values), max_size=4), bodies, st.integers(1, 5000))
@example([(b"Subject", b" " * 972 + b"two words")], [], 1)
@example([], [(2048, b"x"), (998, b" ")], 1)
def test_the_record_says_what_dkimpy_says(
    signing: Host, drawn: list[tuple[bytes, bytes]], lines: list[tuple[int, bytes]], size: int
) -> None:
    header = (*fields(BASE)[:1], *(HeaderField(name, b" " + value.strip(b"\n \t")) for name, value in drawn))
    body = b"".join((text * length)[:length] + b"\r\n" for length, text in lines)
    got = leaves(signing, header, body, size=size)
    assert got.departure["signature_holds"] == ("yes" if verifies(got.sent()) else "no"), got.record


# --- signatures of others ---------------------------------------------------------------------------------------------------------------


def signed_elsewhere(form: str, more: bytes = b"", body: bytes = SHORT) -> bytes:
    plain = (BASE + more).replace(b"\n", b"\r\n") + b"\r\n" + body
    names = [b"from", b"subject", b"to"]
    signature: bytes = dkim.sign(
        plain, b"s", DOMAIN.encode(), pem(), canonicalize=(form.encode(), b"relaxed"), include_headers=names
    )
    return signature + plain


@pytest.fixture(scope="module")
def passing() -> Iterator[Host]:
    """One that signs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        yield host(Path(folder), "sign: none")


@pytest.mark.parametrize("form", ["simple", "relaxed"])
@pytest.mark.parametrize(
    ("more", "body", "survives"),
    [
        (b"Subject: hi\n", SHORT, {"simple": True, "relaxed": True}),
        (b"Subject: hi\n", b"x" * 3000 + b"\r\n", {"simple": False, "relaxed": False}),
        (b"Subject: " + b"worder " * 200 + b"end\n", SHORT, {"simple": False, "relaxed": True}),
        (b"Subject: " + b"w" * 1200 + b"\n", SHORT, {"simple": False, "relaxed": False}),
        (b"X-Unsigned: " + b"w" * 1200 + b"\n", SHORT, {"simple": True, "relaxed": True}),
    ],
)
def test_what_becomes_of_the_signatures_of_others(
    passing: Host, form: str, more: bytes, body: bytes, survives: dict[str, bool]
) -> None:
    """Our own user's program has signed it already."""
    header, text = mail(signed_elsewhere(form, more, body))
    got = leaves(passing, header, text)
    assert verifies(got.unsent()), "nothing here breaks it"
    assert verifies(got.sent()) is survives[form]
    assert got.departure["dkim_aligned"] is survives[form]
    assert got.departure["signature_holds"] == ("yes" if survives[form] else "no")
    assert got.record["decision"]["folded"] == (
        ["Subject"] if form == "relaxed" and survives[form] and b"word" in more else []
    )


ANOTHER = "keys: [{domain: another.example, selector: s, file: key.pem}, {domain: forwarder.example, selector: s, file: key.pem}]\n"


def test_what_arrived_with_a_pass_by_a_signature_departs_with_a_fail(tmp_path: Path) -> None:
    passing = host(tmp_path, "sign: none", ANOTHER)
    header, text = mail(signed_elsewhere("relaxed", b"Subject: hi\n", b"x" * 3000 + b"\r\n"))
    above = fields(
        "Authentication-Results: mx.forwarder.example; dkim=pass header.d=hosted.example header.s=s;"
        " dmarc=pass header.from=hosted.example\n" + BORDER
    )
    assert check(signed_elsewhere("relaxed", b"Subject: hi\n", b"x" * 3000 + b"\r\n"))[0].result == "pass"
    got = leaves(passing, (*above, *header), text, REINJECTED, sender="bounce@elsewhere.example")
    assert got.record["arrival"]["dmarc"] == "pass", got.record
    assert (got.departure["dmarc"], got.departure["signature_holds"]) == ("fail", "no")
    unbroken = mail(signed_elsewhere("relaxed", b"Subject: hi\n"))[0]
    short = leaves(passing, (*above, *unbroken), SHORT, REINJECTED, sender="bounce@elsewhere.example")
    assert (short.departure["dmarc"], short.departure["signature_holds"]) == ("pass", "yes")


def test_what_passes_twice_is_signed_once(tmp_path: Path) -> None:
    """Between the two nobody has broken its lines yet: a content filter by a pipe, or sendmail(1)."""
    signing = host(tmp_path, "sign: author, when: {own_signature: false}")
    first = left(signing, b"Subject: hi\n", b"x" * 3000 + b"\r\n")
    second = leaves(signing, first.header, first.body)
    assert second.record["own_signature"] is True
    assert len([field for field in second.header if field.key == "dkim-signature"]) == 1
    assert verifies(second.sent())
    assert (second.departure["dkim_aligned"], second.departure["signature_holds"]) == (True, "yes")


def test_a_signature_over_unbroken_lines_is_made_anew(tmp_path: Path) -> None:
    """One that another signer made with our key will not hold; ours beside it does."""
    signing = host(tmp_path, "sign: author, when: {own_signature: false}")
    header, body = mail(signed_elsewhere("relaxed", b"Subject: hi\n", b"x" * 3000 + b"\r\n"))
    got = leaves(signing, header, body)
    assert got.record["own_signature"] is False
    assert dkim.verify(got.sent(), dnsfunc=lambda name, timeout=5: rsa_record().encode())
    assert got.departure["signature_holds"] == "yes"


def test_a_lower_limit_of_postfix_counts_for_from_too(tmp_path: Path) -> None:
    narrow = host(tmp_path, more="departure: {line_length_limit: 500}\n")
    header = BORDER + "From: " + " " * 600 + "user@hosted.example\n"
    assert leaves(narrow, header, SHORT, REINJECTED).record["from"] is None
