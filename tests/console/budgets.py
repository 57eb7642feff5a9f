"""What a page may cost on its first load."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

BASE_BYTES = 160 * 1024
FIRST_CONTENT_MS = 1000
API_CALLS = 3

_FIRST_CONTENT = """() => new Promise((resolve) => {
  const [entry] = performance.getEntriesByName("first-contentful-paint");
  if (entry) { resolve(entry.startTime); return; }
  new PerformanceObserver((list) => {
    for (const each of list.getEntriesByName("first-contentful-paint")) resolve(each.startTime);
  }).observe({type: "paint", buffered: true});
})"""


def loaded_bytes(requests: Sequence[Request]) -> int:
    """The size of the scripts and styles in these requests, as they came over the network."""
    return sum(
        request.sizes()["responseBodySize"]
        for request in requests
        if urlsplit(request.url).path.endswith((".js", ".css"))
    )


def first_content_ms(page: Page) -> float:
    """The time from the navigation to the first content."""
    return float(page.evaluate(_FIRST_CONTENT))
