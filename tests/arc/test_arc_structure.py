"""What is no chain: every way in which the three fields can be wrong, though signed by the book. Table after the published ARC test suite."""

from __future__ import annotations

import re

import dkim
import pytest

from dkimgate.arc.validate import Validation
from dkimgate.message.message import HeaderField
from tests.arc.sealing import FAIL, KEYS, LIST, RELAY, SIGNED, ZONE, Dns, Mail, Shape, chain_of, mail


def swap(old: str, new: str) -> Shape:
    """Of the text of a field."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def gone(name: str) -> Shape:
    def change(text: str) -> str:
        without = re.sub(rf"\s{name}=[^;]*(;|$)", "", text)
        assert without != text
        return without

    return change


def value(name: str, new: str) -> Shape:
    def change(text: str) -> str:
        other = re.sub(rf"(\s{name}=)[^;]*", lambda match: match[1] + new, text)
        assert other != text
        return other

    return change


def more(text: str) -> Shape:
    return swap(" i=1;", f" i=1; {text};")


def twice(position: int) -> Mail:
    """With one of the fields of a set repeated: 0 the seal, 1 the message signature, 2 the results."""
    one = mail().sealed()
    return Mail((one.header[position], *one.header), one.body)


def dkimpy(message: Mail) -> str:
    """The oracle's verdict."""
    records = {key.name: key.public_record().encode() for key in KEYS}
    cv, _, _ = dkim.arc_verify(
        message.raw, dnsfunc=lambda name, timeout=5: records.get(name.decode().rstrip(".").lower(), b"")
    )
    return "ended" if cv is None else str(cv.decode())


