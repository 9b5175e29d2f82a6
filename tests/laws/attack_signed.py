"""Forged messages with signatures, seals and envelopes that are real, only not what they seem. Name: attempt."""

from __future__ import annotations

import re
from dataclasses import replace

from dkimgate.message.message import Connection
from tests.arc import sealing
from tests.arc.sealing import LIST, RELAY, Mail, mail
from tests.arc.sealing import STRANGER as SEALER_OF_NOBODY
from tests.laws.attack_world import ATTACKERS_KEY, AUTHOR, BODY, BORDER, HOSTED_KEY, WIRINGS, Attempt
from tests.world.keys import Signer

CRLF = AUTHOR.replace(b"\n", b"\r\n")
GENUINE = Signer(bits=HOSTED_KEY)
"""What an honest host of hosted.example signs with."""


def _genuine(**tags: str | None) -> bytes:
    return Signer(bits=HOSTED_KEY, tags=tags).sign(CRLF, BODY)


def _own(domain: str = "attacker.example", selector: str = "a", **tags: str | None) -> bytes:
    return Signer(selector, domain, bits=ATTACKERS_KEY, tags=tags).sign(CRLF, BODY)


def _key(selector: str, **tags: str | None) -> bytes:
    return Signer(selector, bits=HOSTED_KEY, tags=tags).sign(CRLF, BODY)


def _edited(old: bytes, new: bytes) -> bytes:
    assert old in AUTHOR
    return AUTHOR.replace(old, new)


