"""What is sent, and what is said of it: by OpenDKIM and OpenDMARC on one side, by our own checks on the other."""

from __future__ import annotations

from tests.chain import world
from tests.chain.mail import Letter
from tests.chain.senders import Case, Sent, agree, by, by_dkimpy, changed, differ, longer, plain, said, signed, topped

AUTHOR = b"From: A Friend <alice@good.example>"
AWKWARD = b"a  b \t\r\n \r\n.\r\n..\r\nFrom me to you\r\n>From\r\n\r\n\r\n\r\n"


def alien(letter: Letter, sender: str | None = None) -> Sent:
    """From a host that nobody's SPF record lists but its own."""
    return Sent(letter, world.ATTACKER, sender)


def listed(author: str, sender: str | None = None) -> Sent:
    """Unsigned, from the host that the author domain's SPF lists."""
    return Sent(plain(author), sender=sender)


ALIGNMENT = {
    "SPF and DKIM": agree(lambda: Sent(signed(plain())), "spf dkim", "pass"),
    "SPF alone": agree(lambda: Sent(plain()), "spf", "pass"),
    "SPF alone, in capitals": agree(lambda: Sent(plain(), sender="ALICE@GOOD.EXAMPLE"), "spf", "pass"),
    "SPF of a subdomain": agree(lambda: Sent(plain(), sender="alice@news.good.example"), "spf", "pass"),
    "DKIM alone": agree(lambda: alien(signed(plain())), "dkim", "pass"),
    "DKIM alone, in capitals": agree(lambda: alien(signed(plain(), by(domain="GOOD.Example"))), "dkim", "pass"),
    "DKIM beside the sender of another": agree(lambda: alien(signed(plain()), "alice@esp.example"), "dkim", "pass"),
    "DKIM of a subdomain": agree(lambda: alien(signed(plain(), by(domain="news.good.example"))), "dkim", "pass"),
    "DKIM of the organization": agree(lambda: alien(signed(plain("a@news.good.example"), by())), "dkim", "pass"),
    "both broken": agree(lambda: alien(changed(signed(plain()), b"promised", b"premised")), "", "fail"),
    "nothing": agree(lambda: alien(plain()), "", "fail"),
    "a third party's": agree(
        lambda: Sent(signed(plain(), by(domain="esp.example")), sender="x@esp.example"), "spf dkim", "fail"
    ),
    "a third party's beside the author's": agree(
        lambda: alien(signed(signed(plain()), by(domain="esp.example"))), "dkim", "pass"
    ),
    "a third party's beside a broken one": agree(
        lambda: alien(signed(changed(signed(plain()), b"Minutes", b"Hours"), by(domain="esp.example"))), "dkim", "fail"
    ),
    "null sender, HELO aligned": agree(lambda: Sent(plain(), sender=""), "spf", "pass"),
    "null sender, HELO of another": agree(lambda: alien(plain(), ""), "spf", "fail"),
    "null sender and DKIM": agree(lambda: alien(signed(plain()), ""), "spf dkim", "pass"),
    "strict, DKIM": agree(lambda: alien(signed(plain("a@strict.example"))), "dkim", "pass"),
    "strict, SPF": agree(lambda: listed("a@strict.example"), "spf", "pass"),
    "strict below, DKIM of the organization": agree(
        lambda: alien(signed(plain("a@sub.strict.example"), by(domain="strict.example"))), "dkim", "fail"
    ),
    "strict, DKIM of a subdomain": differ(
        lambda: alien(signed(plain("a@strict.example"), by(domain="sub.strict.example"))),
        ("dkim", "pass"),
        ("dkim", "fail"),
        "OpenDMARC 1.4 lets a subdomain pass for its organization in spite of adkim=s (RFC 7489 section 3.1.1)",
    ),
    "strict, SPF of a subdomain": differ(
        lambda: listed("a@strict.example", "b@sub.strict.example"),
        ("spf", "pass"),
        ("spf", "fail"),
        "OpenDMARC 1.4 lets a subdomain pass for its organization in spite of aspf=s (RFC 7489 section 3.1.2)",
    ),
}

