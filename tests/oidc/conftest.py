"""One authorization server for all tests in this folder. Each test starts with its initial settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oidc.authorization_server import AuthorizationServer, running


@pytest.fixture(scope="session")
def authorization_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthorizationServer]:
    """A certified OAuth 2.0 server on loopback."""
    with running(tmp_path_factory.mktemp("oidc")) as server:
        yield server


@pytest.fixture(autouse=True)
def _reset(authorization_server: AuthorizationServer) -> None:
    authorization_server.reset()
