"""Packets, whatever the pieces that they arrive in; and the words of the protocol, which are libmilter's."""

from __future__ import annotations

import re
import struct
import time
from itertools import pairwise
from pathlib import Path

import Milter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.wire import protocol
from dkimgate.wire.packets import LARGEST, Packets, ProtocolError, number, number_at, packet, strings

PACKETS = [(b"M", b"<a@sender.example>\0"), (b"N", b""), (b"B", b"x" * 300), (b"E", b"")]
STREAM = b"".join(packet(*each) for each in PACKETS)

one_packet = st.tuples(st.binary(min_size=1, max_size=1), st.binary(max_size=200))


def test_cut_at_every_octet() -> None:
    for at in range(len(STREAM) + 1):
        packets = Packets()
        assert [*packets.cut(STREAM[:at]), *packets.cut(STREAM[at:])] == PACKETS


@given(st.lists(one_packet, max_size=8), st.lists(st.integers(0, 1000), max_size=8))
def test_what_is_packed_is_cut_the_same_in_any_pieces(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(packet(*each) for each in sent)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    packets = Packets()
    pieces = [stream[begin:end] for begin, end in pairwise(places)]
    assert [each for piece in pieces for each in packets.cut(piece)] == sent


@pytest.mark.parametrize("length", [0, LARGEST + 1, 0xFFFFFFFF, 0x45484C4F])
def test_a_length_that_no_packet_has_is_refused_before_its_data_come(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"a packet of {length} octets"):
        list(Packets().cut(STREAM + struct.pack("!I", length) + b"L"))


def test_four_megabytes_octet_by_octet_take_linear_time() -> None:
    def seconds(octets: int) -> float:
        packets, stream = Packets(), packet(b"L", b"x" * octets)
        begin = time.process_time()
        found = [each for at in range(len(stream)) for each in packets.cut(stream[at : at + 1])]
        assert len(found) == 1
        return time.process_time() - begin

    small = min(seconds(100_000) for _ in range(3))
    assert seconds(1_000_000) < 40 * small + 0.1


def test_numbers_and_strings() -> None:
    assert number_at(b"ab" + number(0x1FF), 2) == 0x1FF
    assert strings(b"a\0b\0c", 1, 2) == [b"a", b"b"]
    assert strings(b"a\0\0", 2, 2) == [b"a", b""]
    with pytest.raises(ProtocolError):
        number_at(b"abc", 0)
    with pytest.raises(ProtocolError):
        strings(b"a\0b", 2, 2)


def test_a_million_strings_are_not_taken_apart() -> None:
    assert len(strings(b"\0" * 1_000_000, 2, 2)) == 2


@pytest.mark.parametrize("header", ["mfapi.h", "mfdef.h"])
def test_words_mean_what_libmilters_headers_say(header: str) -> None:
    file = Path("/usr/include/libmilter") / header
    if not file.exists():
        pytest.skip("libmilter-dev is not installed")
    ours = {name: value for name, value in vars(protocol).items() if name.startswith("SMFI")}
    found = re.findall(r"^#\s*define\s+(SMFI\w+)\s+('.'|0x[0-9A-F]+L?|\d+)", file.read_text(), re.MULTILINE)
    theirs = {name: value[1].encode() if value[0] == "'" else int(value.rstrip("L"), 0) for name, value in found}
    same = ours.keys() & theirs.keys()
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert len(same) >= 10


def test_words_mean_what_pymilter_hands_on() -> None:
    for ours, theirs in (("SMFIS_", ""), ("SMFIP_", "P_"), ("SMFIM_", "M_"), ("SMFIF_", "")):
        for name, value in vars(protocol).items():
            if name.startswith(ours) and hasattr(Milter, theirs + name.removeprefix(ours)):
                assert getattr(Milter, theirs + name.removeprefix(ours)) == value, name
