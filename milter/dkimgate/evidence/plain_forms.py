"""The exact texts that verifiers write for plain input: a field of ours that reads otherwise holds somebody else's
words.

Verifiers print what a sender chose (an envelope sender, a selector, an identity, the text of his SPF record) beside
their results, and most print it raw. So nothing tells his `; dmarc=pass` from theirs but the form of the whole field:
which results a verifier writes, which properties in which order, which comment. A form here is that of one verifier,
and a field is plain where all of it has one form: domains are letters, digits and hyphens, local parts are dot-atoms
(RFC 5322 section 3.2.3), and nothing is quoted that a sender chose.

Where a verifier is not known here, its word does not count; what this process verifies itself does.
"""

from __future__ import annotations

import re
from collections import Counter

from dkimgate.authres.authentication_results import MAX_LENGTH, Reading
from dkimgate.message.late_pattern import LatePattern

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*+"
ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
"""Inside the brackets of a pattern: the characters of an atom (RFC 5322 section 3.2.3)."""

_ATOM = rf"[{ATEXT}]++"
_LOCAL = rf"{_ATOM}(?:\.{_ATOM})*+"
_ADDRESS = rf"(?:{_LOCAL}@)?{_DOMAIN}"
_IP = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,40}(?:\.[0-9]{1,3}){0,3}"
_NAME = r"[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*+"  # of hosts and selectors, which may hold underscores
_HELO = rf"(?:{_NAME}|\[(?:IPv6:)?(?:{_IP})\])"
_WORDS = r"[A-Za-z][A-Za-z -]*"
_RECEIVER = rf"(?:{_ADDRESS}|{_NAME}|<UNKNOWN>|<unknown>)"
_BASE64 = r"[A-Za-z0-9+/=]{1,88}"

_SPF = r"spf=(?:pass|fail|softfail|neutral|none|temperror|permerror)"
_DKIM = r"dkim=(?:pass|fail|neutral|none|policy|temperror|permerror)"
_ARC = r"arc=(?:pass|fail|none)"
_DMARC = r"dmarc=(?:pass|fail|none|temperror|permerror|bestguesspass)"
_SENDER = rf"smtp\.(?:mailfrom=(?:{_ADDRESS}|<>)|helo=(?:{_HELO}|\"{_HELO}\"))"
_KEYS = (
    rf"(?: header\.(?:d={_DOMAIN}|i=(?:{_LOCAL})?@{_DOMAIN}|s={_NAME}|a=[a-z0-9-]+|b=(?:{_BASE64}|\"{_BASE64}\")))*+"
)
# rspamd puts quotes around what holds more than letters, as `a+b=c`
_OF = rf"(?:{_ADDRESS}|\"(?:{_ADDRESS}|\[(?:{_IP})\])\")"
_DESIGNATES = (
    rf"\({_NAME}: (?:domain of (?:transitioning )?{_OF} (?:designates|does not designate) (?:{_IP}) as permitted sender"
    rf"|(?:{_IP}) is neither permitted nor denied by (?:best guess record for )?domain of {_OF}"
    rf"|domain of {_OF} has no SPF policy when checking (?:{_IP})|error in processing during lookup of {_OF}: DNS "
    rf"error|{_WORDS})\)"
)

