"""What a trusted sealer's verifiers printed of a sender's words is believed no more than ours."""

from __future__ import annotations

import pytest

from tests.arc.sealing import LIST, mail
from tests.evidence.test_evidence_arc_claims import TRUSTED, dmarc

REAL = {
    "Google": "mx.google.com;       dkim=pass header.i=@author.example header.s=s1 header.b=AbC12; spf=pass (google.com: domain of ann@author.example"
    " designates 192.0.2.1 as permitted sender) smtp.mailfrom=ann@author.example;       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=author.example",
    "Microsoft": "mx.microsoft.com 1; spf=pass smtp.mailfrom=author.example; dmarc=pass action=none header.from=author.example; dkim=pass header.d=author.example; arc=none",
    "OpenARC": "mx.lists.example; dkim=pass (2048-bit key, unprotected) header.d=author.example header.i=@author.example header.a=rsa-sha256"
    " header.s=s1 header.b=AbC12; dmarc=pass (policy=none) header.from=author.example; spf=pass smtp.mailfrom=ann@author.example smtp.remote-ip=192.0.2.1;",
}


@pytest.mark.parametrize("results", REAL.values(), ids=REAL.keys())
def test_what_large_sealers_write(results: str) -> None:
    assert dmarc(mail().sealed(LIST, results)) == TRUSTED


_POLICYD = "(sender SPF authorized) smtp.mailfrom=stranger.example (client-ip=192.0.2.66; helo=x; envelope-from={}@stranger.example; receiver=<unknown>)"
_HELPS = "dmarc=pass header.from=author.example; dkim=pass header.d=author.example"
PRINTED = {
    "a local part ends the comment": f"spf=pass {_POLICYD.format(f'x); {_HELPS} (')}",
    "a quoted local part ends the comment": f"spf=pass {_POLICYD.format(f'%cx); {_HELPS} (' % 34)}",
    "a local part that writes the rest of the comment": f"spf=pass {_POLICYD.format(f'x; receiver=y); {_HELPS} (z')}",
    "a local part that writes two whole results": "spf=pass "
    + _POLICYD.format(
        f"x; receiver=y); {_HELPS}; spf=none (mailfrom) smtp.mailfrom=z.example (client-ip=192.0.2.66; helo=x; envelope-from=b"
    ),
    "a name in EHLO": f"spf=none smtp.helo=x; {_HELPS}",
    "a selector": "dkim=permerror header.d=stranger.example header.s=x; dmarc=pass header.from=author.example header.z=a header.b=abcd; dkim=pass"
    " header.d=author.example",
    "the text of an SPF record": f"spf=permerror (SPF Permanent Error: Unknown mechanism found: x); {_HELPS} (y) smtp.mailfrom=stranger.example",
    "another result in a comment of rspamd": f"spf=pass (mx: domain of x); {_HELPS} (@stranger.example designates 192.0.2.66 as permitted"
    " sender) smtp.mailfrom=x@stranger.example",
    "the same result twice": f"{_HELPS}; dmarc=pass header.from=author.example",
}
"""What verifiers of a sealer print, with the words of a sender in it: what he wrote would be sealed, and helps."""


@pytest.mark.parametrize("results", PRINTED.values(), ids=PRINTED.keys())
def test_what_a_sender_writes_into_sealed_results_is_not_trusted(results: str) -> None:
    assert ("pass", "trusted") not in dmarc(mail().sealed(LIST, f"mx.lists.example; {results}"))


PLAIN = {
    "policyd-spf and OpenDMARC": f"spf=pass {_POLICYD.format('bounce+a=b')}; dmarc=pass (p=reject dis=none) header.from=author.example",
    "OpenDKIM, and a comment with a semicolon": "dkim=pass (2048-bit key; unprotected) header.d=author.example header.i=@author.example"
    " header.a=rsa-sha256 header.s=s1 header.b=AbC12; dmarc=pass header.from=author.example",
    "ours": 'arc=pass smtp.remote-ip="2001:db8::1" header.oldest-pass=0; spf=none; dkim=pass header.d=author.example header.s=s1;'
    " dmarc=pass header.from=author.example; x-spam=yes policy.score=7.0 policy.required=5.0",
    "rspamd, on top of another set": 'dkim=pass header.d=author.example header.s=s1 header.b=AbC12; spf=pass (mx: domain of "a+b=c@author.example"'
    ' designates 192.0.2.1 as permitted sender) smtp.mailfrom="a+b=c@author.example"; dmarc=pass (policy=none) header.from=author.example;'
    ' arc=pass ("relay.example:s=2026-a:i=1")',
    "Microsoft, of a message from outside": "spf=pass (sender ip is 192.0.2.1) smtp.rcpttodomain=lists.example smtp.mailfrom=author.example;"
    " dmarc=pass (p=reject sp=reject pct=100) action=none header.from=author.example; dkim=pass (signature was verified) header.d=author.example",
}


@pytest.mark.parametrize("results", PLAIN.values(), ids=PLAIN.keys())
def test_plain_results_of_several_verifiers_in_one_field_are_trusted(results: str) -> None:
    assert dmarc(mail().sealed(LIST, f"mx.lists.example; {results}")) == TRUSTED
