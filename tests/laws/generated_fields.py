"""What headers are made of: what hosts of ours write, what strangers write, good, bad and impossible."""

from __future__ import annotations

from tests.arc.sealing import LIST, mail
from tests.laws.attack_fields import FAKE_PASSPORT, OTHERS
from tests.laws.attack_results import RESULTS
from tests.laws.attack_routes import ROUTES
from tests.laws.attack_world import (
    AMAVIS,
    AUTHOR,
    BODY,
    BORDER,
    BRIDGE,
    DKIM,
    DMARC,
    LMTP,
    MISLED,
    PRINTED,
    QUOTED,
    SECOND_HOST,
    SPF_PASSES,
)
from tests.world.keys import Signer

US = "Authentication-Results: mx.forwarder.example; "
ABOVE = [
    DMARC,
    DKIM,
    MISLED,
    PRINTED,
    QUOTED,
    AMAVIS,
    LMTP,
    SECOND_HOST,
    SPF_PASSES,
    US + "dmarc=none header.from=open.example\n",
    US + "dmarc=pass header.from=open.example\n",
    US + "dmarc=pass header.from=partner.example\n",
    US + "dkim=pass header.d=hosted.example header.s=gate; dmarc=pass header.from=hosted.example\n",
    US + "dkim=pass header.d=hosted.example header.s=s; dmarc=pass header.from=hosted.example\n",
    US + "spf=pass smtp.mailfrom=ask@hosted.example; dmarc=pass header.from=hosted.example\n",
    US + "dmarc=temperror header.from=hosted.example\n",
    US + "spf=fail smtp.mailfrom=hosted.example; dkim=fail header.d=hosted.example\n",
    "X-Spam-Status: Yes, score=14.9 required=3.0\n",
    "X-Spam-Status: No, score=2.9 required=3.0\n",
    "Return-Path: <ask@hosted.example>\n",
    "Delivered-To: ask@hosted.example\n",
    "Received: by mx.forwarder.example (Postfix, from userid 1000) id 4711; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)\n",
    "List-Id: <lunch.lists.example>\n",
]
"""What hosts of ours write, and filters behind them."""

OUTSIDE = [BORDER, BORDER, BORDER.replace("192.0.2.66", "203.0.113.10"), BORDER.replace("192.0.2.66", "203.0.113.70")]
BORDERS = [
    *OUTSIDE,
    BORDER.replace("ESMTP", "ESMTPSA"),
    BORDER.replace("192.0.2.66", "127.0.0.1"),
    BRIDGE,
    "Received: from x by mx.elsewhere.example with ESMTP id 1; x\n",
    "",
]

HURTING = [
    "Authentication-Results: anyone.example; dmarc=fail header.from=hosted.example\n",
    "Authentication-Results: (broken; dmarc=fail\n",
    "Authentication-Results: mx.forwarder.example; dmarc=fail\n",
    "Authentication-Results: anyone.example; spf=fail smtp.mailfrom=x@y.example; dkim=fail header.d=hosted.example\n",
    "Received-SPF: fail (anyone.example) client-ip=192.0.2.66\n",
    "ARC-Authentication-Results: i=9; anyone.example; spf=fail; dmarc=fail header.from=hosted.example\n",
    "X-Original-Authentication-Results: anyone.example; dmarc=fail header.from=hosted.example\n",
    "X-Elsewhere-SPF-Result: fail\n",
    "X-Spam-Status: Yes, score=14.9 required=3.0\n",
    "X-Spam-Flag: YES\n",
    "X-Spam-Score: 99\n",
    "X-Spam-Level: ************\n",
    "X-Rspamd-Action: add header\n",
    "X-Forefront-Antispam-Report: CIP:192.0.2.66;SFV:SPM;SCL:9\n",
]
"""Claims of failure and of spam: believed from anyone."""

