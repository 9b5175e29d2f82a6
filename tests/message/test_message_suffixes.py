"""The public suffix list, read as the package that brings it reads it."""

from __future__ import annotations

import pytest
from publicsuffixlist import PublicSuffixList

from dkimgate.message import suffixes

RULES = [rule for part in suffixes._lines() for rule in part]
ODD = [rule for rule in RULES if not rule.isascii() or rule[0] in "*!"]


@pytest.mark.parametrize("private", [True, False])
def test_every_name_is_read_as_the_package_reads_it(private: bool) -> None:
    oracle = PublicSuffixList(only_icann=not private)
    for rule in (*RULES[::5], *ODD):
        name = rule.lstrip("!").replace("*.", "any.")
        for domain in (name, f"a.{name}", f"b.a.{name}", name.partition(".")[2] or name, f"a.{name}.", name.upper()):
            for each in (domain, domain.encode("idna").decode()):
                assert suffixes.registered(each, private) == oracle.privatesuffix(each), each


@pytest.mark.parametrize("domain", ["", ".", "a..com", ".com", "com", "nosuch", "a.nosuch", "b.a.nosuch", "a.com.."])
def test_a_name_that_no_rule_fits(domain: str) -> None:
    assert suffixes.registered(domain, True) == PublicSuffixList().privatesuffix(domain)


def test_rules_in_other_scripts_are_encoded_only_for_names_with_such_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    suffixes._read.cache_clear()
    suffixes.load()
    assert suffixes.registered("www.hosted.example", True) == "hosted.example"
    assert suffixes._read.cache_info().currsize == 2
    assert suffixes.registered("a.b.xn--55qx5d.cn", True) == "b.xn--55qx5d.cn"
    assert suffixes._read.cache_info().currsize == 3
