"""The console of a local stack in Chromium. See README.md in this folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from local.testing import RunningStack, stack
from tests.console.console import CONTEXT, DEADLINE_MS, Console, Tour
from tests.console.filled import fill
from tests.console.platform import Platform, serving
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace
from tools import chromium

# Creates a Tour of a workspace, with the options of `Console.link`.
TourOf = Callable[..., Tour]

expect.set_options(timeout=DEADLINE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use this machine's Chromium, because Playwright's own is not installed."""
    with_window = not browser_type_launch_args.get("headless", True)
    return {**browser_type_launch_args, "executable_path": chromium.find(with_window=with_window)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, **CONTEXT}


@contextlib.contextmanager
def _shared(folder: Path) -> Iterator[dict[str, str]]:
    """Serve a page of the platform, and a stack whose console the page can embed. Yields their locations."""
    with serving() as page, stack(folder, parameters={"ConsoleFrameAncestors": page.origin}):
        yield {"platform": page.origin, "stack": str(folder)}


class SharedByWorkers:
    """Starts one stack for all workers, in the process that starts them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[str, str] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._found is None:
            running = contextlib.ExitStack()
            self._config.add_cleanup(running.close)
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            self._found = running.enter_context(_shared(folder))
        node.workerinput.update(self._found)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SharedByWorkers(config))


@pytest.fixture(scope="session")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The locations of the stack and the platform's page."""
    found: dict[str, str] = getattr(request.config, "workerinput", {})
    if "stack" in found:
        yield found
    else:  # there are no workers
        with _shared(tmp_path_factory.mktemp("stack")) as found:
            yield found


@pytest.fixture(scope="session")
def platform(shared: dict[str, str]) -> Platform:
    """A page of the platform that can show the console in a frame."""
    return Platform(shared["platform"])


@pytest.fixture(scope="session")
def running(shared: dict[str, str]) -> RunningStack:
    """The local stack that all tests share."""
    return RunningStack(Path(shared["stack"]))


@pytest.fixture(scope="session")
def base_url(running: RunningStack) -> str:
    """The address of the stack, for paths such as `page.goto("/console")`."""
    return running.url


@pytest.fixture
def workspace(running: RunningStack) -> Workspace:
    """A new workspace."""
    return Workspace(running)


@pytest.fixture(scope="session")
def filled(running: RunningStack) -> Workspace:
    """A workspace with resources of every kind. Tests must not change it."""
    workspace = Workspace(running)
    fill(workspace)
    return workspace


@pytest.fixture(scope="module")
def tour_of(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[TourOf]:
    """Creates tours of a workspace's pages: `tour_of(filled, role="viewer").at(view)`."""
    with contextlib.ExitStack() as ending:

        def begin(workspace: Workspace, **session: Any) -> Tour:
            tour = Tour(browser, browser_context_args, workspace, **session)
            ending.callback(tour.end)
            return tour

        yield begin


@pytest.fixture
def context(new_context: Callable[[], BrowserContext]) -> BrowserContext:
    """A browser without a cache or cookies. (In the other tests, `context` is Lambda's.)"""
    found = new_context()
    found.set_default_timeout(DEADLINE_MS)
    return found


@pytest.fixture
def watch(context: BrowserContext, running: RunningStack) -> Iterator[Watch]:
    """Collects the problems of the test's pages. The fixture fails after the test if there are any."""
    found = Watch(context, running.url)
    yield found
    found.check()


@pytest.fixture
def console(context: BrowserContext, watch: Watch, workspace: Workspace) -> Console:
    """The console of the workspace; `console.open("/webhooks", role="viewer")` shows a page."""
    return Console(context, watch, workspace)


@pytest.fixture
def open_page(context: BrowserContext, watch: Watch) -> Callable[[str], Page]:
    """Opens a path of the stack in a new tab, without a session."""

    def open_path(path: str) -> Page:
        page = context.new_page()
        page.goto(path)
        watch.settle(page)
        return page

    return open_path
