"""A page of another origin that shows the console in a frame, as the platform's page does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.console.console import Console
from tests.receivers import Answer, receiver

_PAGE = """<!doctype html><html lang="en"><title>Platform</title><link rel="icon" href="data:,"><script>
const messages = [];
addEventListener("message", (event) => messages.push({origin: event.origin, ...event.data}));
</script><body></body>"""
_EMBED = """(link) => new Promise((done) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, {title: "Integrations", width: 1200, height: 700, src: link, onload: done});
  document.body.append(frame);
})"""
_IS_SENT = "(kind) => messages.some((each) => each.type === `patchbay:${kind}`)"


@dataclass(frozen=True)
class Platform:
    """The page, identified by its origin."""

    origin: str

    def embed(self, console: Console, link: str) -> Page:
        """Open the page, with a link to the console in its frame."""
        console.watch.allow_origin(self.origin)
        page = console.context.new_page()
        page.goto(self.origin)
        page.evaluate(_EMBED, link)
        return page


@contextlib.contextmanager
def serving() -> Iterator[Platform]:
    """Serve the page until the block ends."""
    with receiver([Answer(200, {"content-type": "text/html"}, _PAGE.encode())]) as server:
        parts = urlsplit(server.url)
        yield Platform(f"{parts.scheme}://{parts.netloc}")


def messages(page: Page, kind: str) -> list[dict[str, Any]]:
    """Wait for a message of a kind, such as "height", and return all of this kind that the page got."""
    page.wait_for_function(_IS_SENT, arg=kind)
    found: list[dict[str, Any]] = page.evaluate("messages")
    return [each for each in found if each.get("type") == f"patchbay:{kind}"]


def send_token(page: Page, token: str, origin: str) -> None:
    """Send a token to the console in the frame. `origin` is the console's origin."""
    page.evaluate(
        "([token, origin]) => frames[0].postMessage({type: 'patchbay:token', token}, origin)", [token, origin]
    )
