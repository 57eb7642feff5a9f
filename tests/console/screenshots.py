"""Takes the screenshots of the documentation: `make screenshots [ARGS="webhooks events"]`.

It writes each page of views.py, with the data of `make demo`, to docs/images/console as <page>-light.png,
<page>-dark.png, and <page>-phone.png.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from local.demo.history import EVENT_COUNT, HOURS
from local.demo.testing import demo
from local.settings import ROOT
from tests.console.accessibility import show_scheme
from tests.console.console import CONTEXT, DESKTOP, PHONE, Tour
from tests.console.views import VIEWS, View
from tests.e2e.conftest import Workspace
from tools import chromium

TARGET = ROOT / "docs/images/console"
SHOTS = (("light", "light", DESKTOP), ("phone", "light", PHONE), ("dark", "dark", DESKTOP))


def take(browser: Browser, workspace: Workspace, views: Sequence[View], target: Path) -> None:
    """Write the screenshots of these pages to a folder. Raises AssertionError for a page with problems."""
    target.mkdir(parents=True, exist_ok=True)
    settings = {**CONTEXT, "base_url": workspace.stack.url}
    tour = Tour(browser, settings, workspace, label="Ada Lovelace")
    for view in views:
        with tour.at(view) as page:
            for name, scheme, size in SHOTS:
                show_scheme(page, scheme)
                page.set_viewport_size(size)
                tour.settle(page)
                if size == DESKTOP:
                    _fit(page)
                    tour.settle(page)
                _write(page, target / f"{view.name}-{name}.png")
    tour.end()


def _fit(page: Page) -> None:
    """Make the window as high as the page, so that the screenshot shows all of a long page."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": DESKTOP["width"], "height": max(height, DESKTOP["height"])})


def _write(page: Page, file: Path) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=file, animations="disabled")
    print(file.relative_to(file.parents[3]) if file.is_relative_to(ROOT) else file)


def main(names: Sequence[str]) -> None:
    if unknown := set(names) - {view.name for view in VIEWS}:
        known = ", ".join(view.name for view in VIEWS)
        sys.exit(f"patchbay: no page {', '.join(sorted(unknown))}; there are {known}")
    views = [view for view in VIEWS if not names or view.name in names]
    with (
        tempfile.TemporaryDirectory() as folder,
        demo(Path(folder), hours=HOURS, events=EVENT_COUNT) as running,
        sync_playwright() as driver,
    ):
        workspace = Workspace(running.stack, running.workspace)
        browser = driver.chromium.launch(executable_path=chromium.find())
        take(browser, workspace, views, TARGET)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
