"""The console as a person uses it: a link opens it, and tests look at it after it has loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, ViewportSize
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.console.views import View
from tests.console.watch import DEADLINE_SECONDS, Watch
from tests.e2e.conftest import Workspace

DEADLINE_MS = DEADLINE_SECONDS * 1000
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
# The browser's settings in all tests and screenshots.
CONTEXT: dict[str, Any] = {
    "viewport": DESKTOP,
    "locale": "en-US",
    "timezone_id": "Europe/Berlin",
    "reduced_motion": "reduce",
}
_HOSTILE = "[data-hostile], [href^='javascript:' i], [src*='evil.example'], [href*='evil.example']"
_OVERFLOW = "(document.documentElement.scrollWidth - document.documentElement.clientWidth)"

# Change the address, as a link does. When the router has loaded the other page, it shows a new heading or
# opens a drawer.
_GO = """(path) => {
  for (const part of document.querySelectorAll("h1, [role=dialog]")) part.dataset.left = "";
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}"""
_IS_THERE = "() => document.querySelector(':is(h1, [role=dialog]):not([data-left])') !== null"


class Console:
    """The console of one workspace. Each `open` is a new session in a new tab."""

    def __init__(self, context: BrowserContext, watch: Watch, workspace: Workspace) -> None:
        self.context = context
        self.watch = watch
        self.workspace = workspace

    def link(
        self, view: str | None = None, *, role: str = "owner", scope: str | None = None, **settings: Any
    ) -> str:
        """A link to a new session with the scopes of a role, or those of `scope`. `settings` are fields of
        POST /api/portal/sessions.
        """
        token = self.workspace.stack.token(
            self.workspace.name, role=None if scope else role, scope=scope, subject="someone@example.com"
        )
        body = settings if view is None else {"view": view, **settings}
        return str(self.workspace("POST /api/portal/sessions", json=body, token=token)["link"])

    def open(self, view: str | None = None, **options: Any) -> Page:
        """Open a page of the console, such as /webhooks. The options are those of `link`."""
        page = self.context.new_page()
        page.goto(self.link(view, **options))
        self.watch.settle(page)
        return page

    def go(self, page: Page, view: str) -> None:
        """Open another page of the console in the same session, as a link does."""
        page.evaluate(_GO, f"/console{view}")
        page.wait_for_function(_IS_THERE)
        self.watch.settle(page)

    def measure(self, view: str | None = None, **options: Any) -> tuple[Page, list[Request]]:
        """Open a page as on a first visit, without a cache. Returns the page and its requests."""
        link = self.link(view, **options)
        page = self.context.new_page()
        session = self.context.new_cdp_session(page)
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        requests: list[Request] = []
        page.on("request", lambda request: requests.append(request))
        page.goto(link)
        self.watch.settle(page)
        return page, requests


class Tour:
    """A session that goes from page to page, so that the browser loads shared files once. A page that only
    the platform's workspace has opens in a session of that workspace.
    """

    def __init__(
        self, browser: Browser, settings: dict[str, Any], workspace: Workspace, **session: Any
    ) -> None:
        """`session` has the options of `Console.link`."""
        self._browser = browser
        self._settings = settings
        self._workspace = workspace
        self._session = session
        self._consoles: dict[str, Console] = {}

    @contextlib.contextmanager
    def at(self, view: View) -> Iterator[Page]:
        """Show a page until the block ends, and fail if `Watch` found a problem. After a failure, the next
        page has a new session.
        """
        opener, path = view.workspace_for(self._workspace), view.path_for(self._workspace)
        console = self._consoles.get(opener.name)
        if console is None:
            context = self._browser.new_context(**self._settings)
            context.set_default_timeout(DEADLINE_MS)
            console = Console(context, Watch(context, opener.stack.url), opener)
            self._consoles[opener.name] = console
            page = console.open(path, **self._session)
        else:
            [page] = console.context.pages
            page.set_viewport_size(DESKTOP)
            console.go(page, path)
        try:
            yield page
            console.watch.check()
        except BaseException:
            self.end()
            raise

    def settle(self, page: Page) -> None:
        """Wait as `Watch.settle` does."""
        for console in self._consoles.values():
            if page in console.context.pages:
                console.watch.settle(page)

    def end(self) -> None:
        """Close the pages."""
        while self._consoles:
            _, console = self._consoles.popitem()
            console.context.close()


def assert_inert(page: Page) -> None:
    """Fail if a text of `hostile` became an element or address of the page, ran, or made it too wide."""
    found = page.locator(_HOSTILE).evaluate_all("found => found.map((each) => each.outerHTML.slice(0, 200))")
    assert not found, f"parts of the page: {found}"
    assert page.evaluate("window.hostile") is None, "a text ran"
    assert urlsplit(page.url).path.startswith(("/console", "/connect")), f"the page went to {page.url}"
    # Charts follow a new width of the window some frames later.
    with contextlib.suppress(PlaywrightTimeoutError):
        page.wait_for_function(f"() => {_OVERFLOW} <= 0", timeout=5_000)
    overflow = page.evaluate(_OVERFLOW)
    assert overflow <= 0, f"the page is {overflow} px wider than the window"
