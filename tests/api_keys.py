"""Helpers for tests of API keys."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from patchbay import ids
from patchbay.activity import log
from patchbay.api_keys import announcements as key_announcements
from patchbay.api_keys import guard, hashing, minting, models, rotation_store, service, store
from patchbay.auth import principal
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import from_ms, now_ms
from patchbay.events import announcements
from patchbay.storage import dynamo, records
from tests.conftest import Backend
from tests.faults import Clock

PATH = "/api/integrations/api-keys"
ADA = Principal("acme", "user:ada", ROLES["owner"], role="owner")
AMPLE_TIME_MS = 300_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

# The settings that in-memory keys need.
CONFIG = SimpleNamespace(
    api_keys_table="keys",
    activity_table="activity",
    events_table="events",
    retention_days=30,
    api_key_prefix="sk_test",
    platform_workspace_id="platform",
    max_api_keys=100,
)


def use_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the settings for in-memory keys, and disable the announcement of nearly reached limits."""
    own = (guard, minting, rotation_store, service, store)
    for module in (*own, principal, log, key_announcements, announcements, records):
        monkeypatch.setattr(module, "settings", lambda: CONFIG)
    monkeypatch.setattr(dynamo, "put", lambda *_, **__: None)


def use_weak_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the rounds of bcrypt, for tests that create many keys."""
    monkeypatch.setattr(hashing, "_ROUNDS", 4)


def use_test_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One clock for keys, their IDs and the validation of `expiresAt`."""
    clock = Clock(monkeypatch)
    now = SimpleNamespace(time_ns=lambda: (clock.now + clock.skew) * 1_000_000)
    monkeypatch.setattr(ids, "time", now)
    monkeypatch.setattr(models, "datetime", SimpleNamespace(now=lambda _: from_ms(now_ms())))
    return clock


def key_count(backend: Backend, workspace: str = "acme") -> int:
    """The number of keys that count against the workspace's ceiling."""
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == f"count#{workspace}")
    return int(row["n"])


def fast_hash(secret: str) -> str:
    """A substitute for bcrypt."""
    return f"$2b$00${'.' * 22}{hashlib.sha256(secret.encode()).hexdigest()}"


def use_fast_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace bcrypt, for tests with thousands of in-memory keys."""
    monkeypatch.setattr(hashing, "hash_secret", fast_hash)
    monkeypatch.setattr(hashing, "matches", lambda secret, secret_hash: fast_hash(secret) == secret_hash)
