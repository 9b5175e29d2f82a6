"""For all tests: a slow machine is no counter-example, and a change is judged by its own faults.

Properties draw the same examples each time, but where `DKIMGATE_SEED` is `fresh`, as in `make laws`.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("dkimgate", deadline=None, derandomize=os.environ.get("DKIMGATE_SEED") != "fresh", database=None)
settings.load_profile("dkimgate")
