"""The small faults that `make mutants` puts into a module, one at a time.

A fault is a change of the text of one expression or statement. Annotations, docstrings, defaults of arguments and words for people (a text with a
blank in it) stay as they are: no behaviour hangs on them.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

CONSTANTS = "(module)"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`source` is the whole module with one fault. `function`: the outermost function around it as `name` or `Class.name`; None where it is a
    constant of the module. `line`: where it stands, counted from 1."""

    module: str
    function: str | None
    line: int
    source: str
    diff: tuple[str, ...]

    @property
    def text(self) -> str:
        """The module, the function and the lines that differ. It stays the same when the module changes elsewhere."""
        return "\n".join((f"{self.module} {self.function or CONSTANTS}", *self.diff))


def mutants(source: str, module: str, only: Container[str] | None = None) -> list[Mutant]:
    """Every mutant of a module that compiles, each once, from the top down. `module` is its path below the package; `only` names functions as
    `Mutant.text` does."""
    text = _Text(source)
    found: dict[str, Mutant] = {}
    for function, node in _scopes(ast.parse(source)):
        if only is not None and (function or CONSTANTS) not in only:
            continue
        for start, end, instead in _faults(node, text):
            changed = text.replaced(start, end, instead)
            if not _compiles(changed):
                continue
            line = source.count("\n", 0, start) + 1
            mutant = Mutant(module, function, line, changed, _diff(source, changed))
            found.setdefault(mutant.text, mutant)
    return sorted(found.values(), key=lambda mutant: mutant.line)


Fault = tuple[int, int, str]
"""The text from the first to the second offset becomes the third."""


