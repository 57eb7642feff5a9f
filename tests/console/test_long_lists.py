"""Lists of 10,000 items load page by page, draw only the visible rows, and support the keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.console.console import Console

ITEMS, PAGE = 10_000, 100
# A window of 900 pixels has about 15 rows; the list draws some more above and below.
MOST_ROWS = 60


@contextmanager
def many_events(console: Console) -> Iterator[None]:
    """Respond to requests for the event list with 10,000 copies of one event, in pages of the API's size."""
    published = console.workspace.publish({"postId": "post_1"})
    (event,) = [
        item for item in console.workspace("GET /api/events")["items"] if item["id"] == published["id"]
    ]

    def answer(route: Route) -> None:
        start = int(parse_qs(urlsplit(route.request.url).query).get("cursor", ["0"])[0])
        items = [{**event, "id": f"{event['id'][:-5]}{start + number:05}"} for number in range(PAGE)]
        end = start + PAGE
        body = {"items": items, "nextCursor": str(end) if end < ITEMS else None}
        route.fulfill(content_type="application/json", body=json.dumps(body))

    console.context.route("**/api/events?*", answer)
    yield
    console.context.unroute("**/api/events?*")


def test_list_of_10_000_events_draws_the_rows_that_are_seen(console: Console) -> None:
    with many_events(console):
        page = console.open("/events")
        table = page.get_by_role("table")
        # The list loads the next page when the user scrolls near its end.
        table.evaluate(
            """list => {
                const timer = setInterval(() => list.scrollTo(0, list.scrollHeight), 30);
                setTimeout(() => clearInterval(timer), 60_000);
                window.stopScrolling = () => clearInterval(timer);
            }"""
        )
        expect(table).to_have_attribute("aria-rowcount", str(ITEMS + 1), timeout=60_000)
        last = page.locator(f"[data-index='{ITEMS - 1}'] a")
        expect(last).to_be_visible()
        page.evaluate("window.stopScrolling()")
        assert 10 < _drawn(page) < MOST_ROWS
        last.focus()
        page.keyboard.press("Home")
        expect(page.locator("[data-index='0'] a")).to_be_focused()
        page.keyboard.press("PageDown")
        assert 10 < _drawn(page) < MOST_ROWS


def _drawn(page: Page) -> int:
    return page.locator("[data-index]").count()
