"""The gate: what the daemon runs. It gives each message the passage that the role of its listener asks for."""

from __future__ import annotations

import time

from dkimgate import srs
from dkimgate.border import BorderPassage
from dkimgate.engine import Engine
from dkimgate.message import Message
from dkimgate.passage import Outcome, Passage

__all__ = ["Gate", "Outcome"]


class Gate(Engine):
    """Everything loaded, ready to judge. One a process; messages may pass in many threads at once."""

    @property
    def loaded(self) -> dict[str, str]:
        """What was read beside the configuration, by name, so that it can be told what has changed."""
        rules = len(self.policy.rules)
        policy = {"policy": f"{rules} rule{'s' if rules != 1 else ''}, mode: {self.policy.mode}, sha256:{self.policy.digest[:12]}"}
        return policy | {f"the key {key.name}": key.fingerprint for key in self.keys}

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
