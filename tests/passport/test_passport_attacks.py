"""What a spammer who has read the source tries, and what honest hosts do that must not cost a message its passport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dkimgate.facts import Standing
from dkimgate.message.message import HeaderField, split_message
from dkimgate.passport.reading import MAX_AGE, MAX_SKEW, Part, Validity, claims, spam
from dkimgate.passport.secrets import Secrets, new_secret
from tests.passport.scenes import (
    BAD,
    BARE,
    BODY,
    FAIL,
    GOOD,
    HAM,
    HEADER,
    NOW,
    OTHER_BODY,
    PASS,
    SECRETS,
    SPAM,
    Scene,
    field,
    passport,
)
from tests.world.mail import message

OTHERS = Secrets.parse(new_secret("2026-11").encode(), Path("attacker"))
Do = Callable[[Scene], Scene]


def _mac_of(value: bytes) -> bytes:
    return value.rpartition(b"b=")[2].strip()


def _graft_mac(scene: Scene) -> Scene:
    """The statements of a pass under the MAC of a fail."""
    bad = _mac_of(BAD.header[0].value)
    return scene.edited(_mac_of(scene.header[0].value), bad)


def _cut_mac(scene: Scene) -> Scene:
    return scene.edited(_mac_of(scene.header[0].value), b"")


def _flip_mac_padding(scene: Scene) -> Scene:
    """Another base64 spelling of the same octets: two bits of the last letter stand for nothing."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    mac = _mac_of(scene.header[0].value)
    last = alphabet[alphabet.index(mac[-2]) ^ 1]
    return scene.edited(mac, mac[:-2] + bytes([last]) + b"=")


def _insert(old: bytes, new: bytes) -> Do:
    return lambda scene: scene.edited(old, new)


def _set(key: str, value: bytes) -> Do:
    return lambda scene: scene.changed(key, value)


def _add(name: bytes, value: bytes) -> Do:
    return lambda scene: scene.above(name, value)


def _later(seconds: float) -> Do:
    return lambda scene: replace(scene, now=NOW + seconds)


def _transplant(header: str) -> Do:
    """The passport on another message."""

    def do(scene: Scene) -> Scene:
        fields, _ = split_message(header.encode() + b"\n")
        return replace(scene, header=(scene.header[0], *fields))

    return do


def _body(value: bytes | None) -> Do:
    return lambda scene: replace(scene, body=value)


