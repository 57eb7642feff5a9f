"""The automation apps on the local stack, run by the platforms' own packages (Node)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.testing import RunningStack
from tests.apps.the_platform import ThePlatform, the_platform
from tests.e2e.conftest import running, workspace

__all__ = ["platform", "running", "workspace"]


@pytest.fixture
def platform(running: RunningStack) -> Iterator[ThePlatform]:
    """Whoever answers what automations ask for."""
    with the_platform(running) as platform:
        yield platform
