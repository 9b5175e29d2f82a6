"""The resolver against a name server on loopback, and its cache, deadline and budget against a clock of the test."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from dkimgate import waiting
from dkimgate.dns.resolver import FAILURE_TTL, Answer, Lookup, Resolver, Status
from tests.world.dns import FakeResolver

LOOPBACK = ip_address("127.0.0.1")
ZONE = {
    ("d.example.", "TXT"): ['300 IN TXT "v=spf1 " "-all"', '300 IN TXT "other"'],
    ("d.example.", "A"): ["300 IN A 192.0.2.1", "300 IN A 192.0.2.2"],
    ("d.example.", "AAAA"): ["300 IN AAAA 2001:db8::1"],
    ("d.example.", "MX"): ["300 IN MX 10 Mail.D.example.", "300 IN MX 20 mx2.d.example."],
    ("null.example.", "MX"): ["300 IN MX 0 ."],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["300 IN PTR d.example."],
    ("forever.example.", "TXT"): ['2000000000 IN TXT "x"'],
    ("now.example.", "TXT"): ['0 IN TXT "x"'],
    ("many.example.", "MX"): [f"300 IN MX 10 {n}.a-long-name-so-that-tcp-is-needed.example." for n in range(100)],
    ("most.example.", "MX"): [f"300 IN MX 10 {n}.a-long-name-so-that-tcp-is-needed.example." for n in range(60)],
    ("many.example.", "TXT"): [f'300 IN TXT "{n}"' for n in range(300)],
    ("huge.example.", "TXT"): [f'300 IN TXT "{"x" * 250}{n}"' for n in range(100)],
    ("long.example.", "TXT"): [f'300 IN TXT "{"x" * 200}{n}"' for n in range(40)],
    (r"a\\b.example.", "TXT"): ['300 IN TXT "backslash"'],
}
SOA = "3600 IN SOA ns.example. root.example. 1 1 1 1 60"


class Server:
    """Answers by UDP and TCP from ZONE. `broken`: SERVFAIL. `silent`: nothing. Everything else: NXDOMAIN or NODATA."""

    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.questions: list[tuple[str, str]] = []
        for loop in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def serve_udp(self) -> None:
        while True:
            try:
                wire, peer = self.udp.recvfrom(4096)
                answer = self.answer(wire)
                if answer is not None:
                    whole = answer.to_wire(max_size=65535)
                    if len(whole) > 1232:
                        answer.answer.clear()
                        answer.flags |= dns.flags.TC
                        whole = answer.to_wire(max_size=65535)
                    self.udp.sendto(whole, peer)
            except OSError:
                return

    def serve_tcp(self) -> None:
        while True:
            try:
                peer, _ = self.tcp.accept()
                with peer:
                    (length,) = struct.unpack("!H", peer.recv(2))
                    answer = self.answer(peer.recv(length))
                    if answer is not None:
                        wire = answer.to_wire(max_size=65535)
                        peer.sendall(struct.pack("!H", len(wire)) + wire)
            except OSError:
                return

    def answer(self, wire: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if "silent" in name:
            return None
        if "broken" in name:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in ZONE:
            texts = [text.split(" ", 3) for text in ZONE[name, kind]]
            response.answer.append(
                dns.rrset.from_text_list(name, int(texts[0][0]), "IN", kind, [text[3] for text in texts])
            )
        elif name == "alias.example.":
            response.answer.append(dns.rrset.from_text(name, 20, "IN", "CNAME", "d.example."))
            response.answer.append(dns.rrset.from_text("d.example.", 300, "IN", "TXT", '"by alias"'))
        elif name == "circle.example.":
            response.answer.append(dns.rrset.from_text(name, 20, "IN", "CNAME", name))
        else:
            if name not in {known for known, _ in ZONE}:
                response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text("example.", 3600, "IN", "SOA", SOA.split(" ", 3)[3]))
        return response

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_every_kind_of_record(server: Server) -> None:
    lookup = Resolver([LOOPBACK], server.port).lookup()
    assert set(lookup.txt("d.example").values) == {b"v=spf1 -all", b"other"}
    assert set(lookup.a("d.example").values) == {ip_address("192.0.2.1"), ip_address("192.0.2.2")}
    assert lookup.aaaa("d.example").values == (ip_address("2001:db8::1"),)
    assert set(lookup.mx("d.example").values) == {(10, "mail.d.example"), (20, "mx2.d.example")}
    assert lookup.mx("null.example").values == ((0, ""),)
    assert lookup.ptr("1.2.0.192.in-addr.arpa").values == ("d.example",)
    assert lookup.txt("alias.example").values == (b"by alias",)
    assert len(lookup.txt("long.example").values) == 40  # by TCP


@pytest.mark.parametrize(("name", "no_name"), [("nowhere.example", True), ("null.example", False)])
def test_what_is_not_there_is_none(server: Server, name: str, no_name: bool) -> None:
    """A name that does not exist (NXDOMAIN), and one without such a record."""
    assert Resolver([LOOPBACK], server.port).lookup().txt(name) == Answer(Status.NONE, no_name=no_name)


@pytest.mark.parametrize(
    "name", ["", ".", "a..example", "a" * 64 + ".example", ".".join(["a" * 60] * 5), "\ud800.example"]
)
def test_what_can_be_no_name_is_none_and_not_asked(server: Server, name: str) -> None:
    before = len(server.questions)
    assert Resolver([LOOPBACK], server.port).lookup().txt(name) == Answer(Status.NONE)
    assert len(server.questions) == before


def test_a_backslash_is_no_escape(server: Server) -> None:
    assert Resolver([LOOPBACK], server.port).lookup().txt("a\\b.example").values == (b"backslash",)


@pytest.mark.parametrize("name", ["broken.example", "circle.example"])
def test_servfail_is_a_failure_with_a_reason(server: Server, name: str) -> None:
    answer = Resolver([LOOPBACK], server.port).lookup().txt(name)
    assert answer.status is Status.FAILED
    assert name in answer.why and "no name server" in answer.why


def test_silence_ends_at_the_deadline_of_the_message(server: Server) -> None:
    lookup = Resolver([LOOPBACK], server.port, deadline=0.5).lookup()
    start = time.monotonic()
    first = lookup.txt("silent.example")
    second = lookup.txt("d.example")
    assert (first.status, second.status) == (Status.FAILED, Status.FAILED)
    assert "no answer in time" in first.why and "no time left" in second.why
    assert 0.4 < time.monotonic() - start < 3


def test_nobody_listening_is_a_failure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert Resolver([LOOPBACK], port, deadline=0.5).lookup().txt("d.example").status is Status.FAILED


def count(server: Server, name: str) -> int:
    return sum(asked == name for asked, _ in server.questions)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("d.example", 300),
        ("nowhere-%s.example", 60),
        ("alias.example", 20),
        ("broken-%s.example", FAILURE_TTL),
        ("forever.example", 86400),
    ],
)
def test_messages_share_answers_until_they_expire(server: Server, name: str, seconds: float) -> None:
    name = name.replace("%s", f"ttl{seconds}")
    clock = Clock()
    resolver = Resolver([LOOPBACK], server.port, clock=clock)
    before = count(server, f"{name}.")
    first = resolver.lookup().txt(name)
    asked = count(server, f"{name}.")
    assert asked > before
    clock.now += seconds - 1
    assert resolver.lookup().txt(name.upper() + ".") == first
    assert count(server, f"{name}.") == asked
    clock.now += 2
    resolver.lookup().txt(name)
    assert count(server, f"{name}.") > asked


@pytest.mark.parametrize("name", ["now.example", "long.example"])
def test_what_has_no_time_or_is_too_large_is_not_kept(server: Server, name: str) -> None:
    resolver = Resolver([LOOPBACK], server.port)
    before = count(server, f"{name}.")
    assert set(resolver.lookup().txt(name).values) == set(resolver.lookup().txt(name).values)
    assert count(server, f"{name}.") >= before + 2


def test_the_cache_forgets_what_was_not_used_for_longest(server: Server) -> None:
    resolver = Resolver([LOOPBACK], server.port, entries=2)
    for name in ("one.example", "two.example", "one.example", "three.example"):
        resolver.lookup().txt(name)
    assert resolver.cached("one.example", "TXT") is not None
    assert resolver.cached("two.example", "TXT") is None
    assert resolver.cached("three.example", "TXT") is not None


def test_a_failure_for_want_of_time_is_not_kept(server: Server) -> None:
    resolver = Resolver([LOOPBACK], server.port, deadline=60)
    assert resolver.ask("silent-short.example", "TXT", 0.1).status is Status.FAILED
    assert resolver.cached("silent-short.example", "TXT") is None


def test_threads_share_one_resolver(server: Server) -> None:
    resolver = Resolver([LOOPBACK], server.port, entries=3)
    answers: list[Answer[bytes]] = []

    def work() -> None:
        for name in ("d.example", "alias.example", "nowhere.example", "null.example"):
            answers.append(resolver.lookup().txt(name))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 32
    assert {answer.status for answer in answers} == {Status.FOUND, Status.NONE}


def test_who_asks_says_so_first_and_who_knows_does_not(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the daemon lets other messages go on meanwhile."""
    told: list[int] = []
    monkeypatch.setattr(waiting, "_tell", lambda: told.append(server.port))
    resolver = Resolver([LOOPBACK], server.port)
    for _ in range(2):
        assert resolver.lookup().txt("d.example").status is Status.FOUND
    assert len(told) == 1


