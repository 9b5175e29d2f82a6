"""Times on the command line."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> str:
    """A time as records write it, so that text compares: an argparse type. `7d` is seven days ago."""
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    try:
        if ago:
            found = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 30m, 2h, 3d or a time such as 2026-11-21T16:20") from None
    return found.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
