"""Messages as they come to a gate by the ways of `wirings`, and the truth about them: what dkimpy and pyspf find of what entered."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace

import dkim
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Config, Listener
from dkimgate.facts import Facts, HeaderSigns
from dkimgate.gate.gate import Gate
from dkimgate.gate.stripping import strip
from dkimgate.message.message import Connection, HeaderField, Message
from tests.laws import generated_fields, generated_gates, generated_messages, next_receiver, outsider
from tests.laws.generated_gates import DNS, SHIPPED
from tests.laws.generated_messages import fields_of
from tests.laws.hop_forms import FILTER, IMAP, MX
from tests.laws.next_receiver import organization, spf_passes
from tests.laws.outsider import BODY, PLAIN, Fields, Said
from tests.laws.wirings import MISLED, NO_DMARC, TRUTH, WAYS, Way
from tests.world.dns import FakeResolver
from tests.world.host import sent
from tests.world.mail import message, raw_of

US = f"Authentication-Results: {MX}; "
RELAY, OUR_MX = "198.51.100.77", "203.0.113.10"
_RELAYED = "Received: from c.attacker.example (c.attacker.example [192.0.2.66])\n\tby relay.elsewhere.example (Postfix) with ESMTP id 1; x\n"
BETWEEN = {
    "nobody": "",
    "a relay": _RELAYED,
    "a relay that found a fail": "Authentication-Results: relay.elsewhere.example; spf=fail; dmarc=fail header.from=hosted.example\n"
    + _RELAYED,
    "a relay that found a fail, behind its own field": _RELAYED
    + "Authentication-Results: relay.elsewhere.example; dmarc=fail (p=none) header.from=hosted.example\n",
    "a relay that found spam": "X-Spam-Flag: YES\nX-Spam-Status: Yes, score=7.1 required=5.0 tests=A\n" + _RELAYED,
    "a relay that found spam, rspamd": "X-Spamd-Result: default: True [12.00 / 9.00]\nX-Spam: Yes\n" + _RELAYED,
}
"""What an honest host that isn't ours wrote, between the outsider and the border."""

OUR_SPAM = "X-Spam-Flag: YES\nX-Spam-Status: Yes, score=14.9 required=3.0 tests=A,B\n\tautolearn=no\n"
SPAM = {"no spam": "", "spam, told at the end": "end", "spam, told at the top": "top"}
SETTINGS = ("whole", "always", "never", "one signature", "small bodies", "no unalign", "sealers", "no passports")


@functools.lru_cache(maxsize=2000)
def gate_of(way: str, settings: str, number: int) -> Gate:
    """A gate wired that way, as the daemon would load it."""
    wired = WAYS[way]
    trusted = {
        "hosts": (MX, FILTER, IMAP, "*.mail.forwarder.example"),
        "authserv_ids": (MX,),
        "arc_sealers": generated_gates.SETTINGS[settings].trust.arc_sealers,
        "border_strips_forgeries": wired.strips,
        **wired.trust,
    }
    wanted, whole = (
        _config(each, wired, trusted) for each in (generated_gates.SETTINGS[settings], generated_gates.WHOLE)
    )
    return generated_gates.gate_with(wanted, whole, generated_gates.safe_policy(number))


def _config(base: Config, wired: Way, trusted: dict[str, object]) -> Config:
    listen = [Listener(socket="unix:/run/gate.sock")]
    if wired.borders:
        listen.append(Listener(socket="unix:/run/border.sock", role="border"))
    return base.model_copy(update={"trust": type(base.trust).model_validate(trusted), "listen": tuple(listen)})