def test_a_lookup_counts_questions_and_remembers_answers() -> None:
    fake = FakeResolver({"d.example": {"TXT": ["x"]}}, questions=2)
    lookup = fake.lookup()
    assert [lookup.txt(name).status for name in ("d.example", "D.example.", "e.example", "d.example", "f.example")] == [
        Status.FOUND,
        Status.FOUND,
        Status.NONE,
        Status.FOUND,
        Status.FAILED,
    ]
    assert "no questions left" in lookup.txt("f.example").why
    assert fake.asked == [("d.example", "TXT"), ("e.example", "TXT")]
    assert fake.lookup().txt("f.example").status is Status.NONE


def test_the_deadline_starts_with_the_first_question() -> None:
    clock = Clock()
    lookup = Lookup(FakeResolver({}, clock=clock), deadline=5, clock=clock)
    clock.now += 60
    assert lookup.txt("a.example").status is Status.NONE
    clock.now += 4.9
    assert lookup.txt("b.example").status is Status.NONE
    clock.now += 0.2
    assert lookup.txt("c.example").status is Status.FAILED
    assert lookup.txt("a.example").status is Status.NONE  # known already


@pytest.mark.parametrize("text", [None, "", "search example\n", "nameserver nonsense\n"])
def test_without_a_usable_resolv_conf_the_name_server_of_this_host_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    original = dns.resolver.Resolver.read_resolv_conf
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", lambda self, _: original(self, str(file)))
    resolver = Resolver((), port, deadline=0.5)
    assert resolver.lookup().txt("d.example").status is Status.FAILED


