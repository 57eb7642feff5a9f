"""Connecting an account: by a link in a private window, in the console, and in the console inside a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from local.testing import RunningStack
from tests.console import provider
from tests.console.accessibility import assert_accessible
from tests.console.console import DEADLINE_MS, PHONE, Console, assert_inert
from tests.console.hostile import TEXTS
from tests.console.platform import Platform
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace

LINKS = "/api/connect/sessions"
# The number of integrations with hostile texts in one link.
LINK_HOLDS = 6


@pytest.fixture(scope="module")
def chirrup() -> Iterator[str]:
    """The URL of a running provider."""
    with provider.serving() as url:
        yield url


@pytest.fixture
def integration(workspace: Workspace, chirrup: str, watch: Watch) -> str:
    """The ID of an integration of the provider."""
    watch.allow_origin(chirrup)
    return provider.integration(workspace, chirrup)


class Visitor:
    """A person who received a link."""

    def __init__(self, context: BrowserContext, watch: Watch) -> None:
        self.context = context
        self.watch = watch

    def open(self, link: str) -> Page:
        page = self.context.new_page()
        page.goto(link)
        self.watch.settle(page)
        return page


@pytest.fixture
def private(
    new_context: Callable[[], BrowserContext], running: RunningStack, chirrup: str
) -> Iterator[Visitor]:
    """A person in a private window, without a login."""
    context = new_context()
    context.set_default_timeout(DEADLINE_MS)
    watch = Watch(context, running.url)
    watch.allow_origin(chirrup)
    yield Visitor(context, watch)
    watch.check()


def decide(page: Page, button: str, decision: str) -> None:
    """Click the button that opens the provider's page, and decide there."""
    with page.expect_popup() as opened:
        page.get_by_role("button", name=button).click()
    opened.value.get_by_role("button", name=decision).click()


def link_of(workspace: Workspace, *integrations: str, **settings: object) -> str:
    body = {"integrations": list(integrations), **settings}
    return str(workspace(f"POST {LINKS}", json=body)["link"])


def test_account_is_connected_by_a_link_in_a_private_window(
    console: Console, integration: str, private: Visitor
) -> None:
    page = console.open("/connections/links", role="member")
    page.get_by_role("button", name="Create connect link").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Who gets access").fill("Juniper & Rye")
    dialog.get_by_label("Requested by").fill("Maren Oduya")
    dialog.get_by_label("Connection name").fill("shop-7")
    dialog.get_by_role("button", name="Create connect link").click()
    link = dialog.locator("code").inner_text()
    assert_accessible(page)
    dialog.get_by_role("button", name="Done").click()

    visit = private.open(link)
    assert visit.url == f"{console.workspace.stack.url}/connect"
    expect(visit.get_by_role("heading", level=1)).to_have_text(
        "Juniper & Rye asks you to connect your Chirrup account"
    )
    expect(visit.get_by_text("Maren Oduya", exact=True)).to_be_visible()
    expect(visit.locator("dd code", has_text=console.workspace.name)).to_be_visible()
    expect(visit.get_by_text("posts:write")).to_be_visible()
    assert_accessible(visit)
    with private.watch.expecting("response: 422", "console error"):
        decide(visit, "Continue to Chirrup", "Deny")
        expect(visit.get_by_role("alert")).to_contain_text("Chirrup did not grant access")
        assert_accessible(visit)
    decide(visit, "Try again", "Allow")
    expect(visit.get_by_role("heading", level=1)).to_have_text("Chirrup is connected")
    assert_accessible(visit)

    again = private.open(link)
    expect(again.get_by_role("heading", level=1)).to_have_text("This link was already used")

    page.reload()  # ends the visit
    page = console.open("/connections/links", role="viewer")
    row = page.get_by_role("row").filter(has_text="shop-7")
    expect(row.get_by_text("Used")).to_be_visible()
    row.get_by_role("button").click()
    page.get_by_role("link", name="View account").click()
    expect(page.get_by_role("dialog").get_by_text("The connection works")).to_be_visible()
    [connection] = console.workspace("GET /api/connections")["items"]
    assert connection["createdBy"].startswith("connect:cse_")


