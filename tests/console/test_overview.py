"""The overview: what needs attention, the health of resources, and the charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.receivers import Answer, receiver

START = datetime(2026, 3, 2, tzinfo=UTC)
NOTHING = {"p50": None, "p95": None, "p99": None}


def volume(succeeded: int, failed: int, p50: int) -> dict[str, Any]:
    attempts = succeeded + failed
    return {
        "attempts": attempts,
        "succeeded": succeeded,
        "failed": failed,
        "successRate": round(succeeded / attempts, 4) if attempts else None,
        "latencyMs": {"p50": p50, "p95": p50 * 10, "p99": p50 * 40} if attempts else NOTHING,
    }


def analytics(hours: dict[int, tuple[int, int, int]]) -> dict[str, Any]:
    """A response with these hours of a day. During a test, a local stack has not counted any hour yet."""
    none = volume(0, 0, 0)
    series = {
        "kind": "workspace",
        "id": None,
        "name": "acme",
        "deliveries": volume(sum(h[0] for h in hours.values()), sum(h[1] for h in hours.values()), 80),
        "refreshes": none,
        "points": [
            {
                "at": (START + timedelta(hours=hour)).isoformat(),
                "deliveries": volume(*values),
                "refreshes": none,
            }
            for hour, values in hours.items()
        ],
    }
    until = START + timedelta(days=1)
    return {
        "items": [series],
        "nextCursor": None,
        "since": START.isoformat(),
        "until": until.isoformat(),
        "by": "hour",
    }


def chart(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=name)


def test_disabled_webhook_is_said_first_and_leads_to_its_page(console: Console) -> None:
    with receiver([200]) as good, receiver([Answer(410, {}, b"gone")]) as gone:
        console.workspace.webhook(good.url, name="Orders")
        console.workspace.webhook(gone.url, name="Old shop")
        console.workspace.settled(console.workspace.publish()["id"])
    page = console.open("/overview")
    attention = page.get_by_role("region", name="Needs attention")
    expect(attention.get_by_role("listitem")).to_have_count(1)
    expect(attention).to_contain_text("Patchbay disabled Old shop.")
    expect(page.get_by_role("region", name="Health")).to_contain_text("1 disabled")
    assert_accessible(page)
    attention.get_by_role("link", name="Open webhook").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Old shop")


def test_console_opens_on_the_overview(console: Console) -> None:
    page = console.open()
    expect(page).to_have_url(f"{console.workspace.stack.url}/console/overview")
    expect(page.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")


def test_chart_is_read_with_the_keyboard_and_as_a_table(console: Console) -> None:
    answer = analytics({0: (90, 10, 80), 1: (50, 0, 90), 23: (1200, 3, 70)})
    console.context.route("**/api/integrations/analytics*", lambda route: route.fulfill(json=answer))
    console.workspace("POST /api/integrations", json={"name": "Mail", "type": "CUSTOM", "provider": "acme"})
    page = console.open("/overview")
    deliveries = chart(page, "Deliveries")
    expect(deliveries).to_have_attribute(
        "aria-valuetext", "1,340 deliveries succeeded and 13 failed in this period."
    )
    deliveries.focus()
    page.keyboard.press("Home")
    # Midnight in UTC is one o'clock in Berlin.
    expect(deliveries).to_have_attribute("aria-valuetext", "Mon, Mar 2, 01:00: Delivered 90, Failed 10")
    page.keyboard.press("ArrowRight")
    expect(deliveries).to_have_attribute("aria-valuetext", "Mon, Mar 2, 02:00: Delivered 50, Failed 0")
    page.keyboard.press("End")
    expect(deliveries).to_have_attribute("aria-valuetext", "Tue, Mar 3, 00:00: Delivered 1.2K, Failed 3")
    assert_accessible(page)
    rate = chart(page, "Success rate")
    rate.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    # An hour in which nothing happened has no rate: the line has a gap.
    expect(rate).to_have_attribute("aria-valuetext", "Mon, Mar 2, 03:00: Success rate No data")
    page.get_by_role("button", name="Show as a table: Success rate").click()
    table = page.get_by_role("region", name="Success rate").get_by_role("table")
    expect(table.get_by_role("row", name="Mon, Mar 2, 01:00")).to_contain_text("90%")
    expect(table.get_by_role("row", name="Mon, Mar 2, 03:00")).to_contain_text("No data")
    assert_accessible(page)


def test_period_is_in_the_address_and_asks_for_its_days(console: Console) -> None:
    console.workspace("POST /api/integrations", json={"name": "Mail", "type": "CUSTOM", "provider": "acme"})
    page = console.open("/overview")
    with page.expect_response(lambda response: "by=day" in response.url) as response:
        page.get_by_text("30 days").click()
    assert response.value.status == 200
    expect(page.get_by_text("Days are in UTC")).to_be_visible()
    assert page.url.endswith("?period=30d")


def test_page_without_its_scope_says_so(console: Console) -> None:
    page = console.open("/overview", scope="events:read")
    expect(page.get_by_text("Access denied")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Events", "Settings"])
