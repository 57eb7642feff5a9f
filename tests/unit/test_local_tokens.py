"""The tokens of the local stack, and what it says about them when the login's JWKS verifies tokens."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local import token
from local.run import welcome
from patchbay.auth import scopes

JWKS = "https://login.example/jwks.json"


def ready(state: Path, **parameters: str) -> str:
    routes = [
        SimpleNamespace(path=path, method="GET") for path in ("/api/health", "/console", "/api/webhooks")
    ]
    stack: Any = SimpleNamespace(
        api=SimpleNamespace(routes=routes), functions={}, template=SimpleNamespace(parameters=parameters)
    )
    return welcome("http://127.0.0.1:8787", stack, state)


def test_roles_are_those_of_the_api() -> None:
    """`local` has its own list, because it does not import the library."""
    assert set(token.ROLES) == scopes.ROLES.keys()


def test_ready_text_names_only_tokens_that_the_stack_accepts(tmp_path: Path) -> None:
    own, login = ready(tmp_path), ready(tmp_path, JwksUrl=JWKS)
    assert "make token WORKSPACE=acme" in own
    assert "opens the console" in own
    assert "make" not in login
    assert "opens the console" not in login
    assert f"signed with a key in {JWKS}:\n" in login
    assert 'curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8787/api/me' in login


def test_make_token_says_that_the_stack_would_refuse_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKSPACE", "acme")
    monkeypatch.setattr(token, "running_stack", lambda state: {"parameters": {"JwksUrl": JWKS}})
    assert token.main(tmp_path) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert f"signed with a key in {JWKS}" in output.err
