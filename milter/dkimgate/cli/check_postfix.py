"""Compares the settings of Postfix on this host with the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate.cli.finding import Finding
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.daemon import packets
from dkimgate.postfix import this_host
from dkimgate.wire.packets import LARGEST


def hosts(settings: Config) -> Iterator[Finding]:
    """Does `trust.hosts` contain every name that this Postfix writes into Received? `check_findings` reports an empty
    list."""
    asked = this_host.this_host().postfix()
    if asked is None or not settings.trust.hosts:
        return
    for name in asked.every("myhostname"):
        if not settings.trust.is_host(name):
            yield Finding(
                "warning",
                "postfix.myhostname",
                f"trust.hosts: the Postfix of this host has the name {name} (`postconf -h myhostname`, or `-o "
                "myhostname=` in master.cf), and trust.hosts does not contain it. So its Received fields do not "
                "count as yours: add that name",
            )


def default_action(settings: Config) -> Iterator[Finding]:
    """Does this Postfix let mail go where the gate does not answer?"""
    asked = this_host.this_host().postfix()
    if asked is not None and settings.roles - {"srs"} and asked.may_be("milter_default_action", "accept"):
        yield Finding(
            "warning",
            "postfix.milter-default-action",
            "Postfix has milter_default_action = accept: while the gate does not answer, forgeries leave with their "
            "envelope, and pass DMARC if SPF of the author domain names this host. Set it to tempfail",
        )


def field_sizes(settings: Config) -> Iterator[Finding]:
    """Are there header fields that this Postfix takes and the daemon can't read?"""
    asked = this_host.this_host().postfix()
    if asked is None or not settings.roles - {"srs"}:
        return
    told = settings.milter_library == "built-in" or packets.accept_large()
    most = (LARGEST if told else packets.USUAL) - packets.MARGIN
    limit = asked.number("header_size_limit")
    advice = f"Set it to {most} or less" if told else f"Set it to {most} or less, or milter_library to built-in"
    if limit is not None and limit > most:
        yield Finding(
            "warning",
            "postfix.header-size-limit",
            f"Postfix has header_size_limit = {limit}: a header field of more than {most} octets ends the connection "
            f"to the daemon, and the message waits in the queue without a record. {advice}",
        )
