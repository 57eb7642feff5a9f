"""The generated modules of the SDKs match openapi.json."""

from __future__ import annotations

import pytest

from local.settings import ROOT
from tools import generated_files
from tools.sdk import python, typescript

GENERATED = python.files() | typescript.files()


@pytest.mark.parametrize("path", GENERATED)
def test_generated_module_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == GENERATED[path], "stale: run `make derived`"


def test_only_changed_files_are_written_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    path = next(iter(GENERATED))
    before = (ROOT / path).stat().st_mtime_ns
    generated_files.write({path: (ROOT / path).read_text("utf-8")})
    assert ((ROOT / path).stat().st_mtime_ns, capsys.readouterr().out) == (before, "")
