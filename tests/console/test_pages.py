"""What every page of the console must be, empty, filled, and full of hostile texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from local.testing import RunningStack
from tests.console import budgets, hostile
from tests.console.accessibility import assert_accessible
from tests.console.console import Console, assert_inert
from tests.console.filled import fill
from tests.console.hostile import TEXTS, Planted
from tests.console.views import VIEWS, View
from tests.console.watch import Watch, api_calls
from tests.e2e.conftest import Workspace

VIEW_IDS = [view.name for view in VIEWS]


@pytest.fixture(scope="module")
def filled(running: RunningStack) -> Workspace:
    """A workspace with some of everything."""
    workspace = Workspace(running)
    fill(workspace)
    return workspace


@pytest.fixture(scope="module")
def planted(running: RunningStack) -> Iterator[tuple[Workspace, Planted]]:
    """A workspace whose every field has hostile texts."""
    workspace = Workspace(running)
    with hostile.planted(workspace) as count:
        yield workspace, count


@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_is_accessible_in_both_color_schemes(
    context: BrowserContext, watch: Watch, filled: Workspace, view: View
) -> None:
    console = Console(context, watch, view.workspace_for(filled))
    assert_accessible(console.open(view.path_for(filled)))


@pytest.mark.parametrize("view", [view for view in VIEWS if "{" not in view.path], ids=lambda view: view.name)
def test_empty_page_is_accessible_and_says_what_to_do(console: Console, view: View) -> None:
    console.workspace = view.workspace_for(console.workspace)
    page = console.open(view.path)
    assert_accessible(page)
    assert page.get_by_role("main").get_by_role("heading").count() > 0
    assert page.get_by_role("main").locator("a, button").count() > 0


@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_is_within_its_budgets(
    context: BrowserContext, watch: Watch, filled: Workspace, view: View
) -> None:
    console, path = Console(context, watch, view.workspace_for(filled)), view.path_for(filled)
    _, requests = console.measure(path)
    calls = api_calls(requests)
    assert 1 <= len(calls) <= budgets.API_CALLS, calls
    budgets.assert_first_content_in_time(lambda: console.measure(path)[0])


@pytest.mark.parametrize("view", VIEWS, ids=VIEW_IDS)
def test_page_shows_hostile_texts_as_texts(
    context: BrowserContext, watch: Watch, planted: tuple[Workspace, Planted], view: View
) -> None:
    workspace, _ = planted
    page = Console(context, watch, view.workspace_for(workspace)).open(view.path_for(workspace))
    assert_inert(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert_inert(page)


def test_hostile_texts_are_in_every_field(planted: tuple[Workspace, Planted]) -> None:
    _, count = planted
    for field, taken in count.items():
        assert taken >= len(TEXTS) / 2, f"{field} took only {taken} of {len(TEXTS)} texts"
