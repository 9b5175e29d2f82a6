"""What the keys of a policy mean: the tables of config/policy.md, and what an editor shows beside a key."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINK = re.compile(r"\[([^][]++)\]\([^()]++\)")


class Key(NamedTuple):
    """A key: its meaning, and what holds without it, both in Markdown."""

    meaning: str
    without: str

    @property
    def description(self) -> str:
        """For an editor, which shows no links."""
        return _LINK.sub(r"\1", f"{self.meaning}. Without it: {self.without}.")


POLICY = {
    "version": Key("the version of the format; always `1`", "an error"),
    "mode": Key(
        "`enforce`: the policy decides. `observe`: all hosted mail is signed as if there were no gate, and the "
        "records tell what the policy would have done",
        "`enforce`",
    ),
    "risk": Key("the weights that make up the risk", "the risk is always 0"),
    "rules": Key("a list of rules. The first rule that matches decides", "an error"),
    "default": Key(
        "the action if no rule matches. It takes the keys of a rule, but not `name` and `when`", "`{sign: none}`"
    ),
    "allow_laundering": Key(
        "the names of the rules that may launder, see [The proof](proof.md). It needs `laundering_reason`",
        "no rule may",
    ),
    "laundering_reason": Key(
        "why they may, in plain words. Every record of these rules contains it", "an error if `allow_laundering` is set"
    ),
}

RULE = {
    "name": Key("one word. The record names the rule that decided. The name `default` is taken", "an error"),
    "when": Key("the conditions, see [Conditions](#conditions)", "the rule matches every message that reaches it"),
    "sign": Key("`author`, `forwarder` or `none`", "`none`"),
    "seal": Key("`true`: add an ARC set", "`false`"),
    "envelope": Key(
        "`unalign`: rewrite the envelope sender, if it would pass SPF at the next hop, aligned with the author domain",
        "`keep`",
    ),
    "otherwise": Key(
        "`hold`, `defer`, `reject` or `discard`: what `envelope: unalign` does if the sender can't be rewritten",
        "`hold`",
    ),
    "disposition": Key("`accept`, `hold`, `defer`, `reject` or `discard`", "`accept`"),
    "text": Key(
        "the text of the reply to `defer` and `reject`, or the reason for `hold`: one line of ASCII, 200 characters "
        "at most, without a reply code. It may name facts: `{arrival.dmarc}`",
        "a text of dkimgate's own",
    ),
    "tag": Key('text in front of the subject, such as `"[dmarc={arrival.dmarc}]"`', "the subject does not change"),
    "add": Key('header fields to add, such as `{X-Arrived-With: "dmarc={arrival.dmarc}"}`', "none"),
    "remove": Key("names of header fields to remove, such as `[X-Priority]`", "none"),
    "mode": Key(
        "`observe`: messages that match this rule are signed as if there were no gate; the records tell what the "
        "rule would have done",
        "the mode of the policy",
    ),
}

BRANCHES = {
    "any": "at least one of these mappings of facts matches",
    "all": "all of these mappings of facts match",
    "not": "this mapping of facts does not match",
}

RISK = {
    "dmarc": "the weight of each DMARC result on arrival",
    "spf": "the weight of each SPF result on arrival",
    "dkim": "the weight of each DKIM result on arrival",
    "arc": "the weight of each state of the ARC chain on arrival",
    "spam": "`per_required` times score / required, at least 0: a message with exactly the required score adds "
    "`per_required`",
    "upstream": "the weight of each bad result that hosts state which are not yours",
    "header": "the weight of each flag of the header that is true",
}
