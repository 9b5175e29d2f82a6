"""A regular expression that is compiled when it is first used: the large ones take tens of milliseconds, and neither a
start nor most commands and messages need them."""

from __future__ import annotations

import re
from functools import cached_property


class LatePattern:
    """`re.Pattern`, as far as it is used here."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern itself."""
        return re.compile(self._text)

    def match(self, text: str, at: int = 0) -> re.Match[str] | None:
        """`re.Pattern.match`."""
        return self.compiled.match(text, at)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """`re.Pattern.fullmatch`."""
        return self.compiled.fullmatch(text)
