"""The automation apps in the repository match the catalogue."""

from __future__ import annotations

import pytest

from local.settings import ROOT
from tools.apps.derived import files

GENERATED = files()


@pytest.mark.parametrize("path", GENERATED)
def test_generated_file_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == GENERATED[path], "stale: run `make derived`"


def test_generation_is_deterministic() -> None:
    assert files() == GENERATED