RECORDS = {
    "no record": agree(lambda: alien(plain("a@plain.example")), "", "none"),
    "no record, but SPF and DKIM": agree(lambda: Sent(signed(plain("a@plain.example"))), "spf dkim", "none"),
    "the organization's, forged": agree(lambda: alien(plain("a@gone.good.example")), "", "fail"),
    "the organization's, earned": agree(lambda: Sent(signed(plain("a@news.good.example"))), "spf dkim", "pass"),
    "sp=reject beside p=none, forged": agree(lambda: alien(plain("a@below.lax.example")), "", "fail"),
    "pct=0, forged": agree(lambda: listed("a@pct.example"), "", "fail"),
    "p=none, softfail": agree(lambda: listed("a@soft.example"), "", "fail"),
    "a policy that is none": differ(
        lambda: Sent(signed(plain("a@misspelt.example"))),
        ("spf dkim", "permerror"),
        ("spf dkim", "none"),
        "without an address for reports DMARC is not applied (RFC 7489 section 6.6.3, RFC 9989 section 4.10.1)",
    ),
    "v= in small letters": agree(lambda: listed("a@small.example"), "spf", "none"),
    "two records": differ(
        lambda: Sent(signed(plain("a@twice.example"))),
        ("spf dkim", "pass"),
        ("spf dkim", "none"),
        "several records are none (RFC 7489 section 6.6.3, RFC 9989 section 4.10); OpenDMARC takes one of them",
    ),
    "v= last": differ(
        lambda: listed("a@late.example"),
        ("spf", "pass"),
        ("spf", "none"),
        "v= must stand first (RFC 7489 section 6.3), or it is no record",
    ),
    "p= twice": differ(
        lambda: listed("a@dup.example"),
        ("spf", "pass"),
        ("spf", "permerror"),
        "of two policies nobody knows which one is meant",
    ),
    "a policy that is none, with rua=": differ(
        lambda: listed("a@reported.example"),
        ("spf", "permerror"),
        ("spf", "pass"),
        "with an address for reports it counts as p=none (RFC 7489 section 6.6.3, RFC 9989 section 4.10.1)",
    ),
    "a policy that is none, with rua=, forged": differ(
        lambda: alien(plain("a@reported.example")),
        ("", "permerror"),
        ("", "fail"),
        "as above, and a fail says more than a permerror",
    ),
    "no policy, with rua=": differ(
        lambda: listed("a@without.example"), ("spf", "permerror"), ("spf", "pass"), "it counts as p=none, as above"
    ),
    "nobody answers for the author domain": differ(
        lambda: listed("a@silent.example"),
        ("", "none"),
        ("", "temperror"),
        "OpenDMARC takes a name server that fails for one that says there is no record",
    ),
}

SPF = {
    "neutral": agree(lambda: listed("a@neutral.example"), "", "none"),
    "two records": agree(lambda: listed("a@again.example"), "", "none"),
    "a syntax error": agree(lambda: listed("a@syntax.example"), "", "none"),
    "eleven includes": agree(lambda: listed("a@deep.example"), "", "none"),
    "exists with a macro": agree(lambda: listed("a@macro.example"), "spf", "none"),
    "exists with a macro, elsewhere": agree(lambda: alien(plain("a@macro.example")), "", "none"),
    "redirect": agree(lambda: listed("a@redirect.example"), "spf", "none"),
    "mx": agree(lambda: listed("a@mx.example"), "spf", "none"),
    "ptr": agree(lambda: listed("a@ptr.example"), "spf", "none"),
    "in capitals": agree(lambda: listed("a@loud.example"), "spf", "none"),
    "nobody answers for an include": agree(lambda: listed("a@asks.example"), "", "none"),
    "nobody answers for the sender": agree(lambda: Sent(plain(), sender="x@silent.example"), "", "fail"),
    "three void lookups": differ(
        lambda: listed("a@voids.example"),
        ("spf", "pass"),
        ("", "fail"),
        "more than two are an error (RFC 7208 section 4.6.4), which is a SHOULD",
    ),
}

