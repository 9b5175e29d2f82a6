"""Bad input in files, and what is said about it: policies, test cases, configurations, key files, secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dkimgate.cli import policy_test
from dkimgate.config import dkimgate_yaml, secret_file, wrong_values, yaml_file
from dkimgate.config.problem import BadValue, ConfigError, Problem
from dkimgate.gate.key_files import load_key
from dkimgate.gate.key_ring import load_keys
from dkimgate.passport import secrets as passport_secrets
from dkimgate.policy.language import loader
from dkimgate.policy.proof import prove, report
from dkimgate.policy.testing import cases
from dkimgate.srs import Secrets as SrsSecrets
from tests.config.test_config_errors import NO_YAML, OTHER_KINDS, WRONG_VALUES
from tests.gate import test_gate_key_files as keys
from tests.passport import test_passport_secrets as passports
from tests.policy import test_policy_cases, test_policy_loader, test_policy_loader_conditions, test_policy_unreachable
from tests.srs import test_srs_secrets as srs

Said = tuple[str, Problem]
"""Bad input, in a line, and one problem with it."""

RULES = "version: 1\nrules:\n  - {name: a, when: {from: hosted}, sign: author, envelope: unalign, otherwise: hold}\n"
REST = "default: {envelope: unalign, otherwise: hold}\n"
ALLOWED = "allow_laundering: [a]\nlaundering_reason: the old way\n"
HARD = "risk: {dmarc: {fail: 900000.01, unknown: 800000.03}, spf: {fail: 700000.07}}\n"
HARD += RULES.replace("{from: hosted}", "{risk: '>= 900000.01'}")

ONE_RULE = [
    "tag: '{x'",
    "tag: 'x}'",
    f"add: {{{', '.join(f'X-{number}: x' for number in range(21))}}}",
]
TOPS = [
    "allow_laundering: [rule, rule]\nlaundering_reason: the old way\n",
    "allow_laundering: [rul]\nlaundering_reason: the old way\n",
    "allow_laundering: rule\nlaundering_reason: the old way\n",
    "allow_laundering: [rule]\n",
    "laundering_reason: the old way\n",
]
CONFIGURATIONS = [
    "trust: {networks: [192.0.2.1/24]}",
    "trust: {networks: [5]}",
    "verify: {nameservers: [localhost]}",
    "verify: {nameservers: [5]}",
    "keys: [{domain: 'a b', selector: s, file: f}]",
    "keys: [{domain: a.example, selector: s}]",
    "socket_mode: '999'",
    "departure: {line_length_limit: 5}",
    f"listen: unix:/{'x' * 200}",
    "listen: 5",
    "trust: {authserv_ids: ['mx*']}",
    "spam_fields: [{field: 'X Y', pattern: '(?P<flag>x)'}]",
    "spam_fields: [{field: X-Y, pattern: '('}]",
    "spam_fields: [{field: X-Y, pattern: '(?P<no>x)'}]",
    "spam_fields: [{field: X-Y, pattern: 'x'}]",
    "spam_fields: [{field: X-Y, pattern: '(?P<flag>(a+)+)'}]",
    "spam_fields: [{field: X-Y, pattern: '(?P<flag>x*x*x*x*y)'}]",
    "user: &a [*a]",
    "user: a\nuser: b",
    "lisen: unix:/x",
    "{}",
    "# all of it is commented out",
    "[" * 60,
]


def everything(folder: Path) -> Iterator[Said]:
    """Every bad input of these tables with what is said about it."""
    yield from _policies()
    yield from _cases(folder)
    yield from _configurations(folder)
    yield from _secret_files(folder)


def said(shown: str, read: Callable[..., Any], *arguments: Any) -> Iterator[Said]:
    """What a ConfigError says. `shown` is the input as the list shows it."""
    try:
        read(*arguments)
    except ConfigError as error:
        for problem in error.problems:
            yield shown, problem
    except BadValue as error:
        yield shown, Problem(error.code, str(error))


def _policies() -> Iterator[Said]:
    parse, rule, when = test_policy_loader.parse, test_policy_loader.rule, test_policy_loader.when
    texts = [(text, text) for text, _ in test_policy_loader.TOP]
    texts += [(keys, rule(keys)) for keys in [*(keys for keys, _ in test_policy_loader.RULES), *ONE_RULE]]
    texts += [(condition, when(condition)) for condition, _ in test_policy_loader_conditions.CONDITIONS]
    texts += [(each, rule(f"sign: none\n    when: {{{each}}}")) for each in test_policy_loader_conditions.QUOTES]
    texts += [(top, rule("sign: none") + top) for top in TOPS]
    for weights, _ in test_policy_loader.WEIGHTS:
        texts.append((f"risk: {{{weights}}}", f"version: 1\nrisk: {{{weights}}}\nrules: [{{name: a, sign: none}}]\n"))
    for first, second in test_policy_unreachable.UNREACHABLE[:2]:
        rules = "".join(
            f"  - {{name: {name}, sign: none{', ' if len(keys) > 2 else ''}{keys[1:]}\n"
            for name, keys in (("first", first), ("second", second))
        )
        texts.append((f"{first} ahead of {second}", f"version: 1\nrules:\n{rules}"))
    texts.append(("two rules that together take the messages of a third", test_policy_unreachable.TOGETHER))
    for shown, text in texts:
        yield from said(shown, parse, text)
    for shown, text in (
        ("a rule that launders", RULES + REST),
        ("a rule that lets a forgery pass by SPF", RULES.replace("sign: author, envelope: unalign, otherwise: hold", "sign: none")),
        ("a rule that may launder", RULES + REST + ALLOWED),
        ("a rule that may launder what is unknown", RULES.replace("hosted}", "hosted, arrival.dmarc: unknown}") + REST + ALLOWED),
        ("a rule that may launder, and does not", RULES.replace("author", "none") + REST + ALLOWED),
        ("a rule that is too hard to prove", HARD + REST),
    ):  # fmt: skip
        policy = loader.from_document(yaml_file.parse(text, Path("policy.yaml")))
        proof = prove(policy)
        for problem in (*report.problems(policy, proof), *report.warnings(policy, proof)):
            yield shown, problem


def _cases(folder: Path) -> Iterator[Said]:
    case, parse = test_policy_cases.case, test_policy_cases.parse
    texts = [
        (f"facts: {facts}", case(f"facts: {facts}\n    expect: {{sign: none}}"))
        for facts, _ in test_policy_cases.BAD_FACTS
    ]
    texts += [
        (f"expect: {each}", case(f"expect: {each}\n    facts: {{}}")) for each, _ in test_policy_cases.BAD_EXPECTATIONS
    ]
    texts += [(text, text) for text, _ in test_policy_cases.BAD_FILES]
    texts.append(("text: 5", "trust: {}\n" + case("text: 5\n    expect: {sign: none}")))
    whole = "trust: {}\n" + case('text: "A: b"\n    message: x\n    expect: {sign: none}')
    texts.append(("text and message in one case", whole))
    for shown, text in texts:
        yield from said(shown, parse, text)
    file = folder / "cases.yaml"
    file.write_text("cases: [{name: a, facts: {}, expect: {sign: none}}]\n")
    yield from said("no policy in the file of cases, and no --policy", policy_test._policy, cases.load(file), None)


def _configurations(folder: Path) -> Iterator[Said]:
    file = folder / "dkimgate.yaml"
    texts: list[str | bytes] = [*(text for text, _ in WRONG_VALUES), *(row[0] for row in NO_YAML), *CONFIGURATIONS]
    for text in texts:
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        file.write_bytes(raw)
        yield from said(raw.decode("utf-8", "backslashreplace"), dkimgate_yaml.load_whole, file)
    yield from said("a file that is not there", dkimgate_yaml.load_whole, folder / "none.yaml")
    yield from said("a folder", dkimgate_yaml.load_whole, folder)
    aliases = "a: &a [0,0,0,0,0,0,0,0,0]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
    )
    with patch.object(yaml_file, "MOST_VALUES", 500):
        yield from said("aliases of aliases", yaml_file.parse, aliases, file)
    error: Any = {"type": "brand_new", "input": [1], "loc": ("a",), "msg": "", "ctx": {}}
    yield "an error that only Pydantic knows", Problem(*wrong_values.told(error, ()))
    for text, command in OTHER_KINDS:
        file.write_text(text)
        load = {"check": dkimgate_yaml.load, "policy": loader.load if command[1] == "show" else cases.load}[command[0]]
        yield from said(f"{' '.join(command)}: {text}", load, file)


def _secret_files(folder: Path) -> Iterator[Said]:
    file = folder / "file"
    for what, (data, _) in keys.WRONG.items():
        yield from said(f"key: {what}", load_key, keys.entry(_written(file, data)))
    good = _written(folder / "good.pem", keys.PEMS["rsa PKCS#8"])
    both = keys.PEMS["rsa PKCS#8"] + keys.PEMS["ed25519 PKCS#8"]
    yield from said("key: two keys in one file", load_key, keys.entry(_written(file, both)))
    yield from said("key: the same selector twice", load_keys, (keys.entry(good), keys.entry(good)))
    for bits in (512, 1024):
        weak = keys.weak_rsa(folder, bits)
        yield from said(f"key: {bits} bits", load_key, keys.entry(weak))
    for mode in (0o644, 0o660):
        yield from said(f"key: mode {mode:04o}", load_key, keys.entry(_written(file, good.read_bytes(), mode)))
    yield from said("key: missing", load_key, keys.entry(folder / "none.pem"))
    yield from said("key: a folder", load_key, keys.entry(folder))
    for text, _, _ in passports.WRONG:
        yield from said(f"passport secret: {_short(text)}", passport_secrets.Secrets.load, _written(file, text))
    yield from said("passport secret: the id `a b`", passport_secrets.new_secret, "a b")
    for text, _, _ in srs.WRONG:
        yield from said(f"SRS secret: {_short(text)}", SrsSecrets.load, _written(file, text))
    yield from said("SRS secret: a large file", SrsSecrets.load, _written(file, "x" * 70_000))
    yield from said("SRS secret: missing", SrsSecrets.load, folder / "none.secret")
    for shown, at, text in (
        ("a new secret in a file that has one", file, srs.A),
        ("a new secret in another file", file, "x"),
        ("a new secret in a folder that is missing", folder / "no" / "such", ""),
    ):
        if text:
            _written(at, text)
        yield from said(shown, secret_file.create, at, srs.B, "put the new line on top of it", SrsSecrets.parse)


def _written(file: Path, data: str | bytes, mode: int = 0o600) -> Path:
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    file.chmod(mode)
    return file


def _short(data: str | bytes) -> str:
    text = data if isinstance(data, str) else data.decode("latin-1")
    return " ".join(ascii(text)[1:-1].split())[:40]
