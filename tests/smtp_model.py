"""What Postfix's smtp(8) sends, retold from smtp_text_out() of Postfix 3.7 (src/smtp/smtp_proto.c): the oracle for dkimgate.message.lines.

It shares nothing with the code that it judges. A line comes from the queue file in records of at most `record` octets, as smtpd(8) and
pickup(8) wrote it; `limit` is smtp_line_length_limit. The dots that SMTP puts in front of dots are left out: the receiver takes them off.
"""

from __future__ import annotations

from collections.abc import Iterator


def body(lines: list[bytes], limit: int = 998, record: int = 2048) -> bytes:
    """The lines of a body, which have no CRLF in them."""
    return b"".join(_sent(_records(line, record), limit) for line in lines)


def header(lines: list[bytes], limit: int = 998, record: int = 2048) -> bytes:
    """The lines of a header: cleanup(8) writes no empty record at the end of a line."""
    return b"".join(_sent(_header_records(line, record), limit) for line in lines)


def _records(line: bytes, size: int) -> Iterator[tuple[bool, bytes]]:
    """(is it continued by the next one, text)"""
    while len(line) >= size:
        yield True, line[:size]
        line = line[size:]
    yield False, line


def _header_records(line: bytes, size: int) -> Iterator[tuple[bool, bytes]]:
    while len(line) > size:
        yield True, line[:size]
        line = line[size:]
    yield False, line


def _sent(records: Iterator[tuple[bool, bytes]], limit: int) -> bytes:
    out, left = bytearray(), limit
    for continued, text in records:
        while True:
            if limit and len(text) >= left:
                out += text[:left] + b"\r\n"
                text, left = text[left:], limit
                if text or continued:
                    out += b" "
                    left -= 1
            elif continued:
                out += text
                left -= len(text)
                break
            else:
                out += text + b"\r\n"
                left = limit
                break
            if not text:
                break
    return bytes(out)
