"""What people, good and bad, send through the chain. Each function sends one message and gives what the receiver got."""

from __future__ import annotations

from collections.abc import Callable

from tests.chain import mail, world
from tests.chain.harness import Chain
from tests.chain.mail import Delivered

Scenario = Callable[[Chain, str], Delivered]
"""Sends one message through a chain: of (or in the name of) that hosted domain, or with that text."""

PHISHING = "Your mailbox is full. Log in at http://login.attacker.example/ to keep it."


def forgery(chain: Chain, domain: str, *more: str, text: str = PHISHING) -> Delivered:
    """The attacker writes to a user of `domain` in that user's own name; `more` are header fields that help the lie."""
    friend = f"friend@{domain}"
    letter = mail.letter(friend, friend, more=more, text=text)
    return chain.send(letter, client=world.ATTACKER, recipient=friend)


def dressed_forgery(chain: Chain, domain: str) -> Delivered:
    """The same, and the message already says that the forwarder checked it and found it good."""
    return forgery(chain, domain, *(line.format(domain=domain) for line in mail.FORGED_RESULTS))


def rerouted_forgery(chain: Chain, domain: str) -> Delivered:
    """The same, with the trace of an earlier way: the message came from the domain's own server, was checked, and passed."""
    trace = (
        f"Received: by {world.FORWARDER} (Postfix, from userid 1000)\r\n\tid 0C8F120E302; Sat, 21 Nov 2026 16:20:30 +0000 (UTC)",
        f"Authentication-Results: {world.FORWARDER}; dmarc=pass (p=quarantine dis=none) header.from={domain}",
        f"Received: from mail.{domain} (mail.{domain} [203.0.113.99])\r\n\tby {world.FORWARDER} (Postfix) with ESMTPSA id 7E1A220E2F7\r\n"
        f"\tfor <friend@{domain}>; Sat, 21 Nov 2026 16:20:26 +0000 (UTC)",
    )
    return forgery(chain, domain, *trace)


def from_stranger(chain: Chain, text: str) -> Delivered:
    """good.example, which does everything right, writes to a hosted user."""
    letter = mail.letter(f"alice@{world.GOOD}", f"friend@{world.HOSTED}", text=text)
    signed = letter.signed(chain.keys.file(world.GOOD, world.OWN_SELECTOR), world.OWN_SELECTOR)
    return chain.send(signed, client=world.GOOD_HOST, recipient=f"friend@{world.HOSTED}")


def from_other_server(chain: Chain, text: str) -> Delivered:
    """Another server of the hosted domain, with a DKIM key of its own, writes to a hosted user."""
    letter = mail.letter(f"shop@{world.HOSTED}", f"friend@{world.HOSTED}", text=text)
    signed = letter.signed(chain.keys.file(world.HOSTED, world.OWN_SELECTOR), world.OWN_SELECTOR)
    return chain.send(signed, client=world.GOOD_HOST, recipient=f"friend@{world.HOSTED}")


def own_mail(chain: Chain, domain: str) -> Delivered:
    """A program of a hosted user on the forwarder sends mail."""
    return chain.sendmail(mail.letter(f"friend@{domain}", world.VICTIM))


def submitted_mail(chain: Chain, domain: str) -> Delivered:
    """A hosted user sends mail with a password."""
    return chain.submit(mail.letter(f"friend@{domain}", world.VICTIM), user=f"friend@{domain}")
