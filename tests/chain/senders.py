"""Senders of every kind, honest and not, each with what OpenDKIM and OpenDMARC say of it and what we say; and the DNS that they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import dkim

from tests.chain import mail, world
from tests.chain.mail import Letter
from tests.world.keys import Signer, ed25519_record, pem, rsa_record

NAMES = ("from", "to", "subject", "date", "message-id")
"""What an ordinary signature covers."""


def zone() -> tuple[str, ...]:
    """Every record that the senders need beside those of the world."""
    key = rsa_record()
    here = f"ip4:{world.ADDRESSES[world.GOOD_HOST]}"
    texts: dict[str, tuple[str, ...]] = {
        # SPF: that of most senders lists the host that they send from
        **{
            f"{name}.example": (f"v=spf1 {here} -all",)
            for name in ("news.good", "strict", "sub.strict", "plain", "esp", "misspelt")
        },
        **{
            f"{name}.example": (f"v=spf1 {here} -all",)
            for name in ("reported", "without", "twice", "late", "small", "dup", "again")
        },
        world.GOOD_HOST: (f"v=spf1 {here} -all",),
        "soft.example": ("v=spf1 ~all",),
        "neutral.example": ("v=spf1 ?all",),
        "again.example": (f"v=spf1 {here} -all", "v=spf1 -all"),
        "syntax.example": ("v=spf1 ip4:999.0.0.1 -all",),
        "deep.example": (f"v=spf1 {' '.join(f'include:i{n}.deep.example' for n in range(11))} {here} -all",),
        **{f"i{n}.deep.example": ("v=spf1 ip4:198.51.100.1 ?all",) for n in range(11)},
        "voids.example": (f"v=spf1 a:v1.voids.example a:v2.voids.example a:v3.voids.example {here} -all",),
        "macro.example": ("v=spf1 exists:%{i}._spf.macro.example -all",),
        "redirect.example": ("v=spf1 redirect=_spf.redirect.example",),
        "_spf.redirect.example": (f"v=spf1 {here} -all",),
        "mx.example": ("v=spf1 mx -all",),
        "ptr.example": ("v=spf1 ptr:good.example -all",),
        "loud.example": (f"V=SPF1 {here.upper()} -ALL",),
        "asks.example": (f"v=spf1 include:{world.SILENT} -all",),
        # DMARC
        "_dmarc.lax.example": ("v=DMARC1; p=none; sp=reject",),
        "_dmarc.strict.example": ("v=DMARC1; p=reject; adkim=s; aspf=s",),
        "_dmarc.misspelt.example": ("v=DMARC1; p=rejekt",),
        "_dmarc.reported.example": ("v=DMARC1; p=rejekt; rua=mailto:dmarc@reported.example",),
        "_dmarc.without.example": ("v=DMARC1; rua=mailto:dmarc@without.example",),
        "_dmarc.twice.example": ("v=DMARC1; p=reject", "v=DMARC1; p=none"),
        "_dmarc.late.example": ("p=reject; v=DMARC1",),
        "_dmarc.small.example": ("v=dmarc1; p=reject",),
        "_dmarc.dup.example": ("v=DMARC1; p=none; p=reject",),
        "_dmarc.pct.example": ("v=DMARC1; p=reject; pct=0",),
        "_dmarc.soft.example": ("v=DMARC1; p=none",),
        "_dmarc.voids.example": ("v=DMARC1; p=none",),
        # DKIM: the RSA key stands behind every selector that does not say otherwise
        **{
            f"s._domainkey.{name}.example": (key,)
            for name in ("good", "news.good", "strict", "sub.strict", "plain", "esp", "misspelt")
        },
        f"s._domainkey.{world.HOSTED}": (key,),
        "s._domainkey.twice.example": (key,),
        "bare._domainkey.good.example": (key.removeprefix("v=DKIM1; k=rsa; "),),
        "same._domainkey.good.example": (key.replace("k=rsa;", "k=rsa; t=s;"),),
        "test._domainkey.good.example": (key.replace("k=rsa;", "k=rsa; t=y;"),),
        "sha1._domainkey.good.example": (key.replace("k=rsa;", "k=rsa; h=sha1;"),),
        "chat._domainkey.good.example": (key.replace("k=rsa;", "k=rsa; s=chat;"),),
        "pair._domainkey.good.example": (key, "v=DKIM1; k=rsa; p="),
        "revoked._domainkey.good.example": ("v=DKIM1; k=rsa; p=",),
        "small._domainkey.good.example": (rsa_record(1024),),
        "e._domainkey.good.example": (ed25519_record(),),
    }
    others = (
        f"{world.ADDRESSES[world.GOOD_HOST]}._spf.macro.example. IN A 127.0.0.2",
        f"mx.example. IN MX 10 {world.GOOD_HOST}.",
    )
    return (*(world.txt(name, text) for name, several in texts.items() for text in several), *others)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message and the session in which it is handed in. MAIL FROM is the author unless `sender` says otherwise."""

    letter: Letter
    client: str = world.GOOD_HOST
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of SPF and DKIM found something that passes (`"spf dkim"`), and DMARC's result; "" where nothing is said of it."""

    passes: str
    dmarc: str