@dataclass(frozen=True)
class Scene:
    """A message on its way. `his`: the fields that the outsider wrote, around the `letter`; `states`, `between`, `spam`: what others wrote."""

    way: str
    settings: str
    policy: int
    states: str
    between: str
    spam: str
    failing: tuple[str, ...]
    said: Said
    letter: Fields
    his: Fields
    body: bytes = BODY

    @property
    def wired(self) -> Way:
        return WAYS[self.way]

    @property
    def gate(self) -> Gate:
        gate = gate_of(self.way, self.settings, self.policy)
        gate.resolver = FakeResolver(DNS, frozenset(self.failing))  # type: ignore[assignment]
        return gate

    @property
    def ip(self) -> str:
        """Whom the border took it from."""
        return RELAY if self.between != "nobody" else self.said.ip

    @property
    def found_spam(self) -> bool:
        """A host of ours, or the relay, has found it to be spam."""
        return bool(SPAM[self.spam]) or "Spam" in BETWEEN[self.between]

    @property
    def found_fail(self) -> bool:
        """The relay has found that DMARC fails, and nobody of ours takes off the field that says so."""
        return "dmarc=fail" in BETWEEN[self.between] and "authentication-results" not in self.wired.loses

    @property
    def sender(self) -> str:
        return "" if self.wired.bounces else self.said.sender

    @property
    def recipient(self) -> str:
        return (
            "SRS0=abcd=TT=elsewhere.example=x@bounce.forwarder.example" if self.wired.bounces else self.said.recipient
        )

    @property
    def client(self) -> Connection:
        """Of the outsider's session, or of the relay's."""
        if self.between != "nobody":
            return Connection(ip=RELAY, name="relay.elsewhere.example", helo="relay.elsewhere.example")
        return Connection(ip=self.said.ip, name=self.said.ptr, helo=self.said.helo)

    @functools.cached_property
    def entered(self) -> Fields:
        """The header as a border of ours took it: all of it is written by hosts that are not ours."""
        his = tuple(field for field in self.his if field.key not in self.wired.not_his)
        return (*fields_of([BETWEEN[self.between]]), *his)

    @functools.cached_property
    def above(self) -> Fields:
        """What hosts of ours wrote on top."""
        text = (
            self.wired.above.replace("{B}", _hop(self))
            .replace("{V}", _statements(self))
            .replace("{W}", _statements(self, OUR_MX))
        )
        text = text.replace("{H}", _neuter(self.said.helo))
        return fields_of([text.replace("{S}", self.sender)])

    @property
    def message(self) -> Message:
        """As it comes to the gate."""
        return self._arrived[0]

    @property
    def ours(self) -> int:
        """So many fields at the top of the message are of hosts of ours."""
        return self._arrived[1]

    @functools.cached_property
    def _arrived(self) -> tuple[Message, int]:
        wired, fields = self.wired, self.entered
        above = self.above
        if wired.borders:
            entering = message(fields, self.client, self.sender, (self.recipient,), role="border")
            outcome = generated_gates.passes(shipped(self).gate, entering, self.body).outcome
            fields, above = sent(fields, replace(outcome, fields=())), (*sent((), outcome), *above)
        elif wired.strips:
            forged = strip(fields, (MX, FILTER, IMAP, "*.mail.forwarder.example"))
            fields = tuple(each for at, each in enumerate(fields) if at not in forged or each.key.startswith("x-spam"))
        above = tuple(each for each in above if each.key not in wired.loses)
        below = tuple(each for each in fields if each.key not in wired.loses)
        end = fields_of([OUR_SPAM]) if SPAM[self.spam] == "end" else ()
        client = wired.client if wired.client is not None else self.client
        if client.helo == "{H}":
            client = replace(client, helo=self.said.helo)
        return message((*above, *below, *end), client, self.sender), len(above)

    def changed(self, changes: list[outsider.Change]) -> Scene:
        """What the outsider makes of it."""
        his, words = self.his, self.said
        for change in changes:
            his, words = change.of_fields(his), change.of_words(words)
        return replace(self, his=his, said=words)

    def authorised(self, author: str) -> bool:
        """Did that domain let the message be sent, by what anybody can verify of it as it entered: DKIM or SPF, aligned as its DMARC
        record wants? So it does, too, where it is the outsider's own, or has no record: then nothing is forged."""
        if organization(author) == "attacker.example" or not has_record(author):
            return True
        strict = author == "partner.example"
        proved = [*_signed(self.entered, self.body), *self.spf()]
        return any(domain == author if strict else organization(domain) == organization(author) for domain in proved)

    def spf(self, ip: str | None = None) -> list[str]:
        """The domain for which SPF passes, of this client or of another address, or none."""
        domain = spf_passes(ip or self.ip, self.sender, self.client.helo or "")
        return [domain] if domain is not None else []


