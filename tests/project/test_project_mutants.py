"""`make mutants`: the faults that it makes, and that what it is told to leave out is still there."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import plan
from tests.mutants.mutations import mutants

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "milter/dkimgate"

SOURCE = '''"""What it is."""
import re

WORDS = ("pass", "none")
_AT = re.compile("a(?!b)[xy]+")


class Kind:
    def bad(self, score: int | None = 3) -> bool:
        """A docstring."""
        if score is None or score < 5:
            raise ValueError("some words for people")
        return not self.bad(score)
'''

FAULTS = {
    '+ WORDS = ("none",)': True,
    '+ WORDS = ("pass",)': True,
    '+ _AT = re.compile("a[xy]+")': True,
    '+ _AT = re.compile("a(?!b)[y]+")': True,
    '+ _AT = re.compile("a(?!b)[xy]*")': True,
    "+ if False:": True,
    "+ if ((score < 5)):": True,
    "+ if ((score is None) and (score < 5)):": True,
    "+ if score is None or score <= 5:": True,
    "+ if score is None or score < 6:": True,
    "+ pass": True,
    "+ return (self.bad(score))": True,
    "+ def bad(self, score: int | None = 4) -> bool:": False,
    "+ def bad(self, score: int = 3) -> bool:": False,
    '+ """"""': False,
    "+ raise ValueError('')": False,
}


def test_the_faults_are_those_of_what_decides() -> None:
    made = {line for mutant in mutants(SOURCE, "kind.py") for line in mutant.diff if line.startswith("+")}
    assert {fault: fault in made for fault in FAULTS} == FAULTS
    assert {mutant.function for mutant in mutants(SOURCE, "kind.py")} == {None, "Kind.bad"}


def test_what_is_known_to_be_no_fault_still_is_in_the_code() -> None:
    known = plan.equivalent()
    assert all(known.values()), "each has a reason"
    functions: dict[str, set[str]] = {}
    for text in known:
        module, function = text.splitlines()[0].split(" ", 1)
        functions.setdefault(module, set()).add(function)
    for module, named in functions.items():
        made = {mutant.text for mutant in mutants((PACKAGE / module).read_text("utf-8"), module, named)}
        gone = [text for text in known if text.startswith(module + " ") and text not in made]
        assert not gone, "take out of tests/mutants/equivalent.txt what the code no longer has"


def test_the_tests_that_judge_a_module_are_there() -> None:
    for module in (
        "policy/guard.py",
        "evidence/claims.py",
        "message/author.py",
        "authres/methods.py",
        "dkim/verify.py",
    ):
        assert [test for test in plan.tests_for(module) if not (ROOT / test).exists()] == []