class _Text:
    """A source text in which nodes are found by offset."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends."""
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, octets: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:octets].decode())

    def of(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.source[start:end]

    def replaced(self, start: int, end: int, instead: str) -> str:
        """The whole text with another piece."""
        return self.source[:start] + instead + self.source[end:]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _diff(before: str, after: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return tuple(line[0] + " " + line[1:].strip() for line in list(lines)[2:] if line[0] in "+-")


def _scopes(tree: ast.Module) -> Iterator[tuple[str | None, ast.stmt]]:
    """Each function that a module or a class of it defines, and each constant of the module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not ast.unparse(node).startswith("__all__"):
            yield None, node


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, without annotations, arguments, decorators, docstrings and the pieces of f-strings."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "args", "decorator_list") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            yield from _walk(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _faults(scope: ast.stmt, text: _Text) -> Iterator[Fault]:
    """Every fault in a function or an assignment. Within a pattern the faults are those of `_pattern_faults`."""
    patterns = {node.args[0] for node in _walk(scope) if _is_pattern(node) and isinstance(node, ast.Call)}
    for node in _walk(scope):
        if isinstance(node, ast.Constant) and node in patterns:
            yield from _pattern_faults(node, text)
        else:
            yield from _of(node, text)


# --- of one node


def _of(node: ast.AST, text: _Text) -> Iterator[Fault]:
    match node:
        case ast.Compare():
            yield from _comparison(node, text)
        case ast.BoolOp():
            yield from _boolean(node, text)
        case ast.UnaryOp(op=ast.Not()):
            yield *text.span(node), f"({text.of(node.operand)})"
        case ast.BinOp():
            yield from _arithmetic(node, text)
        case ast.If() | ast.IfExp() | ast.While():
            yield *text.span(node.test), "False"
            if not isinstance(node, ast.While):
                yield *text.span(node.test), "True"
        case ast.comprehension():
            for test in node.ifs:
                yield *text.span(test), "True"
        case ast.Constant():
            yield from _constant(node, text)
        case ast.Tuple(elts=[first, second]):
            for kept in (first, second):
                yield *text.span(node), f"({text.of(kept)},)"
        case ast.Tuple(elts=elements) | ast.Set(elts=elements) | ast.List(elts=elements) if len(elements) > 1:
            yield from _without_each(elements, text)
        case ast.Dict() if len(node.values) > 1:
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None:
                    yield from _without(text.span(key)[0], text.span(value)[1], text)
        case ast.Call():
            yield from _call(node, text)
        case ast.Subscript(slice=ast.Slice() as part):
            for bound in (part.lower, part.upper):
                if bound is not None:
                    yield *text.span(bound), ""
        case ast.Return(value=ast.expr() as value) if text.of(value) != "None":
            yield *text.span(value), "None"
        case ast.Raise() | ast.AugAssign() | ast.Break() | ast.Continue() | ast.Expr():
            yield *text.span(node), "pass"
        case ast.match_case(guard=ast.expr() as guard):
            yield *text.span(guard), "True"
            yield *text.span(guard), "False"


_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}


def _comparison(node: ast.Compare, text: _Text) -> Iterator[Fault]:
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
        start, end = text.span(left)[1], text.span(right)[0]
        written, instead = _COMPARISONS[type(operator)]
        yield start, end, text.source[start:end].replace(written, instead, 1)


def _boolean(node: ast.BoolOp, text: _Text) -> Iterator[Fault]:
    """The other operator, and each operand left out."""
    written, instead = (" and ", " or ") if isinstance(node.op, ast.And) else (" or ", " and ")
    parts = [f"({text.of(value)})" for value in node.values]
    yield *text.span(node), f"({instead.join(parts)})"
    for at in range(len(parts)):
        yield *text.span(node), f"({written.join(parts[:at] + parts[at + 1 :])})"


_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
}


def _arithmetic(node: ast.BinOp, text: _Text) -> Iterator[Fault]:
    if isinstance(node.op, ast.BitOr | ast.BitAnd):
        for operand in (node.left, node.right):
            yield *text.span(node), f"({text.of(operand)})"
    elif (known := _ARITHMETIC.get(type(node.op))) is not None:
        start, end = text.span(node.left)[1], text.span(node.right)[0]
        yield start, end, text.source[start:end].replace(known[0], known[1], 1)


def _constant(node: ast.Constant, text: _Text) -> Iterator[Fault]:
    value = node.value
    if isinstance(value, bool):
        yield *text.span(node), str(not value)
    elif isinstance(value, int | float):
        yield *text.span(node), str(value + 1)
    elif isinstance(value, str | bytes) and value:
        if " " not in str(value).strip():
            yield *text.span(node), "''" if isinstance(value, str) else "b''"
        if isinstance(value, str) and 1 < len(value) < 20 and not re.search(r"\w", value):
            for at in range(len(value)):  # marks of which each means something
                yield *text.span(node), repr(value[:at] + value[at + 1 :])


_WITHOUT = {"lower", "upper", "strip", "lstrip", "rstrip", "casefold"}
_OTHER = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "find": "rfind",
    "rfind": "find",
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "fullmatch": "match",
    "match": "search",
    "sorted": "list",
}


def _call(node: ast.Call, text: _Text) -> Iterator[Fault]:
    function = node.func
    if isinstance(function, ast.Attribute):
        end = text.span(function)[1]
        if function.attr in _WITHOUT:
            yield *text.span(node), text.of(function.value)
        if (other := _OTHER.get(function.attr)) is not None:
            yield end - len(function.attr), end, other
    elif isinstance(function, ast.Name) and (other := _OTHER.get(function.id)) is not None:
        yield *text.span(function), other


def _without_each(elements: list[ast.expr], text: _Text) -> Iterator[Fault]:
    for element in elements:
        yield from _without(*text.span(element), text)


def _without(start: int, end: int, text: _Text) -> Iterator[Fault]:
    """An element of a list left out, with the comma behind it, or else the one ahead."""
    behind = re.compile(r"\s*,\s?").match(text.source, end)
    if behind:
        yield start, behind.end(), ""
    elif ahead := re.search(r",\s*\Z", text.source[:start]):
        yield ahead.start(), end, ""


# --- of a pattern


def _is_pattern(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


_PIECE = re.compile(
    r"""\\.                                 # nothing in here is an operator
      | \(\?<?[=!][^()]*\)                  # a lookaround without groups
      | \[\^?\]?(?:\\.|[^\]\\])*\]          # a class
      | \((?:\?:|\?P<\w+>)?                 # a group begins
      | \| [\w\\.-]*                        # another alternative
      | [*+?]\+? | \{\d+(?:,\d*)?\}\+?      # a quantifier
    """,
    re.VERBOSE | re.DOTALL,
)
_INSTEAD = {"*": "+", "+": "*", "?": "", "*+": "++", "++": "*+", "?+": ""}


def _pattern_faults(node: ast.Constant, text: _Text) -> Iterator[Fault]:
    """A quantifier that takes one more or fewer, a lookaround or an alternative left out, a class without one of its members."""
    begin, end = text.span(node)
    written = text.source[begin:end]
    for piece in _PIECE.finditer(written):
        start, stop = begin + piece.start(), begin + piece.end()
        found = piece[0]
        if found in _INSTEAD:
            yield from _if_pattern(node, text, (start, stop, _INSTEAD[found]))
        elif found.startswith(("(?=", "(?!", "(?<", "|")):
            yield from _if_pattern(node, text, (start, stop, ""))
        elif found.startswith("["):
            first = 2 if found.startswith("[^") else 1
            for member in re.finditer(r"(?:\\x..|\\.|[^\\])(?:-(?:\\x..|\\.|[^\\]))?", found[first:-1]):
                shorter = found[: first + member.start()] + found[first + member.end() :]
                if shorter not in ("[]", "[^]"):
                    yield from _if_pattern(node, text, (start, stop, shorter))


def _if_pattern(node: ast.Constant, text: _Text, fault: Fault) -> Iterator[Fault]:
    """The fault, if the text is still a pattern with it."""
    begin, end = text.span(node)
    start, stop, instead = fault
    try:
        re.compile(ast.literal_eval(text.source[begin:start] + instead + text.source[stop:end]), re.VERBOSE)
    except (re.error, SyntaxError, ValueError):
        return
    yield fault
