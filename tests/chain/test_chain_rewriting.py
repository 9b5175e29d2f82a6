"""What Postfix makes of senders and authors behind the gate: by its documentation (ADDRESS_REWRITING_README, postconf(5)), and as it does it.

Each row is a message with the author domain that the next host sees in MAIL FROM: there SPF passes, aligned, if that domain names us. So the
gate must foretell a pass, whatever it was shown; and for the author domain of somebody else no pass, but where nobody can say.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chain import rewriting, world
from tests.chain.rewriting import Host

pytestmark = pytest.mark.servers

OTHER = "unrelated.example"
ODD_SENDERS = int(os.environ.get("DKIMGATE_ODD_SENDERS", "40"))


@dataclass(frozen=True, slots=True)
class Row:
    """`sender` as it is typed, and as the next host is told; None: Postfix refuses it. `anybody`: the gate can't tell, so it takes it to pass for
    every author."""

    sender: str
    there: str | None
    anybody: bool = False


APPENDING = {"myorigin": world.HOSTED, "mydomain": "forwarder.example", "append_dot_mydomain": "yes"}
NEVER = {"append_at_myorigin": "no", "append_dot_mydomain": "no", "swap_bangpath": "no", "allow_percent_hack": "no"}
MAPPED = f"static:ceo@{world.HOSTED}"

TABLE: dict[str, tuple[dict[str, str], tuple[str, ...], tuple[Row, ...]]] = {
    "append_at_myorigin, append_dot_mydomain, swap_bangpath, allow_percent_hack, and address syntax": (
        APPENDING,
        (),
        (
            Row("ceo", f"ceo@{world.HOSTED}"),
            Row("ceo@mail", "ceo@mail.forwarder.example"),
            Row("ceo@mail.", "ceo@mail"),
            Row(f"ceo@{world.HOSTED}.", f"ceo@{world.HOSTED}"),
            Row(f"a!b@{world.HOSTED}", f"a!b@{world.HOSTED}"),
            Row(f"a%b@{world.HOSTED}", f"a%b@{world.HOSTED}"),
            Row(f'"x@y.example"@{world.HOSTED}', f'"x@y.example"@{world.HOSTED}'),
            Row(f'"ceo"@{world.HOSTED}', f"ceo@{world.HOSTED}"),
            Row(f'"c\\eo"@{world.HOSTED}', f"ceo@{world.HOSTED}"),
            Row('"ceo"', f"ceo@{world.HOSTED}", anybody=True),
            Row("ceo(x)", f"ceo@{world.HOSTED}", anybody=True),
            Row(f"@a.example:ceo@{world.HOSTED}", f"ceo@{world.HOSTED}", anybody=True),
            Row(f"{world.HOSTED}!ceo", f"ceo@{world.HOSTED}", anybody=True),
            Row("a!b!c", "b!c@a.forwarder.example", anybody=True),
            Row(f"ceo%{world.HOSTED}", f"ceo@{world.HOSTED}", anybody=True),
            Row(f'ceo@"{world.HOSTED}"', f"ceo@{world.HOSTED}", anybody=True),
            Row(f'"ceo@{world.HOSTED}"', f"ceo@{world.HOSTED}", anybody=True),
            Row("ceo @ hosted . example", f"ceo@{world.HOSTED}", anybody=True),
            Row(f"ceo@@{world.HOSTED}", f'"ceo@"@{world.HOSTED}', anybody=True),
            # these become the null sender
            Row("()", "", anybody=True),
            Row('""', "", anybody=True),
            Row("ceo@", None),
            Row("@", None),
            Row(f"ceo@{world.HOSTED}..", None),
            Row(f"a b@{world.HOSTED}", None),
        ),
    ),
    "and all of it turned off": (
        NEVER,
        (),
        (
            Row("ceo", "ceo", anybody=True),  # the next host makes of it what it likes
            Row("ceo@mail", "ceo@mail"),
            Row(f"{world.HOSTED}!ceo", f"{world.HOSTED}!ceo", anybody=True),
            Row(f"ceo%{world.HOSTED}", f"ceo%{world.HOSTED}", anybody=True),
        ),
    ),
    "myorigin of one service, in master.cf": (
        {"myorigin": "forwarder.example"},
        (f"rewrite unix - - n - - trivial-rewrite -o myorigin={world.HOSTED}",),
        (Row("ceo", f"ceo@{world.HOSTED}"),),
    ),
    "masquerade_domains": (
        {
            "masquerade_domains": f"!spared.{world.HOSTED} {world.HOSTED}",
            "masquerade_exceptions": "root",
            "myorigin": f"x.{world.HOSTED}",
        },
        (),
        (
            Row(f"ceo@a.b.{world.HOSTED}", f"ceo@{world.HOSTED}"),
            Row(f"ceo@spared.{world.HOSTED}", f"ceo@spared.{world.HOSTED}"),
            Row(f"root@a.{world.HOSTED}", f"root@a.{world.HOSTED}"),
            Row("ceo", f"ceo@{world.HOSTED}"),
        ),
    ),
    "masquerade_domains, and not for the envelope": (
        {"masquerade_domains": world.HOSTED, "masquerade_classes": "header_sender"},
        (),
        (Row(f"ceo@a.{world.HOSTED}", f"ceo@a.{world.HOSTED}"),),
    ),
    "canonical_maps": (
        {"canonical_maps": MAPPED, "canonical_classes": "envelope_sender"},
        (),
        (Row("x@stranger.example", f"ceo@{world.HOSTED}", anybody=True),),
    ),
    "sender_canonical_maps": (
        {"sender_canonical_maps": MAPPED, "sender_canonical_classes": "envelope_sender"},
        (),
        (
            Row("x@stranger.example", f"ceo@{world.HOSTED}", anybody=True),
            Row("", f"ceo@{world.HOSTED}", anybody=True),
        ),
    ),
    "canonical maps, and not for the envelope's sender": (
        {
            "canonical_maps": MAPPED,
            "canonical_classes": "header_recipient",
            "sender_canonical_maps": MAPPED,
            "sender_canonical_classes": "header_sender",
        },
        (),
        (Row("x@stranger.example", "x@stranger.example"),),
    ),
    "smtp_generic_maps": (
        {"smtp_generic_maps": MAPPED},
        (),
        (Row("x@stranger.example", f"ceo@{world.HOSTED}", anybody=True),),
    ),
}


@pytest.fixture(scope="module", autouse=True)
def machine() -> None:
    rewriting.need_machine()


@pytest.mark.parametrize("settings", TABLE)
def test_what_the_next_host_sees_was_foretold(settings: str) -> None:
    main, master, rows = TABLE[settings]
    with rewriting.started(main, master) as host:
        for row in rows:
            domain = (row.there or "").rpartition("@")[2] or world.FORWARDER  # of the null sender, the name in EHLO
            seen = host.send(row.sender, f"x@{domain}" if "." in domain else f"x@{OTHER}")
            if row.there is None:
                assert seen.refused and seen.refused.startswith("501"), row
                continue
            assert seen.refused is None and seen.sender == row.there, row
            # "ceo" alone is no domain of an author, and may pass at the next host as whatever that makes of it
            aligned = "." in domain or row.anybody
            assert seen.record["outgoing"]["spf_passes"] is aligned, row
            assert seen.record["departure"]["dmarc"] == ("pass" if aligned else "fail"), row
            record = host.send(row.sender, f"x@{OTHER}").record
            assert record["outgoing"]["spf_passes"] is row.anybody, row


@pytest.fixture(scope="module")
def enforcing() -> Iterator[Host]:
    """The shipped policy in force, and a Postfix that appends a domain of ours."""
    with rewriting.started(APPENDING, enforce=True) as host:
        yield host


def test_a_sender_without_a_domain_opens_no_door(enforcing: Host) -> None:
    """It came with nothing that would prove it, so it leaves with a sender that is aligned with nobody, and bounces still find ceo."""
    seen = enforcing.send("ceo", f"The CEO <ceo@{world.HOSTED}>")
    assert seen.sender.endswith(f"={world.HOSTED}=ceo@{world.UNALIGN}")
    assert (seen.record["outgoing"]["sender"], seen.record["departure"]["dmarc"]) == (seen.sender, "fail")


@pytest.mark.parametrize("sender", ["ceo", f"ceo@{world.HOSTED}", f"{world.HOSTED}!ceo"])
def test_an_author_without_a_domain_is_nobody_and_the_message_is_held(sender: str, enforcing: Host) -> None:
    """The next host may append any domain to From, so no sender is known to be unaligned with it."""
    seen = enforcing.send(sender, "ceo", held=True)
    assert (seen.record["from"], seen.record["decision"]["disposition"]) == (None, "hold")
    assert seen.record["outgoing"]["spf_passes"] is True


def test_a_rewritten_sender_that_postfix_would_make_another_of_is_not_taken_for_unaligned() -> None:
    with rewriting.started({"sender_canonical_maps": MAPPED}, enforce=True) as host:
        seen = host.send("x@stranger.example", f"ceo@{world.HOSTED}", held=True)
        assert (seen.record["outgoing"]["unalignable"], seen.record["decision"]["disposition"]) == (False, "hold")


def test_who_vouches_for_his_tables_is_believed() -> None:
    with rewriting.started(
        {"sender_canonical_maps": f"inline:{{ root@{world.FORWARDER}=admin@{world.FORWARDER} }}"},
        departure={"rewrites_senders": False},
        enforce=True,
    ) as host:
        seen = host.send(f"ceo@{world.HOSTED}", f"ceo@{world.HOSTED}")
        assert (
            seen.sender.endswith(f"={world.HOSTED}=ceo@{world.UNALIGN}") and seen.record["departure"]["dmarc"] == "fail"
        )
        assert host.send("x@stranger.example", f"ceo@{world.HOSTED}").sender == "x@stranger.example"


def test_masquerading_cuts_rewritten_senders_too_unless_told_not_to() -> None:
    """So `check` warns of it: no bounce would come home."""
    sender = f"ceo@{world.HOSTED}"
    with rewriting.started({"masquerade_domains": world.FORWARDER_DOMAIN}, enforce=True) as host:
        assert host.send(sender, sender).sender.endswith(f"=ceo@{world.FORWARDER_DOMAIN}")
        assert (
            f"unalign.domain {world.UNALIGN}: masquerade_domains of Postfix changes it to {world.FORWARDER_DOMAIN}"
            in host.check()
        )
    with rewriting.started({"masquerade_domains": f"!{world.UNALIGN} {world.FORWARDER_DOMAIN}"}, enforce=True) as host:
        assert host.send(sender, sender).sender.endswith(f"=ceo@{world.UNALIGN}")
        assert "masquerade_domains" not in host.check()


LIST, STRANGERS = f"list@{world.HOSTED}", "eve@stranger.example"


AUTHORS: dict[str, tuple[dict[str, str], str, str]] = {
    "as a stranger wrote it": ({"myorigin": world.HOSTED}, world.ADDRESSES[world.ATTACKER], "ceo"),
    "remote_header_rewrite_domain": (
        {"remote_header_rewrite_domain": "remote.example"},
        world.ADDRESSES[world.ATTACKER],
        "ceo@remote.example",
    ),
    "local_header_rewrite_clients": (
        {
            "myorigin": world.HOSTED,
            "local_header_rewrite_clients": f"permit_inet_interfaces, {world.ADDRESSES[world.ATTACKER]}",
        }
        | {"local_header_rewrite_clients": "static:all"},
        world.ADDRESSES[world.ATTACKER],
        f"ceo@{world.HOSTED}",
    ),
    "permit_inet_interfaces": (
        {"myorigin": world.HOSTED, "inet_interfaces": world.ADDRESSES[world.FORWARDER]},
        world.ADDRESSES[world.FORWARDER],
        f"ceo@{world.HOSTED}",
    ),
    "sender_canonical_maps": (
        {
            "sender_canonical_maps": MAPPED,
            "sender_canonical_classes": "header_sender",
            "local_header_rewrite_clients": "static:all",
        },
        world.ADDRESSES[world.ATTACKER],
        f"ceo@{world.HOSTED}",
    ),
}


@pytest.mark.parametrize("settings", AUTHORS)
def test_postfix_is_done_with_the_author_before_the_gate_sees_it(settings: str) -> None:
    """cleanup(8) rewrites the header, and then shows it to milters. Only smtp(8), by smtp_generic_maps, changes it later."""
    main, client, there = AUTHORS[settings]
    with rewriting.started(main) as host:
        seen = host.send("x@stranger.example", "ceo", client)
        assert seen.author == there
        assert seen.record["from"] == (there.partition("@")[2] or None)


def test_where_smtp_generic_maps_changes_every_author_there_is_none_and_every_sender_may_pass() -> None:
    with rewriting.started({"smtp_generic_maps": MAPPED}) as host:
        seen = host.send("x@stranger.example", "a@stranger.example")
        assert seen.author == seen.sender == f"ceo@{world.HOSTED}"
        assert (seen.record["from"], seen.record["departure"]["dmarc"]) == (None, "pass")
        assert "warning" in host.check() and "(smtp_generic_maps)" in host.check()


BOX = "box.local.example"
NOREPLY = f"noreply@{world.HOSTED}"
FILTER = (
    # a content filter that changes nothing, and hands mail in again
    "127.0.0.1:10025 inet n - n - - smtpd -o smtpd_milters= -o content_filter= -o mynetworks=127.0.0.0/8 -o myhostname=filter.example"
    " -o smtpd_relay_restrictions=permit_mynetworks,reject",
    "filter unix - - n - - smtp -o smtp_bind_address=127.0.0.1",
)
REPLACING = f"/^From:.*{BOX}/ REPLACE From: {NOREPLY}"
CHANGED: dict[str, tuple[dict[str, str], tuple[str, ...], str, bool]] = {
    "an address": ({"smtp_generic_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}"}, (), f"www-data@{BOX}", True),
    "its local part": ({"smtp_generic_maps": f"inline:{{ www-data={NOREPLY} }}"}, (), f"www-data@{BOX}", True),
    "its domain": ({"smtp_generic_maps": f"inline:{{ @{BOX}={NOREPLY} }}"}, (), f"www-data@{BOX}", True),
    "in capitals": ({"smtp_generic_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}"}, (), f"WWW-Data@{BOX}", True),
    "with an extension": (
        {"smtp_generic_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}", "recipient_delimiter": "+"},
        (),
        f"www-data+x@{BOX}",
        True,
    ),
    "in quotation marks": (
        {"smtp_generic_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}"},
        (),
        f'"www-data"@{BOX}',
        True,
    ),
    "of one service": (
        {},
        (f"relay unix - - n - - smtp -o {{ smtp_generic_maps = inline:{{ www-data@{BOX}={NOREPLY} }} }}",),
        f"www-data@{BOX}",
        True,
    ),
    "a table that can't be listed": (
        {"smtp_generic_maps": f"regexp:{{{{ /^www-data@/ {NOREPLY} }}}}"},
        (),
        f"www-data@{BOX}",
        True,
    ),
    "everybody": ({"smtp_generic_maps": f"static:{NOREPLY}"}, (), f"www-data@{BOX}", True),
    "smtp_header_checks": ({"smtp_header_checks": f"regexp:{{{{ {REPLACING} }}}}"}, (), f"www-data@{BOX}", True),
    "canonical_maps behind a content filter": (
        {"content_filter": "filter:[127.0.0.1]:10025", "canonical_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}"},
        FILTER,
        f"www-data@{BOX}",
        True,
    ),
    "and without one": (
        {"canonical_maps": f"inline:{{ www-data@{BOX}={NOREPLY} }}", "local_header_rewrite_clients": "static:all"},
        (),
        f"www-data@{BOX}",
        False,
    ),
    "another address": ({"smtp_generic_maps": f"inline:{{ root@{BOX}={NOREPLY} }}"}, (), f"www-data@{BOX}", False),
}
"""What makes another author of one: settings, lines of master.cf, From, and is it done behind the gate?"""


@pytest.mark.parametrize("settings", CHANGED)
def test_an_author_who_is_changed_behind_the_gate_is_nobody_whose_sender_may_be_anybodys(settings: str) -> None:
    main, master, author, behind = CHANGED[settings]
    departure = {"rewrites_senders": False, "helo": world.FORWARDER}
    with rewriting.started({"mydestination": BOX, **main}, master, departure) as host:
        seen = host.send(f"friend@{world.HOSTED}", f"Support <{author}>")
        assert (world.HOSTED in seen.author) is (behind or settings == "and without one")
        if behind:
            assert seen.record["outgoing"]["spf_passes"] is True
            assert seen.record["arrival"]["dmarc"] not in ("pass", "none")
            assert "From" in host.check()
        elif settings == "another address":
            assert seen.record["from"] == BOX and seen.record["outgoing"]["spf_passes"] is False
