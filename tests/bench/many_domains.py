"""Throughput with 100,000 key domains and 200 rules, beside 1 domain and 10 rules."""

from __future__ import annotations

from contextlib import ExitStack

import yaml

from tests.bench import peers
from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.messages import DOMAIN, own
from tests.bench.numbers import ratio
from tests.bench.peers import Key, Late
from tests.bench.table import table
from tests.bench.world import World


def run(world: World) -> str:
    """Measure, and return the table."""
    domains, limit = (1_000, 30.0) if world.quick else (100_000, 600.0)
    rounds, seconds = (2, 1.0) if world.quick else (7, 3.0)
    names = [*(f"d{number}.hosted{number % 7}.example" for number in range(domains - 1)), DOMAIN]
    few = peers.dkimgate(world.new_folder("few"), [Key(world.key)], world.port, policy=_policy(10))
    keys = [Key(world.key, name) for name in names]
    many = peers.dkimgate(world.new_folder("many"), keys, world.port, policy=_policy(200), name="many")
    with ExitStack() as stack:
        cases = [
            Case(peer.name, stack.enter_context(peers.started(peer)), own(), "signed", world.folder)
            for peer in (few, many)
        ]
        value, start = 0.0, limit
        try:
            for case in cases:
                start = case.running.wait(limit)
        except Late:
            world.say(f"  {domains} domains: not there after {limit:.0f} s")
        else:
            for case in cases:
                case.send(0.5)
            for _ in range(rounds):
                for case in cases:
                    case.measure(seconds)
            value = ratio(cases[1].rates, cases[0].rates)
    goal = f"rate, {domains:,} domains and 200 rules, 1 and 10"
    world.figures.append(Figure(goal, value, 0.95, "higher"))
    world.data["domains"] = {"start": start, "few": cases[0].rates, "many": cases[1].rates}
    rows = [
        (f"{domains:,} domains, 200 rules: start, s", f"{start:.1f}"),
        ("rate, 1 domain and 10 rules 1", f"{value:.2f}"),
    ]
    return table(("many domains", ""), rows)


def _policy(rules: int) -> str:
    """The shipped policy, behind so many more rules that don't match as make that number."""
    policy = yaml.safe_load((peers.ROOT / "config" / "policy.yaml").read_text())
    more = rules - len(policy["rules"])
    policy["rules"][:0] = [
        {
            "name": f"customer-{number}",
            "when": {"from": f"customer{number}.example", "origin": "submitted"},
            "sign": "none",
        }
        for number in range(more)
    ]
    text: str = yaml.safe_dump(policy, sort_keys=False)
    return text
