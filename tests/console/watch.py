"""Detects what no page of the console may do."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Frame, Page, Request, Response

_INIT = """
addEventListener("securitypolicyviolation", (event) => {
  const where = `${event.sourceFile}:${event.lineNumber}`;
  reportViolation(`${event.effectiveDirective} blocked ${event.blockedURI} at ${where} ${event.sample}`);
});
"""
_STORED = """() => [
  location.href,
  document.referrer,
  document.cookie,
  JSON.stringify({...localStorage}),
  JSON.stringify({...sessionStorage}),
]"""
# Session tokens, one-time codes, JWTs, API keys and signing secrets.
_SECRET = re.compile(r"\b[pc]ses_\w|#code=\w|\beyJ[\w-]+\.eyJ|\bsk_(?:live|test)_\w{16}|\bwhsec_\w")
# Headless Chromium sometimes does not report that a page is idle.
_IDLE = "() => new Promise((done) => requestIdleCallback(() => setTimeout(done, 50), {timeout: 1000}))"
# On busy machines, the first call of a function takes seconds. Only a failing test waits until the deadline.
DEADLINE_SECONDS = 30
_OWN_SCHEMES = ("data", "blob", "about")


class Watch:
    """Collects the problems of all pages of a browser context: errors in the console, errors of scripts,
    violations of the Content-Security-Policy, dialogs, failed requests, and requests to other origins.

    A test that expects a problem says so: `with watch.expecting("401"):`.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.problems: list[str] = []
        self.requests: list[Request] = []
        self._unanswered: dict[Page, set[Request]] = {}
        self._context = context
        self._origins = {origin}
        context.expose_binding("reportViolation", lambda _, text: self._add("violation", text))
        context.add_init_script(_INIT)
        context.on("console", self._on_console)
        context.on("dialog", self._on_dialog)
        context.on("page", self._on_page)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)
        context.on("weberror", lambda error: self._add("script error", str(error.error)))

    def allow_origin(self, origin: str) -> None:
        """Allow requests to another origin: the platform's page, or a provider's."""
        self._origins.add(origin)

    def settle(self, page: Page) -> None:
        """Wait until the page has loaded what it needs, and shows no skeleton."""
        page.wait_for_load_state()
        rest(page)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while unanswered := self._unanswered[page]:
            assert time.monotonic() < deadline, f"no answer: {[request.url for request in unanswered]}"
            page.wait_for_timeout(10)
            if not self._unanswered[page]:
                rest(page)
        page.locator("[aria-busy=true], .mantine-Skeleton-root").first.wait_for(state="detached")

    @contextmanager
    def expecting(self, *patterns: str) -> Iterator[None]:
        """Expect at least one problem that matches each pattern, and no other problems."""
        before = len(self.problems)
        yield
        found, self.problems[before:] = self.problems[before:], []
        for pattern in patterns:
            assert any(re.search(pattern, problem) for problem in found), f"no {pattern!r} in {found}"
        self.problems += [each for each in found if not any(re.search(p, each) for p in patterns)]

    def check(self) -> None:
        """Fail if a page had a problem, or stores a secret where it outlives the page."""
        for page in self._context.pages:
            if urlsplit(page.url).scheme in ("http", "https"):
                self._check_secrets(page)
        assert not self.problems, "\n".join(self.problems)

    def _check_secrets(self, page: Page) -> None:
        self.problems += [
            f"a secret in {text[:60]}" for text in page.evaluate(_STORED) if _SECRET.search(text)
        ]

    def _add(self, kind: str, text: str) -> None:
        self.problems.append(f"{kind}: {text}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._add(f"console {message.type}", f"{message.text} ({message.location.get('url', '')})")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._add("dialog", dialog.message)
        dialog.dismiss()

    def _on_page(self, page: Page) -> None:
        unanswered = self._unanswered[page] = set[Request]()

        def ended(request: Request) -> None:
            unanswered.discard(request)

        page.on("request", lambda request: unanswered.add(request))
        page.on("requestfinished", ended)
        page.on("requestfailed", ended)

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        parts = urlsplit(request.url)
        if parts.scheme not in _OWN_SCHEMES and f"{parts.scheme}://{parts.netloc}" not in self._origins:
            self._add("other origin", f"{request.method} {request.url}")
        sent = urldefrag(request.url)[0]  # a browser does not send the fragment
        if _SECRET.search(sent) or _SECRET.search(request.headers.get("referer", "")):
            self._add("secret in an address", sent)

    def _on_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # aborted: the page went away, or a script cancelled it
            self._add("failed", f"{request.method} {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._add("response", f"{response.status} {response.request.method} {response.url}")


def rest(page: Page | Frame) -> None:
    """Wait until the page's scripts are idle, and long enough for them to send more requests."""
    page.evaluate(_IDLE)


def api_calls(requests: Sequence[Request]) -> list[str]:
    """The API calls among these requests, except for the exchange of a link's code for a session."""
    lines = [f"{request.method} {urlsplit(request.url).path}" for request in requests]
    return [line for line in lines if " /api/" in line and line != "POST /api/portal/sessions/exchange"]
