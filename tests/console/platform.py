"""A page of another origin that shows the console in a frame, as the platform's does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.console.console import Console
from tests.receivers import Answer, Request, receiver

_PAGE = """<!doctype html><html lang="en"><title>Platform</title><link rel="icon" href="data:,"><script>
const messages = [];
addEventListener("message", (event) => messages.push({origin: event.origin, ...event.data}));
</script><iframe title="Integrations" src="LINK" width="1200" height="700"></iframe>"""


class Platform:
    """`origin` is that of the page."""

    def __init__(self) -> None:
        self.origin = ""
        self._link = ""

    def embed(self, console: Console, link: str) -> Page:
        """Open the page, with a link of the console in its frame."""
        self._link = link
        console.watch.allow_origin(self.origin)
        page = console.context.new_page()
        page.goto(self.origin)
        page.wait_for_load_state("networkidle")
        return page

    def answer(self, _: Request) -> Answer:
        return Answer(200, {"content-type": "text/html"}, _PAGE.replace("LINK", self._link).encode())


@contextlib.contextmanager
def serving() -> Iterator[Platform]:
    """A server with the page."""
    platform = Platform()
    with receiver([platform.answer]) as server:
        parts = urlsplit(server.url)
        platform.origin = f"{parts.scheme}://{parts.netloc}"
        yield platform


def messages(page: Page, kind: str) -> list[dict[str, Any]]:
    """The messages of a kind that the page got from the console, such as "height"."""
    found: list[dict[str, Any]] = page.evaluate("messages")
    return [each for each in found if each.get("type") == f"patchbay:{kind}"]


def send_token(page: Page, token: str, origin: str) -> None:
    """Send a token to the console in the frame, whose origin it is."""
    page.evaluate(
        "([token, origin]) => frames[0].postMessage({type: 'patchbay:token', token}, origin)", [token, origin]
    )