@dataclass(frozen=True, slots=True)
class Case:
    """`theirs` is the verdict of OpenDKIM and OpenDMARC, `ours` that of our own checks in the same session, with `why` it is another."""

    sent: Callable[[], Sent]
    theirs: Verdict
    ours: Verdict
    why: str = ""


def agree(sent: Callable[[], Sent], passes: str, dmarc: str) -> Case:
    """All say the same."""
    return Case(sent, Verdict(passes, dmarc), Verdict(passes, dmarc))


def differ(sent: Callable[[], Sent], theirs: tuple[str, str], ours: tuple[str, str], why: str) -> Case:
    """We don't."""
    return Case(sent, Verdict(*theirs), Verdict(*ours), why)


def plain(author: str = f"alice@{world.GOOD}", *more: str) -> Letter:
    """A letter without a signature, to a user of a hosted domain."""
    return mail.letter(author, f"friend@{world.HOSTED}", more=more)


def by(selector: str = "s", domain: str = world.GOOD, names: tuple[str, ...] = NAMES, **tags: str | None) -> Signer:
    """A signer with a key of that domain."""
    return Signer(selector, domain, names, 1024 if selector == "small" else 2048, selector == "e", dict(tags))


def signed(letter: Letter, signer: Signer | None = None) -> Letter:
    """With a signature of its author domain, or of that signer."""
    header, _, body = letter.raw.partition(b"\r\n\r\n")
    return replace(letter, raw=(signer or by(domain=letter.domain)).sign(header, body) + letter.raw)


def by_dkimpy(letter: Letter, form: str = "relaxed/relaxed", *, length: bool = False, sha1: bool = False) -> Letter:
    """With a signature of its author domain that dkimpy makes, in that canonical form."""
    made: bytes = dkim.sign(
        letter.raw,
        b"s",
        letter.domain.encode(),
        pem(),
        canonicalize=tuple(form.encode().split(b"/")),
        include_headers=[name.encode() for name in NAMES],
        length=length,
        signature_algorithm=b"rsa-sha1" if sha1 else b"rsa-sha256",
    )
    return replace(letter, raw=made + letter.raw)


def changed(letter: Letter, old: bytes, new: bytes) -> Letter:
    """As somebody on the way made it."""
    assert old in letter.raw
    return replace(letter, raw=letter.raw.replace(old, new, 1))


def topped(letter: Letter, field: bytes) -> Letter:
    """With one field more at the top."""
    return replace(letter, raw=field + b"\r\n" + letter.raw)


def longer(letter: Letter, text: bytes = b"Log in at http://login.attacker.example/ to read on.\r\n") -> Letter:
    """With more behind its end."""
    return replace(letter, raw=letter.raw + text)


def said(text: bytes) -> Letter:
    """With that body."""
    return replace(letter := plain(), raw=letter.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + text)
