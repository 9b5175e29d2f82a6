"""Through the border and out by the gate: what the border states, and what survives a bad host in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.authres.authentication_results import read
from dkimgate.message.message import Connection, HeaderField
from tests.world.host import Host, sent
from tests.world.keys import BODY, DOMAIN, HEADER, NOW, Signer, zone
from tests.world.mail import BORDER, fields

ZONE = {**zone(), f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]}, DOMAIN: {"TXT": ["v=spf1 -all"]}}
STRANGER = Connection(ip="198.51.100.66", helo="c.example")
MORE = b"Message-ID: <1@hosted.example>\r\n"
GOOD = Signer().sign() + HEADER + MORE
FORGED = HEADER + MORE
OUR_RESULTS = b"Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example\r\n"
HAM = b"X-Spam-Status: No, score=-9.9 required=5.0\r\n"


class Forwarder(Host):
    """A border and a gate that share a secret."""

    sender = "ann@elsewhere.example"

    def __init__(self, folder: Path, passport: str = "", strips: bool = False) -> None:
        super().__init__(
            folder,
            "listen: [{socket: inet:127.0.0.1:8891, role: border}, inet:127.0.0.1:8892]\n"
            f"trust: {{border_strips_forgeries: {str(strips).lower()}}}\n"
            f"passport: {{secret_file: passport.secret{passport}}}\n",
            zone=ZONE,
            now=NOW,
        )

    def inside(self, header: bytes, body: bytes = BODY, connection: Connection = STRANGER) -> tuple[HeaderField, ...]:
        """The header as the host has it after the border's milter: what is stated stands above its Received field."""
        return sent(fields(header), self.border(header, connection, body), BORDER)


def without(header: tuple[HeaderField, ...], *names: str) -> tuple[HeaderField, ...]:
    return tuple(field for field in header if field.key not in names)


