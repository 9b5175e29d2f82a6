"""What is kept of a text that was read: few texts, short ones, and nothing else than reading them anew would give."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim import public_key, signature, tag_list
from dkimgate.dkim.kept import LONGEST, kept
from dkimgate.dkim.signature import Refused, Tags
from tests.world.dns import FakeResolver


def test_a_text_is_read_once_while_few_others_come() -> None:
    read: list[bytes] = []

    @kept(3)
    def length(text: bytes) -> int:
        read.append(text)
        return len(text)

    for _ in range(2):
        assert [length(text) for text in (b"a", b"bb", b"ccc")] == [1, 2, 3]
    assert read == [b"a", b"bb", b"ccc"]
    assert (length(b"dddd"), length(b"a")) == (4, 1)
    assert read == [b"a", b"bb", b"ccc", b"dddd", b"a"]


def test_a_long_text_is_not_kept() -> None:
    read: list[int] = []

    @kept(3)
    def length(text: bytes) -> int:
        read.append(len(text))
        return len(text)

    for size in (LONGEST, LONGEST, LONGEST + 1, LONGEST + 1):
        assert length(b"x" * size) == size
    assert read == [LONGEST, LONGEST + 1, LONGEST + 1]


def test_a_key_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # a new key, for others may have been met already
    key = rsa.generate_private_key(65537, 1024).public_key()
    public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    loaded: list[bytes] = []

    def load(octets: bytes) -> object:
        loaded.append(octets)
        return serialization.load_der_public_key(octets)

    monkeypatch.setattr(public_key, "load_der_public_key", load)
    text = base64.b64encode(public).decode()
    for at in (9, 10):  # the same key in other words is read anew
        zone = {"s._domainkey.a.example": {"TXT": [f"v=DKIM1; p={text[:at]} {text[at:]}"]}}
        for _ in range(2):
            public_key.published_key("a.example", "s", "rsa-sha256", FakeResolver(zone).lookup())
    assert loaded == [public, public]


def _read(value: bytes) -> Tags | str:
    try:
        return signature.read(value)
    except Refused as refused:
        return f"{refused.result} {refused}"


TAGS = st.lists(
    st.sampled_from(
        ["v=1", "a=rsa-sha256", "b=AAAA", "bh=AAAA", "d=a.example", "s=s", "h=from", "h", "=", "x=\xe9", "v=2"]
    )
)


@given(TAGS.map("; ".join).map(lambda text: text.encode("latin-1")))
def test_who_reads_again_reads_the_same(value: bytes) -> None:
    first = (_read(value), tag_list.loose(value), signature.claimed_domain(value))
    assert (_read(bytes(bytearray(value))), tag_list.loose(value), signature.claimed_domain(value)) == first