# whatever of these is changed, in the seal or in the message signature, breaks the chain
COMMON = {
    "no i": gone("i"),
    "i empty": value("i", ""),
    "i zero": value("i", "0"),
    "i 51": value("i", "51"),
    "i 100": value("i", "100"),
    "i no number": value("i", "one"),
    "i negative": value("i", "-1"),
    "i of another digit": value("i", "\u0661"),
    "no a": gone("a"),
    "a empty": value("a", ""),
    "a of SHA-1": value("a", "rsa-sha1"),
    "a unknown": value("a", "rsa-sha512"),
    "a of the other kind": value("a", "ed25519-sha256"),
    "no d": gone("d"),
    "d empty": value("d", ""),
    "d no domain": value("d", "lists example"),
    "d with an address": value("d", "ann@lists.example"),
    "d of nobody": value("d", "other.example"),
    "no s": gone("s"),
    "s empty": value("s", ""),
    "s no selector": value("s", "arc!"),
    "s of nobody": value("s", "arc2"),
    "t empty": value("t", ""),
    "t no number": value("t", "yesterday"),
    "t with a space": value("t", "17899 90000"),
    "b empty": value("b", ""),
    "no b": gone("b"),
    "b not base64": value("b", "{b}*"),
    "b cut off": swap("{b}", "{b}A"),
    "tag twice": more("s=arc"),
    "tag of that name twice": more("zz=1; zz=1"),
    "tag in capitals": swap(" d=", " D="),
    "name no name": more("_x=1"),
    "name with a dash": more("x-y=1"),
    "no equals sign": more("nonsense"),
    "two semicolons": swap(" i=1;", " i=1;;"),
    "semicolon first": swap(" i=1;", " ; i=1;"),
    "NUL in a tag": more("z=\0"),
}
SEAL = {
    "h": more("h=from"),
    "h empty": more("h="),
    "no cv": gone("cv"),
    "cv empty": value("cv", ""),
    "cv unknown": value("cv", "perhaps"),
    "cv in capitals": value("cv", "None"),
    "cv pass in the first": value("cv", "pass"),
    "cv fail": value("cv", "fail"),
}
MESSAGE_SIGNATURE = {
    "no h": gone("h"),
    "h empty": value("h", ""),
    "h in another order": value("h", "to:from:subject:date:message-id"),
    "no bh": gone("bh"),
    "bh empty": value("bh", ""),
    "bh not base64": value("bh", "****"),
    "bh of another body": value("bh", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    "bh of half a hash": value("bh", "47DEQpj8HBSa"),
    "c empty": value("c", ""),
    "c unknown": value("c", "strict/relaxed"),
    "c of three": value("c", "relaxed/relaxed/relaxed"),
    "c in capitals": value("c", "Relaxed/relaxed"),
    "l": more("l=100000"),
    "l of nothing": more("l=0"),
    "x in the past": more("x=1789999999"),
    "x before t": more("x=1789989999"),
    "x no number": more("x=never"),
    "q of another way": more("q=http"),
}
RESULTS = {
    "no i": swap(" i=1;", ""),
    "i empty": swap("i=1;", "i=;"),
    "i zero": swap("i=1;", "i=0;"),
    "i 51": swap("i=1;", "i=51;"),
    "i no number": swap("i=1;", "i=one;"),
    "i of another set": swap("i=1;", "i=2;"),
    "i not first": swap(" i=1; mx.lists.example;", " mx.lists.example; i=1;"),
    "no semicolon": swap("i=1;", "i=1"),
}
SHAPES = [
    *(("seal_as", f"seal: {name}", change) for name, change in {**COMMON, **SEAL}.items()),
    *(("message_as", f"message signature: {name}", change) for name, change in {**COMMON, **MESSAGE_SIGNATURE}.items()),
    *(("results_as", f"results: {name}", change) for name, change in RESULTS.items()),
]
IDS = [name for _, name, _ in SHAPES]

# what dkimpy lets pass and we refuse: the grammar does not allow it, and `l=` leaves a part of the body to anyone
STRICTER = {
    "seal: name with a dash",
    "seal: NUL in a tag",
    "message signature: name with a dash",
    "message signature: NUL in a tag",
    "message signature: l",
    "results: i not first",
    "results: no semicolon",
}


@pytest.mark.parametrize(("which", "name", "change"), SHAPES, ids=IDS)
def test_a_field_that_is_wrong_breaks_the_chain(which: str, name: str, change: Shape) -> None:
    message = mail().sealed(**{which: change})  # type: ignore[arg-type]
    chain = chain_of(message)
    assert (chain.cv, chain.oldest_pass) == (Validation.FAIL, None)
    assert (dkimpy(message) == "pass") == (name in STRICTER)


@pytest.mark.parametrize(("which", "name", "change"), SHAPES, ids=IDS)
def test_dns_is_asked_only_where_the_fields_are_in_order(which: str, name: str, change: Shape) -> None:
    dns = Dns()
    chain = dns.validate(mail().sealed(**{which: change}))  # type: ignore[arg-type]
    assert dns.asked == [] or re.search("was changed|another kind|no key record", chain.why)


@pytest.mark.parametrize(
    "h", ["to:subject:date", "", ":", "from-x", SIGNED + ":arc-seal", "arc-seal:from", "from: ARC-Seal "]
)
def test_a_message_signature_must_cover_from_and_not_a_seal(h: str) -> None:
    dns = Dns()
    chain = dns.validate(mail().sealed().sealed(RELAY, h=h))
    assert (chain.cv, dns.asked) == (Validation.FAIL, [])
    assert "h=" in chain.why


@pytest.mark.parametrize(
    "h",
    [SIGNED + ":arc-message-signature:arc-authentication-results", "from:arc-message-signature:arc-message-signature"],
)
def test_a_message_signature_may_cover_the_other_fields_of_older_sets(h: str) -> None:
    """RFC 8617 section 4.1.2 forbids it to sealers, and real ones do it."""
    message = mail().sealed().sealed(RELAY, h=h)
    assert (
        (chain_of(message).cv, dkimpy(message)) == (Validation.PASS, "pass")
        if h.count("arc-message") == 1
        else (Validation.PASS, "fail")
    )


GOOD: dict[str, Shape] = {
    "white space around semicolons": swap("; ", " \t;\n  "),
    "white space around equals signs": swap("i=", "i \t=\n "),
    "a semicolon at the end": swap("{b}", "{b};"),
    "a semicolon and white space at the end": swap("{b}", "{b} ; "),
    "an unknown tag": more("fh=abc; dara=relay.example"),
    "a version": more("v=7"),
    "no t": gone("t"),
    "b folded": swap("{b}", "\n\t{b}\n "),
    "i last": lambda text: text.replace(" i=1;", "").replace("{b}", "{b}; i=1"),
    "i of two digits": value("i", "01"),
    "d in capitals": value("d", "Lists.EXAMPLE"),
}
GOOD_MESSAGE_SIGNATURE = {
    "h in capitals": swap(SIGNED, "From:TO:Subject:daTe:message-id"),
    "h with white space": swap(SIGNED, "from : to:\n subject\t: date:message-id "),
    "h with fields that are not there": swap(SIGNED, "from:from:to:subject:date:message-id:cc:cc"),
    "h with an empty name": swap(SIGNED, "from:to::subject:date:message-id"),
    "x in the future": more("x=1790000001"),
    "q": more("q=dns/txt"),
    "no c": swap(" c=relaxed/relaxed;", ""),
    "bh folded": swap("bh=", "bh=\n  "),
}


@pytest.mark.parametrize(
    ("which", "change"),
    [
        *(pytest.param("seal_as", change, id=f"seal: {name}") for name, change in GOOD.items()),
        *(
            pytest.param("message_as", change, id=f"message signature: {name}")
            for name, change in {**GOOD, **GOOD_MESSAGE_SIGNATURE}.items()
        ),
        pytest.param("results_as", swap(" i=1;", "\n i = 1 ;"), id="results: white space"),
        pytest.param("results_as", swap(" i=1;", "i=1;"), id="results: none"),
    ],
)
def test_a_field_that_is_only_unusual_does_not(which: str, change: Shape) -> None:
    shapes = {which: change}
    chain = chain_of(mail().sealed(**shapes))  # type: ignore[arg-type]
    assert (chain.cv, chain.oldest_pass) == (Validation.PASS, 0), chain.why


def renumbered(message: Mail, numbers: dict[str, str]) -> Mail:
    header = tuple(
        HeaderField(
            each.name,
            re.sub(
                rb"\bi=(\d+)",
                lambda found: b"i=" + numbers.get(found[1].decode(), found[1].decode()).encode(),
                each.value,
                count=1,
            ),
        )
        if each.name.startswith(b"ARC-")
        else each
        for each in message.header
    )
    return Mail(header, message.body)


TWO = mail().sealed().sealed(RELAY)
INCOMPLETE = {
    "no seal": mail().sealed().without(0),
    "no message signature": mail().sealed().without(1),
    "no results": mail().sealed().without(2),
    "two seals": twice(0),
    "two message signatures": twice(1),
    "two results": twice(2),
    "two sets of the same instance": renumbered(TWO, {"2": "1"}),
    "sets 1 and 3": renumbered(TWO, {"2": "3"}),
    "sets 2 and 3": renumbered(TWO, {"1": "3"}),
    "set 2 alone": renumbered(mail().sealed(), {"1": "2"}),
    "set 2 without its seal": TWO.without(0),
    "set 2 without its message signature": TWO.without(1),
    "set 2 without its results": TWO.without(2),
    "set 1 without its seal": TWO.without(3),
    "set 1 without its message signature": TWO.without(4),
    "set 1 without its results": TWO.without(5),
    "results alone": Mail((mail().sealed().header[2],), b""),
    "seal alone": Mail((mail().sealed().header[0],), b""),
    "first set cv=pass": mail().sealed(cv="pass").sealed(RELAY),
    "first set cv=fail": mail().sealed(cv="fail").sealed(RELAY),
    "second set cv=none": mail().sealed().sealed(RELAY, cv="none"),
    "second set cv=fail": mail().sealed().sealed(RELAY, cv="fail"),
    "51 sets": Mail(
        tuple(
            HeaderField(each.name, each.value.replace(b"i=1;", b"i=%d;" % n))
            for n in range(51, 0, -1)
            for each in mail().sealed().header[:3]
        ),
        b"",
    ),
}


@pytest.mark.parametrize("message", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_a_chain_with_the_wrong_sets_fails_before_dns_is_asked(message: Mail) -> None:
    dns = Dns()
    chain = dns.validate(message)
    assert (chain.cv, dns.asked) == (Validation.FAIL, [])
    assert dkimpy(message) != "pass"


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\nbody\n", b"From: <a@author.example>\n\nx\n", b"Subject: ARC-Seal: i=1\n\nARC-Seal: i=1\n"]
)
def test_a_message_without_arc_fields_has_no_chain(raw: bytes) -> None:
    dns = Dns()
    chain = dns.validate(mail(raw))
    assert (chain.cv, chain.sets, chain.newest, dns.asked) == (Validation.NONE, (), None, [])


def test_the_sets_are_told() -> None:
    chain = chain_of(mail().sealed(LIST, FAIL).sealed(RELAY))
    assert [(each.results.instance, each.sealer, each.signer) for each in chain.sets] == [
        (1, "lists.example", "lists.example"),
        (2, "mail.relay.example", "mail.relay.example"),
    ]
    assert chain.newest is chain.sets[1]
    assert chain.sets[0].results.text.strip() == FAIL
    assert [(each.position, each.instance) for each in chain.results] == [(2, 2), (5, 1)]


def test_field_names_are_compared_without_case_and_white_space() -> None:
    one = mail().sealed()
    header = tuple(HeaderField(each.name.upper() + b" ", each.value) for each in one.header)
    assert chain_of(Mail(header, one.body)).cv is Validation.PASS


def test_the_reason_names_the_field_and_what_is_wrong() -> None:
    assert (
        chain_of(mail().sealed(seal_as=more("h=from"))).why
        == "the ARC-Seal of instance 1: h= is forbidden in an ARC-Seal"
    )
    assert chain_of(mail().sealed(message_as=more("l=5"))).why.startswith(
        "the ARC-Message-Signature of instance 1: l= "
    )
    assert (
        chain_of(mail().sealed().changed(b"lunch at one?", b"pay")).why
        == "the ARC-Message-Signature of lists.example: the body was changed"
    )
    assert chain_of(mail().sealed(), {**ZONE, LIST.name: {}}).why.endswith(
        "arc._domainkey.lists.example has no key record"
    )
