"""What a real Postfix sends of long lines and of 8-bit content: our signature holds at the next host, or the record says that it won't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chain import dkimgate_signer, harness, mail, world
from tests.chain.harness import Chain, Signer
from tests.chain.mail import Letter
from tests.chain.namespace import wait_until
from tests.needs import need

pytestmark = pytest.mark.servers

FRIEND = f"friend@{world.HOSTED}"
REFERENCES = "References: " + " ".join(f"<{number:040d}@mail.hosted.example>" for number in range(25))
TO = f"Cc: {world.VICTIM}, " + ", ".join(f"colleague{number}@receiver.example" for number in range(60))
UTF8 = ("Content-Transfer-Encoding: 8bit", "X-Charset: utf-8")


@dataclass(frozen=True, slots=True)
class Kind:
    """A message: header fields beside the usual ones, its text, and what the record says of the signature: there `maybe` stands for
    what a host without 8BITMIME does not verify."""

    more: tuple[str, ...] = ()
    text: str = "Hello, as promised."
    holds: str = "yes"


KINDS = {
    "plain": Kind(),
    "a body line of 998 octets": Kind(text="x" * 998),
    "a body line of 999 octets": Kind(text="x" * 999),
    "a body line of 3,000 octets": Kind(text="x" * 3000),
    "a body line of 2,048 octets": Kind(text="x" * 2048 + "\r\n" + "y" * 4096),
    "body lines of dots and words": Kind(
        text="." * 2500 + "\r\n" + ".word and word " * 400 + "\r\n" + " " * 3000 + "\r\n."
    ),
    "a body line across what a milter gets at once": Kind(text="short\r\n" + "z" * 70_000 + "\r\n" + "w " * 35_000),
    "References on one line": Kind((REFERENCES,)),
    "a long Cc, and a long body": Kind((TO, REFERENCES), "word " * 1000),
    "a word of 1,200 octets": Kind(("Keywords: x", "In-Reply-To: <" + "r" * 1200 + "@hosted.example>"), holds="no"),
    "a long field that nobody signs": Kind(("X-Note: " + "n" * 3000,)),
    "white space alone at the break": Kind(
        ("Comments: x", "In-Reply-To: <a@b.example>" + " " * 1500 + "<c@d.example>")
    ),
    "8-bit content": Kind(UTF8, "Grüße aus Köln = viel Spaß", "maybe"),
    "long lines of 8-bit content": Kind(UTF8, "Grüße aus Köln, " * 200, "maybe"),
}


def letter(kind: Kind) -> Letter:
    """The message. A CTE field of the kind stands instead of none."""
    plain = mail.letter(FRIEND, world.VICTIM, more=kind.more, text="@text@")
    raw = plain.raw.replace(b"@text@", kind.text.encode())
    return Letter(plain.author, plain.message_id, raw.replace(b"charset=us-ascii", b"charset=utf-8"))


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    need(harness.missing())
    with harness.started(Signer.DKIMGATE) as started:
        yield started


def outcome(chain: Chain, kind: Kind, by: str) -> tuple[bool, str, dict[str, object]]:
    """Is our signature valid at the receiver, what does DMARC say there, and what did the record foretell?"""
    written = letter(kind)
    got = chain.submit(written, user=FRIEND) if by == "submission" else chain.sendmail(written)
    (record,) = dkimgate_signer.records(chain.folder, written.message_id)
    assert record["error"] is None
    assert dkimgate_signer.signatures(record) == [f"{world.HOSTED}/{world.GATE_SELECTOR}"]
    return (
        got.valid_signatures() == dkimgate_signer.signatures(record),
        str(got.departure("dmarc")),
        record["departure"],
    )


@pytest.mark.parametrize("by", ["submission", "sendmail"])
@pytest.mark.parametrize("name", KINDS)
def test_the_next_host_finds_what_the_record_foretells(chain: Chain, name: str, by: str) -> None:
    kind = KINDS[name]
    valid, dmarc, foretold = outcome(chain, kind, by)
    assert foretold["signature_holds"] == kind.holds
    assert valid is (kind.holds != "no")
    assert dmarc == foretold["dmarc"] == ("fail" if kind.holds == "no" else "pass")


def test_the_next_host_has_no_8bitmime(chain: Chain) -> None:
    """Postfix makes quoted-printable of what is declared as 8-bit content, and of nothing else. SMTPUTF8 would stand for it. Comes last: it changes the receiver."""
    etc = chain.folder / "receiver" / "etc"
    chain.namespace.run("postconf", "-c", etc, "-e", "smtpd_discard_ehlo_keywords=8bitmime,smtputf8")
    chain.namespace.run("postfix", "-c", etc, "reload")

    def keeps_quiet() -> bool:
        said = chain.namespace.run(
            "swaks",
            f"--server={world.ADDRESSES[world.RECEIVER]}",
            "--quit-after=EHLO",
            f"--local-interface={world.ADDRESSES[world.LAPTOP]}",
        )
        return "250" in said and "8BITMIME" not in said

    wait_until(keeps_quiet, "the receiver still offers 8BITMIME", 15.0)
    for name, kind in KINDS.items():
        if kind.holds == "no":
            continue
        valid, dmarc, foretold = outcome(chain, kind, "submission")
        assert foretold["signature_holds"] == kind.holds, name
        assert valid is (kind.holds == "yes"), name
        assert dmarc == ("pass" if kind.holds == "yes" else "fail"), name
