"""A file of test cases for a policy: messages, as facts or whole, and the expected results."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dkimgate.config import dkimgate_yaml, files, wrong_kind, yaml_file
from dkimgate.config.dkimgate_yaml import Config, Forwarder, Section, SpamField, Trust, Verify
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.config.values import Domain, FilePath
from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where
from dkimgate.message.message import split_message
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.testing import expectations, stated_facts
from dkimgate.policy.testing.expectations import Expectation
from dkimgate.policy.testing.stated_facts import World

_SESSION = ("client", "helo", "auth", "sender", "recipients")
_CASE = ("name", "facts", "message", "text", *_SESSION, "expect")


class _Top(Section):
    """The keys of the file."""

    version: Literal[1] = 1
    policy: FilePath = None
    config: FilePath = None
    trust: Trust = Trust()
    hosted: tuple[Domain, ...] = ()
    forwarder: Domain | None = None
    spam_fields: tuple[SpamField, ...] = ()
    cases: tuple[Any, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Session:
    """How a message is handed in, as for `explain`: without a client, by this host; without a sender, with its
    Return-Path."""

    client: str | None = None
    helo: str | None = None
    auth: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One message: its `stated` facts, by the names of the vocabulary, and the whole `message` if there is one."""

    name: str
    line: int
    stated: dict[str, Any]
    expected: tuple[Expectation, ...]
    message: bytes | None = None
    session: Session = field(default_factory=Session)


@dataclass(frozen=True, slots=True)
class Suite:
    """A file of cases. `settings` ask nobody: no check of our own, no SPF. `policy` is the file under test, None where
    it isn't said."""

    file: Path
    policy: Path | None
    settings: Config
    world: World
    cases: tuple[Case, ...]


def load(file: Path) -> Suite:
    """Read a file of cases. Raises yaml_file.ConfigError, which holds all mistakes of the file."""
    return from_document(yaml_file.read(file))


