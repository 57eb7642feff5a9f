"""Flows in the console: building, trying out, running, and inspecting them step by step."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, Page, expect

from tests.console import provider
from tests.console.accessibility import assert_accessible
from tests.console.console import PHONE, Console
from tests.console.filled import MENTION, run_flow
from tests.e2e.conftest import eventually
from tests.receivers import receiver

# You need these scopes to build a flow with a request. By default, a session has no scope for credentials.
REQUEST_SCOPES = [
    *("flows:read", "flows:write", "credentials:use", "connections:read", "integrations:read"),
    *("webhooks:read", "events:read"),
]
NEGATIVE = {**MENTION, "sentiment": "negative"}


def node(page: Page, name: str) -> Locator:
    """A step on the canvas, or in the outline."""
    return page.locator("[data-node]").filter(has_text=name)


def expect_order(page: Page, *ids: str) -> None:
    """The steps of the page are these, in this order."""
    steps = page.locator("[data-node]:not([data-node=trigger])")
    expect(steps).to_have_count(len(ids))
    for position, id in enumerate(ids):
        expect(steps.nth(position)).to_have_attribute("data-node", id)


def test_flow_is_built_tried_and_run(console: Console) -> None:
    with receiver([200]) as hook:
        for name in ("Team channel", "Archive"):
            console.workspace.webhook(hook.url, name=name, eventTypes=["POST_FAILED"])
        page = console.open("/flows")
        page.get_by_role("link", name="New flow").first.click()
        page.get_by_role("link", name="Raise negative mentions").click()
        page.get_by_role("link", name="Open in the editor").click()

        page.get_by_role("button", name="Save and activate").click()
        expect(page.get_by_role("alert")).to_contain_text("Tell the team: Choose a webhook.")
        page.get_by_role("combobox", name="Webhook").click()
        page.get_by_role("option", name=re.compile("Team channel")).click()
        page.get_by_role("button", name="Insert a value into Value of url").click()
        expect(page.get_by_role("combobox", name="Search values")).to_be_focused()
        page.keyboard.type("authorHandle")
        page.get_by_role("option", name=re.compile("authorHandle")).click()
        expect(page.get_by_label("Value of url", exact=True)).to_have_value(
            "{{event.data.url}}{{event.data.authorHandle}}"
        )

        page.get_by_role("button", name="Dry run", exact=True).click()
        expect(page.get_by_text("A filter would stop the run.")).to_be_visible()
        node(page, "When").click()
        page.get_by_label("Sample data").fill(json.dumps(NEGATIVE))
        page.get_by_role("button", name="Run again").click()
        expect(page.get_by_text("The run would succeed.")).to_be_visible()
        page.get_by_role("button", name="Next step").click()
        page.get_by_role("button", name="Next step").click()
        expect(page.get_by_role("region", name="Step input")).to_contain_text("Ines Duarte on x")
        assert_accessible(page)

        page.get_by_role("button", name="Save and activate").click()
        expect(page.get_by_text("Active", exact=True)).to_be_visible()
        expect(page).to_have_url(re.compile(r"/console/flows/flw_\w+$"))
        assert hook.requests == [], "a dry run sends nothing"
        page.get_by_role("button", name="Add a step after Is it negative?").click()
        page.get_by_role("menuitem", name=re.compile("^Wait")).click()
        expect(page.get_by_label("Step name")).to_be_focused()
        page.get_by_label("Duration").fill("1")
        page.get_by_label("Unit").select_option("seconds")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Unsaved changes")).to_have_count(0)

        console.workspace("POST /api/events", json={"type": "MENTION_RECEIVED", "data": NEGATIVE})
        [request] = eventually(lambda: list(hook.requests))
        sent = json.loads(request.body)["data"]
        assert sent["summary"] == f"Ines Duarte on x: {MENTION['text']}"
        assert sent["url"] == f"{MENTION['url']}@inesbakes"
        assert sent["followers"] == 2140

        page.get_by_role("tab", name="Runs").click()
        assert_accessible(page)
        page.get_by_role("link", name="Open the run for MENTION_RECEIVED").click()
        expect(page.get_by_role("main")).to_contain_text("Succeeded")
        node(page, "Tell the team").click()
        expect(page.get_by_role("region", name="Output")).to_contain_text("deliveryId")
        delivery = page.get_by_role("region", name="Delivery", exact=True)
        expect(delivery).to_contain_text("Delivered")
        expect(delivery).to_contain_text("1 attempt · Latest response: 200")
        assert_accessible(page)
        page.get_by_role("link", name="Open the delivery").click()
        expect(page.get_by_role("dialog")).to_contain_text("Delivered")


def test_template_of_the_marketplace_becomes_a_flow_in_one_click(console: Console) -> None:
    """The only webhook is already selected, so one click creates an active flow, which then runs."""
    with receiver([200]) as hook:
        console.workspace.webhook(hook.url, name="Pager", eventTypes=["CAMPAIGN_STARTED"])
        page = console.open("/marketplace", role="admin")
        page.get_by_role("searchbox").fill("Post Failed")
        page.get_by_role("link", name="Post Failed to Email").click()
        drawer = page.get_by_role("dialog", name="Post Failed to Email")
        expect(drawer.get_by_role("button", name="Install the plan")).to_be_visible()
        assert_accessible(page)
        drawer.get_by_role("link", name="Create flow").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Failed posts to a webhook")
        expect(page.get_by_role("combobox", name="Alert webhook")).to_have_value(f"Pager · {hook.url}")
        assert_accessible(page)

        page.get_by_role("button", name="Create flow").click()
        page.wait_for_url(re.compile(r"/console/flows/flw_\w+$"))
        expect(page.get_by_text("Active", exact=True)).to_be_visible()
        failed = {"postId": "post_1", "network": "x", "errorCode": "too_long", "errorMessage": "Too long"}
        console.workspace("POST /api/events", json={"type": "POST_FAILED", "data": failed})
        [request] = eventually(lambda: list(hook.requests))
        assert json.loads(request.body)["data"] == {"subject": "A post on x failed", "body": "Too long"}

        page.get_by_role("main").get_by_role("link", name="Flows").click()
        expect(page.get_by_role("row", name=re.compile("Failed posts"))).to_contain_text("Succeeded")
        assert_accessible(page)


def test_template_gets_a_new_webhook_and_an_account(console: Console) -> None:
    with receiver([200]) as hook:
        page = console.open("/flows/new")
        page.get_by_role("link", name="Remind of approvals").click()
        with console.watch.expecting("response: 422", "console error"):
            page.get_by_role("button", name="Create flow").click()
            expect(page.get_by_text("is missing. Team webhook:")).to_be_visible()
        page.get_by_role("link", name="Add a webhook").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Add a webhook")
        page.get_by_label("Name").fill("Crew")
        page.get_by_label("Endpoint URL").fill(hook.url)
        page.get_by_label("Search event types").fill("published")
        page.get_by_role("checkbox", name="POST_PUBLISHED").check()
        page.get_by_role("button", name="Add webhook").click()
        page.get_by_role("button", name="Use it in your flow").click()
        expect(page.get_by_role("combobox", name="Team webhook")).to_have_value(f"Crew · {hook.url}")
        page.get_by_role("button", name="Create flow").click()
        page.wait_for_url(re.compile(r"/console/flows/flw_\w+$"))
    page = console.open("/flows/templates/campaign_thanks")
    page.get_by_role("textbox", name="Account").fill("acc_7")
    page.get_by_role("textbox", name="Name").fill("Thank everybody")
    page.get_by_role("button", name="Create flow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank everybody")
    [made, reminder] = console.workspace("GET /api/flows")["items"]
    assert made["steps"][0]["input"]["accountId"] == "acc_7"
    assert {made["status"], reminder["status"]} == {"ACTIVE"}


def test_flow_that_fails_is_seen_first(console: Console) -> None:
    trigger = {"type": "event", "eventTypes": ["MENTION_RECEIVED"]}
    input = {"name": "{{event.data.nothing}}"}
    ask = {"id": "ask", "type": "action", "action": "create_campaign", "input": input}
    flow = {"name": "Campaign of mentions", "trigger": trigger, "steps": [ask]}
    id = console.workspace("POST /api/flows", json=flow)["id"]
    for _ in range(3):
        console.workspace("POST /api/events", json={"type": "MENTION_RECEIVED", "data": MENTION})
    eventually(lambda: len(console.workspace(f"GET /api/flows/{id}/runs?status=FAILED")["items"]) == 3)
    page = console.open("/flows", role="viewer")
    row = page.get_by_role("row", name=re.compile("Campaign of mentions"))
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("3 of the last 3")
    page = console.open("/overview", role="viewer")
    expect(page.get_by_text("The latest runs of the flow Campaign of mentions failed.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name=re.compile("^See failed runs")).click()
    expect(page.get_by_role("link", name="Open the run for MENTION_RECEIVED")).to_have_count(3)


def test_flow_calls_a_provider_with_a_connection(console: Console) -> None:
    with provider.serving() as url:
        integration = provider.integration(console.workspace, url)
        provider.connect(console.workspace, integration, "shop")
        assert [one["connectionId"] for one in console.workspace("GET /api/connections")["items"]] == ["shop"]
        page = console.open("/flows", capabilities=REQUEST_SCOPES)
        page.get_by_role("link", name="New flow").first.click()
        page.get_by_role("link", name="Empty flow").click()
        node(page, "When").click()
        page.get_by_role("combobox", name="Event types").click()
        page.get_by_role("option", name=re.compile("MENTION_RECEIVED")).click()
        page.keyboard.press("Escape")
        page.get_by_role("button", name=re.compile("^Add a step after When")).click()
        page.get_by_role("menuitem", name=re.compile("^Call a provider")).click()
        page.get_by_role("button", name="Save and activate").click()
        expect(page.get_by_role("alert")).to_contain_text("Call a provider: Choose a connection.")
        page.get_by_role("textbox", name="Name", exact=True).fill("Keep notes")
        node(page, "Call a provider").click()
        page.get_by_role("combobox", name="Connection").click()
        page.get_by_role("option", name="Chirrup · shop").click()
        page.get_by_role("textbox", name="Path or URL").fill("/chirrup/api/notes/{{event.data.network}}")
        page.get_by_role("button", name="Add parameter").click()
        page.get_by_label("Name of parameter 1", exact=True).fill("limit")
        page.get_by_label("Value of parameter limit", exact=True).fill("2")
        page.get_by_role("button", name="Add header").click()
        page.get_by_label("Name of header 1", exact=True).fill("X-Source")
        page.get_by_label("Value of header X-Source", exact=True).fill("{{event.type}}")
        page.get_by_role("combobox", name="Body").select_option("Custom fields")
        page.get_by_role("button", name="Add field").click()
        page.get_by_label("Name of field 1", exact=True).fill("text")
        page.get_by_label("Value of text", exact=True).fill("{{event.data.text}}")
        assert_accessible(page)

        page.get_by_role("button", name="Dry run", exact=True).click()
        expect(page.get_by_text("The run would succeed.")).to_be_visible()
        expect(page.get_by_role("region", name="Step input")).to_contain_text("/chirrup/api/notes/x")
        page.get_by_role("button", name="Save and activate").click()
        expect(page.get_by_text("Active", exact=True)).to_be_visible()
        expect(node(page, "Call a provider")).to_contain_text("POST /chirrup/api/notes")

        console.workspace("POST /api/events", json={"type": "MENTION_RECEIVED", "data": MENTION})
        page.get_by_role("tab", name="Runs").click()
        page.get_by_role("link", name="Open the run for MENTION_RECEIVED").click()
        expect(page.get_by_role("main")).to_contain_text("Succeeded")
        node(page, "Call a provider").click()
        output = page.get_by_role("region", name="Output")
        expect(output).to_contain_text("acct_juniper")
        expect(output).to_contain_text("/api/notes/x")
        assert_accessible(page)


def test_flow_is_edited_with_the_keyboard(console: Console) -> None:
    with receiver([200]) as hook:
        run_flow(console.workspace, console.workspace.webhook(hook.url)["id"])
    page = console.open("/flows")
    page.get_by_role("link", name="Mentions").click()
    expect(page.locator("[data-node]")).to_have_count(7)
    assert_accessible(page)
    expect_order(page, "is_x", "pause", "later", "tell", "is_negative", "answer")

    node(page, "From X?").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Alt+ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("[data-node=tell]")).to_be_focused()
    expect_order(page, "is_x", "pause", "later", "is_negative", "tell", "answer")
    page.keyboard.press("Control+d")
    expect_order(page, "is_x", "pause", "later", "is_negative", "tell", "tell_2", "answer")
    page.keyboard.press("Delete")
    expect(page.locator("[data-node=tell]")).to_have_count(0)
    expect(page.locator("[data-node=tell_2]")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    expect(page.locator("[data-node]:focus")).to_have_count(1)
    page.keyboard.press("Control+y")
    expect_order(page, "is_x", "pause", "later", "is_negative", "tell", "answer")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    node(page, "From X?").click()
    page.get_by_role("button", name="Remove step").click()
    expect(page.locator("[data-node][aria-current]")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-node][aria-current]")).to_be_focused()
    expect(page.get_by_text("Unsaved changes")).to_have_count(0)

    page.get_by_text("JSON", exact=True).click()
    text = page.get_by_role("textbox", name="The flow as JSON")
    definition = json.loads(text.input_value())
    text.fill(json.dumps({**definition, "steps": [{"id": "only", "type": "wait", "seconds": 60}]}))
    page.get_by_text("Outline", exact=True).click()
    expect(page.get_by_role("region", name="The flow, step by step")).to_be_visible()
    expect_order(page, "only")
    assert_accessible(page)

    page.get_by_role("link", name="Webhooks").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your changes to this flow are lost.")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.get_by_role("link", name="Webhooks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks")


def test_form_of_a_removed_step_closes_on_a_phone(console: Console) -> None:
    with receiver([200]) as hook:
        flow = run_flow(console.workspace, console.workspace.webhook(hook.url)["id"])
    page = console.open(f"/flows/{flow}")
    page.set_viewport_size(PHONE)
    page.locator("[data-node=tell]").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Duplicate").click()
    form.get_by_role("button", name="Remove step").click()
    expect(form).to_be_hidden()
    expect(page.locator("[data-node=is_negative]")).to_be_focused()
    expect_order(page, "is_x", "pause", "later", "tell", "is_negative", "answer")


def test_viewer_sees_a_flow_and_cannot_change_it(console: Console) -> None:
    with receiver([200]) as hook:
        flow = run_flow(console.workspace, console.workspace.webhook(hook.url)["id"])
    page = console.open("/flows", role="viewer")
    expect(page.get_by_role("link", name="New flow")).to_have_count(0)
    page = console.open(f"/flows/{flow}", role="viewer")
    expect(page.get_by_text("You can view this flow")).to_be_visible()
    for name in ("Save", "Save and activate", "Activate", "Undo", "More actions"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^Add a step"))).to_have_count(0)
    node(page, "From X?").click()
    expect(page.get_by_label("Step name")).to_be_disabled()
    assert_accessible(page)
