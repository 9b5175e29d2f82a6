"""Authors that readers may take for different ones, and messages that are too much. Name: attempt.

Where a From is ambiguous, all else is as good as it can be (`misled`: a verifier of ours says that hosted.example passes).
"""

from __future__ import annotations

from tests.laws.attack_fields import BAIT
from tests.laws.attack_signed import SIGNED
from tests.laws.attack_world import AUTHOR, Attempt

_WELL = "misled"


def _from(line: str | bytes, wiring: str = _WELL) -> Attempt:
    octets = line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
    return Attempt("", wiring, AUTHOR.replace(b"From: Friend <ask@hosted.example>\n", octets))


AUTHORS = {
    "no From": _from(""),
    "an empty From": _from("From:\n"),
    "an empty address": _from("From: Friend <>\n"),
    "only a Sender": _from("Sender: ask@hosted.example\n"),
    "only a Resent-From": _from("Resent-From: ask@hosted.example\n"),
    "two From, ours first": _from("From: ask@hosted.example\nFrom: x@attacker.example\n"),
    "two From, ours second": _from("From: x@attacker.example\nFrom: ask@hosted.example\n"),
    "two From, both ours": _from("From: ask@hosted.example\nFrom: ceo@hosted.example\n"),
    "two From, one in upper case": _from("FROM: x@attacker.example\nFrom: ask@hosted.example\n"),
    "two From, one with white space": _from("From : x@attacker.example\nFrom: ask@hosted.example\n"),
    "two From, one with a NUL in its name": _from("Fr\0om: x@attacker.example\nFrom: ask@hosted.example\n"),
    "two From, one with a byte order mark": _from("\ufeffFrom: x@attacker.example\nFrom: ask@hosted.example\n"),
    "a From with white space alone": _from("From : ask@hosted.example\n"),
    "two mailboxes": _from("From: ask@hosted.example, x@attacker.example\n"),
    "two mailboxes, ours last": _from("From: x@attacker.example, Friend <ask@hosted.example>\n"),
    "a comma at the end": _from("From: ask@hosted.example,\n"),
    "a semicolon for a comma": _from("From: ask@hosted.example; x@attacker.example\n"),
    "a group": _from("From: Friends: ask@hosted.example;\n"),
    "an empty group and an address": _from("From: Friends:; ask@hosted.example\n"),
    "a source route": _from("From: <@attacker.example:ask@hosted.example>\n"),
    "a source route of ours": _from("From: <@hosted.example:x@attacker.example>\n"),
    "two pairs of angle brackets": _from("From: <x@attacker.example> <ask@hosted.example>\n"),
    "nested angle brackets": _from("From: <<ask@hosted.example>>\n"),
    "an address ahead of the brackets": _from("From: x@attacker.example <ask@hosted.example>\n"),
    "an address behind the brackets": _from("From: <ask@hosted.example> x@attacker.example\n"),
    "an address in the display name": _from('From: "x@attacker.example" <ask@hosted.example>\n'),
    "an address in a comment": _from("From: (x@attacker.example) ask@hosted.example\n"),
    "an address in a comment behind": _from("From: ask@hosted.example (<x@attacker.example>)\n"),
    "a comment in the address": _from("From: ask@(x)hosted.example\n"),
    "a comment that does not end": _from("From: ask@hosted.example (x\n"),
    "comments in comments": _from("From: Friend <ask@hosted.example> ((x@attacker.example))\n"),
    "a quoted local part": _from('From: "x@attacker.example"@hosted.example\n'),
    "a quoted local part with a bracket": _from('From: "x@attacker.example>"@hosted.example\n'),
    "a quotation mark that does not end": _from('From: "Friend <ask@hosted.example>\n'),
    "a quoted pair in the display name": _from('From: "a\\b" <ask@hosted.example>\n'),
    "an encoded word that is an address": _from("From: =?utf-8?q?x=40attacker.example=2C?= <ask@hosted.example>\n"),
    "an encoded word that is a bracket": _from("From: =?utf-8?q?=3Cx=40attacker.example=3E?= <ask@hosted.example>\n"),
    "an encoded word in quotation marks": _from('From: "=?utf-8?b?eEBhdHRhY2tlci5leGFtcGxl?=" <ask@hosted.example>\n'),
    "an encoded word in the address": _from("From: =?utf-8?q?ask?=@hosted.example\n"),
    "an encoded word of UTF-7": _from("From: =?utf-7?q?x+AEA-attacker.example?= <ask@hosted.example>\n"),
    "an encoded word with a line end": _from("From: =?utf-8?q?a=0D=0AFrom:_x?= <ask@hosted.example>\n"),
    "an encoded word within one": _from(
        "From: =?utf-8?b?PT91dGYtOD9xP3g9NDBhdHRhY2tlci5leGFtcGxlPz0=?= <ask@hosted.example>\n"
    ),
    "an encoded word in halves": _from("From: =?utf-8?q?x=40att?= =?utf-8?q?acker.example?= <ask@hosted.example>\n"),
    "an encoded word without an end": _from("From: =?utf-8?q?x <ask@hosted.example>\n"),
    "a full-width @": _from("From: x\uff20attacker.example <ask@hosted.example>\n"),
    "a full-width @ in the local part": _from("From: x\uff20attacker.example@hosted.example\n"),
    "three @": _from("From: ask@attacker.example@hosted.example\n"),
    "white space in the address": _from("From: ask @hosted.example\n"),
    "a fold in the address": _from("From: ask@\n hosted.example\n"),
    "a fold of nothing": _from("From: x@attacker.example\n \n ask@hosted.example\n"),
    "a fold of nothing above From": _from("X-A: b\n \n c\nFrom: ask@hosted.example\n"),
    "a bare CR in From": _from("From: x@attacker.example\rFrom: ask@hosted.example\n"),
    "a bare CR above From": _from("X-A: b\r\rFrom: x@attacker.example\nFrom: ask@hosted.example\n"),
    "a NUL in From": _from("From: ask@hosted.example\0.attacker.example\n"),
    "a NUL ahead of the address": _from("From: x@attacker.example\0ask@hosted.example\n"),
    "text to the left in From": _from("From: \u202eelpmaxe <ask@hosted.example>\n"),
    "a line separator in From": _from("From: Friend\u2028 <ask@hosted.example>\n"),
    "octets that are no UTF-8": _from(b"From: \xff\xfe <ask@hosted.example>\n"),
    "a trailing dot": _from("From: ask@hosted.example.\n"),
    "two dots": _from("From: ask@hosted..example\n"),
    "an underscore in the domain": _from("From: ask@a_b.hosted.example\n"),
    "a domain literal": _from("From: ask@[203.0.113.10]\n"),
    "a full-width domain": _from("From: ask@\uff48osted.example\n"),
    "an ideographic full stop": _from("From: ask@hosted\u3002example\n"),
    "a soft hyphen in the domain": _from("From: ask@hos\u00adted.example\n"),
    "a zero-width joiner in the domain": _from("From: ask@hos\u200dted.example\n"),
    "a broken A-label": _from("From: ask@xn--.hosted.example\n"),
    "an A-label of ASCII": _from("From: ask@xn--pay-.hosted.example\n"),
    "a From of 5,000 octets": _from("From: " + "a" * 5000 + " <ask@hosted.example>\n"),
    "an address of 400 characters": _from("From: " + "a" * 400 + "@hosted.example\n"),
    "dots at the ends of the local part": _from("From: .ask.@hosted.example\n"),
    # whose From is another's: what passes for him is no pass of ours
    "a Cyrillic o in our name": _from("From: ask@h\u043ested.example\n", "passes for the attacker"),
    "our name at the left of another": _from("From: ask@hosted.example.attacker.example\n", "passes for the attacker"),
    "our name behind a percent sign": _from("From: ask%hosted.example@attacker.example\n", "passes for the attacker"),
    "our name with a hyphen": _from("From: ask@hosted-example.attacker.example\n", "passes for the attacker"),
    "our address as the display name": _from(
        'From: "ask@hosted.example" <x@attacker.example>\n', "passes for the attacker"
    ),
    "our address as the display name, without quotation marks": _from(
        "From: ask@hosted.example <x@attacker.example>\n", "passes for the attacker"
    ),
    "our address in a comment": _from("From: x@attacker.example (ask@hosted.example)\n", "passes for the attacker"),
    "our address, verified for the attacker": _from("From: ask@hosted.example\n", "passes for the attacker"),
    "our sub-domain, verified for the attacker": _from("From: ask@pay.hosted.example\n", "passes for the attacker"),
    "the suffix above us": _from("From: ask@example\n", "passes for the attacker"),
    "our sub-domain, checked by the gate": _from("From: ask@pay.hosted.example\n", "checked by the gate"),
    "our sub-domain, inbound": _from("From: ask@pay.hosted.example\n", "inbound"),
    "our domain in upper case": _from("From: ASK@HOSTED.EXAMPLE\n", "checked by the gate"),
}