def from_document(document: yaml_file.Document) -> Suite:
    """`load`, of a document at hand."""
    wrong_kind.refuse(document, wrong_kind.CASES)
    wrong: list[Problem] = []
    top: _Top | None = None
    settings: Config | None = None
    try:
        top = yaml_file.validate(_Top, document, {"folder": document.file.absolute().parent})
        settings = _settings(document, top)
    except ConfigError as error:
        wrong += error.problems
    problems = Problems(document)
    written = document.data.get("cases") if isinstance(document.data, dict) else None
    names: dict[str, int] = {}
    judged_by = isinstance(document.data, dict) and bool({"trust", "config"} & set(document.data))
    found = [_case(problems, ("cases", index), item, names, judged_by) for index, item in enumerate(_list(written))]
    try:
        problems.raise_any()
    except ConfigError as error:
        wrong += error.problems
    if wrong or top is None or settings is None:
        raise ConfigError(*wrong)
    policy: Path | None = top.policy if "policy" in top.model_fields_set else settings.policy if top.config else None
    forwarder = settings.forwarder.domain if settings.forwarder else None
    keys = tuple(dict.fromkeys(key.domain for key in settings.keys)) if top.config else top.hosted
    keys = (*keys, forwarder) if forwarder is not None and forwarder not in keys else keys
    return Suite(
        document.file, policy, settings, World(keys, forwarder), tuple(case for case in found if case is not None)
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _settings(document: yaml_file.Document, top: _Top) -> Config:
    """What the cases are judged by: a configuration, or what the file itself says of it; neither asks DNS, nor reads
    keys or secrets."""
    if top.config is None:
        base = Config(
            trust=top.trust,
            spam_fields=top.spam_fields,
            forwarder=Forwarder(domain=top.forwarder) if top.forwarder is not None else None,
        )
    else:
        beside = [key for key in ("trust", "hosted", "forwarder", "spam_fields") if key in top.model_fields_set]
        if beside:
            raise ConfigError(
                document.problem(
                    (beside[0],),
                    "case.config-and-own",
                    f"{beside[0]}: the configuration says that already: remove this key, or `config:`",
                )
            )
        base = dkimgate_yaml.load(top.config)
    quiet = {
        "verify": Verify(when="never"),
        "departure": base.departure.model_copy(update={"addresses": ()}),
        "passport": None,
    }
    return base.model_copy(update=quiet)


def _case(problems: Problems, where: Where, value: object, names: dict[str, int], judged_by: bool) -> Case | None:
    mapping = problems.mapping(where, value, "a case: a mapping with name, facts and expect")
    if mapping is None:
        return None
    problems.known(where, mapping, _CASE)
    line = problems.document.line(where)
    name = mapping.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        problems.add(
            (*where, "name"),
            "case.name",
            f"name: expected one line of text about the case, found {shown(name)}{trap(name)}",
        )
    elif name in names:
        problems.add((*where, "name"), "case.name-taken", f"name: the case on line {names[name]} has this name already")
    else:
        names[name] = line
    whole = [key for key in ("message", "text") if key in mapping]
    if len(whole) == 2:
        problems.add(
            (*where, "text"),
            "case.two-messages",
            "text: give the message as a file (message) or here (text), not both",
        )
    if not whole and "facts" not in mapping:
        problems.add(
            where, "case.no-message", "the case has no message: add `facts: {...}`, `message: FILE` or `text: |`"
        )
    facts = mapping.get("facts")
    unknown = facts is None or facts == {}  # a message of which nothing is known
    stated = None if unknown else problems.mapping((*where, "facts"), facts, "facts such as {arrival.dmarc: fail}")
    message = _message(problems, (*where, whole[0]), mapping[whole[0]], judged_by) if whole else None
    session = _session(problems, where, mapping, bool(whole))
    wanted = "`expect` with the expected result, such as {rule: never-launder, sign: none}"
    expect = problems.mapping((*where, "expect"), mapping.get("expect"), wanted)
    return Case(
        str(name),
        line,
        stated_facts.read(problems, (*where, "facts"), stated) if stated else {},
        expectations.read(problems, (*where, "expect"), expect) if expect else (),
        message,
        session,
    )


def _message(problems: Problems, where: Where, value: object, judged_by: bool) -> bytes | None:
    if not judged_by:
        problems.add(
            where,
            "case.no-trust",
            "a whole message needs to know your hosts: add `trust: {hosts: [...]}` at the top, or `config: FILE`",
        )
    if not isinstance(value, str) or not value or "\0" in value:
        problems.add(
            where,
            "case.message",
            f"{where[-1]}: expected {'a file' if where[-1] == 'message' else 'a message'}, found {shown(value)}",
        )
        return None
    file = problems.document.file.parent / value
    try:
        raw = file.read_bytes() if where[-1] == "message" else value.encode("utf-8", "surrogateescape")
    except OSError as error:
        problems.add(where, "case.message-file", f"message: {files.cant_read(error, file)}")
        return None
    if not split_message(raw)[0]:
        problems.add(
            where, "case.not-a-message", f"{where[-1]}: this does not begin with a header field, so it is not a message"
        )
    return raw


def _session(problems: Problems, where: Where, mapping: dict[str, object], whole: bool) -> Session:
    given = {key: mapping[key] for key in _SESSION if key in mapping}
    if given and not whole:
        key = next(iter(given))
        instead = {"client": "client.ip", "helo": "client.helo", "auth": "client.auth"}.get(key, key)
        problems.add(
            (*where, key),
            "case.session-with-facts",
            f"{key}: this key needs a whole message. With facts, write `{instead}` among the facts",
        )
        return Session()
    recipients = given.pop("recipients", [])
    several = recipients if isinstance(recipients, list) else [recipients]
    for key, value in [*given.items(), *(("recipients", item) for item in several)]:
        if not isinstance(value, str) or not value.isprintable():
            problems.add(
                (*where, key), "yaml.expected-text", f"{key}: expected text, found {shown(value)}{trap(value)}"
            )
            return Session()
    client = given.get("client")
    if client is not None:
        try:
            ipaddress.ip_address(str(client))
        except ValueError:
            problems.add(
                (*where, "client"),
                "value.address",
                f"client: expected an IP address such as 192.0.2.66, found {shown(client)}",
            )
            return Session()
    return Session(**given, recipients=tuple(several))  # type: ignore[arg-type]
