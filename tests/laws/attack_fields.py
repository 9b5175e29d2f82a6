"""Forged fields of a forged message: results, Received, passports, seals, spam verdicts, and what misleads verifiers. Name: attempt."""

from __future__ import annotations

import base64

from dkimgate.message.message import Connection
from tests.laws.attack_world import AUTHOR, BORDER, LOGIN, Attempt

PASS = "dmarc=pass header.from=hosted.example"
US = "mx.forwarder.example"
BAIT = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"


def _results(text: str, wiring: str, name: str = "Authentication-Results") -> Attempt:
    return Attempt(f"{name}: {text}\n", wiring)


RESULTS = {
    # the name that the field is under
    "results in our name, behind ours": _results(f"{US}; {PASS}", "verified"),
    "results in our name, nobody verified": _results(f"{US}; {PASS}", "checked by nobody"),
    "results in our name, the gate verifies": _results(f"{US}; {PASS}", "checked by the gate"),
    "results in our name, always verified": _results(f"{US}; {PASS}", "checked always"),
    "results in our name, inbound": _results(f"{US}; {PASS}", "inbound"),
    "results in our name, inbound and never checked": _results(f"{US}; {PASS}", "inbound, never checked"),
    "results in our name, through the border": _results(f"{US}; {PASS}", "border"),
    "results in our name, through a border that is trusted to strip": _results(f"{US}; {PASS}", "border, strips"),
    "results in our name, through a border that checks nothing": _results(
        f"{US}; {PASS}", "border, never checks, strips"
    ),
    "results in our name, only the passport left": _results(f"{US}; {PASS}", "border, only the passport is left"),
    "results in our name, content filter": _results(f"{US}; {PASS}", "content filter"),
    "results in our name, LMTP": _results(f"{US}; {PASS}", "LMTP"),
    "results in our name, redirected with a login": _results(f"{US}; {PASS}", "redirected with a login"),
    "results in our name, two hosts of ours": _results(f"{US}; {PASS}", "two hosts"),
    "results in our name, Received removed": _results(f"{US}; {PASS}", "Received removed"),
    "everything passes, through a border that checks nothing": _results(
        f"{US}; spf=pass smtp.mailfrom=hosted.example; dkim=pass header.d=hosted.example; {PASS}",
        "border, never checks, strips",
    ),
    "none instead of pass, through a border that checks nothing": _results(
        f"{US}; dmarc=none header.from=hosted.example", "border, never checks, strips"
    ),
    "upper case": _results(f"{US.upper()}; {PASS.upper()}", "checked by nobody", "AUTHENTICATION-RESULTS"),
    "mixed case": _results(f"Mx.ForWarder.Example; {PASS}", "border", "aUTHENTICATION-rESULTS"),
    "a trailing dot": _results(f"{US}.; {PASS}", "border"),
    "a trailing dot, never checked": _results(f"{US}.; {PASS}", "border, never checks, strips"),
    "a version": _results(f"{US} 1; {PASS}", "border, never checks, strips"),
    "a huge version": _results(f"{US} 99999999; {PASS}", "border, never checks, strips"),
    "a version of another kind": _results(f"{US}/1; {PASS}", "border, never checks, strips"),
    "a quoted name": _results(f'"{US}"; {PASS}', "border, never checks, strips"),
    "a quoted pair in the name": _results(f'"mx\\.forwarder.example"; {PASS}', "border, never checks, strips"),
    "half a quoted name": _results(f'"{US}; {PASS}', "checked by nobody"),
    "a comment ahead": _results(f"(hello) {US}; {PASS}", "border, never checks, strips"),
    "nested comments ahead": _results(f"(a(b(c))) {US}; {PASS}", "border, never checks, strips"),
    "a comment with a semicolon ahead": _results(f"(;) {US}; {PASS}", "border, never checks, strips"),
    "a comment behind the name": _results(f"{US} (attacker.example); {PASS}", "border, never checks, strips"),
    "comments within the name": _results(f"mx.(x)forwarder(y).example; {PASS}", "border, never checks, strips"),
    "an open comment": _results(f"attacker.example (\\) {US}; {PASS}", "checked by nobody"),
    "white space in the name": _results(f"mx . forwarder . example; {PASS}", "border, never checks, strips"),
    "tabs around the name": _results(f"\t{US}\t; {PASS}", "border, never checks, strips"),
    "folded before the name": _results(f"\n\t{US};\n\t{PASS}", "border, never checks, strips"),
    "folded within the results": _results(
        f"{US};\n dmarc\n =\n pass\n header.from=hosted.example", "checked by nobody"
    ),
    "folded name": _results(f"mx.\n forwarder.example; {PASS}", "border, never checks, strips"),
    "an encoded word, Q": _results(f"=?utf-8?q?mx=2Eforwarder=2Eexample?=; {PASS}", "border, never checks, strips"),
    "an encoded word, B": _results(
        f"=?utf-8?b?{base64.b64encode(US.encode()).decode()}?=; {PASS}", "border, never checks, strips"
    ),
    "an encoded word in UTF-7": _results(
        f"=?utf-7?q?mx.forwarder+AC4-example?=; {PASS}", "border, never checks, strips"
    ),
    "an encoded word of no charset": _results(
        f"=?x-none?q?mx.forwarder.example?=; {PASS}", "border, never checks, strips"
    ),
    "a Cyrillic o": _results(f"mx.f\u043erwarder.example; {PASS}", "border, never checks, strips"),
    "a Greek alpha": _results(f"mx.forw\u03b1rder.example; {PASS}", "checked by nobody"),
    "a homograph as an A-label": _results(f"mx.xn--frwarder-9fg.example; {PASS}", "checked by nobody"),
    "full-width letters": _results(f"mx.\uff46orwarder.example; {PASS}", "border, never checks, strips"),
    "an ideographic full stop": _results(f"mx.forwarder\u3002example; {PASS}", "border, never checks, strips"),
    "a zero-width space": _results(f"mx.forwarder\u200b.example; {PASS}", "border, never checks, strips"),
    "a soft hyphen": _results(f"mx.for\u00adwarder.example; {PASS}", "border, never checks, strips"),
    "a byte order mark": _results(f"\ufeff{US}; {PASS}", "border, never checks, strips"),
    "text to the left": _results(f"\u202e{US}; {PASS}", "border, never checks, strips"),
    "a no-break space ahead": _results(f"\xa0{US}; {PASS}", "border, never checks, strips"),
    "a NUL ahead of the name": _results(f"\0{US}; {PASS}", "border, never checks, strips"),
    "a NUL within the name": _results(f"mx.for\0warder.example; {PASS}", "border, never checks, strips"),
    "a NUL behind the name": _results(f"{US}\0; {PASS}", "border, never checks, strips"),
    "octets that are no UTF-8": Attempt(
        b"Authentication-Results: \xff\xfe " + f"{US}; {PASS}\n".encode(), "border, never checks, strips"
    ),
    "a bare CR hides it in a harmless field": Attempt(
        f"X-A: b\rAuthentication-Results: {US}; {PASS}\n", "border, never checks, strips"
    ),
    "a bare CR within other results": _results(
        f"attacker.example; none\rAuthentication-Results: {US}; {PASS}", "border, never checks, strips"
    ),
    "a vertical tab": _results(f"{US}\x0b; {PASS}", "border, never checks, strips"),
    "a next-line character": _results(
        f"attacker.example; none\x85Authentication-Results: {US}; {PASS}", "border, never checks, strips"
    ),
    "a line separator": _results(f"attacker.example; none\u2028{US}; {PASS}", "border, never checks, strips"),
    "the field's name with white space": _results(
        f"{US}; {PASS}", "border, never checks, strips", "Authentication-Results "
    ),
    "the field's name with a tab": _results(
        f"{US}; {PASS}", "border, never checks, strips", "Authentication-Results\t"
    ),
    "the field's name with a NUL": _results(
        f"{US}; {PASS}", "border, never checks, strips", "Authentication-Results\0"
    ),
    "the field's name with a NUL inside": _results(
        f"{US}; {PASS}", "border, never checks, strips", "Authentication\0-Results"
    ),
    "the field's name with an underscore": _results(f"{US}; {PASS}", "checked by nobody", "Authentication_Results"),
    "the field's original name": _results(f"{US}; {PASS}", "checked by nobody", "X-Original-Authentication-Results"),
    "two fields, one harmless": Attempt(
        f"Authentication-Results : attacker.example; none\nAuthentication-Results: {US}; {PASS}\n",
        "border, never checks, strips",
    ),
    "two hundred fields": Attempt(f"Authentication-Results: {US}; {PASS}\n" * 200, "border, never checks, strips"),
    "a field of 100,000 octets": _results(f"{US};" + " " * 100_000 + PASS, "border, never checks, strips"),
    "another host of ours by name": _results(f"a.mail.forwarder.example; {PASS}", "border, never checks, strips"),
    "another host's pass": _results(f"mx.google.example; {PASS}", "checked by nobody"),
    "no authserv-id, as Office 365": _results(
        "dmarc=pass action=none header.from=hosted.example; spf=pass", "checked by nobody"
    ),
    "an authserv-id that is only a prefix": _results(
        f"mx.forwarder.example.attacker.example; {PASS}", "checked by nobody, border strips"
    ),
    "an authserv-id that is only a suffix": _results(
        f"x-mx.forwarder.example; {PASS}", "checked by nobody, border strips"
    ),
    "localhost as authserv-id": _results(f"localhost; {PASS}", "checked by nobody, border strips"),
    # what the field says
    "pass and fail": _results(
        f"{US}; {PASS}; dmarc=fail header.from=hosted.example", "checked by nobody, border strips"
    ),
    "pass of another domain": _results(
        f"{US}; dmarc=pass header.from=attacker.example", "border, never checks, strips"
    ),
    "DKIM and SPF only": _results(
        f"{US}; dkim=pass header.d=hosted.example; spf=pass smtp.mailfrom=hosted.example",
        "border, never checks, strips",
    ),
    "ARC only": _results(f"{US}; arc=pass header.oldest-pass=0", "border, never checks, strips"),
    "method with a version": _results(f"{US}; dmarc/1=pass header.from=hosted.example", "checked by nobody"),
    "best guess": _results(f"{US}; dmarc=bestguesspass header.from=hosted.example", "checked by nobody"),
    "a pass in a reason": _results(f'{US}; dkim=neutral reason="x; {PASS}"', "checked by nobody"),
    "a pass in a comment": _results(f"{US}; dkim=none ({PASS})", "checked by nobody"),
    "a job id behind our name": _results(f"{US}/4F2A; {PASS}", "border, never checks, strips"),
    "a job id behind our name, nobody verified": _results(f"{US}/4F2A; {PASS}", "checked by nobody"),
    "our seal and what our milters insert, ahead of the results": Attempt(
        f"ARC-Seal: i=1; cv=none\nARC-Authentication-Results: i=1; {US}; {PASS}\nDMARC-Filter: OpenDMARC\n{BAIT}",
        "border, never checks, strips",
    ),
    "two results of DKIM without a semicolon": _results(
        f"{US}; dkim=pass header.d=attacker.example header.s=x dkim=pass header.d=hosted.example; {PASS}",
        "border, never checks, strips",
    ),
    "a pass for the organizational domain": _results(
        f"{US}; dmarc=pass header.from=example", "border, never checks, strips"
    ),
    "no results": _results(f"{US}; none", "border, never checks, strips"),
    "our field below the sender's": Attempt("", "verified", AUTHOR + BAIT.encode()),
    "a pass below our fail, where the border strips": _results(f"{US}; {PASS}", "verified, fields below"),
    "everything passes below our fail, where the border strips": _results(
        f"{US}; spf=pass smtp.mailfrom=hosted.example; dkim=pass header.d=hosted.example; {PASS}",
        "verified, fields below",
    ),
    "a pass where our verifiers are silent about DMARC": _results(f"{US}; {PASS}", "verified, silent about DMARC"),
    "a none where our verifiers are silent about DMARC": _results(
        f"{US}; dmarc=none header.from=hosted.example", "verified, silent about DMARC"
    ),
    "a pass below our fail, inbound": _results(f"{US}; {PASS}", "inbound, verified"),
    "a pass below our fail, inbound, in another case": _results(f"{US.upper()}; {PASS}", "inbound, verified"),
    "between other fields": Attempt(f"X-A: b\nReceived-SPF: pass\n{BAIT}X-B: c\n", "verified"),
}

