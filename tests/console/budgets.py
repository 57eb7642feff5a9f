"""The budgets for the first load of a page."""

from __future__ import annotations

import os
from collections.abc import Callable

from playwright.sync_api import Page

BASE_BYTES = 160 * 1024
FIRST_CONTENT_MS = 1000
API_CALLS = 3
_TRIES = 5

_LOADED_BYTES = """performance.getEntriesByType("resource")
  .filter((each) => /\\.(js|css)$/.test(each.name))
  .reduce((total, each) => total + each.encodedBodySize, 0)"""
_FIRST_CONTENT = """() => new Promise((resolve) => {
  const [entry] = performance.getEntriesByName("first-contentful-paint");
  if (entry) { resolve(entry.startTime); return; }
  new PerformanceObserver((list) => {
    for (const each of list.getEntriesByName("first-contentful-paint")) resolve(each.startTime);
  }).observe({type: "paint", buffered: true});
})"""


def loaded_bytes(page: Page) -> int:
    """The size in bytes of the scripts and styles that the page has loaded, compressed as they were sent."""
    return int(page.evaluate(_LOADED_BYTES))


def assert_first_content_in_time(page: Page, open_again: Callable[[], Page]) -> None:
    """Fail if the first content is late in every try. On a busy machine, it is sometimes late."""
    times = [float(page.evaluate(_FIRST_CONTENT))]
    while (late := times[-1] >= _limit()) and len(times) < _TRIES:
        again = open_again()
        times.append(float(again.evaluate(_FIRST_CONTENT)))
        again.close()
    assert not late, f"the first content came after {times} ms"


def _limit() -> float:
    """The budget in ms, which grows with the load if more than two processes wait for each processor."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return FIRST_CONTENT_MS * max(1, waiting / 2)
