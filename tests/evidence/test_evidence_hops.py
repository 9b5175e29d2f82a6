"""One Received field as a hop: who took the message from whom, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.evidence.route import parse_hop
from dkimgate.message.message import HeaderField

HOPS = [
    # value, by, ip, helo, protocol, local
    (
        "from h.example (r.example [192.0.2.1])\n\tby mx.example (Postfix) with ESMTPS id 1; d",
        "mx.example",
        "192.0.2.1",
        "h.example",
        "ESMTPS",
        False,
    ),
    (
        "from h.example (unknown [IPv6:2001:db8::1])\n\tby mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        "2001:db8::1",
        "h.example",
        "ESMTP",
        False,
    ),
    (
        "from h (r [192.0.2.1]) (using TLSv1.3 with cipher X (256/256 bits))\n by MX.Example. (Postfix) with ESMTPSA id 1; d",
        "mx.example",
        "192.0.2.1",
        "h",
        "ESMTPSA",
        False,
    ),
    ("by mx.example (Postfix, from userid 20281)\n\tid D33F72007CF829; d", "mx.example", None, None, None, True),
    (
        "from h.example (h.example. [192.0.2.1])\n by mx.example with ESMTPS id c22-2.1 for <v@x.example>\n (version=TLS1_2); d",
        "mx.example",
        "192.0.2.1",
        "h.example",
        "ESMTPS",
        False,
    ),
    (
        "from A.b.example (2001:db8::14) by\n C.d.example (2001:db8::15) with Microsoft SMTP Server (version=TLS1_2) id 15.20; d",
        "c.d.example",
        "2001:db8::14",
        "a.b.example",
        "Microsoft",
        False,
    ),
    (
        "from [192.0.2.1] (helo=h.example)\n\tby mx.example with esmtp (Exim 4.96) id 1; d",
        "mx.example",
        "192.0.2.1",
        "[192.0.2.1]",
        "esmtp",
        False,
    ),
    (
        "from r.example ([192.0.2.1] helo=h.example)\n\tby mx.example with esmtps (Exim 4.96) id 1; d",
        "mx.example",
        "192.0.2.1",
        "r.example",
        "esmtps",
        False,
    ),
    ("from www-data by mx.example with local (Exim 4.96) id 1; d", "mx.example", None, "www-data", "local", True),
    ("(from root@localhost)\n\tby mx.example (8.16.1/8.16.1/Submit) id 1; d", "mx.example", None, None, None, True),
    (
        "by mx.example (OpenSMTPD) with ESMTPS id 1; d",
        "mx.example",
        None,
        None,
        "ESMTPS",
        False,
    ),  # it hides its clients
    (
        "from localhost (mx.example [local])\n\tby mx.example (OpenSMTPD) with ESMTPA id 1; d",
        "mx.example",
        None,
        "localhost",
        "ESMTPA",
        True,
    ),
    (
        "from h (r [192.0.2.1]);\n\tby mx.example (OpenSMTPD) with ESMTP id 1;\n\td",
        "mx.example",
        "192.0.2.1",
        "h",
        "ESMTP",
        False,
    ),
    ("from h (r [192.0.2.1]); with ESMTPSA by mx.example; d", None, "192.0.2.1", "h", None, False),
    (
        "from www-data by mx.example with local-smtp (Exim 4.96) id 1; d",
        "mx.example",
        None,
        "www-data",
        "local-smtp",
        True,
    ),
    (
        "from localhost (user@localhost)\n\tby mx.example (8.17.1/8.17.1/Submit) with ESMTP id 1; d",
        "mx.example",
        None,
        "localhost",
        "ESMTP",
        True,
    ),
    (
        "from h (user@192.0.2.1)\n\tby mx.example (8.17.1/8.17.1/Submit) with ESMTP id 1; d",
        "mx.example",
        "192.0.2.1",
        "h",
        "ESMTP",
        False,
    ),
    (
        "from h ([fe80::1%eth0]) by mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        "fe80::1%eth0",
        "h",
        "ESMTP",
        False,
    ),
    (
        "from e1 ([fe80::1:2%18]) by\n e1.example ([fe80::1:2%18]) with mapi id 15; d",
        "e1.example",
        "fe80::1:2%18",
        "e1",
        "mapi",
        False,
    ),
    (
        "from [192.0.2.1] ([192.0.2.1:40530] helo=h) by mx.example (ecelerity 4.4) with ESMTP id 1; d",
        "mx.example",
        "192.0.2.1",
        "[192.0.2.1]",
        "ESMTP",
        False,
    ),
    ("from h ([[2001:db8::1]:25]) by mx.example with ESMTP id 1; d", "mx.example", "2001:db8::1", "h", "ESMTP", False),
    ("from (192.0.2.1) by mx.example (PowerMTA(TM) v5.0r1) id 1; d", "mx.example", "192.0.2.1", None, None, False),
    (
        "from pop.example [192.0.2.1]\n\tby mx.example with POP3 (fetchmail-6.4) for <a@b> (single-drop); d",
        "mx.example",
        "192.0.2.1",
        "pop.example",
        "POP3",
        False,
    ),
    (
        "from unknown (HELO h) (ident@192.0.2.1)\n  by mx.example with SMTP; d",
        "mx.example",
        "192.0.2.1",
        "unknown",
        "SMTP",
        False,
    ),
    (
        "from 127.0.0.1 (192.0.2.1:4711)\n\tby mx.example with [XMail 1.27] id 1; d",
        "mx.example",
        "192.0.2.1",
        "127.0.0.1",
        "[XMail",
        False,
    ),
    ("(qmail 1234 invoked by uid 89); 1 Jan 2026 00:00:00 -0000", None, None, None, None, False),
    # the HELO name is the client's: it must not become the address, the host or the protocol
    (
        "from [127.0.0.1] (evil.example [192.0.2.66]) by mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        "192.0.2.66",
        "[127.0.0.1]",
        "ESMTP",
        False,
    ),
    (
        "from by (evil.example [192.0.2.66]) by mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        "192.0.2.66",
        "by",
        "ESMTP",
        False,
    ),
    (
        "from with (evil.example [192.0.2.66]) by mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        "192.0.2.66",
        "with",
        "ESMTP",
        False,
    ),
    # a client certificate's name is the client's too: by it he could make his address unknown, and with it the result of SPF
    (
        'from h (r [192.0.2.66]) (Client CN "x [127.0.0.1]", Issuer "y") by mx.example (Postfix) with ESMTP id 1; d',
        "mx.example",
        "192.0.2.66",
        "h",
        "ESMTP",
        False,
    ),
    (
        'from h (r [192.0.2.66])\n\t(using TLSv1.3)\n\t(Client CN "127.0.0.1", Issuer "127.0.0.1" (not verified))\n\tby mx.example (Postfix) with ESMTPS',
        "mx.example",
        "192.0.2.66",
        "h",
        "ESMTPS",
        False,
    ),
    (
        'from h (Client CN "[127.0.0.1]", Issuer "y") by mx.example (Postfix) with ESMTP id 1; d',
        "mx.example",
        None,
        "h",
        "ESMTP",
        False,
    ),
    # of two addresses that nobody can tell apart neither is the client's
    (
        "from h (r [192.0.2.66]) (x [127.0.0.1]) by mx.example (Postfix) with ESMTP id 1; d",
        "mx.example",
        None,
        "h",
        "ESMTP",
        False,
    ),
    (
        "from h (r [192.0.2.66]) by mx.example (Postfix) with ESMTP id 1 for <a@b>; by evil.example with ESMTPSA",
        "mx.example",
        "192.0.2.66",
        "h",
        "ESMTP",
        False,
    ),
    ("from h (unclosed [127.0.0.1] by mx.example with ESMTPSA", None, None, "h", None, False),
    ("", None, None, None, None, False),
]


@pytest.mark.parametrize(("value", "by", "ip", "helo", "protocol", "local"), HOPS)
def test_hop(value: str, by: str | None, ip: str | None, helo: str | None, protocol: str | None, local: bool) -> None:
    hop = parse_hop(HeaderField(b"Received", b" " + value.encode()))
    assert (hop.by, hop.ip, hop.helo, hop.protocol, hop.local) == (by, ip, helo, protocol, local)


LOGINS = [
    ("from h (r [192.0.2.1]) by mx (Postfix) with ESMTPA id 1", True),
    ("from h (r [192.0.2.1]) by mx (Postfix) with ESMTPSA id 1", True),
    ("from h (r [192.0.2.1]) by mx (Postfix) with UTF8SMTPSA id 1", True),
    ("from h (r [192.0.2.1]) by mx (Postfix) with UTF8SMTPA id 1", True),
    ("from h (r [192.0.2.1]) by mx with SMTPA id 1", True),
    ("from [192.0.2.1] (helo=h) by mx with esmtpsa (Exim 4.96) id 1", True),
    ("from h (r [192.0.2.1]) (Authenticated sender: ask) by mx (Postfix) with ESMTPS id 1", True),
    ("from 192.0.2.1 (SquirrelMail authenticated user ask) by mx with HTTP", True),
    ("from h (r [192.0.2.1]) by mx (Horde Framework) with HTTPS", True),
    ("from h [192.0.2.1] by mx with HTTP (HTTP/1.1 POST)", True),
    ("from [192.0.2.1] (account ask@hosted.example) by mx (CommuniGate Pro WEBUSER 6.1) with HTTP id 1", True),
    ("from h ([unix socket]) by mx (Cyrus 3.6) with LMTPA", False),
    ("from h by mx with LMTPSA id 1", False),
    ("from h by mx with UTF8LMTPSA id 1", False),
    ("from h ([192.0.2.1]) by mx ([192.0.2.2]) with HTTPS", False),
    ("from h ([192.0.2.1]) by mx with HTTP (PHPMailer)", False),
    ("from h (Authenticated sender: x [192.0.2.1]) by mx (8.17.1/8.17.1) with ESMTP id 1", False),
    ('from h (Client CN "(Authenticated sender: x)" [192.0.2.1]) by mx (Postfix) with ESMTP id 1', False),
    ("from localhost (mx [local]) by mx (OpenSMTPD) with ESMTPA id 1", False),
]


@pytest.mark.parametrize(("value", "login"), LOGINS)
def test_a_login_is_what_names_an_account_or_says_so(value: str, login: bool) -> None:
    assert parse_hop(HeaderField(b"Received", f" {value}; d".encode())).login is login


@given(st.binary(max_size=300))
def test_any_octets_make_a_hop(value: bytes) -> None:
    parse_hop(HeaderField(b"Received", value))
