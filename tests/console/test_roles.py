"""Nobody sees a control that they may not use: each role, on each page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from local.testing import RunningStack
from patchbay.auth.scopes import ROLES
from tests.console.console import Console
from tests.console.filled import fill
from tests.console.views import VIEWS, View
from tests.console.watch import Watch
from tests.e2e.conftest import Workspace

# By page and tab: a control, and the scope that it needs.
CONTROLS = {
    ("webhooks", None): {"Add webhook": "webhooks:write"},
    ("webhook", None): {
        "More actions": "webhooks:write",
        "Pause": "webhooks:write",
        "Send test event": "webhooks:write",
    },
    ("automations", None): {"Create its API key": "api-keys:write"},
    ("automations", "Hooks"): {},
    ("automations", "Runs"): {},
    ("api-keys", None): {"Create API key": "api-keys:write"},
    ("api-key", None): {
        "Edit": "api-keys:write",
        "Rotate": "api-keys:write",
        "More actions": "api-keys:write",
    },
    ("audit", None): {},
    ("settings", None): {"Save": "workspace:delete"},
    ("settings", "Data"): {
        "Export the workspace": "workspace:export",
        "Erase everything": "workspace:delete",
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
# What changes something begins with one of these.
VERBS = (
    "Add|Approve|Cancel|Change|Connect|Create|Delete|Disconnect|Edit|Erase|Export|Install|Pause|Publish|Reconnect|"
    "Recover|Reject|Remove|Replay|Resume|Retry|Revoke|Rotate|Run|Save|Send|Turn|Withdraw"
)
# Names of pages that begin with a verb.
PLACES = {"Connect links"}
REFUSED = "Your session does not allow this"


@pytest.fixture(scope="module")
def filled(running: RunningStack) -> Workspace:
    """A workspace with some of everything."""
    workspace = Workspace(running)
    fill(workspace)
    return workspace


@pytest.fixture
def console(context: BrowserContext, watch: Watch, filled: Workspace) -> Console:
    return Console(context, watch, filled)


@pytest.mark.parametrize("role", ROLES)
def test_role_sees_the_controls_that_it_may_use_and_no_other(console: Console, role: str) -> None:
    scopes = ROLES[role] - {"credentials:read"}  # no session has this one
    paths = {view.name: view.path_for(console.workspace) for view in VIEWS}
    for (name, tab), controls in CONTROLS.items():
        page = console.open(paths[name], role=role, capabilities=sorted(scopes))
        where = f"{role}, {name}, {tab}"
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        may_read = READS.get(name) is None or READS[name] in scopes
        assert page.get_by_text(REFUSED).is_visible() != may_read, where
        if tab is not None and may_read:
            page.get_by_role("tab", name=tab).click()
            console.watch.settle(page)
        found = _controls(page)
        for control, scope in controls.items():
            assert (control in found) == (may_read and scope in scopes), f"{where}: {control} in {found}"
        page.close()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_viewer_sees_nothing_that_changes_something(console: Console, view: View) -> None:
    path = view.path_for(console.workspace)
    console.workspace = view.workspace_for(console.workspace)
    page = console.open(path, role="viewer")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    # A control with several lines shows a thing, such as a step of a flow, and opens it.
    names = {name for name in _controls(page) if "\n" not in name} - PLACES
    changing = [name for name in names if re.match(rf"({VERBS})\b", name)]
    assert not changing


def _controls(page: Page) -> set[str]:
    """The names of the buttons, and of the links that look like buttons, of a page."""
    names = "each => each.filter((one) => one.checkVisibility()).map((one) => one.ariaLabel ?? one.innerText)"
    found: list[str] = page.get_by_role("main").locator("button, a").evaluate_all(names)
    return {name.strip() for name in found}
