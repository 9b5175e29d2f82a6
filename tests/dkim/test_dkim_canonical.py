"""Relaxed canonicalization: tables from RFC 6376, and dkimpy as the oracle for everything else."""

from __future__ import annotations

import hashlib
import random
import re
import time
import tracemalloc
from itertools import pairwise

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim.canonical import BodyHash, SimpleHash, collapse, relaxed_field
from dkimgate.message.message import HeaderField


def digest(body: bytes, *cuts: int) -> bytes:
    hashed = BodyHash()
    for start, end in pairwise((0, *sorted(cuts), len(body))):
        hashed.update(body[start:end])
    return hashed.digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n\r\n", b""),
        (b" \t\r\n \r\n", b""),
        (b" ", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376 section 3.4.5
        (b"a", b"a\r\n"),
        (b"a ", b"a\r\n"),
        (b"a\r\n\r\nb", b"a\r\n\r\nb\r\n"),
        (b"a\r\n \r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
        (b"\t\ta\tb\r\n", b" a b\r\n"),
        (b"\xe4 \xa0\xff\r\n", b"\xe4 \xa0\xff\r\n"),
        (b"a\x0b\x0c\x00 \r\n", b"a\x0b\x0c\x00\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"a\r\r", b"a\r\r\r\n"),
        (b"a \r \r\n", b"a \r\r\n"),
        (b"\r", b"\r\r\n"),
        (b"\r\r\n", b"\r\r\n"),
        (b"\n", b"\n\r\n"),
        (b"a\n\r\n", b"a\n\r\n"),
        (b"a\n\n\r\n\r\n", b"a\n\n\r\n"),
        (b"a \n b\n\r\n", b"a \n b\n\r\n"),
    ],
)
def test_body_in_one_piece_and_octet_by_octet(body: bytes, canonical: bytes) -> None:
    assert digest(body) == sha256(canonical)
    assert digest(body, *range(len(body))) == sha256(canonical)


@pytest.mark.parametrize("lines", [4095, 4096, 4097, 8193, 40_000])
def test_many_empty_lines_inside_a_body(lines: int) -> None:
    body = b"a\r\n" + b"\r\n" * lines + b"b\r\n"
    assert digest(body) == digest(body, 2, 5, lines, 2 * lines) == sha256(body)


BODIES = st.lists(st.sampled_from([b"a", b"b\xe9", b" ", b"\t", b"  ", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0"])).map(
    b"".join
)


@given(BODIES, st.data())
def test_any_chunking_gives_what_dkimpy_gives_for_the_whole(body: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(body))))
    # SMTP would complete the last line, and so does the oracle here
    whole = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert digest(body, *cuts) == sha256(Relaxed.canonicalize_body(whole))


@given(BODIES, BODIES)
def test_a_digest_on_the_way_disturbs_nothing(first: bytes, second: bytes) -> None:
    hashed = BodyHash()
    hashed.update(first)
    assert hashed.digest() == hashed.digest() == digest(first)
    hashed.update(second)
    assert hashed.digest() == digest(first + second)


VALUES = st.lists(
    st.sampled_from([b"a", b"\xc3\xa9", b" ", b"\t", b"  ", b"\n ", b"\n\t", b"\r\n ", b"=", b":", b";"])
).map(b"".join)


@given(st.sampled_from([b"Subject", b"SUBJECT", b"subject ", b"X-a"]), VALUES)
def test_header_fields_agree_with_dkimpy(name: bytes, value: bytes) -> None:
    [(oracle_name, oracle_value)] = Relaxed.canonicalize_headers([(name, value + b"\r\n")])
    assert relaxed_field(HeaderField(name, value)) + b"\r\n" == oracle_name + b":" + oracle_value


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        (b"A", b" X", b"a:X"),  # RFC 6376 section 3.4.5
        (b"B ", b" Y\t\n\tZ  ", b"b:Y Z"),
        (b"Subject", b"", b"subject:"),
        (b"Subject", b" \n \n ", b"subject:"),
        (b"Subject", b"\n \xe2\x82\xac  1", b"subject:\xe2\x82\xac 1"),
    ],
)
def test_header_field(name: bytes, value: bytes, canonical: bytes) -> None:
    assert relaxed_field(HeaderField(name, value)) == canonical


LENGTHS = st.integers(1, 200) | st.sampled_from([255, 256, 1023, 1024, 4095, 4097, 65_535, 70_000])


@given(st.lists(st.tuples(LENGTHS, st.sampled_from([b" ", b"\t", b" \t", b"\t\t "])), max_size=30))
def test_runs_of_any_length_become_one_space(runs: list[tuple[int, bytes]]) -> None:
    assert collapse(b"x".join((unit * length)[:length] for length, unit in runs)) == b"x".join(b" " for _ in runs)


@given(st.lists(st.sampled_from([b"a", b" ", b"\t", b"  ", b"\r\n", b"\xa0", b"\v"])).map(b"".join), st.integers(1, 90))
def test_nothing_but_spaces_and_tabs_is_collapsed(text: bytes, times: int) -> None:
    assert collapse(text * times) == re.sub(b"[ \t]+", b" ", text * times)


HOSTILE = {
    "blanks": b" ",
    "tabs": b"\t",
    "empty lines": b"\r\n",
    "white lines": b" \r\n",
    "spaced lines": b"x \r\n",
    "double spaces": b"x  ",
    "mixed white space": b"x \t",
    "bare CR": b"\r",
    "bare LF": b"\n",
    "LF before empty lines": b"\n" + b"\r\n" * 30_000,
    "long runs": b"x" + b" " * 65_000,
}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", [BodyHash, SimpleHash])
@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_memory_does_not_grow_and_time_is_linear(unit: bytes, kind: type[BodyHash | SimpleHash]) -> None:
    chunk = (unit * (65_535 // len(unit) + 1))[:65_535]

    def run(megabytes: int) -> float:
        hashed = kind()
        start = time.process_time()
        for _ in range(megabytes * 16):
            hashed.update(chunk)
        hashed.digest()
        return time.process_time() - start

    def peak(megabytes: int) -> int:
        tracemalloc.start()
        run(megabytes)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    def best(megabytes: int) -> float:
        return min(run(megabytes) for _ in range(2))

    once = best(1)
    # four times the input: quadratic work would take sixteen times as long
    assert best(4) < 9 * once + 0.02
    assert peak(5) < 1.2 * peak(1) + 65_536


def test_ten_megabytes_of_text_are_fast() -> None:
    words = [bytes(random.Random(seed).choices(b"abcdefghij", k=seed % 9 + 1)) for seed in range(500)]
    text = b"\r\n".join(b" ".join(words[at : at + 10]) for at in range(490)) + b"\r\n"
    body = (text * (10 * 2**20 // len(text) + 1))[: 10 * 2**20]
    hashed = BodyHash()
    start = time.process_time()
    for at in range(0, len(body), 65_535):
        hashed.update(body[at : at + 65_535])
    hashed.digest()
    # about 40 ms on a machine of 2024; dkimpy takes over a second
    assert time.process_time() - start < 0.4