TOO_MUCH = {
    "a header that was not read whole": Attempt("", "misled", problem="the header has more than 5000 fields"),
    "a header that was not read whole, inbound": Attempt(
        BAIT, "inbound, never checked", problem="the header has more than 5000 fields"
    ),
    "a header that was not read whole, and a good signature": Attempt(
        SIGNED, problem="the header has more than 524288 octets"
    ),
    "the same through the border": Attempt(
        SIGNED, "border, only the passport is left", problem="the header has more than 5000 fields"
    ),
    "19,000 fields above a forged one": Attempt("X-A: b\n" * 19_000 + BAIT, "border, never checks, strips"),
    "5,000 forged fields through the border": Attempt(BAIT * 5000, "border, never checks, strips"),
    "5,000 forged fields": Attempt(BAIT * 5000, "checked by nobody"),
    "5,000 results in one field": Attempt(
        BAIT.rstrip("\n") + "; dmarc=pass header.from=hosted.example" * 5000 + "\n", "verified"
    ),
    "a thousand harmless results above": Attempt(
        "Authentication-Results: x.example; x-a=pass\n" * 1500 + BAIT, "verified"
    ),
    "a field of a megabyte": Attempt("X-A: " + "b" * (1 << 20) + "\n" + BAIT, "border, never checks, strips"),
    "a thousand folds": Attempt("X-A: b\n" + " c\n" * 1000 + BAIT, "border, never checks, strips"),
    "a header that ends early": Attempt("", "checked by the gate", AUTHOR + b"\n" + SIGNED),
    "an mbox line": Attempt("", "inbound", b"From ask@hosted.example Sat Nov 21 16:20:20 2026\n" + AUTHOR),
    "a body of NULs": Attempt(SIGNED, body=b"\0" * 1000),
    "a body of line ends": Attempt(SIGNED, body=b"\r\n" * 10_000),
    "a body of bare CR and LF": Attempt(SIGNED, body=b"\r\n\n\r\r\n" * 1000),
}
