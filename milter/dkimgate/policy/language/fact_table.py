"""The one table of facts: a row for everything that a condition of a policy may name.

From it come the checks of a policy file, the JSON Schema for editors, `policy show`, what test cases may state, the
messages that the proof searches among, and the reference in config/policy.md (`make reference`).
"""

from __future__ import annotations

from dkimgate.authres import methods
from dkimgate.facts import DMARC_RESULTS, Facts, Origin, Risk
from dkimgate.policy.language.fact import Author, Fact, Kind, plain_address, plain_host
from dkimgate.policy.risk import spam_ratio

ORIGINS = tuple(str(origin) for origin in Origin)
SPF_RESULTS, DKIM_RESULTS, ARC_RESULTS = methods.words("spf"), methods.words("dkim"), methods.words("arc")
UPSTREAM_DMARC_RESULTS = ("fail", "temperror", "permerror")  # law 2: of others, only what hurts is heard


def _author_of(facts: Facts, _: Risk) -> Author:
    domain = plain_host(facts.author) if facts.author is not None else None
    return Author(domain, facts.author is not None and facts.hosted is not None)


def _recipients_of(facts: Facts, _: Risk) -> tuple[str, ...] | None:
    return tuple(plain_address(address) for address in facts.recipients) or None


ROWS = (
    Fact(
        "origin",
        Kind.WORD,
        "where the message came from. `submitted`: an authenticated user. `local`: a program on this host. "
        "`relayed`: a client in `trust.networks`, without a login. `forwarded`: from outside, through your border. "
        "`inbound`: from outside, in this session",
        words=ORIGINS,
        found=("forwarded", "inbound", "submitted", "local", "relayed"),  # the likeliest forgeries first
    ),
    Fact(
        "arrival.dmarc",
        Kind.WORD,
        "the DMARC result on arrival. `unknown`: it came from outside, and nobody whom we believe states a result "
        "for its author domain. `none`: the author domain has no DMARC record; also own mail for which no result is "
        "stated, and a `pass` that rests on our own signature alone (see `own_signature`)",
        plain=("on arrival DMARC", ""),
        words=DMARC_RESULTS,
    ),
    Fact(
        "arrival.spf",
        Kind.WORD,
        "the SPF result on arrival; `none` if nobody states one",
        plain=("on arrival SPF", ""),
        words=SPF_RESULTS,
    ),
    Fact(
        "arrival.dkim",
        Kind.WORD,
        "the DKIM result on arrival; our own signature does not count",
        plain=("on arrival its signature (DKIM)", ""),
        words=DKIM_RESULTS,
        found=SPF_RESULTS,  # hosts of ours may state any result of RFC 8601, also one that a policy can't name
    ),
    Fact(
        "arrival.arc",
        Kind.WORD,
        "the state of the ARC chain on arrival",
        plain=("on arrival its seal (ARC)", ""),
        words=ARC_RESULTS,
        found=SPF_RESULTS,  # hosts of ours may state any result of RFC 8601, also one that a policy can't name
    ),
    Fact(
        "arrival.aligned",
        Kind.FLAG,
        "a believed SPF or DKIM `pass` is for a domain that is aligned with the author domain; our own signature "
        "does not count",
        plain=("it proved to come from its author's domain", "nothing proved that it comes from its author's domain"),
    ),
    Fact(
        "arrival.badly",
        Kind.FLAG,
        "`arrival.dmarc` is neither `pass` nor `none`, or the message is spam",
        plain=("it arrived badly (DMARC failed or could not be checked, or it is spam)", "it did not arrive badly"),
        compute=lambda facts, _: facts.arrival.badly,
        instead="it follows from arrival.dmarc and spam: state those",
    ),
    Fact(
        "arrival.pass_of",
        Kind.HOST,
        "the message passed DMARC at your border, but for this domain, not for the author domain: for example, a "
        "mailing list changed From after that. Otherwise the fact is absent",
        plain=(
            "the domain that its author had before From was changed",
            "From was changed after it passed DMARC for another domain",
        ),
        optional=True,
        examples=("member.example",),
    ),
    Fact(
        "spam",
        Kind.FLAG,
        "the message is spam: a filter says yes, or score ≥ required",
        plain=("it is spam", "it is not spam"),
        compute=lambda facts, _: facts.arrival.spam.spam,
    ),
    Fact(
        "spam.score",
        Kind.NUMBER,
        "the worst spam score in the header; 0 if there is none. Only texts and test cases name it",
        plain=("its spam score", ""),
        at="arrival.spam.score",
        told="spam.ratio",
    ),
    Fact(
        "spam.required",
        Kind.NUMBER,
        "the limit of that filter: from this score on it is spam; 5 if no limit is stated. Only texts and test cases "
        "name it",
        plain=("the score from which the filter calls it spam", ""),
        at="arrival.spam.required",
        told="spam.ratio",
    ),
    Fact(
        "spam.ratio",
        Kind.NUMBER,
        "score / required, never below 0: comparable between filters. 1 and more is spam",
        plain=("its spam score, as a share of what makes it spam,", ""),
        compute=lambda facts, _: spam_ratio(facts.arrival.spam),
        instead="it follows from spam.score and spam.required: state those",
    ),
    Fact(
        "upstream.dmarc",
        Kind.WORD,
        "the worst DMARC result that hosts which are not yours state. Their `pass` does not count: the fact is "
        "absent if nobody states anything bad",
        plain=("at a host that isn't ours DMARC", ""),
        words=UPSTREAM_DMARC_RESULTS,
        optional=True,
    ),
    Fact(
        "risk",
        Kind.NUMBER,
        "the sum of the weights under `risk:`, for the facts that the message has",
        plain=("its risk", ""),
        compute=lambda _, risk: float(risk.score),
        instead="it is computed from the policy's weights: `expect: {risk: ...}` checks it",
    ),
    Fact(
        "from",
        Kind.AUTHOR,
        "the author domain: the domain in the From field. `hosted`: a key of yours is aligned with it. `none`: there "
        "is no single well-formed one",
        compute=_author_of,
        examples=("hosted.example", "partner.example"),
    ),
    Fact(
        "sender",
        Kind.MAILBOX,
        (
            'the envelope sender: `friend@partner.example`, `"*@partner.example"`. A pattern without `@` is compared '
            'with the domain alone. `""` is the null sender'
        ),
        plain=("its sender address", ""),
        examples=("friend@hosted.example", "sender@partner.example", ""),
    ),
    Fact(
        "recipients",
        Kind.MAILBOXES,
        "at least one envelope recipient matches; written as for `sender`",
        plain=("one of its recipients", "it has a recipient"),
        compute=_recipients_of,
        at="recipients",
        optional=True,
        examples=("victim@receiver.example", "user@hosted.example"),
    ),
    Fact(
        "recipients.all",
        Kind.MAILBOXES,
        "every envelope recipient matches one of the patterns",
        plain=("every one of its recipients", "it has a recipient"),
        compute=_recipients_of,
        instead="it follows from recipients: state those",
        optional=True,
    ),
    Fact(
        "recipients.count",
        Kind.NUMBER,
        "the number of envelope recipients",
        plain=("the number of its recipients", ""),
        compute=lambda facts, _: float(len(facts.recipients)),
        whole=True,
    ),
    Fact(
        "client.ip",
        Kind.ADDRESS,
        "the address of the SMTP client",
        plain=("the address of the computer that hands it in", "a computer with an address hands it in"),
        optional=True,
    ),
    Fact(
        "client.name",
        Kind.HOST,
        "the name of the client by reverse DNS, verified by Postfix; `unknown` if it has none",
        plain=("the name of the computer that hands it in", "the computer that hands it in has a name"),
        optional=True,
        examples=("mail.sender.example",),
    ),
    Fact(
        "client.helo",
        Kind.HOST,
        "the name that the client said in HELO or EHLO: it can say anything",
        plain=("what the computer that hands it in calls itself", "the computer that hands it in has said its name"),
        optional=True,
        examples=("mail.sender.example",),
    ),
    Fact(
        "client.auth",
        Kind.TEXT,
        "the SASL login name of this session; a login at an earlier hop has none. `present`: the client has logged in",
        plain=("the login of who hands it in", "who hands it in has logged in"),
        optional=True,
        examples=("user", "user@hosted.example"),
    ),
    Fact(
        "client.daemon",
        Kind.TEXT,
        "`milter_macro_daemon_name` of the Postfix service",
        plain=("the service of ours that takes it", "a service of ours with a name takes it"),
        optional=True,
        examples=("smtpd",),
    ),
    Fact(
        "client.tls",
        Kind.TEXT,
        "TLS version and cipher of the session: `TLSv1.3 TLS_AES_256_GCM_SHA384`. The fact is absent if the session "
        "isn't encrypted",
        plain=("the encryption of the session", "the session is encrypted"),
        optional=True,
        examples=("TLSv1.3 TLS_AES_256_GCM_SHA384",),
    ),
    Fact(
        "client.relay",
        Kind.FLAG,
        "the message was relayed, and `trust.relays` names every client that handed it on. What other clients "
        "relayed counts as mail from outside: a stranger may be behind a container bridge or a load balancer",
        plain=(
            "it came only by hosts or devices of ours that send for nobody else",
            "it did not come only by hosts or devices of ours that send for nobody else",
        ),
        at="relay",
    ),
    Fact(
        "border.ip",
        Kind.ADDRESS,
        "the client from which your border took the message",
        plain=("the address from which it came in from outside", "it came in from an address outside"),
        optional=True,
    ),
    Fact(
        "border.by",
        Kind.HOST,
        "the host of yours that took the message",
        plain=("the host of ours at which it came in from outside", "it came in from outside"),
        optional=True,
        examples=("mx.forwarder.example",),
    ),
    Fact(
        "outgoing.spf_passes",
        Kind.FLAG,
        (
            "the envelope, as Postfix will make it, would pass SPF at the next hop, aligned with the author domain; "
            'see "The way out"'
        ),
        plain=(
            "its sender address alone would make it look genuine to the next receiver",
            "its sender address alone does not make it look genuine to the next receiver",
        ),
        at="spf_passes",
    ),
    Fact(
        "outgoing.unalignable",
        Kind.FLAG,
        "the sender can be rewritten so that SPF no longer passes: `unalign:` is set in `dkimgate.yaml`, the sender "
        "is neither null nor malformed, and no table of Postfix may change the new one",
        plain=("its sender address can be rewritten", "its sender address can't be rewritten"),
        at="unalignable",
    ),
    Fact(
        "own_signature",
        Kind.FLAG,
        "the message already has a valid signature of yours for its author domain: it was here before. `sign: "
        "author` makes no second one",
        plain=("it has a signature of ours already", "it has no signature of ours yet"),
    ),
    Fact(
        "header.from_equals_to",
        Kind.FLAG,
        "author and recipient in the header are the same address",
        plain=("author and recipient are one address", "author and recipient are not one address"),
    ),
    Fact(
        "header.return_path_mismatch",
        Kind.FLAG,
        "the envelope sender, or a Return-Path field, has a domain that is not aligned with the author domain",
        plain=("bounces go to somebody else than its author", "bounces go to its author"),
    ),
    Fact(
        "header.message_id_missing",
        Kind.FLAG,
        "there is no Message-ID",
        plain=("it has no Message-ID", "it has a Message-ID"),
    ),
    Fact(
        "header.message_id_malformed",
        Kind.FLAG,
        "the Message-ID is not `<left@right>`",
        plain=("its Message-ID is malformed", "its Message-ID is not malformed"),
    ),
    Fact(
        "header.date_missing",
        Kind.FLAG,
        "there is no Date that can be read",
        plain=("it has no date that can be read", "it has a date"),
    ),
    Fact(
        "header.date_far_off",
        Kind.FLAG,
        "at the time of judgement, Date is more than 7 days ago or more than 1 day ahead",
        plain=("its date is far in the past or in the future", "its date is not far off"),
    ),
    Fact(
        "header.display_name_address",
        Kind.FLAG,
        "the display name in From contains another address than the author's",
        plain=("the author's name shows an address that is not his", "the author's name shows no other address"),
    ),
    Fact(
        "header.lookalike_domain",
        Kind.FLAG,
        "the author domain is not hosted, but one letter different from a hosted one, or written in letters that "
        "look like it",
        plain=("its author's domain is made to look like one of ours", "its author's domain does not imitate ours"),
    ),
    Fact(
        "header.recipients_malformed",
        Kind.FLAG,
        "To or Cc is not a list of addresses",
        plain=("its list of recipients is malformed", "its list of recipients is not malformed"),
    ),
    Fact(
        "header.repeated_singletons",
        Kind.FLAG,
        ("a field that may be there once is there twice: Subject, Date, From, To and others (RFC 5322 section 3.6)"),
        plain=("a field that may occur once occurs twice", "no field occurs twice that may occur once"),
    ),
    Fact(
        "header.no_received",
        Kind.FLAG,
        "the message came from outside without a Received field: the client made it itself",
        plain=("no host on its way has left a trace in it", "hosts on its way have left their traces in it"),
    ),
    Fact(
        "header.third_party_signature_only",
        Kind.FLAG,
        "the message has DKIM signatures, but none of a domain aligned with the author domain. They were not verified",
        plain=(
            "it is signed by others than its author's domain alone",
            "it is not signed by others than its author's domain alone",
        ),
    ),
    Fact(
        "header.aligned_signature",
        Kind.FLAG,
        "the message has a DKIM signature of a domain aligned with the author domain. It was not verified",
        plain=("it has a signature of its author's domain", "it has no signature of its author's domain"),
    ),
    Fact(
        "header.expired_signature",
        Kind.FLAG,
        "a DKIM signature had expired (`x=`) when the message was judged",
        plain=("a signature on it has expired", "no signature on it has expired"),
    ),
    Fact(
        "header.limited_signature",
        Kind.FLAG,
        "a DKIM signature covers only the beginning of the body (`l=`)",
        plain=("a signature on it covers only a part", "no signature on it covers only a part"),
    ),
)
