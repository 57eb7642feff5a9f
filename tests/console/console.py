"""The console as a person uses it: opened by a link, and looked at when it has loaded."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Request

from tests.console.watch import Watch
from tests.e2e.conftest import Workspace

# The browser's settings in all tests and screenshots.
CONTEXT: dict[str, Any] = {
    "viewport": {"width": 1440, "height": 900},
    "locale": "en-US",
    "timezone_id": "Europe/Berlin",
    "reduced_motion": "reduce",
}
_HOSTILE = "[data-hostile], [href^='javascript:' i], [src*='evil.example'], [href*='evil.example']"


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

    def measure(self, view: str | None = None, **options: Any) -> tuple[Page, list[Request]]:
        """Open a page as a browser does that has never been here. Returns it with its requests."""
        link = self.link(view, **options)
        page = self.context.new_page()
        session = self.context.new_cdp_session(page)
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        requests: list[Request] = []
        page.on("request", lambda request: requests.append(request))
        page.goto(link)
        self.watch.settle(page)
        return page, requests


def assert_inert(page: Page) -> None:
    """Fail if one of the texts of `hostile` became a part of the page, or an address in it."""
    found = page.locator(_HOSTILE).evaluate_all("found => found.map((each) => each.outerHTML.slice(0, 200))")
    assert not found, f"parts of the page: {found}"
    assert page.evaluate("window.hostile") is None, "a text ran"
    assert urlsplit(page.url).path.startswith(("/console", "/connect")), f"the page went to {page.url}"
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"the page is {overflow} px wider than the window"
