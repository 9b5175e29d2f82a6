"""What Postfix says of itself: read from what postconf(1) prints, and nothing that it does wrong is an error here."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from dkimgate.postfix import settings as postfix
from dkimgate.postfix.settings import Settings, ask
from tests.needs import need_program


def program(folder: Path, main: str = "", master: str = "", before: str = "") -> str:
    """A postconf that prints `main` for -x and `master` for -Px."""
    (folder / "main").write_text(main)
    (folder / "master").write_text(master)
    file = folder / "postconf"
    file.write_text(f"#!/bin/sh\n{before}\ncase $1 in -x) cat {folder}/main;; -Px) cat {folder}/master;; esac\n")
    file.chmod(0o755)
    return str(file)


def test_parameters_are_read_as_postconf_prints_them(tmp_path: Path) -> None:
    main = "myhostname = mx.forwarder.example\nrelayhost = \nmasquerade_domains = a.example, b.example\n c.example\nline_length_limit = 2048\n"
    settings = ask(postconf=program(tmp_path, main))
    assert settings is not None
    assert settings.text("myhostname") == "mx.forwarder.example"
    assert settings.text("relayhost") == "" == settings.text("unknown_here")
    assert settings.words("masquerade_domains") == ["a.example", "b.example"]
    assert (settings.number("line_length_limit"), settings.number("myhostname"), settings.number("relayhost")) == (
        2048,
        None,
        None,
    )


def test_what_master_cf_says_of_a_service_is_another_value(tmp_path: Path) -> None:
    """`-o smtp_bind_address=` of one transport is where some of the mail leaves from."""
    main = "smtp_bind_address = 192.0.2.1\nappend_dot_mydomain = no\nmyhostname = a.example\nmyorigin = a.example\n"
    master = (
        "smtp/unix/smtp_bind_address = 192.0.2.1\nrelay/unix/smtp_bind_address = 192.0.2.2\nother/unix/smtp_bind_address = 192.0.2.2\n"
        "127.0.0.1:10025/inet/append_dot_mydomain = Yes\nsubmission/inet/myorigin = \nsubmission/inet/nobody_asked = 1\n"
    )
    settings = ask(postconf=program(tmp_path, main, master))
    assert settings is not None
    assert (
        settings.every("smtp_bind_address") == ("192.0.2.1", "192.0.2.2") == tuple(settings.words("smtp_bind_address"))
    )
    assert settings.may_be("append_dot_mydomain", "yes") and settings.may_be("append_dot_mydomain", "no")
    assert settings.every("myhostname") == ("a.example",) == settings.every("myorigin")
    assert "nobody_asked" not in settings.services


@pytest.mark.parametrize(
    ("content", "origin"), [(b"mail.example\nmore\n", "mail.example"), (b"", ""), (None, ""), (b"\xff\n", "\ufffd")]
)
def test_debians_myorigin_is_the_first_line_of_a_file(tmp_path: Path, content: bytes | None, origin: str) -> None:
    if content is not None:
        (tmp_path / "mailname").write_bytes(content)
    settings = ask(postconf=program(tmp_path, f"myorigin = {tmp_path}/mailname\n"))
    assert settings is not None
    assert settings.text("myorigin") == origin


@pytest.mark.parametrize("broken", ["exit 1", "kill -9 $$", "printf '\\377\\000'; exit 0", "echo warning; exit 0"])
def test_a_postconf_that_fails_is_none(tmp_path: Path, broken: str) -> None:
    assert ask(postconf=program(tmp_path, "myhostname = a.example\n", before=broken)) is None


def test_no_postconf_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(postconf=str(tmp_path / "nobody")) is None
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert ask() is None


def test_a_postconf_that_hangs_is_left_alone_in_time(tmp_path: Path) -> None:
    started = time.monotonic()
    assert ask(seconds=0.3, postconf=program(tmp_path, before="exec sleep 30")) is None
    assert time.monotonic() - started < 5


def test_where_only_the_services_can_not_be_read_main_cf_counts(tmp_path: Path) -> None:
    settings = ask(postconf=program(tmp_path, "myhostname = a.example\n", before="[ $1 = -x ] || exit 1"))
    assert settings == Settings({"myhostname": "a.example"})


def test_nothing_is_asked_that_nobody_wants_to_know() -> None:
    modules = (path for path in Path(postfix.__file__).parent.rglob("*.py") if path.name != "postfix.py")
    read = "".join(path.read_text("utf-8") for path in modules)
    assert [name for name in postfix.NAMES if f'"{name}"' not in read] == []


@pytest.mark.servers
def test_the_real_one_answers() -> None:
    """Whatever is configured here: every parameter that a Postfix of Debian 12 has is told, and quickly."""
    need_program("postconf")
    settings = ask()
    if settings is None:  # installed, and never configured
        assert subprocess.run(["postconf", "-h", "myhostname"], capture_output=True, check=False).returncode != 0
        return
    assert settings.text("myhostname")
    assert set(postfix.NAMES) <= set(settings.values)
    assert not any(value.startswith("$") for value in settings.values.values())


LISTED = {
    "hash:/etc/aliases": "list:\tvictim@receiver.example\nowner-list:\tceo",
    "texthash:/x": "Owner-List::\tceo",
    "inline:{ {list = v@x, w@x}, {owner-list = ceo} }": "owner-list:\tceo",
    "hash:/none": "list:\tvictim@receiver.example\nmailman-owner:\tx\nx-owner-list:\ty",
    "inline:{{a=b}}": "",
    "ldap:/etc/postfix/ldap": None,
}
"""Tables, and what `postalias -s` lists of them; None: it can't."""


