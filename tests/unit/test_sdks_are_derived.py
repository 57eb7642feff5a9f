"""The generated modules of the SDKs match openapi.json."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tools.sdk import files, python, typescript


@pytest.mark.parametrize("generator", [python, typescript], ids=["python", "typescript"])
def test_generated_modules_are_up_to_date(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["generator", "--check"])
    code = generator.main()
    assert code == 0, capsys.readouterr().out


def test_a_stale_module_is_named_and_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["generator", "--check"])
    this = Path(__file__)
    before = this.read_text()
    assert files.write_or_check({this: before + "#"}) == 1
    assert "stale, run `make derived`: tests/unit/" in capsys.readouterr().out
    assert this.read_text() == before