def test_the_name_servers_of_resolv_conf_are_asked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\nsearch d.example\n")
    original = dns.resolver.Resolver.read_resolv_conf
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", lambda self, _: original(self, str(file)))
    lookup = Resolver((), server.port).lookup()
    assert lookup.a("d.example").status is Status.FOUND
    assert lookup.txt("d").status is Status.NONE  # no search list: a name is what it is


def test_law_7_an_answer_is_bounded_before_it_is_taken_apart(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of 64 KB, compressed as hard as they can be, take seconds, and no deadline stops that."""
    parsed: list[int] = []
    real = dns.message.from_wire

    def counted(wire: bytes, *given: object, **named: object) -> dns.message.Message:
        parsed.append(len(wire))
        return real(wire, *given, **named)  # type: ignore[arg-type]

    lookup = Resolver([LOOPBACK], server.port).lookup()
    monkeypatch.setattr(dns.message, "from_wire", counted)
    assert len(lookup.mx("most.example").values) == 60
    parsed.clear()
    many, texts, huge = lookup.mx("many.example"), lookup.txt("many.example"), lookup.txt("huge.example")
    assert {answer.status for answer in (many, texts, huge)} == {Status.FAILED}, "nobody knows"
    assert max(parsed) < 1300, "the questions, and the answers that are cut off"
