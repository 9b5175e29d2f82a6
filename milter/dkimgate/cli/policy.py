"""`dkimgate policy`: test a policy, show it to people, and describe its format to editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dkimgate.cli import policy_show, policy_test
from dkimgate.cli.help_text import Formatter
from dkimgate.config import dkimgate_yaml
from dkimgate.policy.describe.schema import schema

_TEST_HELP = """\
A case is a message, by its facts or whole, and what is expected to become of it. The format is in
config/policy-tests.md:

  policy: policy.yaml
  cases:
    - name: a forged mail of a hosted domain
      facts: {from: hosted, arrival.dmarc: fail}
      expect: {rule: never-launder, sign: none, departure: fail}

No DNS is asked and no key is read, so the answer is the same everywhere. A policy that could launder, with which the
daemon would not start, can be tested too.

examples:
  dkimgate policy test cases.yaml
  dkimgate policy test --policy new.yaml cases.yaml more.yaml    the same cases, by another policy
  dkimgate policy test --verbose cases.yaml                      which rule decided, and on what, also where all is well

exit status: 0 all is as expected, 1 a case failed, 2 a file can't be run
"""

_SHOW_HELP = """\
examples:
  dkimgate policy show                              the policy that the configuration names
  dkimgate policy show --policy new.yaml
  dkimgate policy show --json | jq -r '.rules[].if'

exit status: 0 good, 2 it can't be loaded
"""

_SCHEMA_HELP = """\
With it an editor completes names, explains them, and marks mistakes while one types. For those that use
yaml-language-server (VS Code, Vim, Emacs, Helix, Kate ...) write the schema beside the policy, and name it in the
policy's first line:

  dkimgate policy schema > policy.schema.json
  # yaml-language-server: $schema=policy.schema.json

It knows less than `dkimgate check`, which also finds rules that are never reached.

exit status: 0
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add `policy` with its sub-commands to the command line."""
    layout = Formatter
    parser = commands.add_parser("policy", help=text, description=__doc__)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    test = actions.add_parser(
        "test",
        help="does it decide as it must?",
        description="Decide about the messages of test cases, and compare with what is expected.",
        epilog=_TEST_HELP,
        formatter_class=layout,
    )
    test.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file of cases")
    test.add_argument("--policy", type=Path, metavar="FILE", help="test this policy, whatever the files name")
    test.add_argument("--verbose", "-v", action="store_true", help="tell of every case what decided")
    test.add_argument("--json", action="store_true", help="one JSON object")
    test.set_defaults(run=policy_test.run)

    show = actions.add_parser(
        "show",
        help="the policy in plain words",
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
        help="the format as a JSON Schema, for editors",
        description="Print a JSON Schema (draft 2020-12) of the policy file.",
        epilog=_SCHEMA_HELP,
        formatter_class=layout,
    )
    describe.set_defaults(run=run_schema)


def run_schema(_: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(schema(), indent=2))
    return 0
