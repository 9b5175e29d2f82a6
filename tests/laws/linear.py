"""What the law of linear time is made of: every pattern of the package, the texts that are hard for it, and a way to time both.

A text is a prefix, a unit that is repeated, and a suffix. The units are what attackers write: octets alone and in pairs, quotation marks and
parentheses without their partners, folds, encoded-words. To these come units of the pattern itself, found in its parse tree: the
beginnings of what it matches, and what each of its repetitions repeats.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

OCTETS = "\\\"'()[]{}<>;:=@,./?*+-_!#%&|~ \t\n\r\0aAzi19\x7f\xe9\u2028"
"""One of each kind that some grammar treats apart."""

HARD = '\\"()<[;=@,. \n\t-a1'
"""Those that pairs are made of."""

LONGER = (
    *(
        "\n ",
        "\n\t",
        " \n ",
        "=?utf-8?q?",
        "=?utf-8?q?a?=",
        "=?a?b?YQ==?=",
        "=?",
        "?=",
        "a@",
        "a@b.",
        "<a@b",
        "(a)",
        "(()",
        '"a" ',
        '"\\"',
        "\\\\(",
    ),
    *(
        "a=b;",
        "a=b; ",
        ";a=",
        "; a=b c.d=e",
        "dkim=pass ",
        "dmarc=",
        "spf (",
        " header.d=",
        "i=1;",
        "b=",
        "from a by b",
        "[1.2.3.4]",
        "(HELO a)",
    ),
    *(
        "SRS0=",
        "=a=b",
        "a.b.c",
        "a-",
        "-.",
        "xn--",
        "score=1 ",
        "required=",
        "1.1",
        "spam ",
        "**",
        "v=1",
        "a:b",
        "!1",
        "..",
        " a",
        "a ",
        "\xe9a",
    ),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of any length: `of(n)` has about n characters."""

    prefix: str
    unit: str
    suffix: str

    def of(self, length: int) -> str:
        return self.prefix + self.unit * max(1, length // len(self.unit)) + self.suffix


def units(pairs: bool) -> Iterator[str]:
    """The units that strangers try everywhere."""
    yield from OCTETS
    yield from LONGER
    if pairs:
        yield from ("".join(pair) for pair in product(HARD, repeat=2) if pair[0] != pair[1])


# --- the clock -------------------------------------------------------------------------------------------------------------------

GROWTH = 6.0
"""What four times the text may cost: four times the time, and half as much for caches and noise."""

PLAIN = 11.0
"""Beyond this it grows with the square, and no noise makes that of a line: it is not measured again."""

FLOOR = 1.5e-7
"""Seconds a character that are nothing: whatever costs less at the larger size is linear enough, and too short to compare."""


LONGEST = 1.0
"""Seconds of CPU that one run may take at all: what doubles with each character would never end."""


def seconds(run: Callable[[str], object], text: str, times: int, longest: float = LONGEST) -> float:
    """CPU of this thread for one run, the least of several: what disturbs only adds. Infinite, if it had to be broken off."""
    best = float("inf")
    before = signal.signal(signal.SIGVTALRM, _break_off)
    try:
        for _ in range(times):
            start = time.thread_time()
            signal.setitimer(signal.ITIMER_VIRTUAL, longest)
            run(text)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            best = min(best, time.thread_time() - start)
    except _TooLong:
        return float("inf")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return best


class _TooLong(BaseException):
    """Not an Exception: what is timed may catch those."""


def _break_off(*_: object) -> None:
    raise _TooLong


def grows(
    run: Callable[[str], object], text: Text, length: int, floor: float = FLOOR, longest: float = LONGEST
) -> str | None:
    """None where the time grows with the text; else what was measured. A miss is measured again, longer and more often."""
    told = ""
    for more in (1, 1, 2, 2, 4):
        size = length * more
        large = seconds(run, text.of(size), 3 if told else 1, longest)
        if large <= floor * size:
            return None
        if large == float("inf"):
            return f"more than {longest:g} s for {size} characters"
        small = seconds(run, text.of(size // 4), 5, longest)
        if large <= GROWTH * small:
            return None
        again, told = told, f"{small * 1000:.2f} ms for {size // 4} characters, {large * 1000:.2f} ms for {size}"
        if again and large > PLAIN * small and large > 0.02:
            break  # not the first time, when tables may have been loaded
    return told
