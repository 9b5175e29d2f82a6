"""Forged fields of a forged message: results, Received, passports, seals, spam verdicts, and what misleads verifiers. Name: attempt."""

from __future__ import annotations

from tests.laws.attack_world import AUTHOR, Attempt

PASS = "dmarc=pass header.from=hosted.example"
US = "mx.forwarder.example"
BAIT = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"


_ARC = "ARC-Message-Signature: i=1; a=rsa-sha256; d=lists.example; s=arc; h=from; bh=AAAA; b=AAAA\nARC-Seal: i=1; a=rsa-sha256; d=lists.example; s=arc; cv=none; b=AAAA\n"
_TAGS = "k=2026a; t=1790000000; h=mx.forwarder.example; q=4F2A; a=hosted.example; dmarc=pass; spf=pass:hosted.example; dkim=pass:hosted.example; arc=-; spam=-"
_DIGEST = "A" * 43 + "="
FAKE_PASSPORT = f"X-Dkimgate-Passport: v=1; {_TAGS}; mi={_DIGEST}; sh={_DIGEST}; bh={_DIGEST}; b={_DIGEST}\n"
OTHERS = {
    "a passport without a MAC that fits": Attempt(FAKE_PASSPORT, "checked by nobody"),
    "a passport without a MAC that fits, inbound": Attempt(FAKE_PASSPORT, "inbound, never checked"),
    "the same, through the border": Attempt(FAKE_PASSPORT, "border, never checks, strips"),
    "the same, through the border, only the passport left": Attempt(FAKE_PASSPORT, "border, only the passport is left"),
    "a passport that names a secret of nobody": Attempt(FAKE_PASSPORT.replace("2026a", "2025z"), "checked by nobody"),
    "a passport without b=": Attempt(FAKE_PASSPORT.partition("; b=")[0] + "\n", "checked by nobody"),
    "a passport with an empty b=": Attempt(FAKE_PASSPORT.replace(f"; b={_DIGEST}", "; b="), "checked by nobody"),
    "a passport with two dmarc=": Attempt(
        FAKE_PASSPORT.replace("dmarc=pass", "dmarc=fail; dmarc=pass"), "checked by nobody"
    ),
    "a passport of another version": Attempt(FAKE_PASSPORT.replace("v=1", "v=0"), "checked by nobody"),
    "a passport of the future": Attempt(FAKE_PASSPORT.replace("1790000000", "2790000000"), "checked by nobody"),
    "an empty passport": Attempt("X-Dkimgate-Passport:\n", "checked by nobody"),
    "a passport's name with white space, through the border": Attempt(
        FAKE_PASSPORT.replace("Passport:", "Passport :"), "border, never checks, strips"
    ),
    "a passport's name in lower case, through the border": Attempt(
        FAKE_PASSPORT.lower(), "border, never checks, strips"
    ),
    "a thousand passports": Attempt(FAKE_PASSPORT * 1000, "border, never checks, strips"),
    "ARC results alone": Attempt(f"ARC-Authentication-Results: i=1; lists.example; {PASS}\n", "checked by the gate"),
    "an ARC set whose signatures are nothing": Attempt(
        f"ARC-Authentication-Results: i=1; lists.example; {PASS}\n{_ARC}", "checked by the gate"
    ),
    "an ARC set whose signatures are nothing, inbound": Attempt(
        f"ARC-Authentication-Results: i=1; lists.example; {PASS}\n{_ARC}", "inbound"
    ),
    "the same in our name": Attempt(f"ARC-Authentication-Results: i=1; {US}; {PASS}\n{_ARC}", "checked by nobody"),
    "the same, through the border and only the passport left": Attempt(
        f"ARC-Authentication-Results: i=1; {US}; {PASS}\n{_ARC}", "border, only the passport is left"
    ),
    "ARC results without an instance": Attempt(f"ARC-Authentication-Results: {US}; {PASS}\n", "checked always"),
    "ARC instance 0": Attempt(
        f"ARC-Authentication-Results: i=0; lists.example; {PASS}\n" + _ARC.replace("i=1", "i=0"), "checked by the gate"
    ),
    "ARC instance 51": Attempt(
        f"ARC-Authentication-Results: i=51; lists.example; {PASS}\n" + _ARC.replace("i=1", "i=51"),
        "checked by the gate",
    ),
    "Received-SPF": Attempt(
        "Received-SPF: pass (mx.forwarder.example: domain of hosted.example) client-ip=203.0.113.10\n",
        "checked by the gate",
    ),
    "Received-SPF, through the border": Attempt("Received-SPF: Pass client-ip=203.0.113.10\n", "border"),
    "a selector that OpenDKIM prints and OpenDMARC reads": Attempt(
        "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=sel(x)header.d=hosted.example; h=from; bh=AAAA; b=AAAA\n",
        "verified, SPF passes",
    ),
    "a domain that other verifiers print": Attempt(
        "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example header.d=hosted.example; s=s; h=from; bh=AAAA; b=AAAA\n",
        "verified, SPF passes",
    ),
    "a quoted local part whose domain OpenDMARC finds": Attempt(
        "", "misled", sender='"x@hosted.example,b"@attacker.example'
    ),
    "the same, with a field that says SPF passes": Attempt(
        "", "verified, SPF passes", sender='"x@hosted.example,b"@attacker.example'
    ),
    "the same in Return-Path alone": Attempt("", "SPF of a quoted sender", sender=""),
    **{
        f"SPF of our own MX: {wiring}": Attempt("", wiring, sender="friend@hosted.example")
        for wiring in (
            "an inner host verifies the MX",
            "the same, never checked",
            "the same, checked always",
            "an inner host asks the gate in its session",
            "a field that tells another client",
            "behind a bridge",
            "behind a bridge, never checked",
            "behind a proxy that SPF lists",
            "behind a bridge, an inner host verifies the MX",
        )
    },
    "a name in EHLO that OpenDMARC prints": Attempt("", "a name in EHLO prints a result", sender=""),
    "Received-SPF that misleads OpenDMARC": Attempt(
        "Received-SPF: pass identity=mailfrom; envelope-from=hosted.example\n", "misled"
    ),
    "our own SPF result that misleads OpenDMARC": Attempt(
        f"Authentication-Results: {US}; spf=pass smtp.mailfrom=ask@hosted.example\n", "misled"
    ),
    "an identity that OpenDKIM prints as results": Attempt(
        "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=a; i=x=3B=20dmarc=3Dpass=20header.from=3Dhosted.example=20header.x=3D@attacker.example; h=from; bh=AAAA; b=AAAA\n",
        "printed by OpenDKIM",
    ),
    "a sender that policyd-spf prints as results": Attempt(
        "", "printed by policyd-spf", sender='"x) dmarc=pass"@attacker.example'
    ),
    "a sender that our verifier prints without quotation marks": Attempt(
        "", "SPF of two senders", sender='"x smtp.mailfrom=ask@hosted.example x.y="@attacker.example'
    ),
    "a sender of his own that our verifier passes": Attempt("", "SPF of another sender", sender="x@attacker.example"),
    "a Return-Path of an address that SPF allows": Attempt(
        "Return-Path: <ask@hosted.example>\n", "checked by the gate"
    ),
    "Resent fields of ours": Attempt(
        "Resent-From: ask@hosted.example\nResent-Sender: ask@hosted.example\n", "checked by the gate"
    ),
    "list fields of ours": Attempt(
        "List-Id: <friends.hosted.example>\nList-Unsubscribe: <https://hosted.example/>\nPrecedence: list\n",
        "checked by the gate",
    ),
    "bounce fields": Attempt(
        "Auto-Submitted: auto-replied\nX-Loop: ask@hosted.example\n", "checked by the gate", sender=""
    ),
    "delivered here already": Attempt(
        "Delivered-To: ask@hosted.example\nX-Original-To: ask@hosted.example\n", "checked by nobody"
    ),
    "authentication in a field": Attempt(
        "X-Authenticated-Sender: ask@hosted.example\nX-Sasl-Username: ask\n", "checked by nobody"
    ),
    "our rule's name in a field": Attempt(
        "X-Dkimgate-Decision: sign=author\nX-Dkimgate-Rule: own-users\n", "checked by nobody"
    ),
}

