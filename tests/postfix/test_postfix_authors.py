"""Whom Postfix may make another author behind the gate: the forms of generic(5) and canonical(5), in doubt all."""

from __future__ import annotations

import pytest

from dkimgate.postfix.authors import Authors, find
from dkimgate.postfix.settings import Settings

KEYS = frozenset({"www-data@box.local.example", "cron", "@old.example"})
CHANGED = {
    "www-data@box.local.example": True,
    "WWW-Data@Box.Local.Example": True,
    "www-data@box.local.example.": True,
    "www-data+x@box.local.example": True,
    "www-data-x@box.local.example": False,
    '"www-data"@box.local.example': True,
    '"www\\-data"@box.local.example': True,
    "www@box.local.example": False,
    "cron@box.local.example": True,
    "cron@elsewhere.example": True,  # only where that is a domain of this host, which tables may name
    "anybody@old.example": True,
    "anybody@new.old.example": False,
    "ceo@hosted.example": False,
}


@pytest.mark.parametrize("address", CHANGED)
def test_the_forms_of_a_table_are_known(address: str) -> None:
    assert Authors(KEYS, delimiters="+").changes(address) is CHANGED[address]
    assert not Authors().changes(address)
    assert Authors(frozenset({"*"})).changes(address)


@pytest.mark.parametrize(
    ("said", "domain", "may"),
    [
        (None, "elsewhere.example", True),
        (True, "elsewhere.example", True),
        (False, "elsewhere.example", False),
        (False, "box.local.example", True),
        (False, "mail.hosted.example", True),
    ],
)
def test_a_table_that_is_not_seen_may_change_anybody_or_whom_the_configuration_says(
    said: bool | None, domain: str, may: bool
) -> None:
    settings = Settings({"smtp_generic_maps": "ldap:x"}, changed={"smtp_generic_maps": None})
    found = find(settings, said, {"box.local.example", "hosted.example"})
    assert found.unseen == ("smtp_generic_maps",)
    assert found.may_change(domain) is may
    assert not found.changes(f"x@{domain}")


@pytest.mark.parametrize(("filter_", "unseen"), [("", ()), ("smtp:[127.0.0.1]:10024", ("canonical_maps",))])
def test_canonical_maps_come_behind_the_gate_where_a_filter_hands_mail_in_again(
    filter_: str, unseen: tuple[str, ...]
) -> None:
    settings = Settings(
        {
            "content_filter": filter_,
            "canonical_maps": "ldap:x",
            "canonical_classes": "envelope_sender, header_sender",
            "sender_canonical_maps": "ldap:y",
            "sender_canonical_classes": "envelope_sender",
        }
    )
    assert find(settings, None, ()).unseen == unseen


@pytest.mark.parametrize(("said", "unseen"), [(None, ()), (False, ()), (True, ("departure.rewrites_senders",))])
def test_where_no_postfix_answers_it_is_as_the_configuration_says(said: bool | None, unseen: tuple[str, ...]) -> None:
    assert find(None, said, {"hosted.example"}).unseen == unseen
    assert Authors(unseen=unseen).may_change("a.example") is bool(unseen)
