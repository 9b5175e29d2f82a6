"""What is sent through the verifiers: plain mail, and mail whose sender tries to write their fields for them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.evidence.echoes import zone
from tests.world.keys import Signer


@dataclass(frozen=True, slots=True)
class Case:
    """A message and its session. `hostile` names the text that the sender chose to do harm, empty in a plain one."""

    name: str
    hostile: str = ""
    sender: str = "bob@good.example"
    client: str = zone.GOOD
    helo: str = "mail.good.example"
    author: str = "Bob <bob@good.example>"
    signatures: tuple[Signer, ...] = ()
    more: tuple[str, ...] = ()
    broken: bool = False
    """The body is changed behind the signature."""

    def message(self) -> bytes:
        """The message as it is sent, with CRLF line ends."""
        header = (
            f"From: {self.author}\r\nTo: ask@hosted.example\r\nSubject: Minutes\r\n"
            f"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <4711@good.example>\r\n"
        ).encode("utf-8", "surrogateescape")
        body = b"Hello,\r\nlunch at one?\r\n"
        signed = b"".join(signer.sign(header, body) for signer in self.signatures)
        more = "".join(f"{line}\r\n" for line in self.more).encode("utf-8", "surrogateescape")
        return signed + more + header + b"\r\n" + (b"Changed.\r\n" if self.broken else b"") + body


def _good(selector: str = "k2048", domain: str = "good.example", bits: int = 2048, **tags: str | None) -> Signer:
    return Signer(selector, domain, ("from", "to", "subject", "date", "message-id"), bits, selector == "ed", tags)


def _evil(selector: str = "s", **tags: str | None) -> Signer:
    return _good(selector, "attacker.example", 2048, **tags)


PLAIN = (
    Case("all passes", signatures=(_good(),)),
    Case("spf passes, no signature"),
    Case("spf passes, a longer local part", sender="bob.smith+list=x.example@good.example"),
    Case("spf passes for a sub-domain", sender="b@news.good.example", author="News <b@news.good.example>"),
    Case("spf passes, author at the parent", sender="b@news.good.example"),
    Case("spf passes for another domain", sender="bob@unlisted.example"),
    Case("spf fails", sender="bob@fail.example", author="Bob <bob@fail.example>"),
    Case(
        "spf fails, the forged author has a policy", sender="x@hosted.example", author="Friend <friend@hosted.example>"
    ),
    Case("spf softfails", sender="bob@soft.example", author="Bob <bob@soft.example>"),
    Case("spf is neutral", sender="bob@neutral.example", author="Bob <bob@neutral.example>"),
    Case("no spf record, no policy", sender="bob@nothing.example", author="Bob <bob@nothing.example>"),
    Case("spf permerror", sender="bob@perm.example", author="Bob <bob@perm.example>"),
    Case("spf temperror", sender="bob@silent.example", author="Bob <bob@silent.example>"),
    Case("null sender, HELO passes", sender="", author="Bob <bob@mail.good.example>"),
    Case("null sender, HELO has no record", sender="", helo="nothing.example", author="Bob <bob@nothing.example>"),
    Case("null sender, HELO fails", sender="", helo="fail.example", author="Bob <bob@fail.example>"),
    Case("null sender, HELO softfails", sender="", helo="soft.example", author="Bob <bob@soft.example>"),
    Case("null sender, HELO is an address", sender="", helo="[203.0.113.30]"),
    Case("null sender, HELO is one word", sender="", helo="mail"),
    Case("client without a name", client=zone.UNNAMED, helo="unnamed.example", sender="bob@nothing.example"),
    Case("dkim passes alone", sender="bob@fail.example", signatures=(_good(),)),
    Case("dkim passes with i=", sender="bob@fail.example", signatures=(_good(i="bob@good.example"),)),
    Case("dkim passes with i= of a sub-domain", sender="bob@fail.example", signatures=(_good(i="@news.good.example"),)),
    Case("dkim passes, 1024 bits", sender="bob@fail.example", signatures=(_good("k1024", bits=1024),)),
    Case("dkim passes, ed25519", sender="bob@fail.example", signatures=(_good("ed"),)),
    Case("dkim passes, both algorithms", sender="bob@fail.example", signatures=(_good("ed"), _good())),
    Case("dkim passes, two domains", sender="bob@fail.example", signatures=(_good(), _good(domain="other.example"))),
    Case(
        "dkim passes, three signatures",
        sender="bob@fail.example",
        signatures=(_good(), _good("k1024", bits=1024), _good("ed")),
    ),
    Case("dkim passes for another domain", sender="bob@fail.example", signatures=(_good(domain="other.example"),)),
    Case("dkim passes, key for tests", sender="bob@fail.example", signatures=(_good("testing"),)),
    Case("dkim passes, body length limited", sender="bob@fail.example", signatures=(_good(l="22"),)),
    Case("dkim fails", sender="bob@fail.example", signatures=(_good(),), broken=True),
    Case("dkim fails, one of two", sender="bob@fail.example", signatures=(_good(bh="AAAA"), _good())),
    Case("dkim key is not there", sender="bob@fail.example", signatures=(_good("nokey"),)),
    Case("dkim key is revoked", sender="bob@fail.example", signatures=(_good("revoked"),)),
    Case("dkim key is broken", sender="bob@fail.example", signatures=(_good("broken"),)),
    Case("dkim key can't be looked up", sender="bob@fail.example", signatures=(_good(domain="silent.example"),)),
    Case("dkim signature expired", sender="bob@fail.example", signatures=(_good(t="1700000000", x="1700000001"),)),
    Case("dkim signature without d=", sender="bob@fail.example", signatures=(_good(d=None),)),
    Case("policy quarantine", sender="b@quarantined.example", author="B <b@quarantined.example>"),
    Case("policy quarantine, fails", sender="bob@good.example", author="B <b@quarantined.example>"),
    Case("policy none", sender="b@watched.example", author="B <b@watched.example>"),
    Case("policy none, fails", sender="bob@good.example", author="B <b@watched.example>"),
    Case("policy can't be looked up", author="B <b@silent.example>"),
    Case("no author", author="nobody"),
    Case("names in capitals", sender="Bob@GOOD.Example", author="Bob <Bob@GOOD.Example>", helo="MAIL.good.example"),
    Case("international domain", sender="bob@xn--bcher-kva.example", author="B <bob@xn--bcher-kva.example>"),
)

_FORGED = {"client": zone.ATTACKER, "helo": "client.attacker.example", "author": "Friend <friend@hosted.example>"}


def _forged(name: str, hostile: str, **given: object) -> Case:
    return Case(name, hostile, **({"sender": "x@attacker.example"} | _FORGED | given))  # type: ignore[arg-type]


_DMARC = "dmarc=pass header.from=hosted.example"
_DKIM = "dkim=pass header.d=hosted.example"
_SPF = "spf=pass smtp.mailfrom=friend@hosted.example"
_LOCAL_PARTS = {
    "comma": '"x@hosted.example,b"',
    "semicolon and dmarc": f'"x; {_DMARC} x=b"',
    "semicolon and dkim": f'"x@hosted.example; {_DKIM} arc.x=b"',
    "semicolon and spf": f'"x; {_SPF}; y=b"',
    "end of a comment and dmarc": f'"x) ; {_DMARC} ("',
    "end of a comment and dkim": f'"x); {_DKIM} (b"',
    "end of a comment and a property": '"x) smtp.mailfrom=friend@hosted.example ("',
    "a comment": '"x(y)z"',
    "a start of a comment": '"x(y"',
    "a blank and a property": '"x smtp.mailfrom=friend@hosted.example y"',
    "an escaped quote": f'"x\\"; {_DMARC}; y=\\"b"',
    "a backslash": '"x\\\\b"',
    "two at signs": '"friend@hosted.example"',
    "an angle bracket": '"x>y<friend@hosted.example"',
    "a tab": f'"x;\t{_DMARC}\ty=b"',
    "a percent sign": "x%hosted.example",
    "a bang path": "hosted.example!x",
    "an equals sign": "smtp.mailfrom=friend",
    "a slash": "x/y;z".replace(";", ""),
    "not ASCII": '"x\u00e9; dmarc=pass"',
}
_SENDERS = {
    "a comment behind the domain": "x@attacker.example(hosted.example)",
    "a source route": "@hosted.example:x@attacker.example",
    "a quoted domain": 'x@"attacker.example"',
    "an address literal": "x@[192.0.2.66]",
    "an underscore in the domain": "x@_spf.attacker.example",
    "a bang in the domain": "hosted.example!x@attacker.example",
    "only a local part": "friend",
    "two addresses": "friend@hosted.example x@attacker.example",
    "an odd domain": "x@a;dmarc=pass.attacker.example",
    "a slash in the domain": "x@hosted.example/.attacker.example",
}
_SPF_DOMAINS = (
    *(
        "perm",
        "permdkim",
        "permspf",
        "permip",
        "perma",
        "permcidr",
        "permredirect",
        "exp",
        "explist",
        "expperm",
        "include",
    ),
    *("unknownmodifier", "exists"),
)
_HELOS = {
    "parentheses": "x(y)z",
    "an end of a comment": f"x) ; {_DMARC} (",
    "a semicolon": "x;dmarc=pass",
    "a semicolon and blanks": f"client.attacker.example; {_DMARC}",
    "a quote": 'x"y',
    "an at sign": "friend@hosted.example",
    "an equals sign": "smtp.mailfrom=hosted.example",
    "a domain literal": "[x;dmarc=pass]",
    "a control character": "x\x0by",
}
_SELECTORS = {
    "a comment and a property": "sel(x)header.d=hosted.example",
    "an end of a comment": "x)header.d=hosted.example(",
    "a comment and a result": "s(;dkim=pass)header.d=hosted.example",
    "a quote": 's"header.d=hosted.example',
    "a slash": "s/header.d=hosted.example",
    "a comma": "s,header.d=hosted.example",
    "an at sign": "s@hosted.example",
    "a blank": "s header.d=hosted.example",
    "a tab": "s\theader.d=hosted.example",
    "a fold": "s\r\n header.d=hosted.example",
    "an underscore": "s_1",
}
_DOMAINS = {
    "a blank": "attacker.example header.d=hosted.example",
    "a fold": "attacker.example\r\n header.d=hosted.example",
    "a comment": "attacker.example(x)",
    "a comment ahead": "(x)attacker.example",
    "a comment and a result": "attacker.example(x)header.d=hosted.example",
    "a trailing point": "attacker.example.",
    "a blank inside": "attacker .example",
    "a quote": '"attacker.example"',
    "hosted ahead": "hosted.example;d=attacker.example",
}
_IDENTITIES = {
    "encoded semicolon": "x=3B=20dmarc=3Dpass=20header.from=3Dhosted.example=20y@attacker.example",
    "encoded end of a comment": "=29=3Bdkim=3Dpass=20header.d=3Dhosted.example=20=28@attacker.example",
    "encoded at sign": "friend=40hosted.example=20@attacker.example",
    "a blank": "x header.d=hosted.example y@attacker.example",
    "a comment": "x(y)header.d=hosted.example@attacker.example",
    "a quote": '"x header.d=hosted.example"@attacker.example',
    "an encoded fold": "x=0D=0A=20dmarc=3Dpass@attacker.example",
    "an encoded fold and a field": "x=0D=0AX-Evil:=20dmarc=3Dpass@attacker.example",
}
_ALGORITHMS = {
    "a comment": "rsa-sha256(x)",
    "a property": "rsa-sha256 header.d=hosted.example",
    "unknown": "x(y)header.d=hosted.example",
}
_AUTHORS = {
    "a display name with results": f'"x; {_DMARC}" <x@attacker.example>',
    "a comment with results": f"x@attacker.example (y); {_DMARC}",
    "a comment that does not end": "x@attacker.example (header.from=hosted.example",
    "a comment inside the address": "x@(hosted.example)attacker.example",
    "a comment inside the domain": "x@attacker(y)header.from=hosted.example",
    "a quoted local part": '"x@hosted.example,b"@attacker.example',
    "two authors": "friend@hosted.example, x@attacker.example",
    "two authors, the other way": "x@attacker.example, friend@hosted.example",
    "an odd domain": "x@a;header.from=hosted.example",
    "an odd domain, in brackets": "Friend <x@attacker.example;header.from=hosted.example>",
    "a blank in the domain": "Friend <x@attacker.example header.from=hosted.example>",
    "a fold in the domain": "Friend <x@attacker.example\r\n header.from=hosted.example>",
    "no brackets": "Friend friend@hosted.example x@attacker.example",
    "a group": "friends: friend@hosted.example, x@attacker.example;",
    "an odd local part": '"x dmarc=pass header.from=hosted.example (y)"@attacker.example',
    "the domain with a point": "Friend <friend@hosted.example.>",
}
_RESULTS = f"Authentication-Results: {zone.OURS}; {{}}"
_FIELDS = {
    "our results, spf": (_RESULTS.format(_SPF),),
    "our results, dkim": (_RESULTS.format(_DKIM),),
    "our results, dmarc": (_RESULTS.format(_DMARC),),
    "our results, blank ahead of the semicolon": (_RESULTS.format(_SPF).replace(";", " ;", 1),),
    "our results, a version": (_RESULTS.format(_SPF).replace(";", " 1;", 1),),
    "our results, a comment": (_RESULTS.format(_SPF).replace(": ", ": (x) ", 1),),
    "our results, a fold": (_RESULTS.format(_SPF).replace(": ", ":\r\n ", 1),),
    "our results, in capitals": (_RESULTS.format(_SPF).replace("mx", "MX", 1),),
    "our results, quoted": (_RESULTS.format(_SPF).replace(zone.OURS, f'"{zone.OURS}"'),),
    "Received-SPF": ("Received-SPF: Pass (x) identity=mailfrom; envelope-from=friend@hosted.example",),
    "ARC set": (
        f"ARC-Seal: i=1; a=rsa-sha256; t=1700000000; cv=none; d=attacker.example(x)header.from=hosted.example; s=s(y);{_DMARC}; b=AAAA",
        "ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=attacker.example; s=s; h=from; bh=AAAA; b=AAAA",
        f"ARC-Authentication-Results: i=1; {zone.OURS}; {_DMARC}; {_SPF}; {_DKIM}",
    ),
    "our spam verdict": (
        "X-Spam-Status: No, score=-9.9 required=5.0 tests=ALL_TRUSTED",
        "X-Spam-Flag: NO",
        "X-Spam-Level:",
    ),
    "DKIM-Filter": (f"DKIM-Filter: OpenDKIM Filter v2.11.0 {zone.OURS}; {_DKIM}",),
}
_OWN_AUTHORS = {
    "attacker.example": "its own DMARC record",
    "oddpolicy.example": "the policy",
    "oddsp.example": "the sub-domain policy",
}

HOSTILE = (
    _forged("nothing but the forged author", "nothing"),
    *(
        _forged(f"local part: {name}", "MAIL FROM local part", sender=f"{text}@attacker.example")
        for name, text in _LOCAL_PARTS.items()
    ),
    *(
        _forged(
            f"local part without a record: {name}",
            "MAIL FROM local part",
            sender=f"{text}@nothing.attacker.example",
            helo="nothing.attacker.example",
        )
        for name, text in _LOCAL_PARTS.items()
        if text.startswith('"x')
    ),
    *(_forged(f"sender: {name}", "MAIL FROM", sender=text) for name, text in _SENDERS.items()),
    *(_forged(f"SPF record: {name}", "SPF record", sender=f"x@{name}.attacker.example") for name in _SPF_DOMAINS),
    *(_forged(f"HELO: {name}", "HELO", helo=text) for name, text in _HELOS.items()),
    *(_forged(f"HELO, null sender: {name}", "HELO", helo=text, sender="") for name, text in _HELOS.items()),
    *(
        _forged(f"HELO, null sender, SPF record: {name}", "SPF record", helo=f"{name}.attacker.example", sender="")
        for name in ("perm", "permdkim", "exp")
    ),
    *(_forged(f"reverse DNS: {name}", "reverse DNS", client=address) for address, name in zone.ODD_NAMES.items()),
    *(_forged(f"s=: {name}", "DKIM s=", signatures=(_evil(text),)) for name, text in _SELECTORS.items()),
    *(_forged(f"d=: {name}", "DKIM d=", signatures=(_evil(d=text),)) for name, text in _DOMAINS.items()),
    *(_forged(f"i=: {name}", "DKIM i=", signatures=(_evil(i=text),)) for name, text in _IDENTITIES.items()),
    *(_forged(f"a=: {name}", "DKIM a=", signatures=(_evil(a=text),)) for name, text in _ALGORITHMS.items()),
    _forged("a tag twice", "DKIM tags", signatures=(_evil(x="9999999999; d=hosted.example"),)),
    _forged("s= in a broken signature", "DKIM s=", signatures=(_evil("sel(x)header.d=hosted.example"),), broken=True),
    _forged(
        "i= in a broken signature", "DKIM i=", signatures=(_evil(i=_IDENTITIES["encoded semicolon"]),), broken=True
    ),
    *(_forged(f"From: {name}", "From", author=text) for name, text in _AUTHORS.items()),
    *(_forged(f"field: {name}", "header fields", more=lines) for name, lines in _FIELDS.items()),
    *(
        _forged(f"DMARC record: {name}", "DMARC record", author=f"X <x@{name}>", sender=f"x@{name}")
        for name in _OWN_AUTHORS
    ),
    _forged("two From fields", "From", more=("From: x@attacker.example",)),
    _forged(
        "selector and local part",
        "DKIM s=, MAIL FROM",
        sender=f'"x; {_SPF}; y=b"@attacker.example',
        signatures=(_evil("s(x"),),
    ),
)
