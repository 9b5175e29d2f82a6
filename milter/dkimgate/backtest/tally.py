"""What a backtest counts, in each process for itself and then in all together. Its size has a limit, however long the
journal is."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from dkimgate.backtest.compare import Compared, Kind, Side, Skipped, compare, door, kinds, why
from dkimgate.facts import Arrival
from dkimgate.policy.language.model import Policy
from dkimgate.record.record import Json

MOST_DOMAINS = 20_000
"""Author domains that are counted by name; senders choose them, and could choose millions."""

_OTHERS = "\0"  # no author domain is called that


class Transition(NamedTuple):
    """What one kind of message had, and would have."""

    old: Side
    new: Side


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """One message. `why` says what makes the difference."""

    time: str
    queue_id: str
    author: str | None = field(compare=False)
    origin: str = field(compare=False)
    arrival: Arrival = field(compare=False)
    risk: float = field(compare=False)
    why: str = field(compare=False)


@dataclass
class Period:
    """From `since` on and before `until`, both as records write the time; "" is no limit."""

    since: str = ""
    until: str = ""

    def has(self, time: str) -> bool:
        """Does that time belong to it?"""
        return time >= self.since and not (self.until and time >= self.until)


class Tally:
    """Counts of one policy against records. `examples` is how many are kept of each transition: the newest."""

    def __init__(self, policy: Policy, period: Period, examples: int) -> None:
        self.policy, self.period, self.most_examples = policy, period, examples
        self.records = 0
        self.changed = 0
        self.outside = 0
        self.torn = 0
        self.untold = 0  # records that are older than `outgoing.unalignable`
        self.first, self.last = "", ""
        self.skipped: Counter[Skipped] = Counter()
        self.kinds: Counter[Kind] = Counter()
        self.rules: Counter[str] = Counter()
        self.laundered: Counter[str] = Counter()
        self.transitions: Counter[Transition] = Counter()
        self.authors: dict[str, Counter[Kind]] = {}
        self.author_messages: Counter[str] = Counter()
        self.more_authors: Counter[Kind] = Counter()
        self.more_author_messages = 0
        self.examples: dict[Transition | str, list[Example]] = {}  # those of laundering by the name of the rule
        self._kept: dict[Transition | str, list[tuple[str, int, Compared]]] = {}
        self._by_author: dict[str, dict[Transition, int]] = {}

    def add(self, told: Json) -> None:
        """Decide one record again, and count it."""
        time = str(told.get("time"))
        if not self.period.has(time):
            self.outside += 1
            return
        compared = compare(told, self.policy)
        if isinstance(compared, Skipped):
            self.skipped[compared] += 1
            return
        self.records += 1
        self.first = min(self.first or time, time)
        self.last = max(self.last, time)
        self.rules[compared.new.rule] += 1
        self.untold += compared.record.outgoing is not None and compared.record.outgoing.unalignable is None
        if compared.laundered:
            self.laundered[compared.new.rule] += 1
            self._keep(compared.new.rule, time, compared)
        if compared.changed:
            self._count(compared, time)

    def _count(self, compared: Compared, time: str) -> None:
        """What runs for each message does little: all that follows from the transition is counted by `close`."""
        transition = Transition(compared.old, compared.new)
        self.changed += 1
        self.transitions[transition] += 1
        self._keep(transition, time, compared)
        author = compared.facts.author or ""
        if author not in self._by_author and len(self._by_author) >= MOST_DOMAINS:
            author = _OTHERS
        by_transition = self._by_author.setdefault(author, {})
        by_transition[transition] = by_transition.get(transition, 0) + 1

    def _count_author(self, author: str, messages: int, found: Counter[Kind]) -> None:
        counted = self.authors.get(author)
        if author == _OTHERS or (counted is None and len(self.authors) >= MOST_DOMAINS):
            self.more_author_messages += messages
            self.more_authors.update(found)
            return
        if counted is None:
            counted = self.authors[author] = Counter()
        self.author_messages[author] += messages
        counted.update(found)

    def _keep(self, key: Transition | str, time: str, compared: Compared) -> None:
        """Whatever came last, in the end; why it is so is found out then, for few."""
        kept = self._kept.setdefault(key, [])
        if len(kept) < self.most_examples or (kept and time > kept[0][0]):
            insort(kept, (time, self.records, compared), key=itemgetter(0, 1))
            if len(kept) > self.most_examples:
                del kept[0]

    def close(self) -> None:
        """Everything is counted: turn what was kept into examples."""
        for key, kept in self._kept.items():
            told = [
                (time, compared, door(compared) if isinstance(key, str) else why(compared, self.policy))
                for time, _, compared in kept
            ]
            self._merge_examples(key, [_example(*each) for each in told])
        self._kept.clear()
        known = {transition: kinds(*transition) for transition in self.transitions}
        for transition, count in self.transitions.items():
            self.kinds.update(dict.fromkeys(known[transition], count))
        for author, by_transition in self._by_author.items():
            found: Counter[Kind] = Counter()
            for transition, count in by_transition.items():
                found.update(dict.fromkeys(known[transition], count))
            self._count_author(author, sum(by_transition.values()), found)
        self._by_author.clear()

    def _merge_examples(self, key: Transition | str, more: list[Example]) -> None:
        together = sorted([*self.examples.get(key, []), *more])
        self.examples[key] = together[max(len(together) - self.most_examples, 0) :]

    def merge(self, other: Tally) -> None:
        """Count what another process has counted, which is closed."""
        self.records += other.records
        self.changed += other.changed
        self.outside += other.outside
        self.torn += other.torn
        self.untold += other.untold
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)
        for mine, theirs in (
            (self.skipped, other.skipped),
            (self.kinds, other.kinds),
            (self.more_authors, other.more_authors),
        ):
            mine.update(theirs)  # type: ignore[arg-type]
        self.rules.update(other.rules)
        self.laundered.update(other.laundered)
        self.transitions.update(other.transitions)
        self.more_author_messages += other.more_author_messages
        for author, counted in other.authors.items():
            self._count_author(author, other.author_messages[author], counted)
        for key, examples in other.examples.items():
            self._merge_examples(key, examples)

    def by_importance(self) -> Iterator[tuple[Transition, int]]:
        """The transitions, those that matter most first, of those that matter alike the most frequent first."""
        order = list(Kind)

        def rank(entry: tuple[Transition, int]) -> tuple[int, int, str]:
            return order.index(kinds(*entry[0])[0]), -entry[1], repr(entry[0])

        yield from sorted(self.transitions.items(), key=rank)

    def unused_rules(self) -> list[str]:
        """The rules of the policy, without the default, that took nothing."""
        return [rule.name for rule in self.policy.rules if not self.rules[rule.name]]


def _example(time: str, compared: Compared, why: str) -> Example:
    facts, risk = compared.facts, compared.verdict.decision.risk.score
    return Example(time, compared.record.queue_id or "-", facts.author, str(facts.origin), facts.arrival, risk, why)
