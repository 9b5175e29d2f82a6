"""Attempts at an aligned signature by fields of results: Authentication-Results, in our name or another. Name: attempt."""

from __future__ import annotations

import base64

from tests.laws.attack_fields import BAIT, PASS, US
from tests.laws.attack_world import AUTHOR, Attempt


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
