"""The events: the stream, publishing a sample, one event's path to its webhooks, and erasing its data."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.receivers import Answer, receiver

NO_RETRIES = {"retryConfig": {"maxRetries": 0}}


def way(page: Page) -> Locator:
    """The webhooks on an event's path."""
    return page.get_by_role("list", name="The event's path to each webhook").get_by_role("listitem")


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Events, newest first").get_by_role("link")


def test_sample_is_published_and_its_way_shown(console: Console) -> None:
    mismatch = [{"path": "network", "op": "equals", "value": "no such network"}]
    with receiver([200]) as good, receiver([Answer(422, {}, b"no")]) as bad:
        console.workspace.webhook(good.url, name="Orders")
        console.workspace.webhook(bad.url, name="Audit trail", **NO_RETRIES)
        console.workspace.webhook(good.url, name="Elsewhere", filters=mismatch)
        page = console.open("/events")
        page.get_by_role("button", name="Publish a sample").first.click()
        dialog = page.get_by_role("dialog", name="Publish an event")
        dialog.get_by_placeholder("Search event types").fill("POST_PUBLISHED")
        page.get_by_role("option", name="POST_PUBLISHED").last.click()
        data = dialog.get_by_label("Data (JSON)")
        expect(data).to_contain_text('"postId"')
        assert_accessible(page)
        data.fill('{"postId": }')
        dialog.get_by_role("button", name="Publish", exact=True).click()
        expect(dialog.get_by_text("This is not a valid JSON object")).to_be_visible()
        dialog.get_by_role("button", name="Reset to the sample").click()
        dialog.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("POST_PUBLISHED")
        expect(way(page).filter(has_text="Orders")).to_contain_text("Delivered")
        expect(way(page).filter(has_text="Audit trail")).to_contain_text("Failed")
    expect(way(page).filter(has_text="Audit trail")).to_contain_text("1 of 1 attempt")
    expect(way(page).filter(has_text="Elsewhere")).to_contain_text("Not sent")
    expect(way(page).filter(has_text="Elsewhere")).to_contain_text("no such network")
    expect(page.get_by_text("1 delivered, 1 failed, 1 not sent")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Open the delivery to Audit trail").click()
    expect(page.get_by_role("dialog").get_by_text("HTTP 422").first).to_be_visible(timeout=30_000)


def test_new_events_are_announced_and_no_row_moves_by_itself(console: Console) -> None:
    console.workspace.publish()
    page = console.open("/events")
    expect(rows(page)).to_have_count(1)
    before = rows(page).first.get_attribute("href")
    console.workspace.publish()
    console.workspace.publish()
    show = page.get_by_role("button", name="Show 2 new events")
    expect(show).to_be_visible(timeout=30_000)
    assert rows(page).first.get_attribute("href") == before
    assert_accessible(page)
    show.click()
    expect(rows(page)).to_have_count(3)
    expect(show).to_be_hidden()


def test_filters_are_in_the_address(console: Console) -> None:
    console.workspace.publish()
    page = console.open("/events")
    page.get_by_label("Event type").select_option("POST_FAILED")
    expect(page.get_by_text("No matching events")).to_be_visible()
    assert page.url.endswith("type=POST_FAILED")
    page.get_by_label("Event type").select_option("")
    expect(rows(page)).to_have_count(1)


def test_data_is_erased_after_a_confirmation(console: Console) -> None:
    event = console.workspace.publish({"text": "Call me back"})
    page = console.open(f"/events/{event['id']}")
    expect(page.get_by_text("Call me back")).to_be_visible()
    page.get_by_role("button", name="Erase data").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You cannot undo this")
    assert_accessible(page)
    dialog.get_by_role("button", name="Erase data").click()
    expect(page.get_by_text("The data of this event was erased")).to_be_visible()
    expect(page.get_by_text("Call me back")).to_be_hidden()
    assert console.workspace.event(event["id"])["data"] == {}  # type: ignore[index]


def test_viewer_sees_events_and_no_button_that_changes_them(console: Console) -> None:
    event = console.workspace.publish()
    page = console.open("/events", role="viewer")
    expect(page.get_by_role("button", name="Publish a sample")).to_have_count(0)
    rows(page).first.click()
    expect(page).to_have_url(f"{console.workspace.stack.url}/console/events/{event['id']}")
    expect(page.get_by_text("No webhook subscribes")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Erase data")).to_have_count(0)


def test_caller_without_the_right_to_webhooks_sees_the_way_without_names(console: Console) -> None:
    with receiver([200]) as good:
        console.workspace.webhook(good.url, name="Orders")
        event = console.workspace.publish()
        console.workspace.settled(event["id"])
    page = console.open(f"/events/{event['id']}", scope="events:read")
    expect(way(page)).to_have_count(1)
    expect(way(page).first).to_contain_text("Delivered")
    expect(page.get_by_text("Orders")).to_have_count(0)
    expect(way(page).get_by_role("link")).to_have_count(0)
