"""The shell around the console's pages: the first load, sessions, navigation, and what a browser keeps."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console import budgets
from tests.console.accessibility import assert_accessible
from tests.console.console import PHONE, Console
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace

OpenPage = Callable[[str], Page]
ENDED = "Your session has ended"


def test_link_opens_the_console_once_and_leaves_no_trace(console: Console, watch: Watch) -> None:
    link = console.link("/webhooks")
    page = console.context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks")
    assert page.url == f"{console.workspace.stack.url}/console/webhooks"
    page.go_back()  # to the page before the link: the address with the code is not in the history
    assert "code" not in page.url
    with watch.expecting("response: 4.. POST .*/exchange", "console error"):
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("The console cannot open")
        assert_accessible(page)


def test_first_load_is_within_its_budgets(open_page: OpenPage) -> None:
    open_page("/console").close()  # so that the local stack has started the function
    page = open_page("/console")
    expect(page.get_by_role("heading")).to_have_text("Open the console from your platform")
    assert 50_000 < budgets.loaded_bytes(page) <= budgets.BASE_BYTES
    assert_accessible(page)
    budgets.assert_first_content_in_time(page, lambda: open_page("/console"))


def test_files_come_from_the_browsers_cache_on_the_second_visit(console: Console) -> None:
    console.open("/webhooks").close()
    sizes = console.open("/webhooks").evaluate(
        """performance.getEntriesByType("resource").filter((each) => each.name.includes("/assets/"))
             .map((each) => each.transferSize)"""
    )
    assert len(sizes) >= 4
    assert set(sizes) == {0}, "an asset was sent again"


def test_styles_are_allowed_by_a_nonce_that_looks_like_a_placeholder(console: Console) -> None:
    def answer(route: Route) -> None:
        response = route.fetch()
        policy = response.headers["content-security-policy"]
        nonce = re.search(r"'nonce-([\w-]+)'", policy)
        assert nonce is not None
        chosen = f"__{nonce[1][4:]}__"
        headers = {**response.headers, "content-security-policy": policy.replace(nonce[1], chosen)}
        route.fulfill(response=response, headers=headers, body=response.text().replace(nonce[1], chosen))

    console.context.route("**/console", answer)
    page = console.open("/api-keys")
    # In addition to the theme's variables, a color scheme change and a dialog add styles to the page.
    page.get_by_role("group", name="Appearance").get_by_role("radio", name="Dark").check(force=True)
    page.get_by_role("main").get_by_role("button", name="Create API key").first.click()
    expect(page.get_by_role("dialog", name="Create an API key")).to_be_visible()
    nonces = page.locator("style").evaluate_all("styles => styles.map((each) => each.nonce)")
    assert len(nonces) >= 3
    assert {nonce[:2] + nonce[-2:] for nonce in nonces} == {"____"}


@pytest.mark.parametrize("path", ["/nothing", "/webhooks/whk_unknown/nothing"])
def test_unknown_page_says_so_inside_the_console(console: Console, path: str) -> None:
    page = console.open(path)
    expect(page.get_by_text("Page not found")).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_visible()
    assert_accessible(page)


def test_reload_ends_the_visit_because_the_token_is_only_in_memory(console: Console) -> None:
    page = console.open("/webhooks")
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Open the console from your platform")


def revoke(workspace: Workspace, session: str) -> None:
    assert workspace.ask(f"DELETE /api/portal/sessions/{session}").is_success


def expire(workspace: Workspace, session: str) -> None:
    workspace.stack.client("dynamodb").update_item(
        TableName=workspace.stack.tables["SessionsTable"],
        Key={"workspaceId": {"S": workspace.name}, "id": {"S": session}},
        UpdateExpression="SET expiresAt = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )


@pytest.mark.parametrize("end", [revoke, expire])
def test_end_of_the_session_is_told_at_the_next_request(
    console: Console, watch: Watch, end: Callable[[Workspace, str], None]
) -> None:
    page = console.open("/webhooks", label="Ada")
    [session] = [
        each for each in console.workspace("GET /api/portal/sessions")["items"] if each["status"] == "ACTIVE"
    ]
    end(console.workspace, session["id"])
    with watch.expecting("response: 401", "console error"):
        page.get_by_role("button", name="Add webhook").first.click()
        expect(page.get_by_role("heading", name=ENDED)).to_be_visible()
    assert_accessible(page)


def test_keyboard_reaches_the_content_and_the_navigation(console: Console) -> None:
    page = console.open("/webhooks")
    skip = page.get_by_role("button", name="Skip to content")
    expect(skip).not_to_be_in_viewport()
    assert page.locator("a, button, input, select, [tabindex]").first.text_content() == "Skip to content"
    page.keyboard.press("Tab")
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Shift+Tab")  # to the color scheme, and then to the navigation
    page.keyboard.press("Shift+Tab")
    link = page.get_by_role("navigation").get_by_role("link").last
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(link.inner_text())


def test_color_scheme_of_the_console_is_chosen_by_its_own_switch(console: Console) -> None:
    page = console.open("/webhooks")
    for label, scheme in (("Dark", "dark"), ("Light", "light")):
        page.get_by_role("group", name="Appearance").get_by_role("radio", name=label).check(force=True)
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == scheme
    dark = console.open("/webhooks", theme={"colorScheme": "dark"})
    assert dark.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_navigation_is_a_drawer_on_a_phone(console: Console) -> None:
    page = console.open("/webhooks")
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("navigation")).to_be_hidden()
    page.get_by_role("button", name="Open navigation").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("link", name="Webhooks")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.get_by_role("button", name="Open navigation")).to_be_focused()


def test_viewer_has_no_button_that_changes_something(console: Console) -> None:
    page = console.open("/webhooks", role="viewer")
    expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks")
    expect(page.get_by_role("button", name="Add webhook")).to_have_count(0)


def test_session_without_the_pages_scope_has_no_item_in_the_navigation(console: Console) -> None:
    page = console.open(scope="events:read")
    expect(page.get_by_role("link", name="Webhooks")).to_have_count(0)
