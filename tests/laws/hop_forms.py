"""Received fields as mail servers write them, with their words for names and addresses left open."""

from __future__ import annotations

MX, FILTER, IMAP, GATEWAY = (
    "mx.forwarder.example",
    "filter.forwarder.example",
    "imap.forwarder.example",
    "gateway.forwarder.example",
)

HOPS = {
    "Postfix": "from {helo} ({name} [{ip}])\n\tby {by} (Postfix) with ESMTPS id 4F2A",
    "Postfix, login": "from {helo} ({name} [{ip}])\n\t(Authenticated sender: ask)\n\tby {by} (Postfix) with ESMTPSA id 4F2A",
    "Postfix, sendmail": "by {by} (Postfix, from userid 1000)\n\tid 4F2A",
    "Postfix, local": "by {by} (Postfix)\n\tid 4F2A",
    "Exim": "from {name} ([{ip}] helo={helo})\n\tby {by} with esmtps (Exim 4.96)\n\tid 1",
    "Exim, login": "from {name} ([{ip}] helo={helo})\n\tby {by} with esmtpsa (Exim 4.96)\n\tid 1",
    "Exim, local": "from www-data by {by} with local (Exim 4.96)\n\tid 1",
    "Exim, local-smtp": "from www-data (helo={helo}) by {by} with local-smtp (Exim 4.96)\n\tid 1",
    "Sendmail": "from {helo} ({name} [{ip}] (may be forged))\n\tby {by} (8.17.1/8.17.1) with ESMTPS id 4AL0",
    "Sendmail, login": "from {helo} ({name} [{ip}])\n\t(authenticated bits=0)\n\tby {by} (8.17.1/8.17.1) with ESMTPSA id 4AL0",
    "Sendmail, submit": "(from root@localhost)\n\tby {by} (8.17.1/8.17.1/Submit) id 4AL1",
    "Sendmail, submit by SMTP": "from localhost (user@localhost)\n\tby {by} (8.17.1/8.17.1/Submit) with ESMTP id 4AL1",
    "Exchange": "from {helo} ({ip}) by {by} (10.1.1.5) with Microsoft SMTP Server id 15.1",
    "Exchange, mapi": "from {by} ([fe80::1%18]) by {by} ([fe80::1%18]) with mapi id 15.1",
    "Exchange, https": "from {helo} ({ip}) by {by} ({ip}) with HTTPS",
    "Cyrus": "from {helo} ([unix socket])\n\t by {by} (Cyrus 3.6) with LMTPA",
    "Dovecot": "from {helo} ([{ip}])\n\tby {by} with LMTP id aBc",
    "OpenSMTPD": "from {helo} ({name} [{ip}])\n\tby {by} (OpenSMTPD) with ESMTPS id 1",
    "OpenSMTPD, old": "from {helo} ({name} [{ip}]);\n\tby {by} (OpenSMTPD) with ESMTP id 1",
    "OpenSMTPD, masked": "by {by} (OpenSMTPD) with ESMTPS id 1",
    "OpenSMTPD, local": "from localhost ({by} [local])\n\tby {by} (OpenSMTPD) with ESMTPA id 1",
    "qmail": "from {name} (HELO {helo}) (root@{ip})\n  by {by} with SMTP",
    "qmail, uid": "(qmail 12345 invoked by uid 89)",
    "qmail, network": "(qmail 12345 invoked from network)",
    "CommuniGate": "from [{ip}] (HELO {helo})\n  by {by} (CommuniGate Pro SMTP 6.1) with ESMTPS id 1",
    "CommuniGate, web": "from [{ip}] (account ask@hosted.example)\n  by {by} (CommuniGate Pro WEBUSER 6.1) with HTTP id 1",
    "Roundcube": "from {helo} ({name} [{ip}])\n\tby {by} with HTTP (HTTP/1.1 POST)",
    "amavis": "from {helo} ([{ip}])\n by localhost ({by} [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1",
    "fetchmail": "from {helo} [{ip}]\n\tby {by} with POP3 (fetchmail-6.4.37)",
    "PowerMTA": "from ({ip}) by {by} (PowerMTA(TM) v5.0r1) id A1",
    "container": "from {helo} ([{ip}])\n\tby 5161f64ea532 with LMTP\n\tid 1",
}
STRANGER = {"helo": "c.attacker.example", "name": "c.attacker.example", "ip": "192.0.2.66"}


def received(form: str, by: str = MX, **client: str) -> str:
    return f"Received: {HOPS[form].format(by=by, **{**STRANGER, **client})}; Sat, 21 Nov 2026 16:20:25 +0000\n"


def own(form: str, by: str = MX, of: str = MX) -> str:
    return received(form, by, helo=of, name=of, ip="127.0.0.1" if by == of else "10.1.0.5")
