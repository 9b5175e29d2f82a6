"""The messages of the bench: what is signed, what is refused, and what a hostile sender could send."""

from __future__ import annotations

from dataclasses import dataclass, replace

DOMAIN = "hosted.example"
SELECTOR = "default"
HOST = "mx.forwarder.example"

_LINE = b"The quick brown fox jumps over the lazy dog, and then it has a look at the mail.\r\n"

WHITE_SPACE = {
    "blanks and letters": b"a \tb" * 19 + b" \r\n",
    "lines of blanks": b" \t" * 38 + b"\r\n",
    "pairs of tabs": b"a\t\t" * 25 + b"\r\n",
    "a long run among pairs": b" " * 255 + b"a  " * 200 + b"\r\n",
    "blank lines and one letter": b" \r\n" * 20 + b"a\r\n",
}
"""Lines for bodies that relaxed canonicalization has work with."""

_AUTHOR = f"""\
From: Ask Friend <ask@{DOMAIN}>
To: You <you@receiver.example>
Cc: Them <them@receiver.example>
Subject: The plan for next week, and what we said about it
Date: Sat, 21 Nov 2026 16:20:20 +0000
Message-ID: <20261121162020.4711@{DOMAIN}>
User-Agent: Mozilla Thunderbird
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 7bit
Content-Language: en-GB
"""

# what a forwarder's own milters wrote when the forgery came in, and the hops before it
_ARRIVED = f"""\
X-Spam-Status: Yes, score=14.9 required=3.0 tests=BAYES_99,FREEMAIL_FORGED,
\tHTML_MESSAGE,SPF_FAIL autolearn=no autolearn_force=no version=4.0.0
X-Spam-Level: **************
Authentication-Results: {HOST}; dmarc=fail (p=reject dis=none) header.from={DOMAIN}
Authentication-Results: {HOST}; spf=fail smtp.mailfrom={DOMAIN}
Received: from client.attacker.example (client.attacker.example [192.0.2.66])
\tby {HOST} (Postfix) with ESMTPS id 4F2A
\tfor <ask@{DOMAIN}>; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)
Received: from [198.51.100.7] (helo=laptop)
\tby client.attacker.example with esmtpsa (TLS1.3) (Exim 4.96)
\tid 1tEsting-000123-4X; Sat, 21 Nov 2026 16:20:22 +0000
"""


FORGED_HEADER = (_ARRIVED + _AUTHOR).replace("\n", "\r\n")
"""The header of the forgery."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message (CRLF line ends), the client that hands it over, and the macros of its MAIL FROM."""

    text: bytes
    client: str
    macros: tuple[str, ...] = ()


def _crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def _filled(header: bytes, size: int, line: bytes = _LINE) -> bytes:
    """That header with a body that makes it `size` octets, in whole lines."""
    return header + b"\r\n" + line * max(1, (size - len(header)) // len(line))


def own(size: int = 5_000, line: bytes = _LINE) -> Mail:
    """A message of a user who has logged in: every signer signs it."""
    macros = ("{auth_type}=PLAIN", "{auth_authen}=ask@" + DOMAIN)
    return Mail(_filled(_crlf(_AUTHOR), size, line), "192.0.2.7", macros)


def forgery(size: int = 5_000) -> Mail:
    """A forgery in the name of the hosted domain that comes back to be forwarded: the shipped policy refuses it."""
    return Mail(_filled(FORGED_HEADER.encode(), size), "127.0.0.1")


NUMBER = b"00000000"
"""Where it stands in a header, milter_load writes the number of the message."""


def every_one_another(mail: Mail) -> Mail:
    """That message, with what a sender can choose anew each time: addresses, names, domains of hosts."""
    text = mail.text
    for word in (b"Subject: ", b"Message-ID: <", b"To: You <", b"from client", b"helo=laptop", b"From: Ask Friend <"):
        text = text.replace(word, word + b"n" + NUMBER, 1)
    return replace(mail, text=text)
