"""The audit log, automations, and the settings of a workspace."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.console.watch import Watch

HOOKS = "/api/automations/zapier/hooks"


def test_change_is_found_in_the_audit_log_by_its_target(console: Console) -> None:
    workspace = console.workspace
    webhook = workspace.webhook("https://example.com/hook", name="Orders")
    workspace(f"PUT /api/integrations/webhooks/{webhook['id']}", json={"name": "Orders, new"})
    workspace.key("events:read")
    page = console.open("/audit", label="Ada Lovelace")
    expect(page.get_by_role("row", name="Created an API key")).to_be_visible()
    expect(page.get_by_role("row", name="Opened the console")).to_contain_text("Ada Lovelace")
    page.get_by_label("Filter by target").fill(webhook["id"])
    expect(page.get_by_role("row", name="Created an API key")).to_have_count(0)
    page.get_by_role("link", name="Open: Changed a webhook: name").click()
    drawer = page.get_by_role("dialog", name="Changed a webhook")
    expect(drawer.get_by_text("Request ID", exact=True)).to_be_visible()
    expect(drawer.get_by_text(webhook["id"])).to_be_visible()
    assert_accessible(page)
    drawer.get_by_role("button", name="Only this actor").click()
    expect(drawer).to_be_hidden()
    expect(page.get_by_label("Filter by actor")).to_have_value("user:developer")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("row", name="Created an API key")).to_be_visible()


def test_hook_of_an_automation_is_removed(console: Console) -> None:
    hook = {"url": "https://hooks.zapier.com/1", "eventType": "POST_PUBLISHED", "filters": []}
    console.workspace(f"POST {HOOKS}", json=hook)
    page = console.open("/automations")
    page.get_by_role("link", name="Open Post Published to Slack Message").click()
    plan = page.get_by_role("dialog", name="Post Published to Slack Message")
    expect(plan.get_by_text("The event POST_PUBLISHED")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Hooks").click()
    page.get_by_role("link", name="Open the POST_PUBLISHED hook").click()
    page.get_by_role("button", name="Remove hook").click()
    confirm = page.get_by_role("dialog", name="Remove this hook?")
    assert_accessible(page)
    confirm.get_by_role("button", name="Remove hook").click()
    expect(page.get_by_role("heading", name="No Zapier hooks")).to_be_visible()
    assert console.workspace(f"GET {HOOKS}")["items"] == []


def test_workspace_is_exported_and_then_erased(console: Console, watch: Watch) -> None:
    workspace = console.workspace
    workspace.key("events:read", name="Reader")
    capabilities = ["webhooks:read", "workspace:delete", "workspace:export"]
    page = console.open("/settings", capabilities=capabilities)
    page.get_by_role("spinbutton", name="Days").fill("7")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("The retention was changed. It applies to new data")).to_be_visible()
    assert workspace("GET /api/workspace")["retainDays"] == 7

    page.get_by_role("tab", name="Data").click()
    page.get_by_role("button", name="Export the workspace").click()
    expect(page.get_by_text("The export has started")).to_be_visible()
    workspace.stack.invoke("RunWorkspaceTasksFunction")
    link = page.get_by_role("link", name="Download")
    link.wait_for(timeout=60_000)
    assert_accessible(page)
    bucket = urlsplit(link.get_attribute("href") or "")
    watch.allow_origin(f"{bucket.scheme}://{bucket.netloc}")
    with page.expect_download() as download:
        link.click()
    assert "Reader" in download.value.path().read_text()

    page.get_by_role("button", name="Erase everything").click()
    dialog = page.get_by_role("dialog", name="Erase everything in this workspace?")
    submit = dialog.get_by_role("button", name="Erase everything")
    expect(submit).to_be_disabled()
    dialog.get_by_label("Workspace ID").fill(workspace.name.upper())
    expect(submit).to_be_disabled()
    assert_accessible(page)
    dialog.get_by_label("Workspace ID").fill(workspace.name)
    submit.click()
    expect(page.get_by_role("strong").filter(has_text="Erasure")).to_be_visible()
    tasks = page.get_by_role("region", name="Exports and erasures")
    expect(tasks.get_by_role("listitem").filter(has_text="Erasure")).to_be_visible()


def test_session_ends_itself(console: Console) -> None:
    page = console.open("/settings", label="Ada Lovelace", role="viewer")
    page.get_by_role("tab", name="Sessions").click()
    expect(page.get_by_role("region", name="Your session")).to_contain_text("Ada Lovelace")
    expect(page.get_by_text("Console sessions")).to_have_count(0)
    page.get_by_role("button", name="End this session").click()
    page.get_by_role("dialog").get_by_role("button", name="End this session").click()
    expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
    [session] = console.workspace("GET /api/portal/sessions")["items"]
    assert session["status"] == "ENDED"
