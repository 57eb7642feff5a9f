"""Takes the screenshots of the documentation: `make screenshots [ARGS="webhooks events"]`.

Each page of views.py, light and dark, on a desktop and on a phone, goes into docs/images/console as
<page>-<scheme>.png and <page>-<scheme>-phone.png. The browser's clock stands still.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from local.settings import ROOT
from local.testing import stack
from tests.console.accessibility import show_scheme
from tests.console.console import CONTEXT, Console, settle
from tests.console.filled import fill
from tests.console.views import VIEWS, View
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace
from tools import chromium

TARGET = ROOT / "docs/images/console"
SIZES = {"": (1440, 900), "-phone": (360, 740)}
SCHEMES = ("light", "dark")


def take(browser: Browser, workspace: Workspace, views: Sequence[View], target: Path, now: float) -> None:
    """Write the screenshots of these pages into a folder. Raises AssertionError for a page with problems."""
    target.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(**CONTEXT, base_url=workspace.stack.url)
    context.clock.set_fixed_time(now)
    watch = Watch(context, workspace.stack.url)
    console = Console(context, watch, workspace)
    for view in views:
        page = console.open(view.path_for(workspace), label="Ada Lovelace")
        for scheme in SCHEMES:
            show_scheme(page, scheme)
            for suffix, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                _write(page, target / f"{view.name}-{scheme}{suffix}.png")
        page.close()
    context.close()
    watch.check()


def _write(page: Page, file: Path) -> None:
    settle(page)
    page.mouse.move(0, 0)
    page.screenshot(path=file, animations="disabled")
    print(file.relative_to(file.parents[3]) if file.is_relative_to(ROOT) else file)


def main(names: Sequence[str]) -> None:
    if unknown := set(names) - {view.name for view in VIEWS}:
        known = ", ".join(view.name for view in VIEWS)
        sys.exit(f"patchbay: no page {', '.join(sorted(unknown))}; there are {known}")
    views = [view for view in VIEWS if not names or view.name in names]
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as running, sync_playwright() as driver:
        workspace = Workspace(running, "acme")
        fill(workspace)
        browser = driver.chromium.launch(executable_path=chromium.find())
        take(browser, workspace, views, TARGET, time.time())
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
