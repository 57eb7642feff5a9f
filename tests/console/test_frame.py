"""The platform's page can show the console in a frame, and no other page can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.console.console import Console
from tests.console.platform import Platform, messages, send_token, serving
from tests.console.watch import Watch, rest
from tests.e2e.conftest import Workspace

REFUSED = ("frame-ancestors", "ERR_BLOCKED_BY_RESPONSE")


@pytest.fixture
def stranger() -> Iterator[Platform]:
    """A page that the parameter ConsoleFrameAncestors does not name."""
    with serving() as page:
        yield page


def test_console_tells_the_platforms_page_its_height_and_its_end(
    console: Console, platform: Platform, watch: Watch
) -> None:
    page = platform.embed(console, console.link("/webhooks", label="Ada"))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Webhooks")
    assert messages(page, "height")[-1]["height"] > 100
    assert {each["origin"] for each in messages(page, "height")} == {console.workspace.stack.url}
    sessions = console.workspace("GET /api/portal/sessions")["items"]
    [session] = [each for each in sessions if each["status"] == "ACTIVE"]
    assert console.workspace.ask(f"DELETE /api/portal/sessions/{session['id']}").is_success
    with watch.expecting("response: 401", "console error"):
        frame.get_by_role("button", name="Add webhook").first.click()
        expect(frame.get_by_role("heading", name="Your session has ended")).to_be_visible()
    assert len(messages(page, "session-ended")) == 1


def test_token_of_another_workspace_replaces_all_that_the_page_shows(
    console: Console, platform: Platform
) -> None:
    first, second = console.workspace, Workspace(console.workspace.stack)
    first.webhook("https://example.com/", name="Of the first")
    second.webhook("https://example.com/", name="Of the second")
    page = platform.embed(console, console.link("/webhooks"))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("Of the first")).to_be_visible()
    send_token(page, second.token, first.stack.url)
    expect(frame.get_by_text("Of the second")).to_be_visible()
    expect(frame.get_by_text("Of the first")).to_have_count(0)


def test_last_token_counts_even_if_its_answer_comes_first(console: Console, platform: Platform) -> None:
    first, second = console.workspace, Workspace(console.workspace.stack)
    page = platform.embed(console, f"{first.stack.url}/console")
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if first.token in route.request.headers["authorization"]:
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/me", hold_first)
    for token in (first.token, second.token):
        send_token(page, token, first.stack.url)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text(second.name).first).to_be_visible()
    with page.expect_response("**/api/me"):
        held[0].continue_()
    rest(page.frames[1])
    expect(frame.get_by_text(second.name).first).to_be_visible()
    expect(frame.get_by_text(first.name)).to_have_count(0)


@pytest.mark.parametrize("path", ["/console", "/connect", "/connect/return"])
def test_page_of_another_origin_cannot_show_it(
    console: Console, stranger: Platform, watch: Watch, path: str
) -> None:
    with watch.expecting(*REFUSED):
        assert_refused(stranger.embed(console, console.workspace.stack.url + path))


@pytest.mark.parametrize("path", ["/connect", "/connect/return"])
def test_connect_pages_are_in_nobodys_frame(
    console: Console, platform: Platform, watch: Watch, path: str
) -> None:
    with watch.expecting(*REFUSED):
        assert_refused(platform.embed(console, console.workspace.stack.url + path))


def assert_refused(page: Page) -> None:
    [frame] = page.main_frame.child_frames
    assert frame.url.startswith("chrome-error:")
    assert page.evaluate("messages") == []