@pytest.mark.parametrize("special", ["yes", "no"])
def test_tables_that_may_hold_owners_of_aliases_are_known(special: str, tmp_path: Path) -> None:
    """Of those of any service. Where it can't be known, that is told."""
    tables = list(LISTED)
    main = f"owner_request_special = {special}\nalias_maps = {', '.join(tables[:4])}\n"
    postconf = program(tmp_path, main, f"local/unix/alias_maps = {' '.join(tables[4:])} {tables[0]}\n")
    cases = "".join(f"'{table}') printf '{text}\\n';;\n" for table, text in LISTED.items() if text is not None)
    postalias = tmp_path / "postalias"
    postalias.write_text(f'#!/bin/sh\n[ "$1" = -s ] || exit 1\ncase $2 in {cases} *) exit 1;; esac\n')
    postalias.chmod(0o755)
    settings = ask(postconf=postconf)
    assert settings is not None
    known = {tables[0]: True, tables[1]: True, tables[2]: True, tables[5]: False}
    assert settings.owners == (known if special == "yes" else {})


CHANGING = {
    "hash:/etc/postfix/generic": "www-data@box.local.example\tnoreply@hosted.example\nRoot\tceo@hosted.example",
    "proxy:texthash:/x": "@box.example\t@hosted.example",
    "regexp:/y": None,
}
"""Tables of addresses, and what `postmap -s` lists of them; None: it can't."""


@pytest.mark.parametrize(
    ("tables", "keys"),
    [
        (["hash:/etc/postfix/generic"], {"www-data@box.local.example", "root"}),
        (
            ["hash:/etc/postfix/generic", "proxy:texthash:/x"],
            {"www-data@box.local.example", "root", "@box.example"},
        ),
        (["proxy:texthash:/x", "static:ceo@hosted.example"], {"@box.example", "*"}),
        (["hash:/etc/postfix/generic", "regexp:/y"], None),
    ],
)
@pytest.mark.parametrize("name", ["smtp_generic_maps", "canonical_maps", "sender_canonical_maps"])
def test_what_tables_change_is_listed_or_it_is_not_known(
    name: str, tables: list[str], keys: set[str] | None, tmp_path: Path
) -> None:
    """Of those of any service."""
    master = f"smtp/unix/{name} = {', '.join(tables[1:])}\n" if tables[1:] else ""
    postconf = program(tmp_path, f"{name} = {tables[0]}\n", master)
    cases = "".join(
        f"'{table.removeprefix('proxy:')}') printf '{text}\\n';;\n"
        for table, text in CHANGING.items()
        if text is not None
    )
    postmap = tmp_path / "postmap"
    postmap.write_text(f'#!/bin/sh\n[ "$1" = -s ] || exit 1\ncase $2 in {cases} *) exit 1;; esac\n')
    postmap.chmod(0o755)
    settings = ask(postconf=postconf)
    assert settings is not None
    assert settings.changed == {name: keys}


CHECKS = {
    "/^User-Agent:/ IGNORE\n/^Subject:/ REPLACE Subject: x\n": False,
    "# /^From:/ REPLACE From: me@hosted.example\n": False,
    "/^X-From:/ REPLACE X-From: $1\n": False,
    "/^From:.*/ REPLACE From: me@hosted.example\n": True,
    "if /^From:/\n/^(From: )(.*)@box$/ replace ${1}${2}@hosted.example\nendif\n": True,
    "/^(F)rom:(.*)/ REPLACE $1rom: x@hosted.example\n": True,
    "/^Subject:/\n  PREPEND  FROM : me@hosted.example\n": True,
}
"""Header checks, and may they write a From?"""


@pytest.mark.parametrize("name", ["header_checks", "smtp_header_checks"])
@pytest.mark.parametrize("kind", ["regexp", "pcre"])
@pytest.mark.parametrize("text", CHECKS)
def test_header_checks_that_write_a_from_change_everybody(text: str, kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "checks").write_text(text)
    settings = ask(postconf=program(tmp_path, f"{name} = {kind}:{tmp_path}/checks\n"))
    assert settings is not None and settings.changed == {name: frozenset({"*"} if CHECKS[text] else ())}


@pytest.mark.parametrize("table", ["pcre:/none", "ldap:/x", "pcre:{{ /^From:/ REPLACE From: me@hosted.example }}"])
def test_header_checks_that_nobody_can_read_may_write_a_from(table: str, tmp_path: Path) -> None:
    settings = ask(postconf=program(tmp_path, f"smtp_header_checks = {table}\n"))
    assert settings is not None and settings.changed == {"smtp_header_checks": frozenset({"*"})}


def test_without_postalias_nobody_knows_what_a_table_holds(tmp_path: Path) -> None:
    settings = ask(postconf=program(tmp_path, "owner_request_special = yes\nalias_maps = hash:/etc/aliases\n"))
    assert settings is not None and settings.owners == {"hash:/etc/aliases": False}
