"""The automation apps on the local stack, run by the platforms' own Node packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.testing import RunningStack
from tests.apps.n8n_package import copy_package, n8n_tool
from tests.apps.the_platform import ThePlatform, the_platform
from tests.e2e.conftest import running, workspace

__all__ = ["platform", "running", "workspace"]


@pytest.fixture
def platform(running: RunningStack) -> Iterator[ThePlatform]:
    """The platform, which answers action requests."""
    with the_platform(running) as platform:
        yield platform


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The n8n package, built by n8n's own tool."""
    folder = copy_package(tmp_path_factory.mktemp("n8n") / "n8n-nodes-patchbay")
    n8n_tool("build", folder)
    return folder