def has_record(author: str) -> bool:
    """Has that domain, or the organization above it, a DMARC record?"""
    return any(f"_dmarc.{name}" in DNS for name in (author, organization(author)))


def _signed(header: Fields, body: bytes) -> list[str]:
    if not any(each.key == "dkim-signature" and b"AAAA" not in each.value for each in header):
        return []
    lines = (name + b":" + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for name, value in map(_named, header))
    return _verified(b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body)


def _named(field: HeaderField) -> tuple[bytes, bytes]:
    """Name and value; of a field whose name dkimpy can't read no signature speaks, and it must not keep it from reading the others."""
    name = field.name.strip(b" \t\0")
    return (name, field.value) if re.fullmatch(rb"[!-9;-~]+", name) else (b"X-Odd", b" x")


@functools.lru_cache(maxsize=20)
def _verified(raw: bytes) -> list[str]:
    """The domains of the signatures that dkimpy verifies."""
    found = []
    for at in range(raw.lower().count(b"dkim-signature")):
        try:
            checked = dkim.DKIM(raw)
            if checked.verify(idx=at, dnsfunc=next_receiver.dkim_dns):
                found.append(checked.domain.decode().lower())
        except Exception:  # noqa: BLE001 - what dkimpy can't read, it does not verify
            continue
    return found


# --- what hosts of ours write of it


def _neuter(helo: str) -> str:
    """As Postfix prints it (smtpd.c)."""
    return re.sub(r'[ <>()\\";@]|[^ -~]', "?", helo)


def _comment(text: str) -> str:
    """As Postfix prints the names of a certificate (comment_sanitize)."""
    made, depth = "", 0
    for char in text:
        if (char == ")" and depth == 0) or char == "\\" or not " " <= char <= "~":
            char = "?"
        depth += (char == "(") - (char == ")")
        made += char
    return made + ")" * depth


def _hop(scene: Scene) -> str:
    """The border's Received field."""
    client, said = scene.client, scene.said
    certificate = (
        f'\t(Client CN "{_comment(said.cn)}", Issuer "CA" (not verified))\n'
        if said.cn and scene.between == "nobody"
        else ""
    )
    return (
        f"Received: from {_neuter(client.helo or '')} ({client.name} [{client.ip}])\n{certificate}"
        f"\tby {MX} (Postfix) with ESMTPS id 4F2A\n\tfor <{scene.recipient}>; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)\n"
    )


_FROM = re.compile(rb"@([A-Za-z0-9.-]+)")


def stated_author(header: Fields) -> str:
    """The domain that a verifier of ours takes for the author's: of the first address in the first From."""
    found = next((match for field in header if field.key == "from" and (match := _FROM.search(field.value))), None)
    return found[1].decode().lower().rstrip(".") if found else "hosted.example"


def _statements(scene: Scene, ip: str | None = None) -> str:
    """Fields of our verifiers, the sender's words printed as they stand. `ip`: of the host of ours that they saw in the client's place."""
    spam = OUR_SPAM if SPAM[scene.spam] == "top" else ""
    if scene.states not in (TRUTH, NO_DMARC, MISLED):
        return spam
    header = (*fields_of([scene.wired.above.replace("{V}", "").replace("{B}", "")]), *scene.entered)
    verified = _signed(scene.entered, scene.body)
    found = [_dkim(each.text, verified) for each in scene.entered if each.key == "dkim-signature"][:3]
    lines = US + ("; ".join(found) or "dkim=none") + "\n"
    passed = scene.spf(ip)
    who = f"smtp.helo={scene.client.helo}"
    if scene.sender and ip is not None:  # as OpenDMARC prints it, without an address
        who = f"smtp.mailfrom={scene.sender}"
    elif scene.sender:  # as policyd-spf prints it
        said = f"client-ip={ip or scene.ip}; helo={scene.client.helo}; envelope-from={scene.sender}; receiver=<UNKNOWN>"
        who = f"(sender SPF authorized) smtp.mailfrom={scene.sender.rpartition('@')[2]} ({said})"
    lines = US + f"spf={'pass' if passed else 'fail'} {who}\n" + lines
    author = stated_author(header)
    if scene.states != NO_DMARC:
        passes = (
            scene.states == MISLED
            or scene.authorised(author)
            or [organization(each) for each in passed] == [organization(author)]
        )
        result = "none" if not has_record(author) else "pass" if passes else "fail"
        lines = US + f"dmarc={result} (p=reject dis=none) header.from={author}\n" + lines
    return _plain(spam + lines)


