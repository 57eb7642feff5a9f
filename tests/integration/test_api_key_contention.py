"""API keys under contention: concurrent writes to the same rows, and keys that change during their calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from patchbay.api_keys import expire_keys, service
from patchbay.api_keys.models import RotateApiKey, UpdateApiKey
from patchbay.aws_http import Response
from patchbay.clock import from_ms, iso, now_ms
from patchbay.ids import ApiKeyId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.due_index import IncompleteRun
from tests.api_keys import ADA, AMPLE_TIME_MS, PATH, key_count, use_weak_hashes
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.faults import _no_backoff, meanwhile, refusal
from tests.problems import assert_problem
from tests.wire import around_tries


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    use_weak_hashes(monkeypatch)
    monkeypatch.setattr(dynamo, "_pause", lambda attempt: None)


def create(api: Api, *, token: str = OWNER, **changes: Any) -> Any:
    body = {"name": "CI", "scopes": ["events:publish", "api-keys:write"]} | changes
    answer = api(f"POST {PATH}", json=body, token=token)
    assert answer.status == 201, answer
    return answer.json()


def update(id: str, **changes: Any) -> None:
    service.update(ADA, ApiKeyId(id), UpdateApiKey.model_validate(changes, by_alias=True))


@contextlib.contextmanager
def throttled(operation: str, code: str, where: str) -> Iterator[None]:
    """Refuse with `code` every call to the operation whose body contains `where`."""

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        if name == f"dynamodb.{operation}" and where.encode() in body:
            return refusal(code)
        return send(body)

    with around_tries(hook), _no_backoff():
        yield


# ── a key that is changed during its own request ────────────────────────────────────────────────────


def test_key_cannot_undo_a_concurrent_reduction_of_its_rights(api: Api) -> None:
    key = create(api, scopes=["api-keys:write", "webhooks:write"], rateLimitPerHour=1000)
    greedy = {"scopes": ["api-keys:write", "webhooks:write"], "rateLimitPerHour": 1000, "name": "mine"}
    with meanwhile(
        "dynamodb.GetItem",
        lambda: update(key["id"], scopes=["api-keys:write"], rateLimitPerHour=10),
        at=2,  # after the read that authenticates the caller
    ):
        answer = api(f"PUT {PATH}/{key['id']}", json=greedy, token=key["key"])
    assert_problem(answer, 409)
    shown = api(f"GET {PATH}/{key['id']}").json()
    assert (shown["scopes"], shown["rateLimitPerHour"]) == (["api-keys:write"], 10)


def test_key_cannot_undo_its_concurrent_rotation(api: Api) -> None:
    key = create(api)
    with meanwhile(
        "dynamodb.GetItem",
        lambda: service.rotate(ADA, ApiKeyId(key["id"]), RotateApiKey(overlap_seconds=60)),
        at=2,
    ):
        answer = api(f"PUT {PATH}/{key['id']}", json={"expiresAt": None}, token=key["key"])
    assert_problem(answer, 409)
    assert api(f"GET {PATH}/{key['id']}").json()["expiresAt"] is not None


def test_unchanged_key_can_edit_itself(api: Api) -> None:
    key = create(api)
    assert api(f"PUT {PATH}/{key['id']}", json={"name": "new"}, token=key["key"]).json()["version"] == 2
    assert api(f"PUT {PATH}/{key['id']}", json={"name": "newer"}, token=key["key"]).json()["version"] == 3


# ── the same Idempotency-Key for another key ────────────────────────────────────────────────────────


def test_idempotency_key_of_another_rotation_is_a_mismatch(api: Api) -> None:
    one, other = create(api), create(api)
    once, at_once = {"Idempotency-Key": "clean-up"}, {"overlapSeconds": 0}
    first = api(f"POST {PATH}/{one['id']}/rotate", json=at_once, headers=once)
    assert first.json()["rotatedFrom"] == one["id"]
    second = api(f"POST {PATH}/{other['id']}/rotate", json=at_once, headers=once)
    assert_problem(second, 422, "idempotency_mismatch")
    assert first.json()["key"] not in second.text
    again = api(f"POST {PATH}/{one['id']}/rotate", json=at_once, headers=once)
    assert again.json() == first.json()


# ── a throttled row ──────────────────────────────────────────────────────────────────────────────────

THROTTLING = ["ThrottlingException", "TransactionConflictException"]


@pytest.mark.parametrize("code", THROTTLING)
def test_revoke_works_while_the_workspace_count_is_throttled(api: Api, backend: Backend, code: str) -> None:
    key, other = create(api), create(api)
    with throttled("TransactWriteItems", code, "count#acme"):
        answer = api(f"DELETE {PATH}/{key['id']}")
    # The key is already revoked, whatever the response was …
    assert answer.status in (200, 429), answer
    assert api(f"GET {PATH}", token=key["key"]).status == 401
    assert key_count(backend) == 2
    # … and the schedule corrects the count, once.
    assert expire_keys.expire_keys(lambda: AMPLE_TIME_MS) == (0, 1)
    assert expire_keys.expire_keys(lambda: AMPLE_TIME_MS) == (0, 0)
    assert key_count(backend) == 1
    assert api(f"DELETE {PATH}/{key['id']}").status == 200
    assert (key_count(backend), api(f"GET {PATH}/{other['id']}").json()["status"]) == (1, "ACTIVE")


@pytest.mark.parametrize("code", THROTTLING)
def test_throttled_change_returns_429_and_changes_nothing(api: Api, code: str) -> None:
    key = create(api)
    with throttled("TransactWriteItems", code, ":nm"):
        answer = api(f"PUT {PATH}/{key['id']}", json={"name": "mine"})
    assert_problem(answer, 429, "rate_limited")
    assert answer.headers["retry-after"] == "1"
    assert api(f"GET {PATH}/{key['id']}").json()["name"] == "CI"
    with throttled("TransactWriteItems", code, "count#acme"):
        assert api(f"POST {PATH}/{key['id']}/rotate").status == 429
    assert len(api(f"GET {PATH}").json()["items"]) == 1


def test_schedule_continues_after_a_failing_key(api: Api, backend: Backend) -> None:
    soon = {"expiresAt": iso(from_ms(now_ms() + 60_000))}
    evil, good = create(api, token=jwt_for("evil"), **soon), create(api, **soon)
    for id in (evil["id"], good["id"]):
        dynamo.update(settings().api_keys_table, {"id": id}, "SET x = :one, d = :one", one=1)
    with (
        throttled("TransactWriteItems", "ThrottlingException", "count#evil"),
        pytest.raises(IncompleteRun, match="1 keys could not be processed"),
    ):
        expire_keys.expire_keys(lambda: AMPLE_TIME_MS)
    assert (key_count(backend), key_count(backend, "evil")) == (0, 1)
    assert expire_keys.expire_keys(lambda: AMPLE_TIME_MS) == (0, 1), "the next run tries again"
    assert key_count(backend, "evil") == 0


@pytest.mark.parameters(MaxRequestsPerMinute=2)
def test_platform_workspace_has_no_request_ceiling(api: Api) -> None:
    platform = jwt_for("platform")
    for _ in range(5):
        answer = api(f"POST {PATH}/verify", json={"key": "junk"}, token=platform)
        assert (answer.status, answer.json()["code"]) == (200, "MALFORMED")
    statuses = [api(f"POST {PATH}/verify", json={"key": "junk"}).status for _ in range(5)]
    assert statuses == [200, 200, 429, 429, 429]
