"""Law 6 over whole messages, in every wiring of systemd/README.md: no field that an outsider adds, takes off or garbles, and no word that he
says in his session, makes a decision better.

What he proves is another matter: a signature or an SPF that dkimpy or pyspf finds valid and aligned, of the message as it entered.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from dkimgate.evidence.gather import see
from dkimgate.evidence.route import Route
from dkimgate.facts import Assessment, Disposition, Facts, Standing
from tests.laws import arrivals, next_receiver, outsider
from tests.laws.arrivals import Scene, has_record, scenes
from tests.laws.attack_world import NOW
from tests.laws.generated import pieces, show
from tests.laws.generated_gates import Passed, passes
from tests.laws.generated_messages import fields_of
from tests.laws.next_receiver import organization
from tests.laws.outsider import Change
from tests.laws.wirings import MISLED, NO_OUTSIDER, WAYS, places

GUIDE = (Path(__file__).parents[2] / "systemd" / "README.md").read_text()

# --- the table of wirings


@pytest.mark.parametrize("place", places(GUIDE))
def test_every_wiring_of_the_guide_is_in_the_table(place: str) -> None:
    words = [each for way in WAYS.values() for each in way.guide]
    assert any(each in place for each in (*words, *NO_OUTSIDER)), (
        "a wiring that wirings.py does not know, or forgot to name"
    )


@pytest.mark.parametrize("words", [*NO_OUTSIDER, *sorted({each for way in WAYS.values() for each in way.guide})])
def test_the_guide_still_says_so(words: str) -> None:
    assert words in GUIDE


def test_a_new_wiring_would_be_seen() -> None:
    assert "\n| Sieve on another host | `smtpd_milters` of a port of its own |".strip() in places(
        GUIDE.replace(
            "| users with", "| Sieve on another host | `smtpd_milters` of a port of its own |\n| users with", 1
        )
    )


# --- what an outsider can do


@pieces
def test_law_6_nothing_that_an_outsider_does_earns_a_forgery_anything(piece: int | None) -> None:
    """By policies that are proved safe: no aligned signature, no seal that tells of a pass, no departure that passes by SPF."""
    show(earns_nothing, piece, scene=scenes(), changes=st.just([]) | outsider.changes)


def earns_nothing(scene: Scene, changes: list[Change]) -> None:
    scene = scene.changed(changes)
    passed = passes(scene.gate, scene.message, scene.body)
    author = passed.record["from"]
    gained = gains(passed, author)
    if not gained:
        return
    assert authors_named(scene) == 1, (gained, "nobody knows who its author is")
    assert author is not None and scene.authorised(author), gained


def gains(passed: Passed, author: str | None) -> list[str]:
    """What became of a message that only one whose author domain let it be sent may have."""
    found = [
        f"signed by {each}"
        for each in {*next_receiver.signers(passed), *next_receiver.verified(passed)}
        if _aligned(each, author)
    ]
    results = [value for name, value in passed.outcome.fields if name.lower() == "arc-authentication-results"]
    found += [f"sealed: {value!r}" for value in results if re.search(rb"dmarc=pass", value)]
    spf = next_receiver.spf_domain(passed) if passed.leaves else None
    if spf is not None and author is not None and _aligned(spf, author) and has_record(author):
        found.append(f"passes by SPF of {spf}")
    return found


def _aligned(domain: str, author: str | None) -> bool:
    return author is None or organization(domain) == organization(author)


def authors_named(scene: Scene) -> int:
    """So many From fields there are for one reader or another."""
    header = (*fields_of([scene.wired.above.replace("{V}", "")]), *scene.entered)
    return sum(re.sub(rb"[^!-9;-~]", b"", field.name).lower() == b"from" for field in header)


@pieces
def test_law_6_no_change_of_an_outsiders_part_makes_anything_better(piece: int | None) -> None:
    """Whatever he wrote, and whatever he changes then: origin, border and standing stay what they are where he writes nothing; what hurts and
    is another's stays; and neither arrival nor decision are better than the best that he could have had."""
    show(never_better, piece, scene=scenes(), changes=st.just([]) | outsider.changes)


def never_better(scene: Scene, changes: list[Change]) -> None:
    scene = arrivals.shipped(scene).changed(changes)
    plain = arrivals.bare(scene)
    after, route = judged(scene)
    before = [judged(each) for each in plain]
    better = [
        *better_route(scene, route, plain[0], before[0][1]),
        *better_standing(scene, after.facts),
        *healed(scene, after.facts, before[0][0].facts),
    ]
    same_author = after.facts.author == before[0][0].facts.author
    author = after.facts.author
    if author is not None and not scene.authorised(author):
        if after.facts.arrival.dmarc in RANK and scene.states != MISLED:
            better.append(f"arrived with {after.facts.arrival.dmarc}")
        if same_author:
            better += better_arrival(after.facts, [each.facts for each, _ in before])
            better += better_decision(scene, after, [each for each, _ in before])
    assert not better, better


