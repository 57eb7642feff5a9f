"""The console of a local stack in Chromium. See README.md in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from local.testing import RunningStack, stack
from tests.console.console import CONTEXT, Console
from tests.console.platform import Platform, serving
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace
from tools import chromium


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Chromium of this machine: Playwright's own is not installed."""
    return {**browser_type_launch_args, "executable_path": chromium.find()}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, **CONTEXT}


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A page of the platform, which can show the console in a frame."""
    with serving() as page:
        yield page


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, platform: Platform) -> Iterator[RunningStack]:
    """A local stack of its own, shared by the tests of a worker."""
    parameters = {"ConsoleFrameAncestors": platform.origin}
    with stack(tmp_path_factory.mktemp("stack"), parameters=parameters) as running:
        yield running


@pytest.fixture(scope="session")
def base_url(running: RunningStack) -> str:
    """The address of the stack, for paths such as `page.goto("/console")`."""
    return running.url


@pytest.fixture
def workspace(running: RunningStack) -> Workspace:
    """A new workspace."""
    return Workspace(running)


@pytest.fixture
def context(new_context: Callable[[], BrowserContext]) -> BrowserContext:
    """A browser that has never been here. (In the other tests, `context` is Lambda's.)"""
    found = new_context()
    found.set_default_timeout(15_000)
    return found


@pytest.fixture
def watch(context: BrowserContext, running: RunningStack) -> Iterator[Watch]:
    """What the pages of the test may not do. It is checked after the test."""
    found = Watch(context, running.url)
    yield found
    found.check()


@pytest.fixture
def console(context: BrowserContext, watch: Watch, workspace: Workspace) -> Console:
    """The console of the workspace; `console.open("/webhooks", role="viewer")` shows a page."""
    return Console(context, watch, workspace)


@pytest.fixture
def open_page(context: BrowserContext, watch: Watch) -> Callable[[str], Page]:
    """Open a path of the stack in a new tab, without a session."""

    def open_path(path: str) -> Page:
        page = context.new_page()
        page.goto(path)
        watch.settle(page)
        return page

    return open_path