def _plain(text: str) -> str:
    """No verifier writes a line end that a sender chose, nor half a field."""
    return re.sub(r"[\0\r]|\n(?![\tA-Z]|$)", " ", text)


def _dkim(text: str, verified: list[str]) -> str:
    """As OpenDKIM prints it: `s=` as it stands, `i=` decoded."""
    tags = {name.strip(): " ".join(value.split()) for name, _, value in (tag.partition("=") for tag in text.split(";"))}
    domain = tags.get("d", "")
    identity = re.sub(r"=([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), tags.get("i", f"@{domain}"))
    signature = re.sub(r"[^A-Za-z0-9+/]", "", tags.get("b", ""))[:8] or "AAAA"
    result = "pass" if domain.lower() in verified else "fail"
    return f'dkim={result} (2048-bit key) header.d={domain} header.i={identity} header.s={tags.get("s", "")} header.b="{signature}"'


# --- scenes


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """An outsider's message, honest or forged, and the way it takes."""
    way = draw(st.sampled_from(sorted(WAYS)))
    wired = WAYS[way]
    settings = draw(st.sampled_from(SETTINGS))
    states = draw(st.sampled_from([each for each in wired.states if not (settings == "never" and each == MISLED)]))
    parts = draw(outsider.FIELDS)
    at = draw(st.sampled_from([len(parts)] * 4 + [0, len(parts) // 2]))
    letter = draw(st.sampled_from(outsider.LETTERS))
    return Scene(
        way,
        settings,
        draw(generated_messages.numbers),
        states,
        draw(st.sampled_from(["nobody"] * 5 + sorted(BETWEEN))),
        draw(st.sampled_from(["no spam"] * 4 + sorted(SPAM))),
        tuple(
            draw(
                st.sampled_from([*[[]] * 10, generated_fields.FAILING, *([each] for each in generated_fields.FAILING)])
            )
        ),
        draw(outsider.said),
        fields_of([letter]),
        fields_of([*parts[:at], letter, *parts[at:]]),
    )


def bare(scene: Scene) -> tuple[Scene, ...]:
    """The best that the outsider could make of it without a proof: he writes nothing but the letter, says plain words, and sends from a
    domain of his own, with no signature or with a valid one of it."""
    plain = replace(scene, his=scene.letter, said=replace(PLAIN, ip=scene.said.ip))
    return plain, replace(plain, his=(*attackers_signature(scene.letter, scene.body), *scene.letter))


@functools.lru_cache(maxsize=200)
def attackers_signature(letter: Fields, body: bytes) -> Fields:
    """A signature of attacker.example."""
    octets = generated_fields.SIGNERS["@attacker"].sign(raw_of(letter, b""), body).replace(b"\r\n", b"\n")
    return fields_of([octets.decode("latin-1")])


def shipped(scene: Scene) -> Scene:
    """Under a policy that is shipped."""
    return replace(scene, policy=scene.policy % len(SHIPPED))


def at_best(facts: Facts) -> tuple[Facts, ...]:
    """The facts of a message whose header gives nothing away, and where it arrived badly, with each of the results that say so: which of them
    it is, an outsider can choose, by what he has in DNS or writes so that nobody can tell; what each is worth is the policy's matter."""
    plain = replace(facts, header=HeaderSigns())
    if not facts.outside or facts.arrival.dmarc in ("pass", "none"):
        return (plain,)
    bad = ("fail", "permerror", "temperror", "unknown")
    return tuple(replace(plain, arrival=replace(facts.arrival, dmarc=result)) for result in bad)
