"""A record in words, for people: what `explain` and `log show` have in common, and the one-line form of `log`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from dkimgate.cli.screen import BAD, DIM, DOUBT, GOOD, TITLE, Cell, Screen
from dkimgate.facts import Arrival, Claim, Disposition, HeaderSigns, Holds, Sending, Sign
from dkimgate.policy.laundering import broken
from dkimgate.record.record import Decided, Record, facts_of
from dkimgate.record.recordable import CLAIM_LIMIT


def number(value: float) -> str:
    """A score without needless zeros."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def arrival(found: Arrival | None) -> str:
    """What arrived, in the words of Authentication-Results: `dmarc=fail spf=fail spam=14.9/3`."""
    if found is None:
        return "unknown"
    others = {"spf": found.spf, "dkim": found.dkim, "arc": found.arc}
    parts = [f"dmarc={found.dmarc}", *(f"{method}={result}" for method, result in others.items() if result != "none")]
    spam = found.spam
    if spam.flag or spam.score > 0:
        parts.append(f"spam={number(spam.score)}/{number(spam.required)}")
    return " ".join(parts)


def arrived_badly(record: Record) -> bool:
    """The design's "arrived badly"; nobody knows it of a message without facts."""
    return record.arrival is not None and record.arrival.badly


def laundered(record: Record) -> bool:
    """The message leaves and breaks the first law; or it is spam from outside that keeps its pass. The policy is not
    wrong then, but a person who asks about this message should know."""
    departure = record.departure
    if record.origin is None or departure is None or not departs(record):
        return False
    facts = facts_of(record)
    sign = Sign.AUTHOR if any(key.domain == record.hosted for key in record.decision.signatures) else Sign.NONE
    passes_as_spam = facts.outside and facts.arrival.spam.spam and departure.dmarc == "pass"
    return passes_as_spam or bool(broken(facts, sign, departure.dmarc))


def _stopped(record: Record) -> bool:
    """The policy has stopped it."""
    return record.decision.disposition not in (Disposition.ACCEPT, None) and record.decision.mode != "observe"


def departs(record: Record) -> bool:
    """It goes on its way, also where enforcing would have stopped it. What was given up, or deferred for its cost,
    comes again or never."""
    return not _stopped(record) and not (record.error or "").startswith(("aborted: ", "deferred"))


def signed_by(record: Record) -> str:
    """The domains of our signatures, or "none"."""
    return " ".join(dict.fromkeys(key.domain for key in record.decision.signatures)) or "none"


def summary(record: Record) -> list[Cell]:
    """One line of `log`: time, queue id, author domain, origin, arrival, risk, rule, signed by, departure."""
    decision, departure = record.decision, record.departure
    signed = signed_by(record)
    risk = "risk=-" if record.risk is None else f"risk={number(record.risk.score)}"
    cells: list[Cell] = [
        record.time[:19] + "Z",
        record.queue_id or "-",
        record.author or "(no author)",
        str(record.origin or "-"),
        (arrival(record.arrival), BAD if arrived_badly(record) else ""),
        risk,
        decision.rule or "-",
        (f"signed={signed}", DIM if signed == "none" else GOOD),
        (f"departs={departure.dmarc if departure and departs(record) else '-'}", BAD if laundered(record) else ""),
    ]
    if _stopped(record):
        cells.append((str(decision.disposition), DOUBT))
    if record.new_sender:
        cells.append("sender rewritten")
    if _holds(record) is Holds.NO and departs(record):
        cells.append(("signature breaks", BAD))
    if decision.mode == "observe":
        cells.append((f"observed: {_would(decision)}", DOUBT))
    if record.error:
        cells.append((f"error: {record.error}", BAD))
    return cells