# a verifier, and every result that it writes, each with all that goes with it
_FORMS: dict[str, tuple[str, ...]] = {
    "OpenDKIM": (
        rf"{_DKIM}(?: reason=\"[A-Za-z ]+\")?(?: \([0-9]+-bit (?:rsa |ed25519 )?key(?:; "
        rf"(?:unprotected|secure|insecure))?\))?"
        rf" header\.d={_DOMAIN} header\.i=(?:{_LOCAL})?@{_DOMAIN}(?: header\.a=(?:rsa|ed25519)-sha(?:1|256))?"
        rf"(?: header\.s={_NAME})?(?: header\.b=(?:{_BASE64}|\"{_BASE64}\"))?",
        r"dkim=none(?: \(no signatures found\))?",
        r"dkim-(?:atps|adsp)=[a-z]+",
    ),
    "dkimpy-milter": (
        rf"{_DKIM} \((?:(?:Good|Bad) (?:[0-9]+ bit )?(?:rsa|ed25519)-sha256 signature\.?|{_WORDS}"
        rf"|body hash mismatch \(got b'{_BASE64}', expected b'{_BASE64}'\)|x= value is past \(b'[0-9]+'\))\)"
        rf" header\.d={_DOMAIN}(?: header\.i=(?:{_LOCAL})?@{_DOMAIN})?(?: header\.a=(?:rsa|ed25519)-sha256)?",
        r"dkim=none(?: \(no signatures found\))?",
    ),
    "rspamd": (
        rf"{_DKIM}(?: \((?:{_WORDS}|\"{_WORDS}\")\))?(?: header\.d={_DOMAIN}(?: header\.s={_NAME})?(?: "
        rf"header\.b={_BASE64})?)?",
        rf"{_SPF} {_DESIGNATES} smtp\.(?:mailfrom={_OF}|helo=(?:{_HELO}|\"{_HELO}\"))",
        rf"{_DMARC}(?: reason=\"{_WORDS}(?: \((?:relaxed|strict)\))?(?:, {_WORDS}(?: \((?:relaxed|strict)\))?)?\")?"
        rf"(?: \(policy=[a-z]+\))? header\.from={_DOMAIN}(?: \(policy=[a-z]+\))?",
        r"dmarc=none",
        rf"{_ARC}(?: \((?:{_WORDS})\))?",
    ),
    "Google": (
        rf"{_DKIM} header\.[id]=(?:{_LOCAL})?@?{_DOMAIN} header\.s={_NAME}(?: header\.b=(?:{_BASE64}|\"{_BASE64}\"))?",
        rf"{_SPF} {_DESIGNATES} {_SENDER}",
        rf"{_DMARC} \(p=[A-Z]+ sp=[A-Z]+ dis=[A-Z]+\) header\.from={_DOMAIN}",
    ),
    "amavisd": (
        rf"{_DKIM}(?: \((?:[0-9]+-bit key|{_WORDS})\))?(?: reason=\"(?:{_WORDS}|(?:fail|invalid) \([A-Za-z0-9 "
        rf":-]+\))\")?"
        rf"(?: header\.from={_ADDRESS})? header\.d={_DOMAIN}(?: header\.b=\"{_BASE64}\")?",
        r"dkim=none",
    ),
    "Exim": (
        rf"iprev=[a-z]+(?: \({_NAME}\))?(?: smtp\.remote-ip=(?:{_IP}))?",
        rf"{_SPF}(?: \({_WORDS}\))?(?: {_SENDER})?",
        rf"dkim=[a-z]+(?: \([A-Za-z;, -]+\))?"
        rf"(?: header\.d={_DOMAIN}(?: header\.i=(?:{_LOCAL})?@{_DOMAIN})? header\.s={_NAME}(?: "
        rf"header\.a=[a-z0-9-]+)?)?",
        rf"{_ARC}(?: \({_WORDS}\))?",
        rf"{_DMARC} header\.from={_DOMAIN}",
    ),
    "FortiMail": (
        rf"{_SPF} {_SENDER}",
        rf"{_DKIM} header\.i=(?:{_LOCAL})?@{_DOMAIN}(?: {_DKIM} header\.i=(?:{_LOCAL})?@{_DOMAIN})*+",
        rf"{_DMARC} header\.from={_DOMAIN}",
    ),
    # the border of ours, and others that write no comments
    "without comments": (
        rf"spf=[a-z]+(?: {_SENDER})?",
        rf"dkim=[a-z]+{_KEYS}",
        r"arc=[a-z]+",
        rf"dmarc=[a-z]+(?: header\.from={_DOMAIN})?(?: policy\.dmarc=[a-z]+)?",
        r"none",
    ),
}
_HEAD = rf"[^\s;()\"=/]++(?:/[A-Za-z0-9-]+)?(?: 1)?(?: \(amavis(?:d-new)?[^()\s]*(?:, {_WORDS})?\))?"
# of verifiers that write one result a field
_ALONE = {
    "OpenDMARC": (
        rf"(?:{_DMARC}(?: \(p=[a-z]+(?: sp=[a-z]+)?(?: pct=[0-9]+)? dis=[a-z]+\))? header\.from={_DOMAIN}|{_SPF} "
        rf"{_SENDER})"
    ),
    "policyd-spf": (
        rf"{_SPF} \((?:mailfrom|helo|{_WORDS})\) {_SENDER}"
        rf"(?: \(client-ip=(?:{_IP}); helo={_HELO}; envelope-from=(?:{_ADDRESS}|{_LOCAL}|<>); receiver={_RECEIVER}\))?"
    ),
}
_FIELDS = {verifier: LatePattern(rf"{_HEAD} ?; ?{result}(?: ?;)?+") for verifier, result in _ALONE.items()} | {
    verifier: LatePattern(rf"{_HEAD}(?: ?; ?(?:{'|'.join(results)}))++(?: ?;)?+")
    for verifier, results in _FORMS.items()
}
# what else stands in sealed results, where the verifier is another host's
_SEALED = (
    rf"arc=[a-z]+(?: smtp\.remote-ip=(?:{_IP}|\"(?:{_IP})\"))?(?: header\.oldest-pass=[0-9]+)?",
    r"arc=[a-z]+ \(\"[A-Za-z0-9.:=_-]+\"\)",  # rspamd names the sealer before it
    rf"{_DMARC}(?: \([A-Za-z0-9 =,.-]+\))?(?: action=[a-z.]+)? header\.from={_ADDRESS}(?: policy\.dmarc=[a-z]+)?",
    rf"{_SPF} (?:\(sender ip is (?:{_IP})\) )?(?:smtp\.rcpttodomain={_DOMAIN} )?{_SENDER}(?: "
    rf"smtp\.remote-ip=(?:{_IP}))?",
    rf"{_DKIM}(?: \([A-Za-z0-9 ,-]+\))?{_KEYS}",
    r"x-spam=yes policy\.score=[0-9.]+ policy\.required=[0-9.]+",  # ours
)
_EVERY = "|".join((*_ALONE.values(), *(result for results in _FORMS.values() for result in results), *_SEALED))
_ONE_OF_THEM = LatePattern(rf" ?; ?(?>(?:{_EVERY})(?= ?(?:;|\Z)))")
_SEAL_HEAD = LatePattern(_HEAD)
_SPACE = re.compile(r"[ \t\n]+")


