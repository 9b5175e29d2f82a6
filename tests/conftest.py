"""For all tests: a slow machine is no counter-example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dkimgate", deadline=None)
settings.load_profile("dkimgate")
