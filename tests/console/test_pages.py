"""What every page of the console must be, empty, filled, and full of hostile texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from local.testing import RunningStack
from tests.console import budgets, hostile
from tests.console.accessibility import assert_accessible
from tests.console.conftest import TourOf
from tests.console.console import PHONE, Console, Tour, assert_inert
from tests.console.hostile import SHARE, TEXTS, Planted
from tests.console.views import VIEWS, View
from tests.console.watch import Watch, api_calls
from tests.e2e.conftest import Workspace

VIEW_IDS = [view.name for view in VIEWS]


@pytest.fixture(scope="module")
def empty(tour_of: TourOf, running: RunningStack) -> Tour:
    """A session in a workspace that has nothing."""
    return tour_of(Workspace(running))


@pytest.fixture(scope="module")
def planted(running: RunningStack) -> Iterator[tuple[Workspace, Planted]]:
    """A workspace whose every field has hostile texts."""
    workspace = Workspace(running)
    with hostile.planted(workspace) as count:
        yield workspace, count


@pytest.fixture(scope="module")
def hostile_tour(tour_of: TourOf, planted: tuple[Workspace, Planted]) -> Tour:
    """A session in that workspace."""
    return tour_of(planted[0])


@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_is_accessible_and_within_its_budgets(
    context: BrowserContext, watch: Watch, filled: Workspace, view: View
) -> None:
    console, path = Console(context, watch, filled), view.path_for(filled)
    page, requests = console.measure(path)
    calls = api_calls(requests)
    assert 1 <= len(calls) <= budgets.API_CALLS, calls
    budgets.assert_first_content_in_time(page, lambda: console.measure(path)[0])
    assert_accessible(page)


@pytest.mark.xdist_group("empty")
@pytest.mark.parametrize("view", [view for view in VIEWS if "{" not in view.path], ids=lambda view: view.name)
def test_empty_page_is_accessible_and_says_what_to_do(empty: Tour, view: View) -> None:
    with empty.at(view.path) as page:
        assert_accessible(page)
        assert page.get_by_role("main").get_by_role("heading").count() > 0
        assert page.get_by_role("main").locator("a, button").count() > 0


@pytest.mark.xdist_group("hostile")
@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_shows_hostile_texts_as_texts(
    hostile_tour: Tour, planted: tuple[Workspace, Planted], view: View
) -> None:
    workspace, _ = planted
    with hostile_tour.at(view.path_for(workspace)) as page:
        assert_inert(page)
        page.set_viewport_size(PHONE)
        assert_inert(page)


@pytest.mark.xdist_group("hostile")
def test_hostile_texts_are_in_every_field(planted: tuple[Workspace, Planted]) -> None:
    _, count = planted
    for field, taken in count.items():
        assert taken >= len(TEXTS) / SHARE / 2, f"{field} took only {taken} of {len(TEXTS) // SHARE} texts"
