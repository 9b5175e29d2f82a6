"""The gate: what the daemon runs. It gives each message the passage that the role of its listener asks for."""

from __future__ import annotations

import time

from dkimgate import srs
from dkimgate.config import secret_file
from dkimgate.facts import Assessment
from dkimgate.gate.border import Border
from dkimgate.gate.engine import Engine
from dkimgate.gate.outward import Outward
from dkimgate.gate.passage import Passage
from dkimgate.message.message import Message
from dkimgate.postfix.way_out import Known

_PIECE = 65_536  # a whole body goes in pieces too: canonicalization takes many times the memory of what it reads


class Unjudged(Exception):
    """A message could not be judged; the text says why. It would leave unsigned, or wait."""


class Gate(Engine):
    """Everything loaded, ready to judge. One a process; messages may pass in many threads at once."""

    @property
    def loaded(self) -> dict[str, str]:
        """What was read beside the configuration or found out, by name, so that it can be told what has changed."""
        rules = len(self.policy.rules)
        found = {
            "policy": f"{rules} rule{'s' if rules != 1 else ''}, mode: {self.policy.mode}, "
            f"sha256:{self.policy.digest[:12]}"
        }
        if self.srs_secrets is not None:
            found["unalign.secret_file"] = secret_file.mark(self.srs_secrets.all)
        if self.secrets is not None:
            found["passport.secret_file"] = secret_file.mark(
                [secret.id.encode() + b":" + secret.key for secret in self.secrets.all]
            )
        way = self.way_out
        if way.known is not Known.CONFIGURED:
            found["departure.addresses"] = (
                f"found {', '.join(map(str, way.addresses))}" if way.addresses else f"unknown ({way.why})"
            )
        return found

    @property
    def replaced(self) -> dict[str, tuple[str, str]]:
        """Keys whose file has another content than in the gate before: what it was, and what it is now."""
        return self.ring.replaced

    def examine(self) -> bool:
        """Read some key files that nobody has used yet, so that the broken ones are known. False where none is
        left."""
        return self.ring.examine()

    @property
    def trouble(self) -> str:
        """What befalls all mail now, and why, in the words of `systemctl status`; empty where all is well."""
        failed = self.journal.notice.get()
        if failed is None:
            return ""
        what = (
            "mail is deferred"
            if self.config.journal.on_failure == "defer"
            else "mail leaves unsigned and without a record"
        )
        return f"{what} (last at {time.strftime('%H:%M:%S', time.localtime(failed[1]))}): journal: {failed[0]}"

    def judge(self, message: Message) -> Passage:
        """Take a message after its header is complete. Never raises."""
        return Passage(self, message, Border if message.role == "border" else Outward)

    def rehearse(self, message: Message, body: bytes, now: float | None = None) -> Passage:
        """Take a whole message through the gate, and leave no trace: for `explain` and `policy test`. `body` has CRLF
        line ends. `now`: the time to assume, in seconds since the epoch."""
        passage = Passage(self, message, Outward, self.now() if now is None else now)
        for start in range(0, len(body), _PIECE):
            passage.body(body[start : start + _PIECE])
        passage.end()
        return passage

    def assess(self, message: Message, body: bytes, now: float | None = None) -> Assessment:
        """What a rehearsal decides. Raises Unjudged where something went wrong."""
        passage = self.rehearse(message, body, now)
        if passage.assessment is None or passage.error is not None:
            raise Unjudged(passage.error or "nothing was decided")
        return passage.assessment

    def restore(self, address: str) -> str | srs.NotRestored:
        """Turn an SRS address back into the original address. Never raises."""
        if self.config.unalign is None or self.srs_secrets is None:
            return srs.NotRestored.NOT_OURS
        return srs.restore(address, self.config.unalign.domain, self.srs_secrets, self.now())
