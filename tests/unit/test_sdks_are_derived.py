"""The generated code of the SDKs matches openapi.json. (tests/sdks checks what Node tools generate.)"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tools.sdk import python, typescript


@pytest.mark.parametrize("generate", [python.main, typescript.main])
def test_generated_code_is_up_to_date(generate: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["", "--check"])
    assert generate() == 0, "stale: run `make derived`"