def show(
    record: Record, screen: Screen, *, route: Sequence[Sequence[Cell]] = (), rules: Sequence[Sequence[Cell]] = ()
) -> None:
    """Everything about one message. `route` and `rules` are what only `explain` knows."""
    screen.table(_who(record), indent=0)
    if route:
        screen.title("Route, newest hop first")
        screen.table(route)
    if record.claims:
        screen.title("Claims")
        screen.table(_claims(record))
    if record.arrival is not None:
        screen.title("Judgement")
        screen.table(_judgement(record, record.arrival))
    if rules:
        screen.title("Rules, the first that matches decides")
        screen.table(rules)
    screen.line()
    screen.table(_end(record), indent=0)


def _who(record: Record) -> list[list[Cell]]:
    client, envelope, domain, hosted = record.client, record.envelope, record.author, record.hosted
    author: Cell
    if domain is None:
        author = (f"none: {record.author_problem or 'unknown'}", BAD)
    else:
        author = (
            f"{domain} "
            f"({f'hosted: our key for {hosted} covers it' if hosted else 'not hosted: no key of ours covers it'})"
        )
    recipients, total = envelope.recipients, envelope.recipients_total
    shown = ", ".join(recipients[:3]) + (f" and {total - 3} more" if total > 3 else "")
    login = f", logged in as {client.auth}" if client.auth else ""
    rows: list[list[Cell]] = [
        [("author", DIM), author],
        [("envelope", DIM), f"<{envelope.sender}> to {shown or '(no recipient given)'}"],
        [("client", DIM), f"{client.name or client.helo or 'unknown'} [{client.ip or '-'}]{login}"],
    ]
    if record.queue_id:
        rows.insert(0, [("queue id", DIM), f"{record.queue_id} at {record.time}"])
    if record.origin is not None:
        rows.append([("origin", DIM), (str(record.origin), TITLE)])
        rows.append(["", record.origin_why])
    return rows


def _numbers(claim: Claim) -> str:
    """What a verdict of spam is made of: ` 14.9/3`."""
    told = dict(claim.properties) if claim.method == "spam" else {}
    return f" {told['score']}/{told['required']}" if {"score", "required"} <= set(told) else ""


def _claims(record: Record) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for claim in record.claims:
        style = GOOD if claim.is_believed() else DIM
        told = f"{claim.field} by {claim.by}" if claim.by else claim.field or "our own check"
        rows.append(
            [f"{claim.method}={claim.result}{_numbers(claim)}", (str(claim.standing), style), told, (claim.why, DIM)]
        )
    if len(rows) >= CLAIM_LIMIT:
        rows.append([f"(a record has at most {CLAIM_LIMIT} claims)"])
    return rows


def _judgement(record: Record, found: Arrival) -> list[list[Cell]]:
    how = f"{'badly' if found.badly else 'not badly'}; {'a' if found.aligned else 'no'} pass is aligned with the author"
    rows: list[list[Cell]] = [["arrival", (f"{arrival(found)} ({how})", BAD if found.badly else GOOD)]]
    if record.upstream.dmarc:
        rows.append(["upstream", f"dmarc={record.upstream.dmarc}, stated by hosts that are not ours"])
    signs = [sign.name for sign in fields(HeaderSigns) if getattr(record.header, sign.name, False)]
    if signs:
        rows.append(["header", ", ".join(signs)])
    if record.risk is not None:
        parts = " + ".join(f"{name} {number(weight)}" for name, weight in record.risk.parts.items())
        rows.append(["risk", number(record.risk.score) + (f" = {parts}" if parts else ": nothing adds to the risk")])
    return rows