SIGNED = _genuine()
SIGNATURES = {
    "no signature": Attempt(),
    "a stranger's signature": Attempt(_own()),
    "a stranger's signature, inbound": Attempt(_own(), "inbound"),
    "a stranger's signature, through the border": Attempt(_own(), "border, only the passport is left"),
    "our domain, with a key of one's own": Attempt(_own("hosted.example", "s")),
    "our domain, with a selector of nobody": Attempt(_own("hosted.example", "a")),
    "our domain at the left of one's own": Attempt(_own("hosted.example.attacker.example")),
    "a domain that ends like ours": Attempt(_own("xhosted.example")),
    "the suffix above us": Attempt(_own("example")),
    "the folder of our keys as a domain": Attempt(_own("_domainkey.hosted.example", "s")),
    "our domain with a trailing dot": Attempt(_own("hosted.example.", "s")),
    "our domain in full-width letters": Attempt(_own("\uff48osted.example", "s")),
    "our user as the identity": Attempt(_own(i="ask@hosted.example")),
    "our domain as the identity": Attempt(_own(i="@hosted.example")),
    "our user in the identity's local part": Attempt(_own(i="ask@hosted.example@attacker.example")),
    "two d=": Attempt(_own().replace(b"; s=a", b"; d=hosted.example; s=a")),
    "two d=, ours first": Attempt(_own().replace(b"d=attacker", b"d=hosted.example; d=attacker")),
    "D= in upper case": Attempt(_own(D="hosted.example")),
    "our domain behind a NUL": Attempt(_own().replace(b"d=attacker.example", b"d=hosted.example\0.attacker.example")),
    "a body of one's own": Attempt(SIGNED, body=b"Something else.\r\n"),
    "a body with an end of one's own": Attempt(SIGNED, body=BODY + b"Something else.\r\n"),
    "a body with a start of one's own": Attempt(SIGNED, "inbound", body=b"Something else.\r\n" + BODY),
    "a body with a bare LF for a line end": Attempt(SIGNED, body=BODY.replace(b"\r\n", b"\n") + b"x"),
    "a body without its text": Attempt(SIGNED, body=b""),
    "another subject": Attempt(SIGNED, author=_edited(b"Your account", b"My account")),
    "another display name": Attempt(SIGNED, author=_edited(b"Friend", b"Director")),
    "another user of ours": Attempt(SIGNED, author=_edited(b"ask@", b"ceo@")),
    "another recipient": Attempt(SIGNED, author=_edited(b"victim@", b"other@")),
    "another date": Attempt(SIGNED, author=_edited(b"16:20:20", b"17:20:20")),
    "a sub-domain of ours": Attempt(SIGNED, author=_edited(b"ask@hosted", b"ask@pay.hosted")),
    "no date any more": Attempt(SIGNED, author=re.sub(rb"Date:.*\n", b"", AUTHOR)),
    "a second From above": Attempt(SIGNED + b"From: x@attacker.example\n"),
    "a second From above, of ours": Attempt(SIGNED + b"From: ceo@hosted.example\n"),
    "a second From below": Attempt(SIGNED, author=AUTHOR + b"From: x@attacker.example\n"),
    "a second From with white space": Attempt(SIGNED + b"From : ceo@hosted.example\n", "inbound"),
    "a second From with a NUL": Attempt(SIGNED + b"From\0: ceo@hosted.example\n"),
    "a From behind a bare CR": Attempt(SIGNED + b"X-A: b\rFrom: ceo@hosted.example\n"),
    "l=0": Attempt(Signer(tags={"l": "0"}).sign(CRLF, BODY, 0), body=b"Something else.\r\n"),
    "l= and more text": Attempt(
        Signer(tags={"l": str(len(BODY))}).sign(CRLF, BODY), body=BODY + b"Something else.\r\n"
    ),
    "l= beyond the end": Attempt(_genuine(l="99999")),
    "l= that is negative": Attempt(_genuine(l="-1")),
    "From unsigned": Attempt(Signer(names=("to", "subject", "date")).sign(CRLF, BODY)),
    "nothing signed": Attempt(Signer(names=("x-nothing",)).sign(CRLF, BODY)),
    "h= empty": Attempt(_genuine(h="")),
    "From signed only by another name": Attempt(Signer(names=("x-from", "to", "subject")).sign(CRLF, BODY)),
    "expired": Attempt(_genuine(t="1700000000", x="1700000001")),
    "signed in the future": Attempt(_genuine(t="1999999999")),
    "expired before it was signed": Attempt(_genuine(t="1789990000", x="1789980000")),
    "x= that is no number": Attempt(_genuine(x="never")),
    "rsa-sha1": Attempt(_genuine(a="rsa-sha1")),
    "no algorithm": Attempt(_genuine(a=None)),
    "algorithm none": Attempt(_genuine(a="none")),
    "an unknown algorithm": Attempt(_genuine(a="rsa-sha512")),
    "Ed25519 by an RSA key": Attempt(_genuine(a="ed25519-sha256")),
    "another version": Attempt(_genuine(v="2")),
    "no version": Attempt(_genuine(v=None)),
    "keys by HTTP": Attempt(_genuine(q="http/txt")),
    "an unknown canonicalization": Attempt(_genuine(c="nofws/relaxed")),
    "no body hash": Attempt(_genuine(bh=None)),
    "an empty body hash": Attempt(_genuine(bh="")),
    "a revoked key": Attempt(_key("revoked")),
    "a key for tests": Attempt(_key("testing")),
    "a key that forbids sub-domains": Attempt(_key("strict", i="ask@pay.hosted.example")),
    "a key that is not for mail": Attempt(_key("web")),
    "a key for SHA-1 alone": Attempt(_key("sha1")),
    "one of two keys under one name": Attempt(_key("twice")),
    "a signature cut short": Attempt(SIGNED[:-20] + b"\r\n"),
    "a signature that is empty": Attempt(re.sub(rb"b=[^;]*\r\n$", b"b=\r\n", SIGNED)),
    "a field's name with white space and a key of one's own": Attempt(
        _own("hosted.example", "s").replace(b"Signature:", b"Signature :")
    ),
    "a hundred signatures of strangers": Attempt(_own() * 100 + _own("hosted.example", "s")),
    "a thousand signatures of ours that don't fit": Attempt(_own("hosted.example", "s") * 1000),
    "a signature of 20,000 octets": Attempt(_genuine(z="x" * 20_000)),
    "a Google-like signature": Attempt(SIGNED.replace(b"DKIM-Signature", b"X-Google-DKIM-Signature")),
    "a signature that stands in the body": Attempt("", body=SIGNED + CRLF + b"\r\n" + BODY),
    "a pass of ours for another message's signature": Attempt(SIGNED, "verified", _edited(b"Friend", b"Director")),
    "silent DNS for DMARC": Attempt(SIGNED, failing=("_dmarc.hosted.example",)),
    "silent DNS for the key": Attempt(SIGNED, failing=("s._domainkey.hosted.example",)),
    "silent DNS for SPF": Attempt("", "inbound", failing=("hosted.example",)),
    "silent DNS for SPF's include": Attempt("", "inbound", failing=("shared.example",)),
    "silent DNS for the attacker's DMARC": Attempt(_own(), failing=("_dmarc.attacker.example",)),
    "silent DNS for the attacker's key": Attempt(_own(), failing=("a._domainkey.attacker.example",)),
    "silent DNS for a sub-domain of ours": Attempt(
        _own("pay.hosted.example"), failing=("a._domainkey.pay.hosted.example",)
    ),
    "silent DNS for the suffix": Attempt(_own("example"), failing=("_dmarc.example",)),
    "silent DNS for all, through the border": Attempt(
        SIGNED,
        "border, only the passport is left",
        failing=("_dmarc.hosted.example", "s._domainkey.hosted.example", "hosted.example"),
    ),
    "a body too large to be checked": Attempt(SIGNED, body=BODY * 20_000),
    "a body too large to be checked, through the border": Attempt(
        SIGNED, "border, only the passport is left", body=BODY * 20_000
    ),
}