SPAM = {
    # a field of our filter at the very end says that it is spam, and ours above the border that DMARC passes; the forgery is a replay
    name: Attempt(
        fields, "spam that passes", AUTHOR + b"X-Spam-Status: Yes, score=14.9 required=3.0 tests=A,\n\tautolearn=no\n"
    )
    for name, fields in {
        "spam": "",
        "spam beside ham": "X-Spam-Status: No, score=-9.9 required=5.0\nX-Spam-Flag: NO\n",
        "spam beside ham of a huge limit": "X-Spam-Status: No, score=1 required=999999\n",
        "spam beside a level of the same score and a huge limit": (
            "X-Spam-Level: **************\nX-Spam-Status: No, score=14.9 required=9999\nX-Spamd-Result: default: False [14.90 / 9999.00]\n"
        ),
        "spam beside a score that is no number": "X-Spam-Status: No, score=nan required=nan\nX-Spam-Score: nan\n",
        "spam beside an infinite limit": "X-Spam-Status: No, score=0 required=inf\n",
        "spam beside a negative limit": "X-Spam-Status: No, score=-1 required=-5\n",
        "spam beside a limit of 0": "X-Spam-Status: No, score=0 required=0\n",
        "spam beside a score of a million digits": "X-Spam-Status: No, score=" + "9" * 50_000 + "\n",
        "spam beside a hundred hams": "X-Spam-Flag: NO\n" * 100,
        "spam beside SpamAssassin's other fields": "X-Spam-Level:\nX-Spam-Checker-Version: SpamAssassin 4\n",
    }.items()
}
SPAM |= {
    f"a verdict that only says {what}": Attempt("", "spam that passes", AUTHOR + verdict)
    for what, verdict in {
        "YES": b"X-Spam-Flag: YES\n",
        "Yes, folded": b"X-Spam-Status:\n\tYes,\n\tscore=9\n",
        "a score above the limit": b"X-Spam-Status: No, score=6 required=5\n",
        "hits, in an old form": b"X-Spam-Status: No, hits=6.0 required=5.0\n",
        "a score with a comma": b"X-Spam-Score: 6,1\n",
        "Yes, in lower case": b"x-spam-status: yes, score=1 required=5\n",
        "Yes, with white space behind the name": b"X-Spam-Status : Yes, score=6 required=5\n",
        "Yes, with a NUL": b"X-Spam-Status: Y\0es, score=6 required=5\n",
        "Yes, in quotation marks": b'X-Spam-Flag: "YES"\n',
        "Yes, then another score": b"X-Spam-Status: Yes, score=6 score=-100 required=5 required=100\n",
    }.items()
}
