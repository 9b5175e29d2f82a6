"""Attempts at an aligned signature by another way than the message came: Received fields, clients, envelopes. Name: attempt."""

from __future__ import annotations

from dkimgate.message.message import Connection
from tests.laws.attack_fields import BAIT, US
from tests.laws.attack_world import BORDER, BY_LOGIN, LOGIN, Attempt

BETWEEN = "Authentication-Results: mx.forwarder.example; dkim=none\n"
ROUTES = {
    "forwarded by a customer's server that logs in": Attempt("", "a customer's server that logs in", client=LOGIN),
    "the same, then a filter": Attempt("", "a customer's server that logs in, then a filter"),
    "the same, with a verdict of the sender": Attempt(BAIT, "a customer's server that logs in", client=LOGIN),
    "the same, with a login of the sender": Attempt(BY_LOGIN, "a customer's server that logs in", client=LOGIN),
    "the same, with both, then a filter": Attempt(BY_LOGIN + BAIT, "a customer's server that logs in, then a filter"),
    "a border of ours below the border": Attempt(BAIT + BORDER, "checked by nobody"),
    "two borders of ours": Attempt((BAIT + BORDER) * 2, "checked by nobody"),
    "a login at ours, below": Attempt(BAIT + BORDER.replace("ESMTP", "ESMTPSA"), "checked by nobody"),
    "webmail of ours, below": Attempt(BAIT + BORDER.replace("ESMTP", "HTTP"), "checked by nobody"),
    "a local process of ours, below": Attempt(
        BAIT + "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n", "inbound, never checked"
    ),
    "cron of ours, inbound": Attempt(
        "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n", "inbound, never checked"
    ),
    "loopback at ours, inbound": Attempt(
        "Received: from localhost (localhost [127.0.0.1]) by mx.forwarder.example (Postfix) with ESMTP id 1; x\n",
        "inbound, never checked",
    ),
    "amavis of ours, inbound": Attempt(
        BAIT
        + "Received: from mx ([127.0.0.1]) by localhost (mx [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1; x\n",
        "inbound",
    ),
    "LMTP of ours, inbound": Attempt(f"Received: from {US} by {US} with LMTP id x; x\n", "inbound, never checked"),
    "a hundred and twenty hops": Attempt(BORDER * 120 + BAIT, "checked by nobody"),
    "Received with white space behind its name": Attempt(
        BAIT + BORDER.replace("Received:", "Received :"), "checked by nobody"
    ),
    "Received without an end": Attempt("Received: from (((((((\n" + BAIT, "checked by nobody"),
    "an empty Received": Attempt("Received:\n" + BAIT, "checked by nobody"),
    # what the border's MTA writes of a client that lies: HELO, reverse name, certificate
    **{
        f"{mta}: {trick}": Attempt(BAIT, "checked by nobody", border=line)
        for mta, trick, line in [
            (
                "Postfix",
                "HELO of ours",
                f"Received: from {US} (c.attacker.example [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO localhost",
                f"Received: from localhost (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO by",
                f"Received: from by (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO with",
                f"Received: from with (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO local",
                f"Received: from local (unknown [192.0.2.66])\n\tby {US} (Postfix) with SMTP id 1; x\n",
            ),
            (
                "Postfix",
                "HELO ESMTPSA",
                f"Received: from ESMTPSA (unknown [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name localhost",
                f"Received: from x (localhost [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name of ours",
                f"Received: from x ({US} [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "reverse name 127.0.0.1",
                f"Received: from x (127.0.0.1 [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "certificate with loopback",
                f'Received: from x (x [192.0.2.66])\n\t(using TLSv1.3 with cipher A (256/256 bits))\n\t(Client CN "[127.0.0.1]", Issuer "x" (not verified))\n\tby {US} (Postfix) with ESMTPS id 1; x\n',
            ),
            (
                "Postfix",
                "certificate that says by and with",
                f'Received: from x (x [192.0.2.66])\n\t(Client CN "x by {US} with ESMTPSA", Issuer "by" (verified OK))\n\tby {US} (Postfix) with ESMTPS id 1; x\n',
            ),
            (
                "Postfix",
                "IPv6",
                f"Received: from ::1 (unknown [IPv6:2001:db8::66])\n\tby {US} (Postfix) with ESMTP id 1; x\n",
            ),
            (
                "Postfix",
                "recipient with a login",
                f"Received: from x (x [192.0.2.66])\n\tby {US} (Postfix) with ESMTP id 1\n\tfor <with.ESMTPSA@{US}>; x\n",
            ),
            (
                "Exim",
                "HELO with loopback",
                f"Received: from [192.0.2.66] (helo=[127.0.0.1])\n\tby {US} with esmtp (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Exim",
                "HELO of ours",
                f"Received: from c.attacker.example ([192.0.2.66] helo={US})\n\tby {US} with esmtps (TLS1.3) (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Exim",
                "ident",
                f"Received: from [192.0.2.66] (port=9 helo=x ident=127.0.0.1)\n\tby {US} with esmtp (Exim 4.98)\n\tid 1; x\n",
            ),
            (
                "Sendmail",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (c.attacker.example [192.0.2.66] (may be forged))\n\tby {US} (8.18/8.18) with ESMTP id 1; x\n",
            ),
            (
                "Sendmail",
                "ident",
                f"Received: from x (IDENT:127.0.0.1@c.attacker.example [192.0.2.66])\n\tby {US} (8.18/8.18) with ESMTP id 1; x\n",
            ),
            (
                "Exchange",
                "HELO with loopback",
                f"Received: from [127.0.0.1] (192.0.2.66) by {US} (10.0.0.5) with Microsoft SMTP Server id 15.1; x\n",
            ),
            (
                "qmail",
                "HELO with loopback",
                f"Received: from unknown (HELO [127.0.0.1]) (192.0.2.66)\n  by {US} with SMTP; x\n",
            ),
            (
                "CommuniGate",
                "HELO with loopback",
                f"Received: from [192.0.2.66] (HELO [127.0.0.1])\n  by {US} (CommuniGate Pro SMTP 6) with ESMTP id 1; x\n",
            ),
            (
                "OpenSMTPD",
                "HELO localhost",
                f"Received: from localhost (c.attacker.example [192.0.2.66])\n\tby {US} (OpenSMTPD) with ESMTP id 1\n\tfor <a@b.example>; x\n",
            ),
            (
                "Haraka",
                "HELO of ours",
                f"Received: from {US} (c.attacker.example [192.0.2.66])\n\tby {US} (Haraka/3) with ESMTP id 1\n\tenvelope-from <a@b.example>; x\n",
            ),
        ]
    },
    "HELO of ours, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", name=US, helo=US)
    ),
    "reverse name localhost, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", name="localhost", helo="localhost")
    ),
    "no address at all, inbound": Attempt(BAIT, "inbound, never checked", client=Connection(ip=None, name="localhost")),
    "an IPv4 address in IPv6, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="::ffff:192.0.2.66")
    ),
    "no address but a name for one, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="127.0.0.1.attacker.example")
    ),
    "the daemon's name, inbound": Attempt(
        BAIT, "inbound, never checked", client=Connection(ip="192.0.2.66", daemon="ORIGINATING")
    ),
    "a forged verdict, redirected with a login": Attempt(BAIT, "redirected with a login", client=LOGIN),
    "a login that relays for strangers and shows where it came from": Attempt(BAIT, "verified", client=LOGIN),
}
