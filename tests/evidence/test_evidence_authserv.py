"""Our authserv-ids: patterns for job ids and for hosts below a domain, wherever a name of ours is looked for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dkimgate.config import authserv, dkimgate_yaml, yaml_file
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.facts import Facts
from dkimgate.gate import config_checks
from dkimgate.gate.stripping import strip
from dkimgate.message.message import HeaderField
from tests.problems import refusals, told
from tests.world.mail import AUTHOR, BORDER, TRUST, facts

OURS = (
    "mx.forwarder.example",
    "mx.forwarder.example/*",
    "*.mail.forwarder.example",
    "gate.example/*",
    "*.farm.example/*",
    "mx.bücher.example/*",
)
PASS = "dmarc=pass header.from=hosted.example"


def _facts(header: str, ids: tuple[str, ...] = OURS, strips: bool = False) -> Facts:
    return facts(header, config=Trust(hosts=TRUST.hosts, authserv_ids=ids, border_strips_forgeries=strips))


IS_OURS = [
    "mx.forwarder.example",
    "MX.Forwarder.example",
    "mx.forwarder.example/4XyZ1",
    "MX.FORWARDER.EXAMPLE/4bVQqz2Kx5zKm",
    "a.mail.forwarder.example",
    "b.a.mail.forwarder.example",
    "gate.example/unknown-msgid",
    "a.farm.example/1",
    "mx.bücher.example/1",
    "mx.xn--bcher-kva.example/1",
]
IS_NOT = [
    "",
    "/",
    "/1",
    "mx.forwarder.example/",
    "mx.forwarder.example/a/b",
    "mx.forwarder.example//b",
    "mx.forwarder.example/a b",
    "mx.forwarder.example/a;b",
    "mx.forwarder.example/*",
    "mx.forwarder.example /1",
    "(x) mx.forwarder.example/1",
    "mx.forwarder.example/" + "1" * 101,
    "mx.forwarder.example.attacker.example/1",
    "mail.forwarder.example",
    ".mail.forwarder.example",
    "..mail.forwarder.example",
    "(x) a.mail.forwarder.example",
    "attacker.example a.mail.forwarder.example",
    "a.mail.forwarder.example/1",
    "attacker.example/.mail.forwarder.example",
    "gate.example",
    "farm.example/1",
    "a.farm.example",
]


@pytest.mark.parametrize("name", IS_OURS)
def test_a_name_of_ours(name: str) -> None:
    assert Trust(authserv_ids=OURS).is_authserv_id(name)
    assert any(each in name.lower() for each in authserv.spellings(OURS))


@pytest.mark.parametrize("name", IS_NOT)
def test_a_name_that_is_not_ours(name: str) -> None:
    assert not Trust(authserv_ids=OURS).is_authserv_id(name)
    assert not authserv.is_spelled(name, OURS)


@pytest.mark.parametrize("name", IS_OURS)
def test_results_under_it_are_believed_where_only_we_write(name: str) -> None:
    found = _facts(f"Authentication-Results: {name}; {PASS}\n{BORDER}{AUTHOR}")
    assert found.arrival.dmarc == "pass"
    below = _facts(f"{BORDER}Authentication-Results: {name}; {PASS}\n{AUTHOR}")
    assert below.arrival.dmarc == "unknown"


@pytest.mark.parametrize("name", IS_OURS)
def test_the_border_takes_it_off(name: str) -> None:
    field = HeaderField(b"Authentication-Results", f" {name}; {PASS}".encode())
    assert strip((field,), Trust(authserv_ids=OURS).names) == (0,)


@pytest.mark.parametrize("name", [name for name in IS_OURS if name.isascii() and "xn--" not in name])
def test_below_a_border_that_strips_it_is_ours(name: str) -> None:
    assert _facts(f"{BORDER}Authentication-Results: {name}; {PASS}\n{AUTHOR}", strips=True).arrival.dmarc == "pass"


@pytest.mark.parametrize(
    "name",
    [
        *IS_NOT,
        "(a) mx.forwarder.example/1",
        '"mx.forwarder.example/1"',
        "mx.forwarder.example/1 1",
        "mx.xn--bcher-kva.example/1",
    ],
)
def test_below_a_border_that_strips_only_the_plain_form_is(name: str) -> None:
    assert _facts(f"{BORDER}Authentication-Results: {name}; {PASS}\n{AUTHOR}", strips=True).arrival.dmarc == "unknown"


def test_a_bait_with_a_job_id_is_one() -> None:
    """OpenDMARC takes an SPF result from any field in our name."""
    ours = f"Authentication-Results: mx.forwarder.example/1; {PASS}\n"
    bait = "Authentication-Results: mx.forwarder.example/1; spf=pass smtp.mailfrom=hosted.example\n"
    assert _facts(ours + BORDER + AUTHOR, ("mx.forwarder.example/*",)).arrival.dmarc == "pass"
    assert _facts(ours + BORDER + bait + AUTHOR, ("mx.forwarder.example/*",)).arrival.dmarc == "unknown"


def test_a_job_id_that_is_not_configured_is_told() -> None:
    found = _facts(
        f"Authentication-Results: mx.forwarder.example/4XyZ1; {PASS}\n{BORDER}{AUTHOR}", ("mx.forwarder.example",)
    )
    assert found.arrival.dmarc == "unknown"
    assert [claim.why for claim in found.claims] == [
        "our authserv-id with a job id, which trust.authserv_ids does not name (NAME/*)"
    ]


@pytest.mark.parametrize("entry", ["*", "/*", "*.", "mx*.example", "mx/*/*", "*.*.example", "*x.example", "mx/1*", ""])
def test_a_star_elsewhere_is_a_mistake(entry: str) -> None:
    document = yaml_file.parse(f"trust: {{authserv_ids: ['{entry}']}}\n", Path("dkimgate.yaml"))
    assert told(refusals(dkimgate_yaml.from_document, document)) == ["1:24 value.authserv-id"]


@pytest.mark.parametrize(
    ("ids", "told"), [("['mx.forwarder.example/*']", True), ("['mx.forwarder.example/*', mx.forwarder.example]", False)]
)
def test_a_border_states_results_under_a_name_that_is_no_pattern(ids: str, told: bool) -> None:
    text = f"listen: [{{socket: 'inet:127.0.0.1:8891', role: border}}]\ntrust: {{authserv_ids: {ids}}}\npassport: {{secret_file: x}}\n"
    settings = dkimgate_yaml.from_document(yaml_file.parse(text, Path("dkimgate.yaml")))
    problems = [
        each
        for each in config_checks.problems(Path("dkimgate.yaml"), settings, None)
        if each.code == "border.no-authserv-id"
    ]
    assert bool(problems) is told


@pytest.mark.parametrize("unit", ["a.", "a", "/", "a/", ".", "-", "ü", "*"])
def test_a_long_name_takes_time_in_proportion(unit: str) -> None:
    trust = Trust(authserv_ids=OURS)

    def spent(times: int) -> float:
        name = unit * times + ".mail.forwarder.exampl"
        started = time.process_time()
        trust.is_authserv_id(name)
        return time.process_time() - started

    spent(1000)
    assert min(spent(80_000) for _ in range(3)) <= 6 * max(min(spent(20_000) for _ in range(3)), 1e-4)