SHARED = Connection(ip="203.0.113.70", name="out.shared.example", helo="out.shared.example")
BY_SHARED = BORDER.replace("192.0.2.66", "203.0.113.70")
FORGOTTEN = Connection(ip="203.0.113.71", name="mx1.mail.forwarder.example", helo="mx1.mail.forwarder.example")
BY_FORGOTTEN = BORDER.replace("c.attacker.example", "mx1.mail.forwarder.example").replace("192.0.2.66", "203.0.113.71")
ENVELOPES = {
    "a sender of ours from elsewhere": Attempt("", "inbound", sender="ask@hosted.example"),
    "a sender of one's own, who passes": Attempt("", "inbound", sender="eve@attacker.example"),
    "our name in a quoted local part": Attempt("", "inbound", sender='"ask@hosted.example"@attacker.example'),
    "our name in a source route": Attempt("", "inbound", sender="@hosted.example:eve@attacker.example"),
    "our name at the left": Attempt("", "inbound", sender="eve@hosted.example.attacker.example"),
    "a name that ends like ours": Attempt("", "inbound", sender="eve@xhosted.example"),
    "our name with a percent sign": Attempt("", "inbound", sender="ask%hosted.example@attacker.example"),
    "our name with a trailing dot": Attempt("", "inbound", sender="ask@hosted.example."),
    "our name as a literal": Attempt("", "inbound", sender="ask@[203.0.113.10]"),
    "our name without a local part": Attempt("", "inbound", sender="@hosted.example"),
    "our name without an @": Attempt("", "inbound", sender="hosted.example"),
    "two @": Attempt("", "inbound", sender="ask@attacker.example@hosted.example"),
    "a local part with results": Attempt(
        "", "border, only the passport is left", sender='"x; dmarc=pass header.from=hosted.example"@attacker.example'
    ),
    "a local part with results, fields left": Attempt(
        "", "border, strips", sender='"x; dmarc=pass header.from=hosted.example"@attacker.example'
    ),
    "a local part with a line end": Attempt("", "border, strips", sender='"x\r\n\tdmarc=pass"@attacker.example'),
    "a sender of 5,000 characters": Attempt("", "inbound", sender="a" * 5000 + "@hosted.example"),
    "null sender and our name in HELO": Attempt(
        "", "inbound", sender="", client=Connection(ip="192.0.2.66", helo="hosted.example")
    ),
    "null sender and an address of ours in HELO": Attempt(
        "", "inbound", sender="", client=Connection(ip="192.0.2.66", helo="[203.0.113.10]")
    ),
    "null sender through the border": Attempt("", "border, only the passport is left", sender=""),
    "a customer of the provider that our SPF names": Attempt("", "inbound", sender="eve@shared.example", client=SHARED),
    "the same, and a sender of ours put in by an alias": Attempt("", border=BY_SHARED, sender="ask@hosted.example"),
    "the same, with a Return-Path of his own": Attempt(
        "Return-Path: <ask@hosted.example>\n", border=BY_SHARED, sender="ask@hosted.example"
    ),
    "the same, with a border of ours below": Attempt(
        "Return-Path: <ask@hosted.example>\n" + BY_SHARED, "checked always", border=BY_SHARED
    ),
    **{
        f"the same, {name}": Attempt("", name, border=BY_SHARED, sender="ask@hosted.example")
        for name in WIRINGS
        if "delivered once more" in name
    },
    "an address that our SPF allows, in HELO of the border's field": Attempt(
        "", border=BORDER.replace("c.attacker.example (", "[203.0.113.10] ("), sender="ask@hosted.example"
    ),
    # a host of ours by its name, which the hosted domain's SPF lists, and trust.networks forgot
    "handed on by a host of ours": Attempt("", "inbound", sender="ask@hosted.example", client=FORGOTTEN),
    "handed on by a host of ours that DNS alone calls so": Attempt(
        "", "inbound", sender="ask@hosted.example", client=replace(FORGOTTEN, helo="laptop")
    ),
    "handed on by a host of ours, through the border": Attempt(
        "", "border", sender="ask@hosted.example", client=FORGOTTEN
    ),
    "handed on by a host of ours, and verified": Attempt("", "verified, SPF passes", border=BY_FORGOTTEN),
    "LMTP with a Return-Path that SPF refuses": Attempt(_own(), "LMTP", sender="friend@hosted.example"),
}


