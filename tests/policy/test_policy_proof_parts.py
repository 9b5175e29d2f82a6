"""What the proof is made of: the texts that a policy tells apart against every short text, ranges against sets, sums against every combination, and what a message
can be against what evidence gathers."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.evidence.gather import facts_of, see
from dkimgate.facts import Facts, Standing
from dkimgate.message.message import Connection, Message
from dkimgate.policy.language import globs
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.model import Compare, DomainGlob, Glob, Operator, Policy, Weights
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.arithmetic import Arithmetic
from dkimgate.policy.proof.budget import Budget, TooHardError
from dkimgate.policy.proof.formula import Formulas
from dkimgate.policy.proof.ranges import Cents, Counts, Floats, Ranges, rank, union, unrank
from dkimgate.policy.proof.texts import distinct, is_text, matched
from tests.world.mail import AUTHOR, BORDER, CONFIG, OUTSIDE, REINJECTED, message

EVERYTHING = Formulas(Policy()).everything()
CORPUS = Path(__file__).parents[1] / "evidence" / "corpus"
KINDS = [Kind.AUTHOR, Kind.MAILBOX, Kind.HOST, Kind.TEXT]
ENDS = {Kind.TEXT: "", Kind.MAILBOX: "@"}
SHORT = ["".join(chars) for length in range(6) for chars in product("ab.@", repeat=length)]


def _pattern(random: Random, kind: Kind) -> Glob | DomainGlob:
    """A pattern that a policy may compare with a fact of that kind."""
    while True:
        text = "".join(random.choice("ab.**@") for _ in range(random.randint(0, 5)))
        if kind is Kind.MAILBOX and "@" not in text and text:
            if globs.is_glob(text):
                return DomainGlob(text)
        elif globs.is_glob(text, ENDS.get(kind)):
            return Glob(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_every_short_text_has_one_that_stands_for_it(kind: Kind, seed: int) -> None:
    random = Random(f"{kind}{seed}")
    for _ in range(4):
        patterns = [_pattern(random, kind) for _ in range(random.randint(1, 7))]
        texts = distinct(kind, patterns)
        told = [matched(patterns, text) for text in texts]
        assert all(is_text(kind, text) for text in texts) and len(set(told)) == len(told)
        for text in SHORT:
            if is_text(kind, text):
                assert matched(patterns, text) in told, (patterns, text)


@given(
    st.lists(
        st.sampled_from(["a", "b.a", "*.a", "*.b.a", "*@a", "*@b.a", "x@a", "x@*", "x@b@*", "*", "", "mail", "*.mail"])
    ),
    st.from_regex(r"[xab.@mail]{0,12}", fullmatch=True),
)
def test_and_every_longer_one(patterns: list[str], text: str) -> None:
    made = [Glob(each) if "@" in each or not each else DomainGlob(each) for each in patterns]
    if is_text(Kind.MAILBOX, text):
        assert matched(made, text) in [matched(made, each) for each in distinct(Kind.MAILBOX, made)]


def test_texts_are_legal_and_plain() -> None:
    made: list[Glob | DomainGlob] = [Glob("friend@*"), DomainGlob("*")]  # `friend@` has no domain
    assert (True, False) in [matched(made, each) for each in distinct(Kind.MAILBOX, made)]
    assert not is_text(Kind.AUTHOR, "-a") and not is_text(Kind.AUTHOR, "a..b") and is_text(Kind.AUTHOR, "a-b.c")
    assert distinct(Kind.AUTHOR, [], ["hosted.example"]) == ("hosted.example",)
    assert distinct(Kind.HOST, [Glob("*.mail.example")]) == ("friend", "friend.mail.example")


ranges = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=4).map(lambda pairs: union(*pairs))


def members(some: Ranges) -> set[int]:
    return {number for number in range(14) if number in some}


@given(ranges, ranges)
@settings(max_examples=60)
def test_ranges_are_sets(one: Ranges, other: Ranges) -> None:
    assert members(one & other) == members(one) & members(other)
    assert members(one.without(other)) == members(one) - members(other)
    assert one.without(other).parts == union(*one.without(other).parts).parts


OPERATORS: tuple[Operator, ...] = ("<", "<=", ">", ">=", "==", "!=")
HOLDS = {
    "<": float.__lt__,
    "<=": float.__le__,
    ">": float.__gt__,
    ">=": float.__ge__,
    "==": float.__eq__,
    "!=": float.__ne__,
}


@given(
    st.sampled_from(OPERATORS),
    st.sampled_from([-1.0, -0.0, 0.0, 0.005, 0.29, 0.57, 1.005, 4.35, 49.995, 50.0, 1e300]),
    st.integers(0, 6000),
)
@settings(max_examples=100)
def test_comparisons_hold_for_exactly_the_numbers_of_their_ranges(
    operator: Operator, number: float, place: int
) -> None:
    compare = (Compare(operator, number),)
    every = union((0, 10_000))
    assert (place in Cents().matching(compare, every)) is HOLDS[operator](place / 100, number)
    assert (place in Counts().matching(compare, every)) is HOLDS[operator](float(place), number)
    floats = union((0, rank(1e12)))
    for value in (place / 100, unrank(max(rank(number) - 1, 0)), unrank(max(rank(number) + 1, 0))):
        if value <= 1e12:
            assert (rank(value) in Floats().matching(compare, floats)) is HOLDS[operator](value, number)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_ranks_are_in_the_order_of_floats(one: float, other: float) -> None:
    assert unrank(rank(one)) == one
    assert (rank(one) < rank(other)) is (one < other)


@pytest.mark.parametrize("seed", range(10))
def test_sums_against_every_combination(seed: int) -> None:
    random = Random(seed)
    unit = random.choice([1, 1, 100])
    names = [
        "dmarc=fail",
        "dmarc=unknown",
        "spf=fail",
        "spf=softfail",
        "dkim=fail",
        "header.date_missing",
        "header.no_received",
    ]
    weights = Weights(tuple((name, unit * random.choice([0.0, 0.01, 2.5, 5.0, 7.0, 10.0])) for name in names))
    given_ = dict(weights.parts)
    sums = Arithmetic(weights, True, Budget(10**9))
    choices = [[given_.get(f"{method}={word}", 0.0) for word in words] for method, words in _WORDS.items()]
    choices += [[0.0, given_["header.date_missing"]], [0.0, given_["header.no_received"]]]
    totals = {round(sum(combination) * 100) for combination in product(*choices)}
    for cents in range(0, 4000 * unit, unit if unit > 1 else 1):
        state = EVERYTHING.copy()
        state["risk"] = union((cents, cents))
        assert (sums.solved(state) is not None) is (cents in totals), cents


def test_sums_that_take_long_are_paid_for() -> None:
    """Large weights of odd hundredths: there are millions of sums, and a policy may ask for them in each of its rules."""
    weights = Weights(
        (("dmarc=fail", 40000.01), ("spf=fail", 30000.11), ("dkim=fail", 23456.79), ("header.date_missing", 4444.47))
    )
    sums, state = Arithmetic(weights, True, Budget(100)), EVERYTHING.copy()
    state["risk"] = union((5_000_001, 5_000_001))
    with pytest.raises(TooHardError):
        sums.solved(state)


_WORDS = {
    "dmarc": universe.WORDS["arrival.dmarc"],
    "spf": universe.WORDS["arrival.spf"],
    "dkim": universe.WORDS["arrival.dkim"],
}


def gathered(mail: Message, settings: Config) -> Facts:
    seen = see(mail, settings)
    return facts_of(seen, settings, ["hosted.example"], (seen.domain is not None, "lookup"))


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.eml")), ids=lambda path: path.stem)
def test_the_messages_of_real_installations_are_possible(file: Path) -> None:
    expected = yaml.safe_load(file.with_suffix(".yaml").read_text("utf-8"))
    mail = message(file.read_bytes(), Connection(**expected["connection"]))
    assert universe.is_possible(gathered(mail, Config(trust=Trust.model_validate(expected["trust"])))) is None


FIELDS = [
    "Received: from x (x [192.0.2.66]) by mx.forwarder.example with ESMTP id 1; x\n",
    "Received: from x (x [127.0.0.1]) by mx.forwarder.example with ESMTPA id 1; x\n",
    "Received: by localhost (Postfix, from userid 0)\n",
    "Received: from x by elsewhere.example; x\n",
    "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example; arc=neutral; dkim=softfail; spf=hardfail\n",
    "Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=a@hosted.example; dkim=policy; dmarc=weird\n",
    "Authentication-Results: elsewhere.example; dmarc=quarantine; dkim=temperror\n",
    "Authentication-Results: (broken; dmarc=permerror; spf=nonsense\n",
    "X-Spam-Status: No, score=-9.9 required=0.000000000001\n",
    "X-Spam-Status: Yes, score=999999999999.999 required=999999999999.999\n",
    "X-Spam-Flag: YES\n",
    "X-Spam-Level: ****\n",
    "From: Friend <a@hosted.example>\n",
    "From: a@hostad.example\n",
    "From: a@xn--mnchen-3ya.example\n",
    "From: a@b, c@d\n",
    "Message-ID: 4711\n",
    "Message-ID: <1@a.example>\n",
    "Date: Sat, 21 Nov 2006 16:20:20 +0000\n",
    "Subject: x\n",
]
connections = st.builds(
    Connection,
    st.sampled_from([None, "127.0.0.1", "192.0.2.66", "::ffff:127.0.0.1", "junk"]),
    auth=st.sampled_from([None, "", "user"]),
) | st.sampled_from([REINJECTED, OUTSIDE])


@pytest.mark.parametrize("method", ["spf", "dkim", "arc"])
@pytest.mark.parametrize(
    "result", ["none", "pass", "fail", "softfail", "policy", "neutral", "temperror", "permerror", "hardfail", "odd"]
)
def test_our_own_hosts_may_state_any_result(method: str, result: str) -> None:
    stated = (
        f"Authentication-Results: mx.forwarder.example; {method}={result}; dmarc={result} header.from=hosted.example\n"
    )
    facts = gathered(message(stated + BORDER + AUTHOR), CONFIG)
    word_of_spf = method == "spf" and result == "pass"
    assert facts.border is not None
    assert facts.claims[0].standing is (Standing.UPSTREAM if word_of_spf else Standing.TRUSTED)
    assert universe.is_possible(facts) is None


@given(
    st.lists(st.sampled_from(FIELDS), max_size=9),
    connections,
    st.sampled_from(["", "a@hosted.example", "root", "a@b."]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_evidence_gathers_is_possible(fields: list[str], connection: Connection, sender: str) -> None:
    """The proof is about every message that is possible: one that is not, and comes all the same, could launder."""
    facts = gathered(message("".join(fields), connection, sender), CONFIG)
    assert universe.is_possible(facts) is None