def _end(record: Record) -> list[list[Cell]]:
    decision, departure = record.decision, record.departure
    rows: list[list[Cell]] = []
    if decision.rule is not None:
        signed = signed_by(record)
        style = GOOD if signed != "none" else DOUBT
        text = f"signed by {signed}" if signed != "none" else "no signature of ours"
        if _stopped(record):
            text += f", {_disposition(decision)}"
        rows.append([("decision", DIM), (text, style)])
        rows.append(["", f"rule {decision.rule}"])
        if record.new_sender:
            rows.append(["", f"sender rewritten to <{record.new_sender}>"])
        if decision.seal:
            rows.append(["", "sealed with an ARC set"])
        elif decision.unsealed:
            rows.append(["", (f"no ARC set: {decision.unsealed}", DOUBT)])
        if decision.laundering:
            rows.append(["", (f"the policy allows this rule to launder: {decision.laundering}", BAD)])
        if decision.mode == "observe":
            rows.append(
                [
                    "",
                    (
                        "mode: observe: all mail of hosted domains is signed, and nothing is changed; enforce would "
                        f"do: {_would(decision)}",
                        DOUBT,
                    ),
                ]
            )
        rows += _header_changes(decision)
        if decision.overruled:
            rows.append(["", (f"the guard overruled the rule: {decision.overruled}", BAD)])
    if departure is not None:
        doors = [name for name, open_ in (("DKIM", departure.dkim_aligned), ("SPF", departure.spf_aligned)) if open_]
        text = f"dmarc={departure.dmarc}" + (
            f", by aligned {' and '.join(doors)}" if doors else ", nothing aligned passes"
        )
        if not departs(record):
            text = f"none; if it were let go: {text}"
        rows.append([("departure", DIM), (text, BAD if laundered(record) else "")])
        rows += [["", (line, style)] for line, style in _on_the_way(record)]
        if laundered(record):
            rows.append(["", (f"it arrived badly and will look good: {_door(record)}", BAD)])
    if record.error:
        rows.append([("error", DIM), (record.error, BAD)])
    return rows


def _holds(record: Record) -> Holds:
    """Will the signature be valid at the next host? Older records say nothing of it."""
    return record.departure.signature_holds if record.departure is not None else Holds.NONE


def _on_the_way(record: Record) -> list[tuple[str, str]]:
    """What Postfix changes behind the gate, as far as it matters to signatures."""
    sending, holds = record.sending or Sending(), _holds(record)
    lines: list[tuple[str, str]] = []
    if holds is Holds.NO and sending.fields_broken:
        broken_fields = ", ".join(sending.fields_broken)
        lines.append(
            (f"the signature will not hold: Postfix breaks a line of {broken_fields} that can't be folded", BAD)
        )
    elif holds is Holds.NO:
        lines.append(("its DKIM signature will not be valid: Postfix breaks lines that the signature covers", BAD))
    elif holds is Holds.MAYBE:
        lines.append(("the signature will not hold at a host without 8BITMIME: it declares 8-bit content", DOUBT))
    if sending.body_broken and record.decision.signatures:
        lines.append(("the signature fits the body lines as Postfix will break them", DIM))
    if record.outgoing is not None and record.outgoing.strict_dkim and record.author != record.hosted:
        lines.append(
            (
                f"the DMARC record of {record.author} says adkim=s: a key of {record.hosted or 'another domain'} does "
                "not align",
                DOUBT,
            )
        )
    return lines


def _disposition(decision: Decided) -> str:
    return str(decision.disposition) + (f": {decision.text}" if decision.text else "")


def _would(decision: Decided) -> str:
    """What a decision that is only recorded would have done."""
    return f"sign: {decision.sign}" + (
        f", {_disposition(decision)}" if decision.disposition is not Disposition.ACCEPT else ""
    )


def _header_changes(decision: Decided) -> list[list[Cell]]:
    """What became of the header, or would have; older records tell nothing of it."""
    done = [f"subject tagged {decision.tag}"] if decision.tag else []
    lists = {"added": decision.added, "removed": decision.removed, "folded": decision.folded}
    done += [f"{what} {', '.join(names)}" for what, names in lists.items() if names]
    rows: list[list[Cell]] = [["", f"header: {'; '.join(done)}"]] if done else []
    return rows + [["", (f"header, not done: {reason}", DOUBT)] for reason in decision.not_done]


def _door(record: Record) -> str:
    if record.departure is not None and record.departure.dkim_aligned:
        return "an aligned DKIM signature"
    assumed = record.outgoing is not None and record.outgoing.spf_source == "assumed"
    source = "assumed, because it can't be looked up" if assumed else "looked up"
    return f"SPF passes for its sender from this host ({source}); `envelope: unalign` in the rule prevents that"
