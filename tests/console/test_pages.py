"""The requirements for every page of the console, empty and filled."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from local.testing import RunningStack
from tests.console import budgets
from tests.console.accessibility import assert_accessible
from tests.console.conftest import TourOf
from tests.console.console import Console, Tour
from tests.console.views import VIEWS, View
from tests.console.watch import Watch, api_calls
from tests.e2e.conftest import Workspace

VIEW_IDS = [view.name for view in VIEWS]


@pytest.fixture(scope="module")
def empty(tour_of: TourOf, running: RunningStack) -> Tour:
    """A session in an empty workspace."""
    return tour_of(Workspace(running))


@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_is_accessible_and_within_its_budgets(
    context: BrowserContext, watch: Watch, filled: Workspace, view: View
) -> None:
    console, path = Console(context, watch, view.workspace_for(filled)), view.path_for(filled)
    page, requests = console.measure(path)
    calls = api_calls(requests)
    assert 1 <= len(calls) <= budgets.API_CALLS, calls
    budgets.assert_first_content_in_time(page, lambda: console.measure(path)[0])
    assert_accessible(page)


@pytest.mark.parametrize("view", [view for view in VIEWS if "{" not in view.path], ids=lambda view: view.name)
def test_empty_page_is_accessible_and_says_what_to_do(empty: Tour, view: View) -> None:
    with empty.at(view) as page:
        assert_accessible(page)
        assert page.get_by_role("main").get_by_role("heading").count() > 0
        assert page.get_by_role("main").locator("a, button").count() > 0
