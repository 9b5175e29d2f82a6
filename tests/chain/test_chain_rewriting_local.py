"""What local(8) and its aliases make of the sender behind the gate: foretold, and seen on a real Postfix."""

from __future__ import annotations

import pytest

from tests.chain import rewriting, world
from tests.chain.test_chain_rewriting import LIST, OTHER, STRANGERS

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", autouse=True)
def machine() -> None:
    rewriting.need_machine()


OWNED = f"{{list = {world.VICTIM}}} {{owner-list = ceo}} {{null = /dev/null}}"


def local(aliases: str, **more: str) -> dict[str, str]:
    """A host with local users of the hosted domain, and these aliases."""
    return {"mydestination": world.HOSTED, "myorigin": world.HOSTED, "alias_maps": f"inline:{{ {aliases} }}", **more}


DELIVERED: dict[str, tuple[dict[str, str], str, str, str]] = {
    "owner_request_special": (local(OWNED), STRANGERS, LIST, f"owner-list@{world.HOSTED}"),
    "the same, of the null sender": (local(OWNED), "", LIST, f"owner-list@{world.HOSTED}"),
    "expand_owner_alias": (local(OWNED, expand_owner_alias="yes"), STRANGERS, LIST, f"ceo@{world.HOSTED}"),
    "an alias of an alias": (
        local(OWNED + " {all = list}"),
        STRANGERS,
        f"all@{world.HOSTED}",
        f"owner-list@{world.HOSTED}",
    ),
    "virtual_alias_maps": (
        local(OWNED, virtual_alias_maps=f"inline:{{ {{v@{world.HOSTED} = {LIST}}} }}"),
        STRANGERS,
        f"v@{world.HOSTED}",
        f"owner-list@{world.HOSTED}",
    ),
    "recipient_delimiter": (
        local(OWNED, recipient_delimiter="+"),
        STRANGERS,
        f"list+x@{world.HOSTED}",
        f"owner-list@{world.HOSTED}",
    ),
    "a table that can't be listed": (
        local("", alias_maps=f"unionmap:{{ inline:{{ {OWNED} }} }}"),
        STRANGERS,
        LIST,
        f"owner-list@{world.HOSTED}",
    ),
    "masquerade_domains": (
        local(OWNED, myorigin=f"mx.{world.HOSTED}", masquerade_domains=world.HOSTED),
        STRANGERS,
        LIST,
        f"owner-list@{world.HOSTED}",
    ),
    "an alias without an owner": (local(f"{{list = {world.VICTIM}}}"), STRANGERS, LIST, STRANGERS),
    "and owner_request_special = no": (local(OWNED, owner_request_special="no"), STRANGERS, LIST, STRANGERS),
    "luser_relay": (
        local("{x = y}", luser_relay=world.VICTIM, local_recipient_maps=""),
        STRANGERS,
        f"nobody-of-that-name@{world.HOSTED}",
        STRANGERS,
    ),
    "always_bcc": (
        local("{null = /dev/null}", always_bcc=world.VICTIM),
        STRANGERS,
        f"null@{world.HOSTED}",
        STRANGERS,
    ),
    "sender_bcc_maps": (
        local("{null = /dev/null}", sender_bcc_maps=f"static:{world.VICTIM}"),
        STRANGERS,
        f"null@{world.HOSTED}",
        STRANGERS,
    ),
    "recipient_canonical_maps": (
        local("{x = y}", recipient_canonical_maps=f"inline:{{ {{{LIST} = {world.VICTIM}}} }}"),
        STRANGERS,
        LIST,
        STRANGERS,
    ),
    "the action REDIRECT of access(5)": (
        local(
            "{list = /dev/null}",
            smtpd_recipient_restrictions=f"check_recipient_access static:{{REDIRECT {world.VICTIM}}}",
        ),
        STRANGERS,
        LIST,
        STRANGERS,
    ),
}
"""What delivers on this host and may send on: settings, MAIL FROM, RCPT TO, and the sender at the next host."""


@pytest.mark.parametrize("settings", DELIVERED)
def test_what_a_local_delivery_sends_on_was_foretold(settings: str) -> None:
    main, sender, recipient, there = DELIVERED[settings]
    with rewriting.started(main) as host:
        seen = host.send(sender, f"x@{world.HOSTED}", recipient=recipient)
        assert seen.refused is None and seen.sender == there
        owned = there != sender
        assert seen.record["outgoing"]["spf_passes"] is owned
        assert seen.record["departure"]["dmarc"] == ("pass" if owned else "fail")
        assert ("owner- aliases" in host.check() or "(expand_owner_alias)" in host.check()) is owned


def test_a_forgery_that_an_alias_with_an_owner_would_send_on_is_held() -> None:
    """No other sender helps: local(8) takes the owner's. Mail of others goes its way."""
    with rewriting.started(local(OWNED), enforce=True) as host:
        seen = host.send(STRANGERS, f"ceo@{world.HOSTED}", recipient=LIST, held=True)
        assert (seen.record["outgoing"]["unalignable"], seen.record["decision"]["disposition"]) == (False, "hold")
        assert host.send(STRANGERS, f"x@{OTHER}", recipient=LIST).sender == f"owner-list@{world.HOSTED}"
