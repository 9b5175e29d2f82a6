"""What the keys of a policy mean, in a sentence or two: what an editor shows beside them."""

from __future__ import annotations

POLICY = {
    "version": "The version of this format: 1.",
    "mode": "`enforce` (the default): the policy decides. `observe`: everything is signed as if there were no gate, "
    "and records tell "
    "what the policy would have done.",
    "risk": "The weights that make up the risk: every entry whose fact a message has adds its weight. Nothing is ever "
    "subtracted.",
    "rules": "The first rule whose every condition matches decides, alone: put the narrow rules first.",
    "default": "What is done where no rule matches: the keys of a rule but `name` and `when`. Without it: `{sign: "
    "none}`.",
    "allow_laundering": "The names of rules that may make forgeries look good. Needs `laundering_reason`.",
    "laundering_reason": "Why they may, in plain words: it stands in every record of these rules.",
}

RULE = {
    "name": "One word. It stands in the record of every message that the rule decided.",
    "when": "Facts and what is wanted of them; all must match. Without it, the rule takes every message that comes so "
    "far.",
    "sign": "`author`: with every key of yours that is aligned with the author domain. `forwarder`: with your own "
    "domain, unaligned. "
    "`none` (the default): not at all.",
    "seal": "`true`: the message gets an ARC set.",
    "envelope": "`unalign`: where the envelope sender would pass SPF, aligned with the author domain, at the next "
    "hop, it is rewritten. "
    "`keep` (the default): it stays.",
    "otherwise": "What `envelope: unalign` does with a message whose sender can't be rewritten. `hold` without it.",
    "disposition": "`accept` (the default), `hold` (Postfix's hold queue), `defer` (4xx), `reject` (5xx) or `discard`.",
    "text": "What the sender is told by `defer` and `reject`, or why it was held: one line of ASCII, without a reply "
    "code. It may name "
    "facts: `{arrival.dmarc}`.",
    "tag": "What is put in front of the subject. It may name facts: `[dmarc={arrival.dmarc}]`.",
    "add": "Header fields to add. Their texts may name facts: `{X-Arrived-With: 'dmarc={arrival.dmarc}'}`.",
    "remove": "Names of header fields to take off.",
    "mode": "`observe`: what this rule takes is signed as if there were no gate, and recorded as the rule would have "
    "it.",
}

BRANCHES = {
    "any": "At least one of these matches, each a mapping of facts.",
    "all": "All of these match, each a mapping of facts.",
    "not": "This does not match: a mapping of facts.",
}

RISK = {
    "dmarc": "What a DMARC result on arrival adds.",
    "spf": "What an SPF result on arrival adds.",
    "dkim": "What a DKIM result on arrival adds.",
    "arc": "What the state of the ARC chain on arrival adds.",
    "spam": "`per_required` x score / required, never below 0: what a message adds where the scanner begins to call "
    "it spam.",
    "upstream": "What bad results add that hosts which aren't ours state.",
    "header": "What oddities of the header add.",
}
