"""What the keys of a policy and the facts mean, in a sentence or two: what an editor shows beside them. For facts it is what the
reference (config/README.md) says, word for word."""

from __future__ import annotations

FACTS = {
    "origin": (
        "where it came from: an authenticated user; generated on this host; from a client in `trust.networks`, without a login; from "
        "outside, through our border; from outside, in this very session"
    ),
    "arrival.dmarc": (
        "DMARC as it entered. `unknown`: it came from outside, and nobody we believe says anything. `none` is also what own "
        "mail has of which nothing is stated, and what becomes of a `pass` that rests on our own signature alone (see `own_signature`)"
    ),
    "arrival.spf": "SPF as it entered; `none` where nobody says",
    "arrival.dkim": "DKIM as it entered; our own signature doesn't count",
    "arrival.arc": "the ARC chain as it entered",
    "arrival.aligned": "an SPF or DKIM pass that we believe is of a domain aligned with the author domain; our own signature doesn't count",
    "arrival.badly": "`arrival.dmarc` is neither `pass` nor `none`, or it is spam",
    "spam": "it is spam: somebody says Yes, or score ≥ required",
    "spam.score": "the worst score that its header states; 0 where none does",
    "spam.required": "the score from which on that scanner calls it spam; 5 where none is stated",
    "spam.ratio": "score / required, never below 0: comparable between scanners. 1 and more is spam",
    "upstream.dmarc": (
        "the worst that hosts which aren't ours say. Their `pass` is not heard: the fact is absent where nobody says anything bad"
    ),
    "risk": "the sum, see below",
    "from": "the author domain, of the From field. `hosted`: a key of ours is aligned with it. `none`: there is no single well-formed one",
    "sender": (
        'the envelope sender. `friend@partner.example`, `"*@partner.example"`; a pattern without `@` is compared with the '
        'domain alone; `""` is the null sender'
    ),
    "recipients": "at least one envelope recipient matches, written as for `sender`",
    "recipients.all": "every recipient matches one of the patterns",
    "recipients.count": "how many there are",
    "client.ip": "the SMTP client",
    "client.name": "its name by reverse DNS, as Postfix verified it; `unknown` where it has none",
    "client.helo": "what it said in HELO or EHLO: it may say anything",
    "client.auth": "the SASL login name. `present`: somebody logged in",
    "client.daemon": "Postfix's `milter_macro_daemon_name` of that service",
    "client.relay": (
        "it was relayed, and `trust.relays` names every client that handed it on. What others relayed counts as from outside: nothing "
        "tells it from a stranger's behind a container bridge or a load balancer"
    ),
    "border.ip": "the client from which our border took it",
    "border.by": "the host of ours that took it",
    "outgoing.spf_passes": (
        'the envelope as Postfix will make it would pass SPF at the next hop, aligned with the author domain; see "The way out"'
    ),
    "outgoing.unalignable": (
        "the sender can be rewritten so that it no longer does: `unalign:` stands in `dkimgate.yaml`, the sender is "
        "neither null nor malformed, and no table of Postfix may change the new one"
    ),
    "own_signature": (
        "it bears a valid signature of ours for its author domain already: it was here before. `sign: author` makes no second one"
    ),
    "header.from_equals_to": "author and recipient in the header are one address",
    "header.return_path_mismatch": "envelope sender and author disagree",
    "header.message_id_missing": "there is no Message-ID",
    "header.message_id_malformed": "the Message-ID is not `<left@right>`",
    "header.date_missing": "there is no Date, or none that can be read",
    "header.date_far_off": "Date is more than 7 days ago, or more than 1 day ahead, when the message is judged",
    "header.display_name_address": "the display name in From holds another address than the author's",
    "header.lookalike_domain": (
        "the author domain is not hosted, but one letter off from a hosted one, or written in letters that look like it"
    ),
    "header.recipients_malformed": "To or Cc is no list of addresses",
    "header.repeated_singletons": "a field that may stand once stands twice: Subject, Date, From, To and the like (RFC 5322 section 3.6)",
    "header.no_received": "it came from outside without a single Received field: the client made it itself",
    "header.third_party_signature_only": (
        "it bears DKIM signatures, but none of a domain aligned with the author domain. They were not verified"
    ),
    "header.aligned_signature": "it bears a DKIM signature of a domain aligned with the author domain. It was not verified",
    "header.expired_signature": "a DKIM signature was past its expiry (`x=`) when the message was judged",
    "header.limited_signature": "a DKIM signature covers only the beginning of the body (`l=`)",
}

POLICY = {
    "version": "The version of this format: 1.",
    "mode": "`enforce` (the default): the policy decides. `observe`: everything is signed as if there were no gate, and records tell "
    "what the policy would have done.",
    "risk": "The weights that make up the risk: every entry whose fact a message has adds its weight. Nothing is ever subtracted.",
    "rules": "The first rule whose every condition holds decides, alone: put the narrow rules first.",
    "default": "What is done where no rule holds: the keys of a rule but `name` and `when`. Without it: `{sign: none}`.",
    "allow_laundering": "The names of rules that may make forgeries look good. Needs `laundering_reason`.",
    "laundering_reason": "Why they may, in plain words: it stands in every record of these rules.",
}

RULE = {
    "name": "One word. It stands in the record of every message that the rule decided.",
    "when": "Facts and what is wanted of them; all must hold. Without it, the rule takes every message that comes so far.",
    "sign": "`author`: with every key of yours that is aligned with the author domain. `forwarder`: with your own domain, unaligned. "
    "`none` (the default): not at all.",
    "seal": "`true`: the message gets an ARC set.",
    "envelope": "`unalign`: where the envelope sender would pass SPF, aligned with the author domain, at the next hop, it is rewritten. "
    "`keep` (the default): it stays.",
    "otherwise": "What `envelope: unalign` does with a message whose sender can't be rewritten. `hold` without it.",
    "disposition": "`accept` (the default), `hold` (Postfix's hold queue), `defer` (4xx), `reject` (5xx) or `discard`.",
    "text": "What the sender is told by `defer` and `reject`, or why it was held: one line of ASCII, without a reply code. It may name "
    "facts: `{arrival.dmarc}`.",
    "tag": "What is put in front of the subject. It may name facts: `[dmarc={arrival.dmarc}]`.",
    "add": "Header fields to add. Their texts may name facts: `{X-Arrived-With: 'dmarc={arrival.dmarc}'}`.",
    "remove": "Names of header fields to take off.",
    "mode": "`observe`: what this rule takes is signed as if there were no gate, and recorded as the rule would have it.",
}

BRANCHES = {
    "any": "At least one of these holds, each a mapping of facts.",
    "all": "All of these hold, each a mapping of facts.",
    "not": "This does not hold: a mapping of facts.",
}

RISK = {
    "dmarc": "What a DMARC result on arrival adds.",
    "spf": "What an SPF result on arrival adds.",
    "dkim": "What a DKIM result on arrival adds.",
    "arc": "What the state of the ARC chain on arrival adds.",
    "spam": "`per_required` x score / required, never below 0: what a message adds where the scanner begins to call it spam.",
    "upstream": "What bad results add that hosts which aren't ours state.",
    "header": "What oddities of the header add.",
}
