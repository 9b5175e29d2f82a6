"""RFC 2047 encoded-words, decoded as lenient readers do it: wherever they stand, to see what such a reader would
see."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_SAME = (
    "utf-8",
    "utf-7",
    "koi8-r",
    "koi8-u",
    "gb18030",
    "big5-hkscs",
    "euc-jp",
    "iso-2022-jp",
    "iso-2022-jp-2",
    "iso-2022-kr",
    "tis-620",
)
_CHARSETS = {
    **{name: name for name in _SAME},
    **{f"windows-{page}": f"cp{page}" for page in (874, *range(1250, 1259))},
    **{f"cp{page}": f"cp{page}" for page in (437, 850, 866, 874, 932, 936, 949, 950, *range(1250, 1259))},
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (*range(2, 12), 13, 14, 15, 16)},
    # the larger charset that is meant in practice (WHATWG Encoding)
    **dict.fromkeys(("us-ascii", "ascii", "iso-8859-1", "latin1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    "utf8": "utf-8",
    "big5": "big5-hkscs",
    "macintosh": "mac-roman",
}
"""The charset names seen in mail, with Python's codecs for them. Others are refused: what they decode to is anybody's
guess."""

_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


class Malformed(Exception):
    """An encoded-word that readers decode differently or not at all; the text says what is wrong."""


@dataclass(slots=True)
class _Run:
    """Encoded-words of one charset with nothing but white space between: some writers split characters between them."""

    codec: str
    octets: bytes


def decode(text: str) -> str:
    """The text with every encoded-word decoded, also inside quotation marks and glued to other text. Raises
    Malformed."""
    if "=?" not in text:
        return text
    parts: list[str | _Run] = []
    at = 0
    for match in _WORD.finditer(text):
        between = text[at : match.start()]
        _plain(between)
        codec, octets = _word(match)
        last = parts[-1] if parts else None
        if isinstance(last, _Run) and not between.strip(" \t"):
            if last.codec == codec:
                last.octets += octets
            else:
                parts.append(_Run(codec, octets))
        else:
            parts += [between, _Run(codec, octets)]
        at = match.end()
    _plain(text[at:])
    parts.append(text[at:])
    decoded = "".join(_text(part) if isinstance(part, _Run) else part for part in parts)
    # for a reader that decodes twice
    _plain(decoded)
    return decoded


def _plain(text: str) -> None:
    if "=?" in text:
        raise Malformed("a malformed encoded-word")


def _word(match: re.Match[str]) -> tuple[str, bytes]:
    charset, encoding, text = match[1].lower(), match[2].lower(), match[3]
    codec = _CHARSETS.get(charset)
    if codec is None:
        raise Malformed(f"an encoded-word in the unknown charset {charset[:40]!r}")
    try:
        return codec, _octets_b(text) if encoding == "b" else _octets_q(text.encode("ascii"))
    except (ValueError, binascii.Error):
        raise Malformed("a malformed encoded-word") from None


def _octets_b(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        raise ValueError
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)


def _octets_q(text: bytes) -> bytes:
    if text.count(b"=") != len(_HEX.findall(text)):
        raise ValueError
    return _HEX.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text.replace(b"_", b" "))


def _text(run: _Run) -> str:
    try:
        return run.octets.decode(run.codec, "replace" if run.codec == "cp1252" else "strict")
    except UnicodeError:
        raise Malformed(f"an encoded-word that is not valid {run.codec}") from None