ATTACKS: list[tuple[str, Do, Validity]] = [
    # no passport, or one of the attacker's own making
    ("none at all", lambda s: s.without("x-dkimgate-passport"), Validity.ABSENT),
    ("an empty field", _set("x-dkimgate-passport", b""), Validity.MALFORMED),
    ("a friendly word", _set("x-dkimgate-passport", b" pass"), Validity.MALFORMED),
    (
        "signed with a secret of his own under our id",
        lambda s: BARE.with_passport(passport(secrets=OTHERS)),
        Validity.FORGED,
    ),
    ("an id nobody has", _insert(b"k=2026-11", b"k=2026-12"), Validity.UNKNOWN_KEY),
    ("an id with a path in it", _insert(b"k=2026-11", b"k=../../dev/null"), Validity.MALFORMED),
    ("an empty id", _insert(b"k=2026-11", b"k="), Validity.MALFORMED),
    ("no MAC", _cut_mac, Validity.MALFORMED),
    ("the MAC of another passport", _graft_mac, Validity.FORGED),
    ("the MAC in another spelling of base64", _flip_mac_padding, Validity.FORGED),
    (
        "the MAC in small letters",
        lambda s: s.edited(_mac_of(s.header[0].value), _mac_of(s.header[0].value).swapcase()),
        Validity.FORGED,
    ),
    ("a MAC of zeros", lambda s: s.edited(_mac_of(s.header[0].value), b"A" * 43 + b"="), Validity.FORGED),
    ("version 2", _insert(b"v=1;", b"v=2;"), Validity.MALFORMED),
    ("version 01", _insert(b"v=1;", b"v=01;"), Validity.MALFORMED),
    # a statement of ours, improved
    ("dkim of another domain", _insert(b"dkim=pass:hosted.example", b"dkim=pass:hosted2.example"), Validity.FORGED),
    ("spf improved", _insert(b"spf=softfail", b"spf=pass"), Validity.FORGED),
    ("spam improved", _insert(b"spam=0.500", b"spam=0.000"), Validity.FORGED),
    ("a claim more", _insert(b"arc=none", b"arc=pass,none"), Validity.FORGED),
    ("the author domain changed", _insert(b"a=hosted.example", b"a=victim.example"), Validity.FORGED),
    ("the time moved on", _insert(b"t=1795278025", b"t=1795278055"), Validity.FORGED),
    ("the host changed", _insert(b"h=mx.forwarder.example", b"h=mx.attacker.example"), Validity.FORGED),
    ("a tag twice, the second better", _insert(b"dmarc=pass;", b"dmarc=fail; dmarc=pass;"), Validity.MALFORMED),
    ("a tag moved", _insert(b"v=1; k=2026-11;", b"k=2026-11; v=1;"), Validity.MALFORMED),
    ("a tag in capitals", _insert(b"dmarc=pass", b"DMARC=pass"), Validity.MALFORMED),
    ("a tag more", _insert(b"v=1;", b"v=1; x=1;"), Validity.MALFORMED),
    ("a semicolon more", lambda s: s.changed("x-dkimgate-passport", s.header[0].value + b";"), Validity.MALFORMED),
    ("a comment in it", _insert(b"v=1;", b"v=1; (pass)"), Validity.MALFORMED),
    ("a NUL in it", _insert(b"v=1;", b"v=1\0;"), Validity.MALFORMED),
    ("a digit of another script", _insert(b"t=1795278025", b"t=\xd9\xa1795278025"), Validity.MALFORMED),
    ("a time of a thousand digits", _insert(b"t=1795278025", b"t=" + b"9" * 1000), Validity.MALFORMED),
    ("a negative time", _insert(b"t=1795278025", b"t=-1"), Validity.MALFORMED),
    ("a score that is no number", _insert(b"spam=0.500", b"spam=nan"), Validity.MALFORMED),
    (
        "a megabyte of it",
        lambda s: s.changed("x-dkimgate-passport", s.header[0].value + b" " * 1_000_000),
        Validity.MALFORMED,
    ),
    # a true passport, at the wrong time
    ("too late", _later(MAX_AGE + 1), Validity.STALE),
    ("a year later", _later(365 * 86400), Validity.STALE),
    ("before it was made", _later(-MAX_SKEW - 1), Validity.FUTURE),
    ("at no time", _later(float("nan")), Validity.STALE),
    # a true passport, on another message
    ("on a message of his own", _transplant("From: spammer@attacker.example\nSubject: Buy\n"), Validity.REPLAYED),
    ("another Message-ID", _set("message-id", b" <4712@hosted.example>"), Validity.REPLAYED),
    ("a second Message-ID below", lambda s: s.below(b"Message-ID", b" <4712@hosted.example>"), Validity.REPLAYED),
    ("no Message-ID", lambda s: s.without("message-id"), Validity.REPLAYED),
    ("another Date", _set("date", b" Sat, 21 Nov 2026 16:20:21 +0000"), Validity.REPLAYED),
    ("another local part", _set("from", b" Friend <boss@hosted.example>"), Validity.REPLAYED),
    ("another author domain", _set("from", b" Friend <ask@hosted2.example>"), Validity.REPLAYED),
    ("a local part in other case", _set("from", b" Friend <ASK@hosted.example>"), Validity.REPLAYED),
    ("a second From above", _add(b"From", b" boss@hosted.example"), Validity.REPLAYED),
    ("a second From, misspelled", _add(b"From\xef\xbb\xbf", b" boss@hosted.example"), Validity.REPLAYED),
    ("two authors", _set("from", b" ask@hosted.example, boss@hosted.example"), Validity.REPLAYED),
    (
        "From with a hidden second address",
        _set("from", b' "boss@bank.example" <ask@hosted.example>'),
        Validity.REPLAYED,
    ),
    (
        "Message-ID and Date swapped",
        lambda s: _set("date", b" <4711@hosted.example>")(_set("message-id", b" 1")(s)),
        Validity.REPLAYED,
    ),
    # a true passport on its message, with something changed
    ("another body", _body(OTHER_BODY), Validity.CHANGED),
    ("a body hash of nothing", _body(b""), Validity.CHANGED),
    ("the body not compared", _body(None), Validity.UNREAD),
    ("the body shown as HTML", _set("content-type", b" text/html; charset=utf-8"), Validity.CHANGED),
    ("another part of it shown", _set("content-type", b' multipart/mixed; boundary="b"'), Validity.CHANGED),
    ("another charset", _set("content-type", b" text/plain; charset=utf-7"), Validity.CHANGED),
    ("another encoding", _set("content-transfer-encoding", b" base64"), Validity.CHANGED),
    ("a second Content-Type", _add(b"Content-Type", b" text/html"), Validity.CHANGED),
    ("shown as a file", _add(b"Content-Disposition", b" attachment; filename=x.exe"), Validity.CHANGED),
    ("no longer MIME", lambda s: s.without("mime-version"), Validity.CHANGED),
    ("another Subject", _set("subject", b" Pay this bill"), Validity.CHANGED),
    ("a second Subject", _add(b"Subject", b" Pay this bill"), Validity.CHANGED),
    ("no Subject", lambda s: s.without("subject"), Validity.CHANGED),
    ("answers to him", _add(b"Reply-To", b" spammer@attacker.example"), Validity.CHANGED),
    ("another display name", _set("from", b" Your Bank <ask@hosted.example>"), Validity.CHANGED),
    ("another recipient shown", _set("to", b" you@receiver.example"), Validity.CHANGED),
    ("a Sender", _add(b"Sender", b" boss@hosted.example"), Validity.CHANGED),
    # more than one passport
    ("a fail of ours beside a pass of ours", lambda s: s.with_passport(passport(FAIL)), Validity.SEVERAL),
    ("the same the other way round", lambda s: BAD.with_passport(s.header[0].value), Validity.SEVERAL),
    ("ham beside spam", lambda s: s.with_passport(passport(PASS, SPAM)), Validity.SEVERAL),
    ("one for this body, one for that", lambda s: s.with_passport(passport(body=OTHER_BODY)), Validity.CHANGED),
    ("a fail of ours with a forged pass on top", lambda s: BAD.with_passport(passport(secrets=OTHERS)), Validity.VALID),
    (
        "a fail of ours with a forged pass below",
        lambda s: BAD.below(b"X-Dkimgate-Passport", passport(secrets=OTHERS)),
        Validity.VALID,
    ),
    ("a fail of ours with a stale pass", lambda s: BAD.with_passport(passport(now=NOW - 10_000)), Validity.VALID),
]


