"""The gate: what the daemon runs. It gives each message the passage that the role of its listener asks for."""

from __future__ import annotations

import time

from dkimgate import srs
from dkimgate.config import secret_file
from dkimgate.gate.border import BorderPassage
from dkimgate.gate.engine import Engine
from dkimgate.gate.passage import Outcome, Passage
from dkimgate.message.message import Message
from dkimgate.postfix.way_out import Known

__all__ = ["Gate", "Outcome"]


class Gate(Engine):
    """Everything loaded, ready to judge. One a process; messages may pass in many threads at once."""

    @property
    def loaded(self) -> dict[str, str]:
        """What was read beside the configuration or found out, by name, so that it can be told what has changed."""
        rules = len(self.policy.rules)
        found = {"policy": f"{rules} rule{'s' if rules != 1 else ''}, mode: {self.policy.mode}, sha256:{self.policy.digest[:12]}"}
        found |= {f"the key {key.name}": key.fingerprint for key in self.keys}
        if self.srs_secrets is not None:
            found["unalign.secret_file"] = secret_file.mark(self.srs_secrets.all)
        if self.secrets is not None:
            found["passport.secret_file"] = secret_file.mark([secret.id.encode() + b":" + secret.key for secret in self.secrets.all])
        way = self.way_out
        if way.known is not Known.CONFIGURED:
            found["departure.addresses"] = f"found {', '.join(map(str, way.addresses))}" if way.addresses else f"unknown ({way.why})"
        return found

    @property
    def trouble(self) -> str:
        """What befalls all mail now, and why, in the words of `systemctl status`; empty where all is well."""
        failed = self.journal.notice.get()
        if failed is None:
            return ""
        what = "mail is deferred" if self.config.journal.on_failure == "defer" else "mail leaves unsigned and without a record"
        return f"{what} (last at {time.strftime('%H:%M:%S', time.localtime(failed[1]))}): journal: {failed[0]}"

    def judge(self, message: Message) -> Passage:
        """Take a message whose header is complete. Never raises."""
        return BorderPassage(self, message) if message.role == "border" else Passage(self, message)

    def restore(self, address: str) -> str | srs.Problem:
        """Whose bounce it is that comes to this address. Never raises."""
        if self.config.unalign is None or self.srs_secrets is None:
            return srs.Problem.NOT_OURS
        return srs.restore(address, self.config.unalign.domain, self.srs_secrets, self.now())
