"""API keys while others are at the same rows: a crowd, or the key itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from patchbay.api_keys import expire_keys, hashing, service
from patchbay.api_keys.models import RotateApiKey, UpdateApiKey
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.aws_http import Response
from patchbay.clock import at_ms, iso, now_ms
from patchbay.ids import ApiKeyId
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.faults import _no_backoff, failing, meanwhile, refusal
from tests.wire import around_tries

PATH = "/api/integrations/api-keys"
ADA = Principal("acme", "user:ada", ROLES["owner"], role="owner")
PLENTY = 300_000


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_ROUNDS", 4)
    monkeypatch.setattr(dynamo, "_pause", lambda attempt: None)


def make(api: Api, *, token: str = OWNER, **changes: Any) -> Any:
    body = {"name": "CI", "scopes": ["events:publish", "api-keys:write"]} | changes
    answer = api(f"POST {PATH}", json=body, token=token)
    assert answer.status == 201, answer
    return answer.json()


def edit(id: str, **changes: Any) -> None:
    service.update(ADA, ApiKeyId(id), UpdateApiKey.model_validate(changes, by_alias=True))


@contextlib.contextmanager
def refused(operation: str, code: str, where: str) -> Iterator[None]:
    """Every such call that mentions `where` is refused with `code`, as AWS does to a crowd."""

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        if name == f"dynamodb.{operation}" and where.encode() in body:
            return refusal(code)
        return send(body)

    with around_tries(hook), _no_backoff():
        yield


# ── a key that is changed while a request of its own is on its way ──────────────────────────────────


def test_a_key_does_not_give_back_to_itself_what_is_being_taken(api: Api) -> None:
    key = make(api, scopes=["api-keys:write", "webhooks:write"], rateLimitPerHour=1000)
    greedy = {"scopes": ["api-keys:write", "webhooks:write"], "rateLimitPerHour": 1000, "name": "mine"}
    with meanwhile(
        "dynamodb.GetItem",
        lambda: edit(key["id"], scopes=["api-keys:write"], rateLimitPerHour=10),
        at=2,  # after the one of its first sight
    ):
        answer = api(f"PUT {PATH}/{key['id']}", json=greedy, token=key["key"])
    assert answer.status == 409, answer
    shown = api(f"GET {PATH}/{key['id']}").json()
    assert (shown["scopes"], shown["rateLimitPerHour"]) == (["api-keys:write"], 10)


def test_a_key_does_not_undo_its_rotation(api: Api) -> None:
    key = make(api)
    with meanwhile(
        "dynamodb.GetItem",
        lambda: service.rotate(ADA, ApiKeyId(key["id"]), RotateApiKey(overlap_seconds=60)),
        at=2,
    ):
        answer = api(f"PUT {PATH}/{key['id']}", json={"expiresAt": None}, token=key["key"])
    assert answer.status == 409, answer
    assert api(f"GET {PATH}/{key['id']}").json()["expiresAt"] is not None


def test_a_key_that_was_not_changed_edits_itself(api: Api) -> None:
    key = make(api)
    assert api(f"PUT {PATH}/{key['id']}", json={"name": "new"}, token=key["key"]).json()["version"] == 2
    assert api(f"PUT {PATH}/{key['id']}", json={"name": "newer"}, token=key["key"]).json()["version"] == 3


# ── the same Idempotency-Key for another thing ──────────────────────────────────────────────────────


def test_an_idempotency_key_of_another_keys_rotation_is_a_mismatch(api: Api) -> None:
    one, other = make(api), make(api)
    once, at_once = {"Idempotency-Key": "clean-up"}, {"overlapSeconds": 0}
    first = api(f"POST {PATH}/{one['id']}/rotate", json=at_once, headers=once)
    assert first.json()["rotatedFrom"] == one["id"]
    second = api(f"POST {PATH}/{other['id']}/rotate", json=at_once, headers=once)
    assert (second.status, second.json()["code"]) == (422, "idempotency_mismatch")
    assert first.json()["key"] not in second.text
    again = api(f"POST {PATH}/{one['id']}/rotate", json=at_once, headers=once)
    assert again.json() == first.json()


# ── a crowd at a row ─────────────────────────────────────────────────────────────────────────────────

CROWD = ["ThrottlingException", "TransactionConflictException"]


@pytest.mark.parametrize("code", CROWD)
def test_a_key_is_revoked_though_its_workspaces_count_takes_no_write(
    api: Api, backend: Backend, code: str
) -> None:
    key, other = make(api), make(api)
    with refused("TransactWriteItems", code, "count#acme"):
        answer = api(f"DELETE {PATH}/{key['id']}")
    # Dead already, whatever the caller was told …
    assert answer.status in (200, 429), answer
    assert api(f"GET {PATH}", token=key["key"]).status == 401
    assert count(backend) == 2
    # … and the schedule puts the count right, once.
    assert expire_keys.expire_keys(lambda: PLENTY) == (0, 1)
    assert expire_keys.expire_keys(lambda: PLENTY) == (0, 0)
    assert count(backend) == 1
    assert api(f"DELETE {PATH}/{key['id']}").status == 200
    assert (count(backend), api(f"GET {PATH}/{other['id']}").json()["status"]) == (1, "ACTIVE")


@pytest.mark.parametrize("code", CROWD)
def test_a_change_that_meets_a_crowd_is_429_and_changes_nothing(api: Api, code: str) -> None:
    key = make(api)
    with refused("UpdateItem", code, ":nm"):
        answer = api(f"PUT {PATH}/{key['id']}", json={"name": "mine"})
    assert (answer.status, answer.json()["code"]) == (429, "rate_limited"), answer
    assert answer.headers["retry-after"] == "1"
    assert api(f"GET {PATH}/{key['id']}").json()["name"] == "CI"
    with refused("TransactWriteItems", code, "count#acme"):
        assert api(f"POST {PATH}/{key['id']}/rotate").status == 429
    assert len(api(f"GET {PATH}").json()["items"]) == 1


def test_an_edit_whose_answer_is_lost_is_no_conflict_with_itself(api: Api) -> None:
    key = make(api)
    with failing("dynamodb.UpdateItem", lost=True, tries=1, where=":nm"):
        answer = api(f"PUT {PATH}/{key['id']}", json={"name": "mine"}, headers={"If-Match": "1"})
    assert (answer.status, answer.json()["version"]) == (200, 2), answer


def test_one_key_that_fails_does_not_stop_the_schedule_for_others(api: Api, backend: Backend) -> None:
    soon = {"expiresAt": iso(at_ms(now_ms() + 60_000))}
    evil, good = make(api, token=jwt_for("evil"), **soon), make(api, **soon)
    for id in (evil["id"], good["id"]):
        dynamo.update(settings().api_keys_table, {"id": id}, "SET x = :one, d = :one", one=1)
    with (
        refused("TransactWriteItems", "ThrottlingException", "count#evil"),
        pytest.raises(expire_keys.Incomplete, match="1 keys could not be looked at"),
    ):
        expire_keys.expire_keys(lambda: PLENTY)
    assert (count(backend), count(backend, "evil")) == (0, 1)
    assert expire_keys.expire_keys(lambda: PLENTY) == (0, 1), "the next run tries again"
    assert count(backend, "evil") == 0


@pytest.mark.parameters(MaxRequestsPerMinute=2)
def test_the_platforms_requests_are_under_no_ceiling(api: Api) -> None:
    platform = jwt_for("platform")
    for _ in range(5):
        answer = api(f"POST {PATH}/verify", json={"key": "junk"}, token=platform)
        assert (answer.status, answer.json()["code"]) == (200, "MALFORMED")
    asked = [api(f"POST {PATH}/verify", json={"key": "junk"}).status for _ in range(5)]
    assert asked == [200, 200, 429, 429, 429]


def count(backend: Backend, workspace: str = "acme") -> int:
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == f"count#{workspace}")
    return int(row["n"])
