"""The automation apps are made of the catalogue; here they are compared with what is in the repository."""

from __future__ import annotations

import pytest

from local.settings import ROOT
from tools.apps.derived import files

MADE = files()


@pytest.mark.parametrize("path", MADE)
def test_a_made_file_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == MADE[path], "stale: run `make derived`"


def test_they_are_made_the_same_each_time() -> None:
    assert files() == MADE
