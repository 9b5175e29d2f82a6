"""What the page on troubleshooting quotes is what the program says: a message that is worded anew makes the page stale."""

from __future__ import annotations

import ast
import functools
import re

import pytest

from tests.documents import ROOT

PAGE = " ".join((ROOT / "systemd" / "troubleshooting.md").read_text("utf-8").split())


@functools.cache
def texts() -> list[str]:
    """Every piece of text in the program, between the values that are put into it."""
    found: list[str] = []
    for file in (ROOT / "milter" / "dkimgate").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


@pytest.mark.parametrize(
    "quoted",
    [
        "not hosted: no key of ours covers it",
        "hosted: our key for ",
        "From holds a comma",
        "no signature of ours",
        "if it were let go: ",
        "the guard overruled the rule: ",
        "no such record in ",
        "can't read this file: chgrp ",
        "no private key in it: expected PEM (-----BEGIN PRIVATE KEY-----), as dkimgate keys new writes it",
        "What this key should sign leaves unsigned",
        "can't read ",
        "let the daemon's group read it, with chgrp ",
        " says adkim=s: the key signs for ",
        "another daemon is listening here: stop it first, or name another path",
        " does not exist: create it",
        "can't start",
        "unknown key ",
        "; did you mean ",
        " launders",
        "no answer in time",
        "not checked: the body is larger than verify.body_limit",
        "DNS gave no answer: ",
        "DNS does not answer: ",
        "DNS answers again",
        "unanswered",
        "differs",
        "missing",
        "malformed",
        "agrees",
        "DNS holds another RSA key, of ",
        "the signature will not hold: Postfix breaks a line of ",
        "the signature will not hold at a host without 8BITMIME",
        "signature breaks",
        "the decision can't be recorded, try again later",
        "all mail would be deferred",
        "restored",
        "refused",
        "its hash is not ours",
        "not restored: ",
        "no listener here has `role: srs`",
        "changed: ",
        "departure.addresses: unknown",
    ],
)
def test_what_is_quoted_is_what_the_program_says(quoted: str) -> None:
    assert quoted.replace("`", "").strip() in PAGE.replace("`", "")
    assert any(quoted in text for text in texts())


def test_what_the_program_does_not_say_would_be_seen() -> None:
    assert not any("another daemon listens here" in text for text in texts())


def test_every_section_of_the_table_of_symptoms_is_there_and_every_section_is_in_it() -> None:
    page = (ROOT / "systemd" / "troubleshooting.md").read_text("utf-8")
    sections = re.findall(r"(?m)^## (.+)$", page)
    named = re.findall(r"(?m)^\| .+ \| \[([^\]]+)\]\(#[a-z0-9-]+\) \|$", page)
    assert named[: len(sections)] == sections
