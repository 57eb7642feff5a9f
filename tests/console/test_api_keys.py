"""API keys in the console, from creation to revocation."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.e2e.conftest import API_KEYS, Workspace


def test_key_is_created_copied_rotated_and_revoked(console: Console) -> None:
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = console.open("/api-keys")
    page.get_by_role("main").get_by_role("button", name="Create API key").first.click()
    form = page.get_by_role("dialog", name="Create an API key")
    assert_accessible(page)
    form.get_by_label("Name").fill("Orders service")
    form.get_by_role("button", name="Create API key").click()
    expect(form.get_by_text("Choose at least one scope.")).to_be_visible()
    form.get_by_role("button", name="Viewer").click()
    form.get_by_label("events: publish").check()
    expect(form.get_by_text("7 scopes selected")).to_be_visible()
    form.get_by_label("Requests per day").fill("500")
    form.get_by_role("button", name="Create API key").click()

    first = _used(page, "Orders service is ready", console.workspace)
    expect(page.get_by_role("heading", level=1)).to_have_text("Orders service")
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuetext", "1 of 500")

    page.get_by_role("button", name="Rotate").click()
    dialog = page.get_by_role("dialog", name="Rotate Orders service")
    expect(dialog.get_by_text("Now: both keys work.")).to_be_visible()
    assert_accessible(page)
    dialog.get_by_role("button", name="Rotate key").click()
    second = _used(page, "Orders service has a new key", console.workspace)
    assert first != second
    assert _works(console.workspace, first), "the old key continues"
    expect(page.get_by_text("Replaces", exact=True)).to_be_visible()

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Revoke key").click()
    confirm = page.get_by_role("dialog", name="Revoke Orders service?")
    expect(confirm.get_by_role("button", name="Cancel")).to_be_focused()
    confirm.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("This key was revoked.")).to_be_visible()
    assert not _works(console.workspace, second)
    assert _works(console.workspace, first), "only one key was revoked"
    expect(page.get_by_role("button", name="Rotate")).to_have_count(0)
    assert_accessible(page)

    page.get_by_role("row", name="Revoked").wait_for()  # in the activity log
    page.get_by_role("link", name="API keys").last.click()
    expect(page.get_by_role("row", name="Orders service")).to_have_count(2)


def test_new_key_cannot_be_closed_before_it_is_stored(console: Console) -> None:
    page = console.open("/api-keys")
    page.get_by_role("main").get_by_role("button", name="Create API key").first.click()
    form = page.get_by_role("dialog", name="Create an API key")
    form.get_by_label("Name").fill("Reader")
    form.get_by_role("button", name="Viewer").click()
    form.get_by_role("button", name="Create API key").click()
    dialog = page.get_by_role("dialog", name="Reader is ready")
    expect(dialog.get_by_role("button", name="Done")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    assert_accessible(page)
    dialog.get_by_label("I have stored the key").check()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("row", name="Reader")).to_be_visible()


def test_matrix_offers_only_what_the_session_may_grant(console: Console) -> None:
    page = console.open("/api-keys", scope="api-keys:read api-keys:write events:read")
    page.get_by_role("main").get_by_role("button", name="Create API key").first.click()
    form = page.get_by_role("dialog", name="Create an API key")
    names = form.get_by_role("checkbox").evaluate_all("each => each.map((box) => box.ariaLabel)")
    assert names == ["api-keys: read", "api-keys: write", "events: read"]
    expect(form.get_by_role("button", name="Automation apps")).to_have_count(0)
    expect(form.get_by_label("Your platform's scopes")).to_have_count(0)


def test_key_is_edited_without_changing_what_was_not_touched(console: Console) -> None:
    workspace = console.workspace
    ends = "2031-05-04T03:02:01.000Z"
    created = workspace(
        f"POST {API_KEYS}",
        json={"name": "Old name", "scopes": ["posts:read", "events:read"], "expiresAt": ends},
    )
    page = console.open(f"/api-keys/{created['id']}", capabilities=["api-keys:read", "api-keys:write"])
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)  # the key may do more than the session
    page = console.open(
        f"/api-keys/{created['id']}",
        capabilities=["api-keys:read", "api-keys:write", "events:read", "posts:read"],
    )
    page.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog", name="Edit API key")
    form.get_by_label("Name").fill("New name")
    form.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New name")
    changed = workspace(f"GET {API_KEYS}/{created['id']}")
    for field in ("scopes", "expiresAt", "rateLimitPerHour", "rateLimitPerDay", "rotation"):
        assert changed[field] == created[field]


def _used(page: Page, title: str, workspace: Workspace) -> str:
    """Copy the new key from the dialog with this title, use it once, and open its page. Returns the key."""
    dialog = page.get_by_role("dialog", name=title)
    dialog.get_by_role("button", name="Copy API key").click()
    key: str = page.evaluate("navigator.clipboard.readText()")
    assert key.startswith("sk_")
    assert dialog.get_by_text(key).is_visible()
    assert _works(workspace, key)
    dialog.get_by_label("I have stored the key").check()
    dialog.get_by_role("button", name="Open API key").click()
    expect(page.get_by_text(key)).to_have_count(0)
    return key


def _works(workspace: Workspace, key: str) -> bool:
    return workspace.ask("GET /api/me", token=key).is_success