HELPING = ("pass", "none")
RANK = {"pass": 0, "none": 1}
"""One bad result is as good as another: what it is worth is the risk's matter."""


def judged(scene: Scene) -> tuple[Assessment, Route]:
    """What the gate makes of it, and the route that it finds."""
    return scene.gate.assess(scene.message, scene.body, NOW), see(scene.message, scene.gate.config).route


def better_route(scene: Scene, route: Route, plain: Scene, bare: Route) -> list[str]:
    wired = scene.wired
    found = []
    if route.origin not in wired.origins:
        found.append(f"{route.origin}: {route.why}")
    if wired.has_border and route.ours_above > scene.ours:
        found.append(f"{route.ours_above} fields ours, not {scene.ours}")
    if len(wired.origins) > 1:
        return found
    # of two addresses that a field tells, nobody knows which one is the client's
    if route.border not in (bare.border, bare.border and replace(bare.border, ip=None)):
        found.append(f"border {route.border}, not {bare.border}")
    if route.ours_above - scene.ours != bare.ours_above - plain.ours:
        found.append(f"{route.ours_above} of {scene.ours} above, not {bare.ours_above} of {plain.ours}")
    return found


def better_standing(scene: Scene, facts: Facts) -> list[str]:
    """No field of his is believed where it helps, but for what is proved by itself."""
    if not scene.wired.has_border:
        return []
    return [
        f"{claim.method}={claim.result} of {claim.field} at {claim.position} is {claim.standing}: {claim.why}"
        for claim in facts.claims
        if claim.standing is Standing.TRUSTED and claim.result in HELPING and claim.position >= scene.ours
    ]


def healed(scene: Scene, facts: Facts, bare: Facts) -> list[str]:
    """What others wrote, and hurts, counts whatever he writes."""
    found = []
    if facts.arrival.spam.ratio < bare.arrival.spam.ratio or (scene.found_spam and not facts.arrival.spam.spam):
        found.append(f"{bare.arrival.spam} -> {facts.arrival.spam}")
    if scene.found_fail and facts.upstream.dmarc is None:
        found.append("what failed at the relay is forgotten")
    believed = any(claim.method == "dmarc" and claim.is_believed() for claim in facts.claims)
    if scene.found_fail and not believed and facts.arrival.dmarc in (*RANK, "unknown"):
        found.append(f"it failed at the relay, and arrived with {facts.arrival.dmarc}")
    domain = scene.sender.rpartition("@")[2]
    disagree = (
        facts.author is not None
        and re.fullmatch(r"[a-z.]+", domain)
        and organization(domain) != organization(facts.author)
    )
    if disagree and not facts.header.return_path_mismatch:
        found.append("nobody sees that the envelope sender is another's")
    return found


def better_arrival(facts: Facts, plain: list[Facts]) -> list[str]:
    best = min(RANK.get(each.arrival.dmarc, 2) for each in plain)
    found = []
    if facts.outside and RANK.get(facts.arrival.dmarc, 2) < best:
        found.append(f"dmarc={facts.arrival.dmarc}")
    if not facts.arrival.badly and all(each.arrival.badly for each in plain):
        found.append("no longer bad")
    return found


LEAST = {
    Disposition.ACCEPT: 0,
    Disposition.HOLD: 1,
    Disposition.DEFER: 2,
    Disposition.REJECT: 3,
    Disposition.DISCARD: 3,
}


def better_decision(scene: Scene, after: Assessment, plain: list[Assessment]) -> list[str]:
    """Than that of a message without any sign in its header, of which a sender has the choice."""
    best = [scene.gate.decided(facts, each.sender) for each in plain for facts in arrivals.at_best(each.facts)]
    found = []
    if after.signer is not None and all(each.signer is None for each in best):
        found.append(f"signed by {after.signer}")
    if LEAST[after.decision.disposition] < min(LEAST[each.decision.disposition] for each in best):
        found.append(f"{after.decision.disposition} by {after.decision.rule}")
    if leaves_with_pass(after) and not any(map(leaves_with_pass, best)):
        found.append("departs with a pass")
    return found


def leaves_with_pass(assessment: Assessment) -> bool:
    return assessment.decision.disposition is Disposition.ACCEPT and assessment.departure.dmarc == "pass"


# --- the control: where nothing ever passed, a forgery could not do better

LETTER = fields_of([outsider.LETTERS[0]])
SIGNED = fields_of(["@hosted", outsider.LETTERS[0]])
HONEST = Scene("", "whole", 0, "", "nobody", "no spam", (), outsider.PLAIN, LETTER, SIGNED)


@pytest.mark.parametrize("way", [each for each in WAYS if each != "a list that logs in"])
def test_what_its_author_signed_is_signed_again(way: str) -> None:
    """But not what a list has changed, and whoever says to be one."""
    scene = replace(HONEST, way=way, states=WAYS[way].states[0])
    assert scene.authorised("hosted.example")
    assert next_receiver.signers(passes(scene.gate, scene.message, scene.body)) == ["hosted.example"]