SIGNATURES = {
    "simple/simple": agree(lambda: alien(by_dkimpy(plain(), "simple/simple")), "dkim", "pass"),
    "simple/relaxed": agree(lambda: alien(by_dkimpy(plain(), "simple/relaxed")), "dkim", "pass"),
    "relaxed/simple": agree(lambda: alien(by_dkimpy(plain(), "relaxed/simple")), "dkim", "pass"),
    "Ed25519": agree(lambda: alien(signed(plain(), by("e"))), "dkim", "pass"),
    "1024 bits": agree(lambda: alien(signed(plain(), by("small"))), "dkim", "pass"),
    "a key without v= and k=": agree(lambda: alien(signed(plain(), by("bare"))), "dkim", "pass"),
    "a tag that nobody knows": agree(lambda: alien(signed(plain(), by(zz="1"))), "dkim", "pass"),
    "expires in the future": agree(lambda: alien(signed(plain(), by(t="1700000000", x="4000000000"))), "dkim", "pass"),
    "expired": agree(lambda: alien(signed(plain(), by(t="1700000000", x="1700100000"))), "", "fail"),
    "expires before it was made": agree(lambda: alien(signed(plain(), by(t="1790000000", x="1780000000"))), "", "fail"),
    "made in the future": agree(lambda: alien(signed(plain(), by(t="4000000000"))), "", "fail"),
    "the wrong key": agree(lambda: alien(signed(plain(), by(s="small"))), "", "fail"),
    "no key": agree(lambda: alien(signed(plain(), by("nowhere"))), "", "fail"),
    "a revoked key": agree(lambda: alien(signed(plain(), by("revoked"))), "", "fail"),
    "two keys": agree(lambda: alien(signed(plain(), by("pair"))), "", "fail"),
    "a key for SHA-1": agree(lambda: alien(signed(plain(), by("sha1"))), "", "fail"),
    "a key for chats": agree(lambda: alien(signed(plain(), by("chat"))), "", "fail"),
    "t=s": agree(lambda: alien(signed(plain(), by("same", i="@good.example"))), "dkim", "pass"),
    "t=s and an identity below": agree(lambda: alien(signed(plain(), by("same", i="@x.good.example"))), "", "fail"),
    "an identity below": agree(lambda: alien(signed(plain(), by(i="@x.good.example"))), "dkim", "pass"),
    "an identity elsewhere": agree(lambda: alien(signed(plain(), by(i="@esp.example"))), "", "fail"),
    "From not signed": agree(lambda: alien(signed(plain(), by(names=("to", "subject")))), "", "fail"),
    "v=2": agree(lambda: alien(signed(plain(), by(v="2"))), "", "fail"),
    "q= of another kind": agree(lambda: alien(signed(plain(), by(q="dns/other"))), "", "fail"),
    "l= of the whole body": agree(lambda: alien(by_dkimpy(plain(), length=True)), "dkim", "pass"),
    "l= of more than there is": agree(lambda: alien(signed(plain(), by(l="99999"))), "", "fail"),
    "l= and more behind it": differ(
        lambda: alien(longer(by_dkimpy(plain(), length=True))),
        ("dkim", "pass"),
        ("", "fail"),
        "what l= leaves unsigned anybody can have written",
    ),
    "l= and more behind it, SPF": differ(
        lambda: Sent(longer(by_dkimpy(plain(), length=True))),
        ("spf dkim", "pass"),
        ("spf", "pass"),
        "the same, but it came from a listed host",
    ),
    "a key for tests": differ(
        lambda: alien(signed(plain(), by("test"))),
        ("dkim", "pass"),
        ("", "fail"),
        "t=y: as if it were not signed (RFC 6376 section 3.6.1)",
    ),
    "rsa-sha1": differ(
        lambda: alien(by_dkimpy(plain(), sha1=True)),
        ("dkim", "pass"),
        ("", "fail"),
        "rsa-sha1 must not be accepted (RFC 8301 section 3.1)",
    ),
    "a tag twice": differ(
        lambda: alien(signed(plain(), by(zz="1; zz=2"))),
        ("dkim", "pass"),
        ("", "fail"),
        "such a tag list is invalid (RFC 6376 section 3.2)",
    ),
}