BETWEEN = "Authentication-Results: mx.forwarder.example; dkim=none\n"
ROUTES = {
    "a border of ours below the border": Attempt(BAIT + BORDER, "checked by nobody"),
    "two borders of ours": Attempt((BAIT + BORDER) * 2, "checked by nobody"),
    "a login at ours, below": Attempt(BAIT + BORDER.replace("ESMTP", "ESMTPSA"), "checked by nobody"),
    "webmail of ours, below": Attempt(BAIT + BORDER.replace("ESMTP", "HTTP"), "checked by nobody"),
    "a local process of ours, below": Attempt(
        BAIT + "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n", "inbound, never checked"
    ),
    "cron of ours, inbound": Attempt(
        "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n", "inbound, never checked"
    ),
    "loopback at ours, inbound": Attempt(
        "Received: from localhost (localhost [127.0.0.1]) by mx.forwarder.example (Postfix) with ESMTP id 1; x\n",
        "inbound, never checked",
    ),
    "amavis of ours, inbound": Attempt(
        BAIT
        + "Received: from mx ([127.0.0.1]) by localhost (mx [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1; x\n",
        "inbound",
    ),
    "LMTP of ours, inbound": Attempt(f"Received: from {US} by {US} with LMTP id x; x\n", "inbound, never checked"),
    "a hundred and twenty hops": Attempt(BORDER * 120 + BAIT, "checked by nobody"),
    "Received with white space behind its name": Attempt(
        BAIT + BORDER.replace("Received:", "Received :"), "checked by nobody"
    ),
    "Received without an end": Attempt("Received: from (((((((\n" + BAIT, "checked by nobody"),
    "an empty Received": Attempt("Received:\n" + BAIT, "checked by nobody"),
    # what the border's MTA writes of a client that lies: HELO, reverse name, certificate
    **{
        f"{mta}: {trick}": Attempt(BAIT, "checked by nobody", border=line)
        for mta, trick, line in [
            (
                "Postfix",
                "HELO of ours",
                f"Received: from {US} (c.attacker.example [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO localhost",
                f"Received: from localhost (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO by",
                f"Received: from by (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO with",
                f"Received: from with (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO local",
                f"Received: from local (unknown [192.0.2.66])\n\tby {US} (Postfix) with SMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO ESMTPSA",
                f"Received: from ESMTPSA (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name localhost",
                f"Received: from x (localhost [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name of ours",
                f"Received: from x ({US} [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name 127.0.0.1",
                f"Received: from x (127.0.0.1 [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "certificate with loopback",
                f'Received: from x (x [192.0.2.66])\n\t(using TLSv1.3 with cipher A (256/256 bits))\n\t(Client CN "[127.0.0.1]", Issuer "x" (not verified))\n\tby {US} (Postfix) with ESMTPS id 1; x\n',
            ),
            (
                "Postfix",
                "certificate that says by and with",
                f'Received: from x (x [192.0.2.66])\n\t(Client CN "x by {US} with ESMTPSA", Issuer "by" (verified OK))\n\tby {US} (Postfix) with ESMTPS id 1; x\n',
            ),
            (
                "Postfix",
                "IPv6",
                f"Received: from ::1 (unknown [IPv6:2001:db8::66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "recipient with a login",
                f"Received: from x (x [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1\n\tfor <with.ESMTPSA@{US}>; x\n",
            ),
            (
                "Exim",
                "HELO with loopback",
                f"Received: from [192.0.2.66] (helo=[127.0.0.1])\n\tby {US} with esmtp (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Exim",
                "HELO of ours",
                f"Received: from c.attacker.example ([192.0.2.66] helo={US})\n\tby {US} with esmtps (TLS1.3) (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Exim",
                "ident",
                f"Received: from [192.0.2.66] (port=9 helo=x ident=127.0.0.1)\n\tby {US} with esmtp (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Sendmail",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (c.attacker.example [192.0.2.66] (may be forged))\n\tby {US} (8.18/8.18) with ESMTP id 1; x\n",
            ),
            (
                "Sendmail",
                "ident",
                f"Received: from x (IDENT:127.0.0.1@c.attacker.example [192.0.2.66])\n\tby {US} (8.18/8.18) with ESMTP id 1; x\n",
            ),
            (
                "Exchange",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (192.0.2.66) by {US} (10.0.0.5) with Microsoft SMTP Server id 15.1; x\n",
            ),
            (
                "qmail",
                "HELO with loopback",
                f"Received: from unknown (HELO [127.0.0.1]) (192.0.2.66)\n  by {US} with SMTP; x\n",
            ),
            (
                "CommuniGate",
                "HELO with loopback",
                f"Received: from [192.0.2.66] (HELO [127.0.0.1])\n  by {US} (CommuniGate Pro SMTP 6) with ESMTP id 1; x\n",
            ),
            (
                "OpenSMTPD",
                "HELO localhost",
                f"Received: from localhost (c.attacker.example [192.0.2.66])\n\tby {US} (OpenSMTPD) with ESMTP id 1\n\tfor <a@b.example>; x\n",
            ),
            (
                "Haraka",
                "HELO of ours",
                f"Received: from {US} (c.attacker.example [192.0.2.66])\n\tby {US} (Haraka/3) with ESMTP id 1\n\tenvelope-from <a@b.example>; x\n",
            ),
        ]
    },
    "HELO of ours, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", name=US, helo=US)
    ),
    "reverse name localhost, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", name="localhost", helo="localhost")
    ),
    "no address at all, inbound": Attempt(BAIT, "inbound, never checked", client=Connection(ip=None, name="localhost")),
    "an IPv4 address in IPv6, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="::ffff:192.0.2.66")
    ),
    "no address but a name for one, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="127.0.0.1.attacker.example")
    ),
    "the daemon's name, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", daemon="ORIGINATING")
    ),
    "a forged verdict, redirected with a login": Attempt(BAIT, "redirected with a login", client=LOGIN),
    "a login that relays for strangers and shows where it came from": Attempt(BAIT, "verified", client=LOGIN),
}

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
