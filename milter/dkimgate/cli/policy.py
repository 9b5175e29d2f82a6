"""`dkimgate policy`: test a policy, show it in plain words, or print the JSON Schema of its file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dkimgate.cli import policy_show, policy_test
from dkimgate.cli.help_text import Formatter
from dkimgate.config import dkimgate_yaml
from dkimgate.policy.describe.schema import schema

_TEST_HELP = """\
A case has a message (its facts, or the whole message) and the expected result. config/policy-tests.md describes the
format:

  policy: policy.yaml
  cases:
    - name: a forged mail of a hosted domain
      facts: {from: hosted, arrival.dmarc: fail}
      expect: {rule: never-launder, sign: none, departure: fail}

The command asks no DNS and reads no key, so the result is the same on every host. It can also test a policy that
launders, with which the daemon would not start.

examples:
  dkimgate policy test cases.yaml
  dkimgate policy test --policy new.yaml cases.yaml more.yaml    the same cases with another policy
  dkimgate policy test --verbose cases.yaml                      also show which rule decided, and why

exit status: 0 all results are as expected, 1 a case failed, 2 the command can't run
"""

_SHOW_HELP = """\
examples:
  dkimgate policy show                              the configured policy
  dkimgate policy show --policy new.yaml
  dkimgate policy show --json | jq -r '.rules[].if'

exit status: 0 good, 2 the policy can't be loaded
"""

_SCHEMA_HELP = """\
With the schema, an editor completes names, explains them, and marks errors while you type. For editors with
yaml-language-server (VS Code, Vim, Emacs, Helix, Kate ...), write the schema beside the policy, and name it in the
first line of the policy:

  dkimgate policy schema > policy.schema.json
  # yaml-language-server: $schema=policy.schema.json

`dkimgate check` finds more errors than the schema, for example rules that no message reaches.

exit status: 0
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add `policy` with its sub-commands to the command line."""
    layout = Formatter
    parser = commands.add_parser("policy", help=text, description=__doc__)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    test = actions.add_parser(
        "test",
        help="run test cases",
        description="Run test cases: decide about their messages, and compare the results with the expected results.",
        epilog=_TEST_HELP,
        formatter_class=layout,
    )
    test.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file of cases")
    test.add_argument(
        "--policy", type=Path, metavar="FILE", help="test this policy instead of the policy that the files name"
    )
    test.add_argument("--verbose", "-v", action="store_true", help="show for every case which rule decided, and why")
    test.add_argument("--json", action="store_true", help="one JSON object")
    test.set_defaults(run=policy_test.run)

    show = actions.add_parser(
        "show",
        help="show a policy in plain words",
        description="Show a policy as a table in plain words.",
        epilog=_SHOW_HELP,
        formatter_class=layout,
    )
    which = show.add_mutually_exclusive_group()
    which.add_argument("--policy", type=Path, metavar="FILE", help="a policy file")
    which.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(run=policy_show.run)

    describe = actions.add_parser(
        "schema",
        help="print a JSON Schema of the policy file, for editors",
        description="Print a JSON Schema (draft 2020-12) of the policy file.",
        epilog=_SCHEMA_HELP,
        formatter_class=layout,
    )
    describe.set_defaults(run=run_schema)


def run_schema(_: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(schema(), indent=2))
    return 0
