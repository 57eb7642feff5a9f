"""User journeys on the webhook pages."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console, assert_inert
from tests.console.watch import Watch
from tests.e2e.conftest import WEBHOOKS, eventually, verify
from tests.receivers import Answer, receiver

REFUSED = Answer(422, {"content-type": "application/json"}, b'{"error": "unknown post"}')


def menu(page: Page, item: str) -> Locator:
    """Choose an item of the webhook's menu, and return the dialog that it opens."""
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name=item).click()
    return page.get_by_role("dialog")


def secret_in(place: Page | Locator) -> str:
    """The signing secret that is shown."""
    shown = place.get_by_text(re.compile(r"^whsec_"))
    expect(shown).to_be_visible()
    return shown.inner_text()


def test_first_visit_to_a_rotated_secret(console: Console) -> None:
    with receiver([200]) as hook:
        page = console.open("/webhooks")
        page.get_by_role("button", name="Add webhook").first.click()
        page.get_by_role("textbox", name="Name").fill("Orders")
        page.get_by_label("Endpoint URL").fill(hook.url)
        page.get_by_role("button", name="Add webhook").click()
        expect(page.get_by_text("Choose at least one event type.")).to_be_visible()
        page.get_by_label("Search event types").fill("published")
        page.get_by_role("checkbox", name="POST_PUBLISHED").check()
        page.get_by_role("button", name="Add filter").click()
        field = page.get_by_role("combobox", name="Field")
        field.fill("network")
        page.get_by_role("combobox", name="Value", exact=True).fill("nowhere")
        expect(page.get_by_text("Does not match", exact=True)).to_be_visible()
        page.get_by_role("combobox", name="Value", exact=True).fill("x")
        assert_accessible(page)
        page.get_by_role("button", name="Add webhook").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Orders is ready")
        secret = secret_in(page)
        page.get_by_role("button", name="Open webhook").click()

        page.get_by_role("button", name="Send test event").first.click()
        drawer = page.get_by_role("dialog")
        drawer.get_by_role("button", name="Send", exact=True).click()
        expect(drawer.get_by_text("Your endpoint responded with HTTP 200")).to_be_visible()
        assert_accessible(page)
        [tested] = hook.wait_for(1)
        verify(tested, secret)
        page.keyboard.press("Escape")

        event = console.workspace.publish({"network": "x"})
        assert set(console.workspace.settled(event["id"]).values()) == {"DELIVERED"}
        page.get_by_role("link", name="Open the POST_PUBLISHED delivery").click()
        drawer = page.get_by_role("dialog")
        expect(drawer.get_by_text("Your endpoint accepted it")).to_be_visible()
        page.keyboard.press("Escape")

        dialog = menu(page, "Rotate secret")
        dialog.get_by_role("button", name="Rotate secret").click()
        rotated = secret_in(dialog)
        assert rotated != secret
        dialog.get_by_role("button", name="Done").click()
        console.workspace.publish({"network": "x"})
        [_, _, last] = hook.wait_for(3)
        verify(last, secret)
        verify(last, rotated)
        expect(page.get_by_text(rotated)).to_have_count(0)


def test_failed_delivery_is_understood_and_replayed(console: Console) -> None:
    with receiver([REFUSED, REFUSED, 200]) as hook:
        webhook = console.workspace.webhook(hook.url, name="Audit trail", retryConfig={"maxRetries": 0})
        for _ in range(2):
            console.workspace.settled(console.workspace.publish()["id"])
        page = console.open("/webhooks")
        page.get_by_role("link", name="Audit trail").click()
        rows = page.get_by_role("link", name="Open the POST_PUBLISHED delivery")
        rows.first.click()
        drawer = page.get_by_role("dialog")
        expect(drawer.get_by_text("Your endpoint responded with HTTP 422")).to_be_visible()
        expect(drawer.get_by_role("region", name="Response body")).to_contain_text("unknown post")
        assert_accessible(page)
        drawer.get_by_role("button", name="Resend").click()
        expect(drawer.get_by_text("Your endpoint accepted it")).to_be_visible()
        page.keyboard.press("Escape")

        dialog = menu(page, "Resend deliveries")
        expect(dialog.get_by_text("1 delivery matches.")).to_be_visible()
        assert_accessible(page)
        dialog.get_by_role("button", name="Send 1 delivery").click()
        expect(page.get_by_role("tab", name="Replays")).to_have_attribute("aria-selected", "true")
        console.workspace.stack.invoke("SweepDeliveriesFunction", {"source": "aws.scheduler"})
        row = page.get_by_role("table", name="Replays, newest first").get_by_role("row").nth(1)
        expect(row).to_contain_text("Done", timeout=90_000)
        expect(row).to_contain_text("1 of 1")
        hook.wait_for(4)
    path = f"GET {WEBHOOKS}/{webhook['id']}/deliveries"
    eventually(lambda: {each["status"] for each in console.workspace(path)["items"]} == {"DELIVERED"})