def test_revoked_link_says_so(console: Console, integration: str, private: Visitor) -> None:
    link = link_of(console.workspace, integration, requestedBy="Ada")
    page = console.open("/connections/links", role="member")
    page.get_by_role("button", name="Ada").click()
    page.get_by_role("button", name="Revoke link").click()
    page.get_by_role("dialog", name="Revoke this link?").get_by_role("button", name="Revoke link").click()
    expect(page.get_by_text("The link was revoked")).to_be_visible()
    with private.watch.expecting("response: 401", "console error"):
        visit = private.open(link)
        expect(visit.get_by_role("heading", level=1)).to_have_text("This link no longer works")
        expect(visit.get_by_text("was revoked")).to_be_visible()
    assert_accessible(visit)


def test_link_asks_for_keys_where_the_provider_needs_them(workspace: Workspace, private: Visitor) -> None:
    body = {"name": "Newsletter", "type": "MARKETING_AUTOMATION", "provider": "activecampaign"}
    id = workspace("POST /api/integrations", json=body)["id"]
    visit = private.open(link_of(workspace, id, workspaceName="Juniper & Rye"))
    visit.get_by_role("textbox", name="API key").fill("a" * 72)
    visit.get_by_label("API URL").fill("http://169.254.169.254")
    with private.watch.expecting("response: 422", "console error"):
        visit.get_by_role("button", name="Connect account").click()
        expect(visit.get_by_label("API URL")).to_have_attribute("aria-invalid", "true")
        assert_accessible(visit)
    visit.get_by_label("API URL").fill("https://juniper.api-us1.com")
    visit.get_by_role("button", name="Connect account").click()
    expect(visit.get_by_role("heading", level=1)).to_contain_text("is connected")
    [connection] = workspace("GET /api/connections")["items"]
    assert connection["account"]["label"] == "https://juniper.api-us1.com"


def test_link_shows_hostile_names_as_texts(workspace: Workspace, chirrup: str, private: Visitor) -> None:
    accepted = []
    for text in TEXTS:
        body = {"name": text, "type": "CUSTOM", "provider": "acme-mail", "description": text}
        created = workspace.ask("POST /api/integrations", json=body)
        if created.is_success:
            accepted.append((text, created.json()["id"]))
    assert len(accepted) > len(TEXTS) / 2
    known = provider.integration(workspace, chirrup)
    for first in range(0, len(accepted), LINK_HOLDS):
        names, integrations = zip(*accepted[first : first + LINK_HOLDS], strict=True)
        who = {"workspaceName": names[0], "requestedBy": names[-1]}
        visit = private.open(link_of(workspace, *integrations, known, **who))
        visit.set_viewport_size(PHONE)
        assert_inert(visit)
        visit.close()


def test_account_is_connected_refreshed_and_disconnected_in_the_console(
    console: Console, integration: str
) -> None:
    page = console.open(f"/integrations/{integration}", role="member")
    page.get_by_role("button", name="Connect account").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("rye-lab")
    decide(page, "Continue to Chirrup", "Allow")
    expect(page.get_by_text("rye-lab is connected")).to_be_visible()
    page.get_by_role("button", name="rye-lab").click()
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_text("The access token was refreshed")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Connect again").click()
    decide(page, "Continue to Chirrup", "Allow")
    expect(page.get_by_role("dialog", name="Connect rye-lab again")).to_be_hidden()
    page.get_by_role("button", name="Disconnect").click()
    confirm = page.get_by_role("dialog", name="Disconnect rye-lab?")
    expect(confirm.get_by_role("button", name="Cancel")).to_be_focused()
    confirm.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("heading", name="No accounts connected yet")).to_be_visible()
    assert console.workspace("GET /api/connections")["items"] == []


def test_console_in_a_frame_connects_an_account_by_a_relay(
    console: Console, integration: str, platform: Platform
) -> None:
    page = platform.embed(console, console.link(f"/integrations/{integration}"))
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Connect account").first.click()
    frame.get_by_role("dialog").get_by_label("Name").fill("framed")
    with page.expect_popup() as opened:
        frame.get_by_role("button", name="Continue to Chirrup").click()
    relay = opened.value
    expect(relay.get_by_role("status")).to_contain_text("Continue on 127.0.0.1")
    decide(relay, "Continue", "Allow")
    expect(frame.get_by_text("framed is connected")).to_be_visible()
    if not relay.is_closed():
        relay.wait_for_event("close")
