"""The reference of the SDKs and of the command line lists what they have."""

from __future__ import annotations

import pytest

from local.settings import ROOT
from tools.docs import sdk_pages

PAGES = sdk_pages.pages()


@pytest.mark.parametrize("path", PAGES)
def test_page_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == PAGES[path], "stale: run `make derived`"
