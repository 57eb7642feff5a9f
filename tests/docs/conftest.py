"""The stack and the packages that a reader of the documentation uses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.settings import ROOT
from local.testing import RunningStack, stack
from tests.docs.session import TSX


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with stack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Node packages with the TypeScript SDK, built from its sources."""
    sdk = ROOT / "sdks/typescript"
    if not (sdk / "node_modules").exists():
        (sdk / "node_modules").symlink_to("../../.tools/node/sdk/node_modules")
    subprocess.run(["npm", "run", "--silent", "build"], cwd=sdk, check=True)
    folder = tmp_path_factory.mktemp("packages")
    (folder / "@patchbay").mkdir()
    (folder / "@patchbay/sdk").symlink_to(sdk)
    (folder / ".bin").mkdir()
    (folder / ".bin/tsx").symlink_to(TSX)
    return folder