LETTER = CRLF + b"\r\n" + BODY
SAYS = "mx.lists.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example"
FAILED = "mx.lists.example; dmarc=fail header.from=hosted.example"


def sealed(letter: Mail, wiring: str = "checked by the gate", failing: tuple[str, ...] = ()) -> Attempt:
    header, _, body = letter.raw.partition(b"\r\n\r\n")
    return Attempt(header + b"\r\n", wiring, b"", body=body, failing=failing)


def _fields(letter: Mail) -> bytes:
    return letter.raw.partition(b"From: ")[0]


TRUSTED = mail(LETTER).sealed(LIST, SAYS)
SHORT = "from:to:date"
OPENDKIM_PRINTS = (
    b"DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=a;\r\n"
    b" i=x=3B=20dmarc=3Dpass=20header.from=3Dhosted.example=20header.x=3D@attacker.example; h=from; bh=AAAA; b=AAAA\r\n"
)
PRINTED = (
    "mx.lists.example; dkim=neutral header.d=attacker.example header.i=x; dmarc=pass header.from=hosted.example"
    " header.x=@attacker.example header.b=AAAA"
)
PRINTED_SENDER = (
    "mx.lists.example; spf=pass (sender SPF authorized) smtp.mailfrom=attacker.example (client-ip=192.0.2.66; helo=x; envelope-from=x);"
    " dmarc=pass header.from=hosted.example; dkim=pass header.d=hosted.example (@attacker.example; receiver=<unknown>)"
)
SPF_BAIT = b"Received-SPF: pass (mx.lists.example: domain of hosted.example) client-ip=192.0.2.66\r\n"
ONLY_DMARC = "mx.lists.example; dmarc=pass header.from=hosted.example"
SEALS = {
    "a stranger's set": sealed(mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS)),
    "a stranger's set, inbound": sealed(mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS), "inbound"),
    "a stranger's set, through the border": sealed(
        mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS), "border, only the passport is left"
    ),
    "a stranger's set with the results in our name": sealed(
        mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS.replace("mx.lists", "mx.forwarder"))
    ),
    "another known sealer, whom we don't trust": sealed(mail(LETTER).sealed(RELAY, SAYS)),
    "a stranger's set on top of a trusted one": sealed(TRUSTED.sealed(SEALER_OF_NOBODY, SAYS)),
    "a stranger's set on top, saying the trusted one's words": sealed(
        TRUSTED.sealed(SEALER_OF_NOBODY, SAYS), "inbound"
    ),
    "a trusted set on top of a stranger's, that says fail": sealed(
        mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS).sealed(LIST, FAILED)
    ),
    "a trusted sealer who says fail": sealed(mail(LETTER).sealed(LIST, FAILED)),
    "a trusted sealer who says pass and fail": sealed(
        mail(LETTER).sealed(LIST, f"{SAYS}; dmarc=fail header.from=hosted.example")
    ),
    "results for another author": sealed(
        mail(LETTER).sealed(LIST, SAYS.replace("header.from=hosted", "header.from=attacker"))
    ),
    "results for no author": sealed(mail(LETTER).sealed(LIST, "mx.lists.example; dmarc=pass")),
    "results for two authors": sealed(mail(LETTER).sealed(LIST, f"{SAYS}; dmarc=pass header.from=attacker.example")),
    "one result for two authors": sealed(
        mail(LETTER).sealed(
            LIST, "mx.lists.example; dmarc=pass header.from=attacker.example header.from=hosted.example"
        )
    ),
    "results without DMARC": sealed(mail(LETTER).sealed(LIST, "mx.lists.example; dkim=pass header.d=hosted.example")),
    "results that break the grammar": sealed(mail(LETTER).sealed(LIST, f"mx.lists.example {SAYS}")),
    "a trusted seal over a stranger's signature": sealed(mail(LETTER).sealed(LIST, SAYS, message_key=SEALER_OF_NOBODY)),
    "a stranger's seal over a trusted signature": sealed(mail(LETTER).sealed(SEALER_OF_NOBODY, SAYS, message_key=LIST)),
    "a trusted set, the body changed": sealed(TRUSTED.changed(b"Pay me.", b"Pay you.")),
    "a trusted set, the body longer": sealed(mail(TRUSTED.raw + b"More.\r\n")),
    "a trusted set, the subject changed": sealed(TRUSTED.changed(b"Your account", b"My account")),
    "a trusted set, the author changed": sealed(mail(TRUSTED.raw.replace(b"Friend <ask@", b"Director <ceo@"))),
    "a trusted set, a second From": sealed(TRUSTED.changed(b"From: ", b"From: x@attacker.example\r\nFrom: ")),
    "a trusted set, a second subject": sealed(TRUSTED.changed(b"From: ", b"Subject: Money\r\nFrom: ")),
    "a trusted set, a Reply-To": sealed(
        mail(LETTER)
        .sealed(LIST, SAYS, h=sealing.SIGNED)
        .changed(b"From: ", b"Reply-To: eve@attacker.example\r\nFrom: ")
    ),
    "a trusted set that leaves the subject out": sealed(mail(LETTER).sealed(LIST, SAYS, h=SHORT)),
    "a trusted set that leaves From out": sealed(mail(LETTER).sealed(LIST, SAYS, h="to:subject:date")),
    "a trusted set's results changed": sealed(mail(LETTER).sealed(LIST, FAILED).changed(b"dmarc=fail", b"dmarc=pass")),
    "a trusted set of another message": Attempt(_fields(mail(LETTER.replace(b"Pay me", b"Lunch")).sealed(LIST, SAYS))),
    "a trusted set with l=": sealed(
        mail(LETTER).sealed(LIST, SAYS, message_as=lambda text: text.replace(" h=", " l=0; h="))
    ),
    "a trusted set that has expired": sealed(
        mail(LETTER).sealed(LIST, SAYS, message_as=lambda text: text.replace(" h=", " x=1789990001; h="))
    ),
    "a trusted set that says its chain failed": sealed(mail(LETTER).sealed(LIST, SAYS, cv="fail")),
    "a trusted first set that says its chain passed": sealed(mail(LETTER).sealed(LIST, SAYS, cv="pass")),
    "a trusted set without its seal": sealed(TRUSTED.without(0)),
    "a trusted set without its signature": sealed(TRUSTED.without(1)),
    "a trusted set without its results": sealed(TRUSTED.without(2)),
    "a trusted set twice": Attempt(_fields(TRUSTED) * 2),
    "a trusted set, with results more": sealed(
        TRUSTED.changed(b"From: ", f"ARC-Authentication-Results: i=1; {SAYS}\r\nFrom: ".encode())
    ),
    "a trusted set whose key DNS does not tell": sealed(TRUSTED, failing=("arc._domainkey.lists.example",)),
    "a trusted sealer that prints the sender's identity as results": sealed(
        mail(OPENDKIM_PRINTS + LETTER).sealed(LIST, PRINTED)
    ),
    "a trusted sealer that prints the envelope sender in a comment": sealed(mail(LETTER).sealed(LIST, PRINTED_SENDER)),
    "a trusted sealer whose verifier takes the sender's Received-SPF": sealed(
        mail(SPF_BAIT + LETTER).sealed(LIST, ONLY_DMARC)
    ),
    "a trusted sealer whose verifier takes results in its name": sealed(
        mail(b"Authentication-Results: mx.lists.example; spf=pass smtp.mailfrom=hosted.example\r\n" + LETTER).sealed(
            LIST, ONLY_DMARC
        )
    ),
}
