"""Messages put together from what stands in headers, ours and strangers' in any order, for a gate whose policy is proved safe."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, HeaderField, Message
from tests.laws.attack_world import (
    AMAVIS,
    BODY,
    BORDER,
    BRIDGE,
    DKIM,
    DMARC,
    LOGIN,
    MISLED,
    SECOND_HOST,
    SPF_PASSES,
    STRANGER,
)
from tests.laws.generated_fields import (
    _USUAL,
    ABOVE,
    AUTHORS,
    BORDERS,
    FAILING,
    GENUINE,
    HELPING,
    HOSTED_AUTHORS,
    HURTING,
    ODDITIES,
    OUTSIDE,
    SENDERS,
    SIGNERS,
    TRACES,
)
from tests.laws.generated_gates import DNS, POLICIES, SETTINGS, SHIPPED, gate_of, passes
from tests.world.dns import FakeResolver
from tests.world.host import sent
from tests.world.mail import REINJECTED, fields, message, raw_of


@dataclass(frozen=True)
class Drawn:
    """A message and the gate it comes to. `scrambled` by that number: ours and strangers' fields in any order; 0: as they would stand."""

    above: list[str]
    border: str
    below: list[str]
    author: str
    end: list[str]
    client: Connection
    sender: str
    settings: str
    policy: int
    failing: list[str] = field(default_factory=list)
    body: bytes = BODY
    scrambled: int = 0
    borders: bool = False
    problem: str | None = None

    @property
    def gate(self) -> Gate:
        return self.gate_with(self.policy)

    def gate_with(self, policy: int) -> Gate:
        gate = gate_of(self.settings, policy)
        gate.resolver = FakeResolver(DNS, frozenset(self.failing))  # type: ignore[assignment]
        return gate

    @functools.cached_property
    def message(self) -> Message:
        return message(self.header, self.client, self.sender, problem=self.problem)

    @property
    def header(self) -> tuple[HeaderField, ...]:
        """As the gate sees it: what came by a border of ours, the border has changed."""
        if self.scrambled:
            parts = [*self.above, self.border, *self.below, self.author, *self.end]
            random.Random(self.scrambled).shuffle(parts)
            return fields_of(parts)
        his = fields_of([*self.below, self.author, *self.end])
        if self.borders:
            entering = message(his, STRANGER, self.sender, role="border")
            his = sent(his, passes(self.gate_with(self.policy % len(SHIPPED)), entering, self.body).outcome)
        return (*fields_of([*self.above, self.border]), *his)


def fields_of(parts: Sequence[str]) -> tuple[HeaderField, ...]:
    """The parts from the top down; those that begin with @ are made for what stands below them."""
    found: tuple[HeaderField, ...] = ()
    for part in reversed(parts):
        if part in SIGNERS:
            octets = SIGNERS[part].sign(raw_of(found, b""), BODY).replace(b"\r\n", b"\n")
        else:
            octets = (stolen_passport() if part == "@stolen passport" else part).encode("latin-1", "replace")
        found = (*fields(b"X-First: \n" + octets)[1:], *found)
    return found


@functools.cache
def stolen_passport() -> str:
    """What a border of ours has stated of another message, a genuine one."""
    letter = _USUAL.replace("Your account has been recorded", "Lunch")
    entering = message(fields_of(["@hosted", letter]), STRANGER, "ask@hosted.example", (), role="border")
    gate = gate_of("whole", 0)
    gate.resolver = FakeResolver(DNS)  # type: ignore[assignment]
    outcome = passes(gate, entering, BODY).outcome
    return "".join(f"{name}: {value.decode()}\n" for name, value in outcome.fields if "Passport" in name)


_STRANGERS = [*HELPING, *(HURTING * 3), *TRACES, *(ODDITIES * 2), *(GENUINE * 8)]