def test_there_are_attacks_enough() -> None:
    assert len(ATTACKS) >= 40
    assert len({name for name, _, _ in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize(("attack", "outcome"), [row[1:] for row in ATTACKS], ids=[row[0] for row in ATTACKS])
def test_an_attack_yields_nothing_that_helps(attack: Do, outcome: Validity) -> None:
    scene = attack(GOOD)
    reading = scene.reading()
    assert reading.outcome is outcome
    assert not [claim for claim in claims(reading) if claim.result in ("pass", "no") or claim.method == "arc"]
    assert scene.dmarc() not in ("pass", "none")


HONEST: list[tuple[str, Do]] = [
    ("nothing", lambda s: s),
    ("trace fields above", _add(b"Received", b" from localhost by mx.forwarder.example; x")),
    (
        "fields of a content filter",
        lambda s: s.above(b"X-Virus-Scanned", b" yes").below(b"X-Spam-Status", b" No, score=0.1"),
    ),
    ("forged results of others", _add(b"Authentication-Results", b" mx.attacker.example; dmarc=pass")),
    ("all fields in reverse order", lambda s: replace(s, header=s.header[::-1])),
    ("names in capitals", lambda s: replace(s, header=tuple(HeaderField(f.name.upper(), f.value) for f in s.header))),
    (
        "a blank behind the names",
        lambda s: replace(
            s, header=tuple(HeaderField(f.name + b" ", f.value) if f.key != "from" else f for f in s.header)
        ),
    ),
    (
        "folded at every blank",
        lambda s: replace(s, header=tuple(HeaderField(f.name, f.value.replace(b" ", b"\n ")) for f in s.header)),
    ),
    (
        "unfolded",
        lambda s: replace(s, header=tuple(HeaderField(f.name, f.value.replace(b"\n", b"")) for f in s.header)),
    ),
    ("the passport cut inside a value", lambda s: s.edited(b"dmarc=pass", b"dmarc=\n\tpa\n\t ss")),
    (
        "no blank behind the colons",
        lambda s: replace(s, header=tuple(HeaderField(f.name, f.value.lstrip()) for f in s.header)),
    ),
    ("From as an encoded-word", _set("from", b" =?utf-8?q?Friend?= <ask@hosted.example>")),
    ("From in quotation marks", _set("from", b' "Friend" <ask@Hosted.Example>')),
    ("Subject as an encoded-word", _set("subject", b" =?iso-8859-1?b?WW91ciBhY2NvdW50IGhhcyBiZWVuIHJlY29yZGVk?=")),
    ("a copy of the passport", lambda s: s.with_passport(s.header[0].value)),
    ("another of ours that says the same", lambda s: s.with_passport(passport(now=NOW + 5))),
    ("a forged fail on top", lambda s: s.with_passport(passport(FAIL, SPAM, secrets=OTHERS))),
    ("a forged fail below", lambda s: s.below(b"X-Dkimgate-Passport", passport(FAIL, SPAM, secrets=OTHERS))),
    ("a hundred pieces of junk", lambda s: replace(s, header=s.header + (field(b"v=1; junk"),) * 100)),
    ("a clock a little behind", _later(-MAX_SKEW + 1)),
    ("the last second", _later(MAX_AGE - 1)),
]


@pytest.mark.parametrize("do", [row[1] for row in HONEST], ids=[row[0] for row in HONEST])
def test_honest_handling_keeps_the_passport(do: Do) -> None:
    scene = do(GOOD)
    assert scene.reading().outcome is Validity.VALID
    assert scene.dmarc() == "pass"
    assert not spam(scene.reading()).spam


def test_nobody_can_deny_by_a_forged_field_but_what_it_says_counts_where_nothing_fits() -> None:
    forged = passport(FAIL, SPAM, secrets=OTHERS)
    assert GOOD.with_passport(forged).dmarc() == "pass"
    alone = BARE.with_passport(forged)
    found = claims(alone.reading())
    assert {(c.method, c.result, c.standing, c.by) for c in found} == {
        ("dmarc", "fail", Standing.UPSTREAM, None),
        ("spf", "fail", Standing.UPSTREAM, None),
        ("spam", "yes", Standing.UPSTREAM, None),
    }
    assert alone.dmarc() == "fail"
    assert spam(alone.reading()).spam


@pytest.mark.parametrize(
    "do", [_later(MAX_AGE + 1), _later(-MAX_SKEW - 1), _set("message-id", b" <other@hosted.example>")]
)
def test_what_hurts_in_a_passport_that_does_not_fit_is_believed_all_the_same(do: Do) -> None:
    scene = do(BAD)
    assert scene.dmarc() == "fail"
    assert spam(scene.reading()).spam
    assert {c.standing for c in claims(scene.reading())} == {Standing.UPSTREAM}


@pytest.mark.parametrize("do", [_body(OTHER_BODY), _body(None), _set("subject", b" [SPAM] tagged")])
def test_a_change_does_not_wash_off_what_hurts(do: Do) -> None:
    scene = do(BAD)
    assert scene.dmarc((Part.BODY, Part.SHOWN)) == "fail"
    assert scene.dmarc() == "fail"
    assert spam(scene.reading()).spam
    assert {c.standing for c in claims(scene.reading())} == {Standing.TRUSTED}


ALLOWED: list[tuple[Do, tuple[Part, ...], bool]] = [
    (_body(OTHER_BODY), (Part.BODY,), True),
    (_body(OTHER_BODY), (Part.SHOWN,), False),
    (_body(None), (Part.BODY,), True),
    (_body(None), (Part.SHOWN,), False),
    (_set("subject", b" [list] hello"), (Part.SHOWN,), True),
    (_set("subject", b" [list] hello"), (Part.BODY,), False),
    (lambda s: _body(OTHER_BODY)(_set("subject", b" x")(s)), (Part.SHOWN,), False),
    (lambda s: _body(OTHER_BODY)(_set("subject", b" x")(s)), (Part.SHOWN, Part.BODY), True),
    # a body not compared counts as changed, also where the header's change is allowed
    (lambda s: _body(None)(_set("subject", b" x")(s)), (Part.SHOWN,), False),
    # what is allowed is a change, not another message, nor a contradiction
    (_set("message-id", b" <x@hosted.example>"), (Part.SHOWN, Part.BODY), False),
    (lambda s: s.with_passport(passport(FAIL)), (Part.SHOWN, Part.BODY), False),
    (_later(MAX_AGE + 1), (Part.SHOWN, Part.BODY), False),
]


@pytest.mark.parametrize(("do", "allowed", "helps"), ALLOWED)
def test_the_operator_may_allow_changes(do: Do, allowed: tuple[Part, ...], helps: bool) -> None:
    scene = do(GOOD)
    assert scene.reading().helps(allowed) is helps
    assert (scene.dmarc(allowed) == "pass") is helps


def test_the_body_is_wanted_only_where_it_could_help() -> None:
    unread = _body(None)
    assert unread(GOOD).reading().wants_body()
    assert not unread(GOOD).reading().wants_body((Part.BODY,))
    assert not GOOD.reading().wants_body()
    assert not unread(BARE).reading().wants_body()
    retitled = unread(_set("subject", b" x")(GOOD)).reading()
    assert not retitled.wants_body()
    assert retitled.wants_body((Part.SHOWN,))


def test_a_message_that_arrived_whole_is_told_from_one_that_did_not() -> None:
    """With a problem there is no author domain, so a passport of it fits no message that has one."""
    broken = replace(message(HEADER), problem="a header beyond all bounds")
    scene = BARE.with_passport(passport(of=broken))
    assert scene.reading().outcome is Validity.REPLAYED
    assert scene.dmarc() == "unknown"


def test_a_message_without_an_author_keeps_its_failure_and_gets_no_pass() -> None:
    two = message("From: a@hosted.example, b@hosted.example\nMessage-ID: <1@hosted.example>\n")
    for stated, dmarc in ((PASS, "unknown"), (FAIL, "fail")):
        scene = Scene(two.header).with_passport(passport(stated, HAM, of=two, body=BODY))
        assert scene.reading().outcome is Validity.VALID
        assert scene.dmarc() == dmarc


def test_a_secret_that_is_gone_signs_no_more() -> None:
    newer = Secrets.parse(new_secret("2027-01").encode(), Path("passport.secret"))
    assert replace(GOOD, secrets=newer).reading().outcome is Validity.UNKNOWN_KEY


def test_rotation_leaves_no_gap() -> None:
    """Hosts change one after the other; at every moment each verifies what any other signs."""
    old, new = SECRETS.newest, Secrets.parse(new_secret("2027-01").encode(), Path("s")).newest
    stages = [Secrets((old,)), Secrets((old, new)), Secrets((new, old)), Secrets((new,))]
    for before, after in pairwise(stages):
        for signer, verifier in ((before, after), (after, before)):
            scene = replace(BARE.with_passport(passport(secrets=signer)), secrets=verifier)
            # the very last step waits until the old secret's passports are stale
            expected = Validity.UNKNOWN_KEY if verifier == stages[3] and signer.newest == old else Validity.VALID
            assert scene.reading().outcome is expected
