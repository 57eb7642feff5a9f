"""Every fenced block of the documentation is run as a reader would run it, or says why not."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from local.settings import ROOT
from local.testing import RunningStack, stack
from tests.docs.blocks import DATA, DIRECTIVES, FILES, LANGUAGES, PAGES, PROGRAMS, SHELLS, Block, of
from tests.docs.session import Session

BLOCKS = [block for page in PAGES for block in of(page)]
# How readers set up their terminal before they follow a guide.
SETUP = ROOT / "docs/get-started/set-up.md"
GUIDES = [
    ROOT / "docs" / section for section in ("guides", "operate", "reference", "troubleshooting", "security")
]
READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
}


def runs(block: Block) -> bool:
    return not block.skipped and block.language in SHELLS | PROGRAMS


def named(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else getattr(value, "where", "")


@pytest.mark.parametrize("block", BLOCKS, ids=named)
def test_block_is_run_or_marked(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block.where}: name a language of {sorted(LANGUAGES)}"
    assert not block.directive or block.directive.startswith(DIRECTIVES), f"{block.where}: {block.directive}"
    if block.language in FILES and not block.skipped:
        assert block.title, f"{block.where}: give it a title, which is its file's name"
    if block.language in DATA and not block.skipped and not block.directive and block.language in READERS:
        READERS[block.language](block.code)


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
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(runs, of(page)))], ids=named)
def test_page_works_as_written(
    page: Path, running: RunningStack, packages: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    set_up = of(SETUP) if any(page.is_relative_to(section) for section in GUIDES) else []
    session = Session(tmp_path, running, f"docs-{PAGES.index(page)}", packages)
    request.addfinalizer(session.close)
    for block in [*set_up, *of(page)]:
        if not block.skipped:
            session.run(block)