HEADERS = {
    "Subject changed": agree(
        lambda: alien(changed(signed(plain()), b"Subject: Minutes", b"Subject: Hours")), "", "fail"
    ),
    "Subject written otherwise": agree(
        lambda: alien(changed(signed(plain()), b"Subject: Minutes", b"SUBJECT:   Minutes")), "dkim", "pass"
    ),
    "another Subject on top": agree(lambda: alien(topped(signed(plain()), b"Subject: Other")), "dkim", "pass"),
    "another Subject on top, signed as absent": agree(
        lambda: alien(topped(signed(plain(), by(names=("from", "subject", "subject"))), b"Subject: Other")), "", "fail"
    ),
    "Received and Return-Path signed as absent": agree(
        lambda: alien(signed(plain(), by(names=("from", "to", "received", "return-path", "delivered-to")))),
        "dkim",
        "pass",
    ),
    "Return-Path signed, which Postfix drops": agree(
        lambda: alien(
            signed(plain(f"alice@{world.GOOD}", "Return-Path: <a@good.example>"), by(names=("from", "return-path")))
        ),
        "",
        "fail",
    ),
    "folded": agree(
        lambda: alien(by_dkimpy(changed(plain(), b"Minutes of", b"Minutes\r\n\t  of \r\n the"))), "dkim", "pass"
    ),
    "folded, simple": agree(
        lambda: alien(by_dkimpy(changed(plain(), b"Minutes of", b"Minutes\r\n\t  of\r\n the"), "simple/simple")),
        "dkim",
        "pass",
    ),
    "a very long field": agree(
        lambda: alien(by_dkimpy(changed(plain(), b"Minutes", b"Minutes " * 400))), "dkim", "pass"
    ),
    "Authentication-Results signed as absent": differ(
        lambda: alien(signed(plain(), by(names=("from", "to", "authentication-results")))),
        ("dkim", "pass"),
        ("", "fail"),
        "in the border's own session the milters ahead of us have added the field already; behind the border we leave it out",
    ),
    "another From on top": differ(
        lambda: alien(topped(signed(plain()), b"From: eve@plain.example")),
        ("dkim", "none"),
        ("", "permerror"),
        "of two From fields nobody knows which one is shown",
    ),
    "two authors": differ(
        lambda: Sent(changed(plain(), AUTHOR, b"From: a@good.example, b@good.example")),
        ("spf", "pass"),
        ("spf", "permerror"),
        "there is no single author domain; OpenDMARC takes the first address",
    ),
    "two author domains": differ(
        lambda: Sent(changed(plain(), AUTHOR, b"From: a@good.example, b@hosted.example")),
        ("", ""),
        ("spf", "permerror"),
        "OpenDMARC says nothing",
    ),
    "a group for an author": differ(
        lambda: Sent(changed(plain(), AUTHOR, b"From: friends:;")),
        ("", ""),
        ("spf", "permerror"),
        "OpenDMARC says nothing",
    ),
    "no From": differ(
        lambda: Sent(changed(plain(), AUTHOR + b"\r\n", b"")), ("", ""), ("spf", "permerror"), "OpenDMARC says nothing"
    ),
    "the name is another's address": differ(
        lambda: Sent(changed(plain(), AUTHOR, b'From: "a@hosted.example" <alice@good.example>')),
        ("spf", "pass"),
        ("spf", "permerror"),
        "some readers take the name for the author",
    ),
}

BODIES = {
    "awkward": agree(lambda: alien(by_dkimpy(said(AWKWARD))), "dkim", "pass"),
    "awkward, simple": agree(lambda: alien(by_dkimpy(said(AWKWARD), "simple/simple")), "dkim", "pass"),
    "empty": agree(lambda: alien(by_dkimpy(said(b""))), "dkim", "pass"),
    "empty, simple": agree(lambda: alien(by_dkimpy(said(b""), "simple/simple")), "dkim", "pass"),
    "line of 4,500 characters": agree(lambda: alien(by_dkimpy(said(b"x y" * 1500 + b"\r\n"))), "dkim", "pass"),
    "UTF-8": agree(lambda: alien(by_dkimpy(said("Grüße, привет\r\n".encode()), "simple/simple")), "dkim", "pass"),
}

CASES: dict[str, Case] = {
    f"{area}: {name}": case
    for area, cases in {
        "alignment": ALIGNMENT,
        "record": RECORDS,
        "spf": SPF,
        "signature": SIGNATURES,
        "header": HEADERS,
        "body": BODIES,
    }.items()
    for name, case in cases.items()
}