_ARC_FIELDS = "".join(
    f"{each.name.decode()}:{each.value.decode()}\n"
    for each in mail(AUTHOR.replace(b"\n", b"\r\n") + b"\r\n" + BODY)
    .sealed(LIST, "mx.lists.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example")
    .header[:3]
)
HELPING = [
    US + "dmarc=pass header.from=hosted.example\n",
    US
    + "spf=pass smtp.mailfrom=hosted.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example 1; dmarc=none header.from=hosted.example\n",
    "Authentication-Results: lists.example; dmarc=pass header.from=hosted.example\n",
    "ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=permerror\n",
    "Authentication-Results: anyone.example; dmarc=temperror header.from=hosted.example\n",
    "ARC-Seal: i=1; a=rsa-sha256; d=lists.example; s=arc; cv=none; b=AAAA\n",
    "Received-SPF: pass (mx.forwarder.example: domain of hosted.example) client-ip=203.0.113.10\n",
    "X-Spam-Status: No, score=-9.9 required=5.0\n",
    "X-Spam-Flag: NO\n",
    "X-Spamd-Result: default: False [12.00 / 9999.00]\n",
    "X-Spam-Status: No, score=12 required=9999\n",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hosted.example; s=gate; h=from; bh=AAAA; b=AAAA\n",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hosted.example; s=s; h=from; l=0; bh=AAAA; b=AAAA\n",
    "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=a; h=from; bh=AAAA; b=AAAA\n",
    FAKE_PASSPORT,
    "@stolen passport",
    *(
        each.fields
        for table in (RESULTS, OTHERS)
        for each in table.values()
        if isinstance(each.fields, str) and 0 < len(each.fields) < 1500 and "Return-Path" not in each.fields
    ),
]
"""What a sender writes to look better than he is. None of it is worth anything."""

TRACES = [
    BORDER,
    BORDER.replace("ESMTP", "ESMTPSA"),
    "Return-Path: <ask@hosted.example>\n",
    "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n",
    *(each.fields for each in ROUTES.values() if isinstance(each.fields, str) and 0 < len(each.fields) < 1500),
]
ODDITIES = [
    "X-A: b\n",
    "X-A: \xff\xfe\0\x7f\n",
    "X-Odd: a\rFrom: x@attacker.example\n",
    "X-Folds: a\n \n\t\n b\n",
    "Subject: again\n",
    "From : eve@attacker.example\n",
    "From: eve@attacker.example\n",
    "Sender: eve@attacker.example\n",
    "Message-ID: odd\n",
    "Content-Type: text/plain\n",
    ":\n",
]
GENUINE = ["@hosted", "@open", "@partner", "@attacker", "@gate", "@own open", _ARC_FIELDS]
"""Signatures that are valid where nobody changes what they cover."""

SIGNERS = {
    "@hosted": Signer(),
    "@gate": Signer("gate"),
    "@own open": Signer("gate", "open.example"),
    "@open": Signer(domain="open.example", bits=1024),
    "@partner": Signer(domain="partner.example", bits=1024),
    "@attacker": Signer("a", "attacker.example", bits=1024),
}

_USUAL = AUTHOR.decode()
HOSTED_AUTHORS = [
    _USUAL,
    _USUAL.replace("ask@hosted", "ask@pay.hosted"),
    _USUAL.replace("ask@hosted.example", "ASK@Hosted.Example."),
]
AUTHORS = [
    *HOSTED_AUTHORS,
    _USUAL,
    _USUAL.replace("hosted.example", "open.example"),
    _USUAL.replace("hosted.example", "partner.example"),
    _USUAL.replace("hosted.example", "attacker.example"),
    _USUAL.replace("ask@hosted.example", "x@forwarder.example"),
    _USUAL.replace("<ask@hosted.example>", "<ask@hosted.example>, x@attacker.example"),
    _USUAL.replace("Message-ID: <4711@hosted.example>\n", ""),
    "Subject: nobody\n",
    _USUAL + "Comments: long\nReferences: " + "<4711@hosted.example> " * 60 + "\n",
    _USUAL + "In-Reply-To: <" + "r" * 1200 + "@hosted.example>\n",
]
SENDERS = [
    "friend@hosted.example",
    "ask@pay.hosted.example",
    "list-bounces@open.example",
    "ann@partner.example",
    "eve@attacker.example",
    "",
    '"odd one"@hosted.example',
    "SRS0=abcd=TT=elsewhere.example=x@bounce.forwarder.example",
    "x@bounce.forwarder.example",
    "f\xf6rn@hosted.example",
    "root",
]
FAILING = [
    "hosted.example",
    "_dmarc.hosted.example",
    "s._domainkey.hosted.example",
    "shared.example",
    "partner.example",
    "_dmarc.open.example",
]
