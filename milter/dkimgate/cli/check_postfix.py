"""What the Postfix of this host says of itself, beside what the configuration says of it."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate import system
from dkimgate.cli.finding import Finding
from dkimgate.config import Config


def hosts(settings: Config) -> Iterator[Finding]:
    """Does `trust.hosts` name this Postfix, by every name that it writes into Received? No hosts at all are told of elsewhere."""
    asked = system.this_host().postfix()
    if asked is None or not settings.trust.hosts:
        return
    for name in asked.every("myhostname"):
        if not settings.trust.is_host(name):
            yield Finding(
                "warning",
                f"trust.hosts: the Postfix of this host calls itself {name} (`postconf -h myhostname`, or `-o myhostname=` in master.cf), "
                "which is not among them: no Received field that it writes is ours. Add that name",
            )
