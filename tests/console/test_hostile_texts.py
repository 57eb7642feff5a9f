"""Hostile texts stay texts: on every page, nothing in them runs or becomes a part of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.testing import RunningStack
from tests.console import hostile
from tests.console.conftest import TourOf
from tests.console.console import PHONE, Tour, assert_inert
from tests.console.hostile import SHARE, TEXTS, Planted
from tests.console.views import VIEWS, View
from tests.e2e.conftest import Workspace


@pytest.fixture(scope="module")
def planted(running: RunningStack) -> Iterator[tuple[Workspace, Planted]]:
    """A workspace with hostile texts in every field, and how many of them each field accepted."""
    workspace = Workspace(running)
    with hostile.planted(workspace) as count:
        yield workspace, count


@pytest.fixture(scope="module")
def hostile_tour(tour_of: TourOf, planted: tuple[Workspace, Planted]) -> Tour:
    """A session in that workspace."""
    return tour_of(planted[0])


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_page_shows_hostile_texts_as_texts(hostile_tour: Tour, view: View) -> None:
    with hostile_tour.at(view) as page:
        assert_inert(page)
        page.set_viewport_size(PHONE)
        assert_inert(page)


def test_hostile_texts_are_in_every_field(planted: tuple[Workspace, Planted]) -> None:
    _, count = planted
    for field, taken in count.items():
        assert taken >= len(TEXTS) / SHARE / 2, f"{field} took only {taken} of {len(TEXTS) // SHARE} texts"
