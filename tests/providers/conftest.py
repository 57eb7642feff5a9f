"""The fake provider, which replaces the Internet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from patchbay.oauth import token_endpoint
from tests.providers import recording
from tests.providers.fake_provider import FakeProvider


@pytest.fixture(scope="session")
def _fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    fake_provider = FakeProvider(tmp_path_factory.mktemp("tls"), recording.hosts())
    yield fake_provider
    fake_provider.close()


@pytest.fixture
def fake(_fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    monkeypatch.setattr(token_endpoint, "_transport", _fake.transport)
    return _fake
