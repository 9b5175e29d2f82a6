"""Does a pattern of the operator's take time that grows faster than the text? Strangers write the text that it is
matched with, and nothing else of the daemon runs meanwhile. So it is tried, when it is loaded, on texts that patterns
are slow on."""

from __future__ import annotations

import re
import time

LONGEST = 1000
"""Characters that such a pattern sees."""

MOST_SECONDS = 0.02
"""CPU of one search; a good pattern takes a hundredth of it."""

_UNITS = (*'aA0 ;=.,-+*()[]<>@/_:x#!|"\\\t', "a ", "0.", "\\(", '"\\', "a=", "; ", "a;", "0 ", "-0")
_LITERAL = re.compile(r"[A-Za-z0-9_= :/,;@-]{1,40}")


_REGEX_PART = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|\((?:\?(?:P?<[\w=!]+>?|[:=!>]))?|\)|[*+?|]|\{\d*,\d*\}", re.DOTALL
)
_REPEATED = re.compile(r"[*+]|\{\d*,")


def repeats_repeats(pattern: str) -> bool:
    """Is a group repeated that holds a repetition or alternatives? Its time may double with each character."""
    inside = [False]
    for match in _REGEX_PART.finditer(pattern):
        part = match[0]
        if part.startswith("("):
            inside.append(False)
        elif part == ")" and len(inside) > 1:
            risky = inside.pop()
            if risky and _REPEATED.match(pattern, match.end()):
                return True
            inside[-1] = inside[-1] or risky
        elif part[0] in "*+?|{":
            inside[-1] = True
    return False


def slowness(pattern: str) -> str | None:
    """The text on which a pattern is slow, in words, or None. `pattern` must compile."""
    compiled = re.compile(pattern, re.IGNORECASE)
    literals = _LITERAL.findall(pattern)[:8]
    for unit in dict.fromkeys((*_UNITS, *literals)):
        for start in dict.fromkeys(("", *literals)):
            found = _slow_at(compiled, start, unit)
            if found is not None:
                return f"{found} characters of {unit!r}" + (f" behind {start!r}" if start else "")
    return None


def _slow_at(compiled: re.Pattern[str], start: str, unit: str) -> int | None:
    """The length at which it is slow. By small steps first: the time of some patterns doubles with each character."""
    length = 8
    while length <= LONGEST:
        text = (start + unit * length)[:length]
        if all(_seconds(compiled, text) > MOST_SECONDS for _ in range(3)):  # once may be an accident of the machine
            return length
        length += 2 if length < 40 else max(length // 4, 1)
    return None


def _seconds(compiled: re.Pattern[str], text: str) -> float:
    started = time.thread_time()
    for _ in compiled.finditer(text):
        pass
    return time.thread_time() - started