def form_of(text: str, reading: Reading) -> str | None:
    """The verifier whose form all of an Authentication-Results field has, or None. `text` is its unfolded value,
    `reading` what it says."""
    if not reading.strict or len(text) > MAX_LENGTH or _says_too_much(reading):
        return None
    line = _SPACE.sub(" ", text).strip()
    return next((verifier for verifier, field in _FIELDS.items() if field.fullmatch(line)), None)


def is_plain_seal(text: str, reading: Reading) -> bool:
    """Is every result of a sealed field (RFC 8617 section 4.1.1) of some verifier's form? A host seals what all of its
    verifiers say in one field, so that no single one has written it. `text` is what stands behind the instance."""
    if not reading.strict or len(text) > MAX_LENGTH or _says_too_much(reading):
        return False
    line = _SPACE.sub(" ", text).strip().rstrip("; ")
    head = _SEAL_HEAD.match(line)
    at = head.end() if head is not None else 0
    while (result := _ONE_OF_THEM.match(line, at)) is not None:
        at = result.end()
    return at == len(line)


def _says_too_much(reading: Reading) -> bool:
    """A result of SPF or DMARC that is there twice, or a property: of these nobody knows which one the sender wrote."""
    methods = Counter(result.method for result in reading.results)
    if methods["spf"] > 1 or methods["dmarc"] > 1:
        return True
    # a name said in EHLO may hold `; dmarc=pass`, and OpenDMARC prints it raw, where Exim begins with another result
    if (
        len(reading.results) > 1
        and not methods["iprev"]
        and any(name == "smtp.helo" for result in reading.results for name, _ in result.properties)
    ):
        return True
    return any(len({name for name, _ in result.properties}) < len(result.properties) for result in reading.results)


_PLAIN_SENDER = LatePattern(rf"(?:{_LOCAL}(?:@{_DOMAIN})?)?")
_PLAIN_HELO = LatePattern(_HELO)
_RECEIVED_SPF = LatePattern(
    rf"\w+ (?:(?:\({_WORDS}\)|{_DESIGNATES}) )?(?:(?:identity=(?:mailfrom|helo)|client-ip=(?:{_IP})|helo={_HELO}"
    rf"|envelope-from=(?:<(?:{_ADDRESS})?>|\"{_ADDRESS}\"|{_ADDRESS}|{_LOCAL})"
    rf"|receiver={_RECEIVER}|mechanism=[a-z0-9:./-]+)(?:; ?)?)*+"
)


def is_plain_sender(sender: str) -> bool:
    """A reverse path (RFC 5321 section 4.1.2) without angle brackets that every verifier prints as one word; the null
    sender is one."""
    return _PLAIN_SENDER.fullmatch(sender) is not None


def is_plain_helo(name: str) -> bool:
    """What a client says in EHLO, as a host name or an address in brackets (RFC 5321 section 4.1.3)."""
    return _PLAIN_HELO.fullmatch(name) is not None


def is_plain_received_spf(text: str) -> bool:
    """A Received-SPF field (RFC 7208 section 9.1) of one comment and pairs, none of them quoted words of a sender's."""
    return len(text) <= MAX_LENGTH and _RECEIVED_SPF.fullmatch(_SPACE.sub(" ", text).strip()) is not None
