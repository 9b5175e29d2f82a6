"""The search: is there a message for which all of some conditions hold?

What must hold narrows the stores; an alternative of which but one part is left must hold as well; where nothing follows any more, one
alternative is tried after the other. So no message is overlooked, and most are excluded in bulk.
"""

from __future__ import annotations

from collections.abc import Sequence

from dkimgate.facts import Facts
from dkimgate.policy.model import Policy, leaves
from dkimgate.policy.proof import world
from dkimgate.policy.proof.language import Budget, Wanted
from dkimgate.policy.proof.nodes import Both, Conditions, Either, Node
from dkimgate.policy.proof.picks import picked
from dkimgate.policy.proof.ranges import ADDRESSES
from dkimgate.policy.proof.stores import HOSTED, NONE, PLAIN, Literal, Recipients, Texts
from dkimgate.policy.proof.sums import KEYS, State, Sums


class Search:
    """Searches among the messages of one policy."""

    def __init__(self, policy: Policy, budget: Budget) -> None:
        self._budget = budget
        self.conditions = Conditions.of(policy, budget)
        named = {leaf.fact for rule in policy.rules if rule.when is not None for leaf in leaves(rule.when)}
        named |= {name for name, _ in policy.weights.parts}  # header.NAME is the name of the fact, too
        self._sums = Sums(policy.weights, "risk" in named, budget)
        self._start = everything()
        self._ties = [self.conditions.node(tie) for tie in world.ties_of(named)]

    def message(self, nodes: Sequence[Node]) -> Facts | None:
        """The facts of a message for which all of them hold, or None: there is none. Raises TooHardError."""
        stack: list[tuple[State, list[Either], list[Node]]] = [(self._start, [], [*nodes, *self._ties])]
        while stack:
            state, open_, fresh = stack.pop()
            state = dict(state)
            left = self._narrowed(state, open_, fresh)
            if left is None:
                continue
            if not left:
                facts = picked(state, self.conditions.languages, self._sums)
                if facts is not None:
                    return facts
                continue
            chosen = min(left, key=lambda each: len(each.parts))
            others = [each for each in left if each is not chosen]
            stack += reversed(self._branches(state, others, chosen))
        return None

    def _branches(self, state: State, others: list[Either], chosen: Either) -> list[tuple[State, list[Either], list[Node]]]:
        """One part holds, or not that but the next one: the plainest first."""
        branches = []
        excluded: list[Node] = []
        for part in sorted(chosen.parts, key=_oddity):
            branches.append((state, others, [part, *excluded]))
            if isinstance(part, Literal):
                excluded.append(part.opposite)
        return branches

    def _narrowed(self, state: State, open_: list[Either], fresh: list[Node]) -> list[Either] | None:
        """Narrow the state by what `fresh` demands and by all that follows from it. The alternatives that are left open, or None: the
        conditions exclude each other."""
        left = open_
        for node in fresh:
            changed: set[str] = set()
            if not self._demand(state, node, left := [*left], changed):
                return None
            while changed:
                if changed & KEYS:
                    more = self._sums.narrowed(state)
                    if more is None:
                        return None
                    changed |= more
                touched, now = changed, left
                changed, left = set(), []
                for each in now:
                    if touched.isdisjoint(each.keys):
                        left.append(each)
                    elif not self._demand(state, each, left, changed):
                        return None
        return left

    def _demand(self, state: State, node: Node, left: list[Either], changed: set[str]) -> bool:
        """Narrow the state by the node; False where nothing is left. What stays open is added to `left`."""
        match node:
            case Literal():
                before = state[node.key]
                after = node.meet(before)
                if after is None:
                    return False
                if after != before:
                    state[node.key] = after
                    changed.add(node.key)
                return True
            case Both(parts=parts):
                return all(self._demand(state, part, left, changed) for part in parts)
            case Either(parts=parts):
                self._budget.spend(len(parts) + 1)
                still: list[Node] = []
                for part in parts:
                    holds = _status(state, part)
                    if holds:
                        return True
                    if holds is None:
                        still.append(part)
                if len(still) > 1:
                    left.append(node if len(still) == len(parts) else Either(still))
                    return True
                return bool(still) and self._demand(state, still[0], left, changed)
        raise AssertionError(node)


def _status(state: State, node: Node) -> bool | None:
    """Does the node hold for all that the state describes (True), for nothing of it (False), or is that open?"""
    match node:
        case Literal():
            return node.status(state[node.key])
        case Both(parts=parts):
            found: bool | None = True
            for part in parts:
                holds = _status(state, part)
                if holds is False:
                    return False
                found = found and holds
            return found
        case Either(parts=parts):
            some: bool | None = False
            for part in parts:
                holds = _status(state, part)
                if holds:
                    return True
                some = None if holds is None else some
            return some
    raise AssertionError(node)


def _oddity(node: Node) -> int:
    """How much a message would have to be unlike the plainest one."""
    match node:
        case Literal():
            return 0 if _is_plain(node) else 1
        case Both(parts=parts):
            return sum(_oddity(part) for part in parts)
        case Either(parts=parts):
            return min((_oddity(part) for part in parts), default=0)
    raise AssertionError(node)


def _is_plain(literal: Literal) -> bool:
    plain = _PLAIN.get(literal.key)
    return not getattr(literal, "positive", True) if plain is None else literal.status(plain) is True


def everything() -> State:
    """Any message at all."""
    state: State = {name: (1 << len(words)) - 1 for name, words in world.WORDS.items()}
    state |= dict.fromkeys(world.FLAGS, 3)
    state |= world.NUMBERS
    state["risk"] = world.RISKS
    state |= dict.fromkeys(world.NETWORKS, ADDRESSES)
    for name, (_, optional, _) in world.TEXTS.items():
        cases = ((HOSTED, Wanted()),) if name == "from" else ()
        state[name] = Texts((*cases, (PLAIN, Wanted()), *(((NONE, None),) if optional else ())))
    state["recipients"] = Recipients(world.COUNTS)
    return state


_PLAIN: State = dict.fromkeys((*world.WORDS, *world.FLAGS), 1)
