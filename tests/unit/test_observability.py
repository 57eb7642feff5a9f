"""The sampling of log records."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from patchbay import observability
from patchbay.settings import settings


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from dataclasses import MISSING, fields

    from patchbay.settings import Settings

    for field in fields(Settings):
        if field.default is MISSING:
            monkeypatch.setenv(field.name.upper(), "x")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("percent", "fewest", "most"), [(0, 0, 0), (1, 5, 20), (50, 450, 550), (100, 1000, 1000)]
)
def test_sampled_selects_a_percentage_of_correlation_ids(
    monkeypatch: pytest.MonkeyPatch, percent: int, fewest: int, most: int
) -> None:
    monkeypatch.setenv("SUCCESS_LOG_PERCENT", str(percent))
    ids = [str(UUID(int=number)) for number in range(1000)]
    sampled = [id for id in ids if observability.sampled(id)]
    assert fewest <= len(sampled) <= most
    assert sampled == [id for id in ids if observability.sampled(id)]  # every function samples the same
