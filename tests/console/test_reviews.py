"""Reviews of publications: a workspace publishes, the platform decides, and another workspace installs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.console.filled import change_publication, decide, publish_integration
from tests.console.views import PLATFORM
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace


@pytest.fixture
def reviewing(console: Console) -> Console:
    """The console of the platform's own workspace."""
    return Console(console.context, console.watch, Workspace(console.workspace.stack, PLATFORM))


def review_of(workspace: Workspace, id: str) -> str:
    """The path of a publication's review page."""
    return f"/reviews/{workspace.name}/{id}"


def publication(reviewing: Console, workspace: Workspace, id: str) -> Any:
    return reviewing.workspace(f"GET /api/publications/{workspace.name}/{id}")


def drawer(page: Page, name: str) -> Locator:
    return page.get_by_role("dialog", name=name, exact=True)


def test_publication_is_approved_and_installed_by_another_workspace(
    console: Console, reviewing: Console
) -> None:
    name = f"Doorbell of {console.workspace.name}"
    config = {"clientId": "publishers-client", "clientSecret": "publishers-secret"}
    body = {"name": name, "type": "CRM", "provider": "hubspot", "config": config}
    id = console.workspace("POST /api/integrations", json=body)["id"]
    publisher = console.open(f"/integrations/{id}", role="admin")
    publisher.get_by_role("tab", name="Configuration").click()
    publisher.get_by_role("button", name="Publish").click()
    publisher.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(publisher.get_by_text("Pending review")).to_be_visible()
    expect(publisher.get_by_text("The platform is reviewing this version.")).to_be_visible()

    page = reviewing.open("/reviews", role="admin", label="Robin")
    page.get_by_role("link", name=f"Open {name}").click()
    opened = drawer(page, name)
    expect(opened.get_by_text("publishers-client", exact=True)).to_be_visible()
    expect(opened.get_by_text("publishers-secret")).to_have_count(0)
    expect(opened.get_by_role("button", name="Withdraw")).to_have_count(0)
    assert_accessible(page)
    opened.get_by_label("Publisher's name in the marketplace").fill("Acme Inc.")
    opened.get_by_label("Show the publisher as verified").check()
    opened.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text(f"{name} is in the marketplace")).to_be_visible()
    expect(opened.get_by_text("The marketplace shows this version.")).to_be_visible()
    reviewing.watch.settle(page)
    expect(opened.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    expect(opened.get_by_role("region", name="Decisions").get_by_text("Approved")).to_be_visible()
    assert_accessible(page)

    installer = Console(console.context, console.watch, Workspace(console.workspace.stack))
    shop = installer.open("/marketplace", role="admin")
    shop.get_by_role("searchbox").fill(name)
    shop.get_by_role("link", name=name).click()
    expect(drawer(shop, name).get_by_text("By Acme Inc.")).to_be_visible()
    expect(drawer(shop, name).get_by_role("img", name="Verified publisher")).to_be_visible()
    drawer(shop, name).get_by_role("button", name="Install").click()
    shop.wait_for_url("**/integrations/int_*")
    expect(shop.get_by_role("heading", level=1)).to_have_text(name)

    seen = console.open(f"/integrations/{id}", role="viewer")
    seen.get_by_role("tab", name="Configuration").click()
    expect(seen.get_by_text("Other workspaces can install it.")).to_be_visible()
    expect(seen.get_by_role("button", name="Unpublish")).to_have_count(0)


def test_change_is_compared_with_what_is_listed_and_rejected_with_a_reason(
    console: Console, reviewing: Console
) -> None:
    id = change_publication(console.workspace)
    page = reviewing.open(review_of(console.workspace, id), role="admin")
    opened = drawer(page, "Doorbell")
    expect(opened.get_by_text("In the marketplace: version 2").first).to_be_visible()
    expect(opened.get_by_text("Submitted: version 3").first).to_be_visible()
    expect(opened.get_by_text("Every message becomes a card.", exact=True)).to_be_visible()
    expect(opened.get_by_role("listitem").filter(has_text="tickets")).to_contain_text("New")
    expect(opened.get_by_role("listitem").filter(has_text="crm.lists.read")).to_contain_text("Removed")
    opened.get_by_role("radio", name="Reject").check()
    opened.get_by_role("button", name="Reject", exact=True).click()
    reason = opened.get_by_label("Reason")
    expect(reason).to_be_focused()
    reason.fill("It does not need tickets.")
    assert_accessible(page)
    opened.get_by_role("button", name="Reject", exact=True).click()
    expect(opened.get_by_text("You rejected this version. The previously approved version")).to_be_visible()
    found = publication(reviewing, console.workspace, id)
    assert (found["reviewStatus"], found["listed"]["version"]) == ("REJECTED", 2)

    publisher = console.open(f"/integrations/{id}", role="admin")
    publisher.get_by_role("tab", name="Configuration").click()
    expect(publisher.get_by_text("It does not need tickets.")).to_be_visible()
    expect(publisher.get_by_text("Make the requested changes and save")).to_be_visible()


def test_version_that_changed_meanwhile_has_to_be_looked_at_again(
    console: Console, reviewing: Console, watch: Watch
) -> None:
    id = publish_integration(console.workspace)
    page = reviewing.open(review_of(console.workspace, id), role="admin")
    opened = drawer(page, "Doorbell")
    approve = opened.get_by_role("button", name="Approve", exact=True)
    expect(approve).to_be_visible()
    console.workspace(f"PUT /api/integrations/{id}", json={"description": "Send us your passwords."})
    with watch.expecting("response: 409", "console error"):
        approve.click()
        expect(opened.get_by_text("The publication has changed.")).to_be_visible()
    expect(opened.get_by_text("Send us your passwords.")).to_be_visible()
    expect(approve).to_have_count(0)
    assert publication(reviewing, console.workspace, id)["listed"] is None
    opened.get_by_role("button", name="I have reviewed the new version").click()
    approve.click()
    expect(opened.get_by_text("The marketplace shows this version.")).to_be_visible()


def test_decision_of_somebody_else_is_shown(console: Console, reviewing: Console, watch: Watch) -> None:
    id = publish_integration(console.workspace)
    page = reviewing.open(review_of(console.workspace, id), role="admin")
    opened = drawer(page, "Doorbell")
    approve = opened.get_by_role("button", name="Approve", exact=True)
    expect(approve).to_be_visible()
    decide(console.workspace, id, "REJECT", reviewReason="No.")
    with watch.expecting("response: 409", "console error"):
        approve.click()
        expect(opened.get_by_text("You rejected this version.")).to_be_visible()
    expect(approve).to_have_count(0)


def test_publication_is_withdrawn_after_a_question(console: Console, reviewing: Console) -> None:
    id = change_publication(console.workspace)
    installer = Workspace(console.workspace.stack)
    installer(f"POST /api/integrations/{id}/install")
    page = reviewing.open(review_of(console.workspace, id), role="admin")
    drawer(page, "Doorbell").get_by_role("button", name="Withdraw").click()
    asks = drawer(page, "Withdraw Doorbell?")
    expect(asks.get_by_text("1 installed copy stops within minutes.")).to_be_visible()
    assert_accessible(page)
    asks.get_by_role("button", name="Cancel").click()
    assert publication(reviewing, console.workspace, id)["listed"]
    drawer(page, "Doorbell").get_by_role("button", name="Withdraw").click()
    asks.get_by_label("Reason").fill("It steals.")
    asks.get_by_role("button", name="Withdraw").click()
    expect(drawer(page, "Doorbell").get_by_text("You withdrew it from the marketplace")).to_be_visible()
    found = publication(reviewing, console.workspace, id)
    assert (found["withdrawn"], found["listed"], found["copyCount"]) == (True, None, 1)
    publisher = console.open(f"/integrations/{id}", role="viewer")
    publisher.get_by_role("tab", name="Configuration").click()
    expect(publisher.get_by_text("Withdrawn", exact=True)).to_be_visible()
    expect(publisher.get_by_text("It steals.")).to_be_visible()
    assert_accessible(publisher)


def test_list_narrows_to_a_status(console: Console, reviewing: Console) -> None:
    publish_integration(console.workspace, name=f"Mine {console.workspace.name}")
    page = reviewing.open("/reviews", role="admin")
    mine = page.get_by_role("link", name=f"Open Mine {console.workspace.name}")
    expect(mine).to_be_visible()
    page.get_by_role("combobox", name="Review status").select_option("REJECTED")
    reviewing.watch.settle(page)
    expect(mine).to_have_count(0)
    assert_accessible(page)
    page.get_by_role("combobox", name="Review status").select_option("PENDING")
    mine.click()
    expect(drawer(page, f"Mine {console.workspace.name}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(mine).to_be_focused()
    assert page.url.endswith("/reviews?status=PENDING")


@pytest.mark.parametrize("role", ["viewer", "member", "admin", "owner"])
def test_no_workspace_but_the_platforms_sees_reviews(console: Console, reviewing: Console, role: str) -> None:
    is_reviewer = role in ("admin", "owner")
    for workspace, is_there in ((console, False), (reviewing, is_reviewer)):
        page = workspace.open(role=role)
        expect(page.get_by_role("navigation").get_by_role("link", name="Settings")).to_be_visible()
        links = page.get_by_role("navigation").get_by_role("link", name="Reviews")
        expect(links).to_have_count(1 if is_there else 0)
        page.close()
    page = console.open("/reviews", role=role)
    expect(page.get_by_text("Access denied")).to_be_visible()
    page.close()


def test_read_only_session_looks_and_does_not_decide(console: Console, reviewing: Console) -> None:
    id = publish_integration(console.workspace)
    page = reviewing.open(review_of(console.workspace, id), role="owner", readOnly=True)
    opened = drawer(page, "Doorbell")
    expect(opened.get_by_text("You can view publications")).to_be_visible()
    for name in ("Approve", "Reject", "Withdraw"):
        expect(opened.get_by_role("button", name=name)).to_have_count(0)