def test_settings_say_what_others_changed_meanwhile(console: Console, watch: Watch) -> None:
    with receiver([200]) as hook:
        webhook = console.workspace.webhook(hook.url, name="Orders", headers={"X-Tenant": "acme"})
        path = f"{WEBHOOKS}/{webhook['id']}"
        page = console.open(f"/webhooks/{webhook['id']}")
        page.get_by_role("tab", name="Settings").click()
        page.get_by_label("Rate limit").fill("5")
        console.workspace(f"PUT {path}", json={"name": "Invoices"})
        with watch.expecting("response: 412", "console error"):
            page.get_by_role("button", name="Save changes").click()
            conflict = page.get_by_role("alert").filter(has_text="Someone else changed this webhook")
            expect(conflict).to_contain_text("They changed: name")
        assert_accessible(page)
        conflict.get_by_role("button", name="Save my changes").click()
        expect(page.get_by_text("Changes saved")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("Invoices")
        stored = console.workspace(f"GET {path}")
        assert (stored["name"], stored["rateLimitPerSecond"]) == ("Invoices", 5)
        console.workspace(f"POST {path}/test")
        assert hook.wait_for(1)[0].headers["x-tenant"] == "acme", "the masked header is kept"


def test_disabled_webhook_says_why_and_is_activated(console: Console) -> None:
    with receiver([410]) as hook:
        webhook = console.workspace.webhook(hook.url, name="Gone")
        console.workspace.settled(console.workspace.publish()["id"])
        page = console.open(f"/webhooks/{webhook['id']}")
    banner = page.get_by_role("region", name="Webhook state")
    expect(banner).to_contain_text("Patchbay disabled this webhook")
    expect(banner).to_contain_text("410 Gone")
    assert_accessible(page)
    banner.get_by_role("button", name="Activate").click()
    dialog = page.get_by_role("dialog", name="Resend deliveries")
    expect(dialog.get_by_role("checkbox", name="Missed events")).to_be_checked()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()


def test_feed_shows_its_consumers_and_how_to_read_it(console: Console) -> None:
    body = {"kind": "pull", "name": "Billing", "eventTypes": ["*"]}
    webhook = console.workspace(f"POST {WEBHOOKS}", json=body)
    event = console.workspace.publish()
    feed = f"{WEBHOOKS}/{webhook['id']}/feed"
    items = eventually(lambda: console.workspace(f"GET {feed}")["items"])
    commit = {"consumer": "billing", "sequence": items[0]["sequence"]}
    console.workspace(f"POST {feed}/commit", json=commit)
    page = console.open(f"/webhooks/{webhook['id']}")
    row = page.get_by_role("table", name="Feed consumers").get_by_role("row", name="billing")
    expect(row).to_contain_text("Up to date")
    assert items[0]["eventId"] == event["id"]
    page.get_by_role("tab", name="HTTP").click()
    expect(page.get_by_role("region", name="HTTP")).to_contain_text(feed)
    row.get_by_role("button", name="Delete billing").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete consumer").click()
    expect(page.get_by_text("No consumers yet")).to_be_visible()


def test_search_looks_only_at_what_is_loaded(console: Console, watch: Watch) -> None:
    for number in range(101):
        console.workspace.webhook("https://example.com/hook", name=f"Hook {number}")
    before = len(watch.requests)
    page = console.open("/webhooks")
    page.get_by_role("searchbox").fill("Hook 0")
    expect(page.get_by_text("No matching webhooks")).to_be_visible()
    lists = [each for each in watch.requests[before:] if urlsplit(each.url).path == WEBHOOKS]
    assert len(lists) == 1
    page.get_by_role("button", name="Search older").click()
    expect(page.get_by_role("link", name="Hook 0")).to_be_visible()
    assert_inert(page)


def test_viewer_sees_settings_but_no_button_that_changes_them(console: Console) -> None:
    webhook = console.workspace.webhook("https://example.com/hook", name="Orders")
    page = console.open(f"/webhooks/{webhook['id']}", role="viewer")
    page.get_by_role("tab", name="Settings").click()
    expect(page.get_by_label("Name")).to_have_attribute("readonly", "")
    for name in ("Save changes", "Send test event", "More actions", "Pause", "Add filter", "Add header"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    assert_accessible(page)


def test_part_of_the_console_that_an_update_removed_offers_a_reload(console: Console, watch: Watch) -> None:
    page = console.open("/webhooks")
    page.route(re.compile(r"/assets/NewWebhookPage"), lambda route: route.fulfill(status=404))
    with watch.expecting("response: 404", "console error"):
        page.get_by_role("button", name="Add webhook").first.click()
        expect(page.get_by_role("heading", name="This page could not be loaded")).to_be_visible()
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
