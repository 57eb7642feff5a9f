"""On each page, no role sees a control that it may not use."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from patchbay.auth.scopes import ROLES
from tests.console.conftest import TourOf
from tests.console.console import Tour
from tests.console.views import VIEWS, View
from tests.e2e.conftest import Workspace

FIRST = ""
# Page → tab → control → the scope that it needs.
CONTROLS: dict[str, dict[str, dict[str, str]]] = {
    "webhooks": {FIRST: {"Add webhook": "webhooks:write"}},
    "webhook": {
        FIRST: {
            "More actions": "webhooks:write",
            "Pause": "webhooks:write",
            "Send test event": "webhooks:write",
        },
    },
    "automations": {FIRST: {"Create its API key": "api-keys:write"}, "Hooks": {}, "Runs": {}},
    "api-keys": {FIRST: {"Create API key": "api-keys:write"}},
    "api-key": {
        FIRST: {
            "Edit": "api-keys:write",
            "Rotate": "api-keys:write",
            "More actions": "api-keys:write",
        },
    },
    "audit": {FIRST: {}},
    "settings": {
        FIRST: {"Save": "workspace:delete"},
        "Data": {"Export the workspace": "workspace:export", "Erase everything": "workspace:delete"},
    },
}
READS = {
    "webhooks": "webhooks:read",
    "webhook": "webhooks:read",
    "automations": "automations:use",
    "api-keys": "api-keys:read",
    "api-key": "api-keys:read",
    "audit": "audit:read",
}
# The name of a control that changes something begins with one of these verbs.
VERBS = (
    "Add|Approve|Cancel|Change|Connect|Create|Delete|Disconnect|Edit|Erase|Export|Install|Pause|Publish|Reconnect|"
    "Recover|Reject|Remove|Replay|Resume|Retry|Revoke|Rotate|Run|Save|Send|Turn|Withdraw"
)
# Names of pages that begin with a verb.
PLACES = {"Connect links"}
REFUSED = "Access denied"


@pytest.fixture(scope="module")
def viewer(tour_of: TourOf, filled: Workspace) -> Tour:
    """A viewer's session in a workspace with resources of every kind."""
    return tour_of(filled, role="viewer")


@pytest.mark.parametrize("role", ROLES)
def test_role_sees_the_controls_that_it_may_use_and_no_other(
    tour_of: TourOf, filled: Workspace, role: str
) -> None:
    scopes = ROLES[role] - {"credentials:read"}  # no session has this one
    tour = tour_of(filled, role=role, capabilities=sorted(scopes))
    views = {view.name: view for view in VIEWS}
    for name, tabs in CONTROLS.items():
        with tour.at(views[name]) as page:
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            may_read = READS.get(name) is None or READS[name] in scopes
            assert page.get_by_text(REFUSED).is_visible() != may_read, f"{role}, {name}"
            for tab, controls in tabs.items():
                if tab != FIRST and may_read:
                    page.get_by_role("tab", name=tab).click()
                    tour.settle(page)
                found = _controls(page)
                for control, scope in controls.items():
                    where = f"{role}, {name}, {tab}: {control} in {found}"
                    assert (control in found) == (may_read and scope in scopes), where


# A viewer cannot open a publication. The test of the page "reviews" covers the refusal.
@pytest.mark.parametrize(
    "view", [view for view in VIEWS if view.name != "review"], ids=lambda view: view.name
)
def test_viewer_sees_nothing_that_changes_something(viewer: Tour, view: View) -> None:
    with viewer.at(view) as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        # A control with several lines represents an item, such as a step of a flow, and opens it.
        names = {name for name in _controls(page) if "\n" not in name} - PLACES
        changing = [name for name in names if re.match(rf"({VERBS})\b", name)]
        assert not changing


def _controls(page: Page) -> set[str]:
    """The names of the visible buttons and links in the main part of a page."""
    names = "each => each.filter((one) => one.checkVisibility()).map((one) => one.ariaLabel ?? one.innerText)"
    found: list[str] = page.get_by_role("main").locator("button, a").evaluate_all(names)
    return {name.strip() for name in found}