numbers = st.integers(0, POLICIES - 1)
messages = st.builds(
    Drawn,
    above=st.lists(st.sampled_from(ABOVE), max_size=4),
    border=st.sampled_from(BORDERS),
    below=st.lists(st.sampled_from(GENUINE), max_size=2) | st.lists(st.sampled_from(_STRANGERS), max_size=5),
    author=st.sampled_from(AUTHORS),
    end=st.lists(st.sampled_from([*HURTING, *ABOVE, *ODDITIES]), max_size=1),
    client=st.sampled_from([REINJECTED, REINJECTED, REINJECTED, STRANGER, STRANGER, LOGIN, Connection()]),
    sender=st.sampled_from(SENDERS),
    settings=st.sampled_from(sorted(SETTINGS)),
    policy=numbers,
    failing=st.sampled_from([*[[]] * 8, FAILING, *([each] for each in FAILING)]),
    body=st.sampled_from([BODY, BODY, BODY, b"", b"Something else.\r\n", b"a\n\rb\r" * 20, b"x" * 3000 + b"\r\n"]),
    scrambled=st.sampled_from([*[0] * 40, *range(1, 11)]),
    borders=st.booleans(),
    problem=st.sampled_from([None] * 15 + ["the header has more than 5000 fields"]),
)
"""Whatever comes: good, bad and impossible."""

_SETTINGS_OPEN = sorted(name for name in SETTINGS if "strips" not in name)
_ALL_VERIFIED = [name for name in _SETTINGS_OPEN if name != "one signature"]
entered = st.builds(
    lambda drawn, border, settings: replace(drawn, scrambled=0, settings=settings, border=border),
    messages,
    st.sampled_from(OUTSIDE),
    st.sampled_from(_ALL_VERIFIED),
)
"""What has entered by a border of ours, and stands there in its order; no signature is one too many to be verified."""

_WAYS = st.sampled_from(
    [
        ([DMARC, DKIM], BORDER, REINJECTED, False),
        ([DKIM], BORDER, REINJECTED, False),
        ([], BORDER, REINJECTED, False),
        ([], BORDER, REINJECTED, True),
        ([AMAVIS, DMARC], BORDER, REINJECTED, False),
        ([SECOND_HOST], BORDER, REINJECTED, True),
        ([DMARC], BORDER, LOGIN, False),
        # anybody may stand behind the bridge, and our own verifiers asked SPF about its address, or about one of ours
        ([MISLED, SPF_PASSES], BRIDGE, REINJECTED, False),
        ([MISLED, SPF_PASSES, SECOND_HOST], BRIDGE, REINJECTED, False),
        # Received fields removed: were DMARC not stated either, a border that the sender invented would be taken for ours
        ([DMARC], "", REINJECTED, False),
        ([], "", STRANGER, False),
        ([DMARC], "", STRANGER, False),
    ]
)


@st.composite
def forgeries(draw: st.DrawFn) -> Drawn:
    """A stranger's message in the name of a domain that is hosted here and has a DMARC record, whatever else he wrote; and what honest hosts
    of ours put above it. Nothing about it is genuine."""
    above, border, client, borders = draw(_WAYS)
    pool = [*HELPING, *HELPING, *TRACES, *HURTING, "X-A: b\n", "@attacker"]
    return Drawn(
        list(above),
        border,
        draw(st.lists(st.sampled_from(pool), max_size=5)),
        draw(st.sampled_from(HOSTED_AUTHORS)),
        draw(st.lists(st.sampled_from([*HURTING, *HELPING]), max_size=1)),
        client,
        draw(st.sampled_from(SENDERS)),
        draw(st.sampled_from(sorted(SETTINGS) if borders else _SETTINGS_OPEN)),
        draw(numbers),
        draw(st.sampled_from([*[[]] * 8, FAILING, *([each] for each in FAILING)])),
        borders=borders,
    )


def with_below(drawn: Drawn, extra: Sequence[str], at: int) -> Drawn:
    """The message with more of what its sender could write."""
    at = min(at, len(drawn.below))
    return replace(drawn, below=[*drawn.below[:at], *extra, *drawn.below[at:]])
