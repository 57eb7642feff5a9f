"""Takes the screenshots of the documentation: `make screenshots [ARGS="webhooks events"]`.

Each page of views.py, with the data of `make demo`, goes into docs/images/console: <page>-light.png,
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
from tests.console.console import CONTEXT, Console
from tests.console.views import VIEWS, View
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace
from tools import chromium

TARGET = ROOT / "docs/images/console"
DESKTOP, PHONE = (1440, 900), (360, 740)
SHOTS = (("light", "light", DESKTOP), ("phone", "light", PHONE), ("dark", "dark", DESKTOP))


def take(browser: Browser, workspace: Workspace, views: Sequence[View], target: Path) -> None:
    """Write the screenshots of these pages into a folder. Raises AssertionError for a page with problems."""
    target.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(**CONTEXT, base_url=workspace.stack.url)
    watch = Watch(context, workspace.stack.url)
    sessions: dict[str, Page] = {}
    for view in views:
        opener = view.workspace_for(workspace)
        if opener.name not in sessions:
            sessions[opener.name] = Console(context, watch, opener).open(label="Ada Lovelace")
        page = sessions[opener.name]
        page.bring_to_front()
        _go(page, f"/console{view.path_for(workspace)}")
        for name, scheme, (width, height) in SHOTS:
            show_scheme(page, scheme)
            page.set_viewport_size({"width": width, "height": height})
            _write(watch, page, target / f"{view.name}-{name}.png")
    watch.check()
    context.close()


def _go(page: Page, path: str) -> None:
    """Open another page in the same session, as a link does."""
    page.evaluate(
        "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path
    )
    page.wait_for_timeout(300)  # until the router asks for what the page needs


def _write(watch: Watch, page: Page, file: Path) -> None:
    watch.settle(page)
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