def only_passport(header: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
    return without(header, "authentication-results", "received")


def test_the_border_states_what_it_found(tmp_path: Path) -> None:
    header = Forwarder(tmp_path).inside(GOOD)
    assert [field.key for field in header[:2]] == ["authentication-results", "x-dkimgate-passport"]
    reading = read(header[0].text)
    assert reading.strict and reading.authserv_id == "mx.forwarder.example"
    assert [(one.method, one.result) for one in reading.results] == [
        ("spf", "none"),
        ("dkim", "pass"),
        ("dmarc", "pass"),
    ]


def test_what_was_stated_earns_the_signature_and_the_passport_stays_here(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    header = host.inside(GOOD)
    host.dns.asked.clear()
    outcome = host.send(header)
    assert [name for name, _ in outcome.fields] == ["DKIM-Signature"]
    assert [header[at].key for at in outcome.remove] == ["x-dkimgate-passport"]
    assert host.dns.asked == [], "the border has asked already"
    assert host.record["arrival"]["dmarc"] == "pass"


def test_the_passport_alone_is_enough_whatever_became_of_the_other_fields(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    outcome = host.send(only_passport(host.inside(GOOD)))
    assert len(outcome.fields) == 1
    assert host.record["origin"] == "forwarded"
    assert {claim["field"] for claim in host.record["claims"]} == {"X-Dkimgate-Passport"}


@pytest.mark.parametrize("required", ["", ", required: false"])
@pytest.mark.parametrize("lost", [(), ("dkim-signature",), ("dkim-signature", "authentication-results")])
def test_our_own_signature_is_no_proof_behind_a_program_that_takes_it_off(
    lost: tuple[str, ...], required: str, tmp_path: Path
) -> None:
    """Else whoever has one message of ours could have it signed again for ever. A signature of another key is proof as ever."""
    host = Forwarder(tmp_path, required)
    host.asks(ZONE | {f"gate._domainkey.{DOMAIN}": ZONE[f"s._domainkey.{DOMAIN}"]})
    for again, ours in (
        (Signer("gate").sign() + HEADER, True),
        (Signer("gate").sign() + GOOD, not lost and not required),  # a passport names no selector
        (GOOD, False),
    ):
        outcome = host.send(without(host.inside(again), *lost))
        assert host.record["arrival"]["dmarc"] == ("none" if ours else "pass")
        assert "DKIM-Signature" not in [name for name, _ in outcome.fields] or not ours


def test_a_forgery_gets_a_passport_that_says_so(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    header = host.inside(OUR_RESULTS + HAM + FORGED)
    assert OUR_RESULTS.split(b":", 1)[1].strip() not in [field.value.strip() for field in header], (
        "forged fields are gone"
    )
    assert host.send(header).fields == ()
    assert host.send(only_passport(header)).fields == ()
    assert host.record["arrival"]["dmarc"] == "fail"


def test_a_list_that_puts_itself_into_from_is_told_whose_pass_it_has(tmp_path: Path) -> None:
    """It comes back by sendmail(1) with the border's pass of the first author: not signed, and the record says why."""
    host = Forwarder(tmp_path, strips=True)
    header = host.inside(GOOD)
    listed = tuple(HeaderField(b"From", b" list@lists.example") if field.key == "from" else field for field in header)
    assert host.send(without(listed, "x-dkimgate-passport")).fields == ()
    assert host.record["arrival"]["dmarc"] != "pass"
    told = [claim["why"] for claim in host.record["claims"] if (claim["method"], claim["result"]) == ("dmarc", "pass")]
    assert told and all(f"it is a pass of {DOMAIN}, and From now names lists.example" in why for why in told)


def test_a_bad_dmarc_result_is_stated_once(tmp_path: Path) -> None:
    """Also where our own old field says the same: two of them would be read as the results of two checks."""
    for number, header in enumerate(
        (FORGED, OUR_RESULTS.replace(b"pass", b"fail") + FORGED, GOOD + OUR_RESULTS.replace(b"pass", b"fail"))
    ):
        (tmp_path / str(number)).mkdir()
        stated = read(Forwarder(tmp_path / str(number)).inside(header)[0].text)
        bad = [one.result for one in stated.results if one.method == "dmarc" and one.result != "pass"]
        assert bad == ["fail"]


@pytest.mark.parametrize("strips", [True, False])
def test_nothing_in_the_header_is_ours_at_the_border(strips: bool, tmp_path: Path) -> None:
    """Else a forged result would come out of the border with a MAC of ours."""
    host = Forwarder(tmp_path, strips=strips)
    assert host.send(only_passport(host.inside(OUR_RESULTS + FORGED))).fields == ()
    assert host.record["arrival"]["dmarc"] == "fail"


SAID = (
    b"Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\r\n"
    b"Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=ann@hosted.example\r\n"
)


@pytest.mark.parametrize("demanded", ["", ", required: true", ", required: false"])
def test_law_1_a_local_account_that_writes_the_borders_fields_has_no_passport(demanded: str, tmp_path: Path) -> None:
    """Whoever has a shell here, or a PHP script, can hand in a header of his own making, with a client that SPF lets pass."""
    host = Forwarder(tmp_path, demanded)
    host.asks(ZONE | {DOMAIN: {"TXT": ["v=spf1 ip4:192.0.2.66 -all"]}})
    assert host.send(SAID + BORDER.encode() + FORGED).fields == ()
    assert host.record["arrival"]["dmarc"] != "pass" and host.record["departure"]["dmarc"] != "pass"
    # what this process verifies itself needs none
    assert len(host.send(SAID + BORDER.encode() + GOOD).fields) == 1


def test_spam_at_the_border_is_spam_on_the_way_out(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    header = host.inside(b"X-Spam-Status: Yes, score=14.9 required=3.0\r\n" + GOOD)
    assert not any(field.key.startswith("x-spam") for field in header)
    assert host.send(only_passport(header)).fields == ()
    assert host.record["arrival"]["spam"] == {"flag": True, "score": 14.9, "required": 3.0}


def test_a_changed_body_gives_no_help_unless_the_operator_says_so(tmp_path: Path) -> None:
    for number, (setting, signatures) in enumerate(
        [("", 0), (", allow_changes: [shown]", 0), (", allow_changes: [body]", 1)]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        host = Forwarder(folder, setting)
        header = only_passport(host.inside(GOOD))
        assert len(host.send(header, body=BODY + b"-- \r\nthe list's footer\r\n").fields) == signatures, setting


def test_a_passport_grows_stale(tmp_path: Path) -> None:
    host = Forwarder(tmp_path, ", max_age: 60")
    header = without(only_passport(host.inside(GOOD)), "dkim-signature")
    assert len(host.send(header).fields) == 1
    host.now = NOW + 61
    assert host.send(header).fields == ()


def test_a_stranger_has_no_passport_at_the_gate(tmp_path: Path) -> None:
    """He may have seen one, in a mailbox here. It is removed all the same."""
    host = Forwarder(tmp_path)
    header = without(only_passport(host.inside(GOOD)), "dkim-signature")
    outcome = host.send(header, connection=STRANGER)
    assert (outcome.fields, len(outcome.remove)) == ((), 1)


@pytest.mark.parametrize(
    ("written", "spam"),
    [
        (b"X-Spam-Status: Yes, score=14.9 required=3.0\r\n", True),
        (b"X-Spam-Flag: YES\r\n", True),
        (b"X-Spam: Yes\r\n", True),
        (b"", False),
    ],
)
@pytest.mark.parametrize("when", ["missing", "never"])
def test_what_a_border_took_off_hurts_in_its_own_session_too(
    written: bytes, spam: bool, when: str, tmp_path: Path
) -> None:
    """The gate stands behind the border in one session, for virtual aliases: the client is a stranger, and the border has removed what
    another host had found."""
    host = Forwarder(tmp_path)
    header = host.inside(written + GOOD)
    host.gate.config = host.gate.config.model_copy(
        update={"verify": host.gate.config.verify.model_copy(update={"when": when})}
    )
    outcome = host.send(header, connection=STRANGER)
    arrival = host.record["arrival"]
    assert arrival["spam"]["flag"] is spam
    assert arrival["dmarc"] == ("pass" if when == "missing" else "unknown"), "what helps is not taken from it"
    assert len(outcome.fields) == (when == "missing" and not spam), host.record["claims"]


def test_another_message_with_that_passport(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    passport = host.inside(GOOD)[1]
    other = fields(FORGED.replace(b"<1@", b"<2@"))
    assert host.send((passport, *other)).fields == ()


def test_the_border_takes_off_a_passport_that_comes_from_outside(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    leaked = b"X-Dkimgate-Passport:" + host.inside(GOOD)[1].value.replace(b"\n", b"\r\n") + b"\r\n"
    header = host.inside(leaked + FORGED)
    assert sum(field.key == "x-dkimgate-passport" for field in header) == 1
    assert host.send(header).fields == ()


@pytest.mark.parametrize(
    "connection",
    [Connection(ip="127.0.0.1"), Connection(ip="203.0.113.5", auth="ann")],
    ids=["a host of ours", "a user's login"],
)
def test_our_own_mail_is_not_stated(connection: Connection, tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    outcome = host.border(OUR_RESULTS + FORGED, connection)
    assert outcome.fields == ()
    assert bool(outcome.remove) == (connection.auth is not None), (
        "a user's forgery goes; a host of ours may have stated that"
    )


def test_the_record_of_a_border_names_it(tmp_path: Path) -> None:
    host = Forwarder(tmp_path)
    host.inside(GOOD)
    assert (host.record["decision"]["rule"], host.record["decision"]["signatures"]) == ("border", [])
    assert host.record["arrival"]["dmarc"] == "pass"


def test_a_header_that_cannot_be_read_waits_at_the_border(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Forwarder(tmp_path)
    monkeypatch.setattr("dkimgate.gate.passage.see", lambda *_: 1 / 0)
    assert host.border(FORGED, STRANGER).disposition.value == "defer"


@pytest.mark.parametrize(
    ("header", "problem", "why"),
    [
        (FORGED, "the header has more than 20000 fields", "the header has more than 20000 fields"),
        (OUR_RESULTS * 1001 + FORGED, None, "1001 forged fields, too many for the MTA to find"),
    ],
    ids=["a header beyond all bounds", "too many forged fields"],
)
def test_what_cannot_be_freed_of_forged_fields_waits(
    header: bytes, problem: str | None, why: str, tmp_path: Path
) -> None:
    """Behind what was read may stand results in our name, for other readers than the gate to believe."""
    host = Forwarder(tmp_path)
    for connection, waits in ((STRANGER, True), (Connection(ip="127.0.0.1"), False)):
        outcome = host.border(header, connection, problem=problem)
        assert (outcome.disposition.value, outcome.fields, outcome.remove) == ("defer" if waits else "accept", (), ())
        assert host.record["error"] == (f"deferred: {why}" if waits else None)


def test_a_fail_of_an_earlier_visit_is_not_forgotten(tmp_path: Path) -> None:
    """It left here unsigned, somebody laundered it, and it is back, with our own old field in it, which the border takes off."""
    host = Forwarder(tmp_path)
    header = host.inside(GOOD + OUR_RESULTS.replace(b"pass", b"fail"))
    assert host.send(header).fields == ()
    assert host.send(only_passport(header)).fields == ()
    assert host.record["arrival"]["dmarc"] == "fail"


def test_what_cannot_be_recorded_at_all_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Forwarder(tmp_path)
    monkeypatch.setattr("dkimgate.record.record.make", lambda *_, **__: 1 / 0)
    assert host.send(GOOD).disposition.value == "defer"
