"""The API-key guard, with the tables of template.yaml."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest.mock import Mock

import bcrypt
import pytest

from patchbay import aws
from patchbay.api_keys import guard, hashing, key_format, service
from patchbay.api_keys.guard import Guard, InvalidKey, KeyCostExceedsLimit
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import from_ms, iso, now_ms
from patchbay.errors import RateLimited
from patchbay.ids import ApiKeyId
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.api_keys import ADA, DAY, HOUR
from tests.conftest import Backend


def create(**changes: Any) -> ApiKeyWithSecret:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return service.create(ADA, CreateApiKey.model_validate_json(json.dumps(body)))


class Clock:
    """A clock in milliseconds that stands still until a test moves it."""

    def __init__(self, at: int | None = None) -> None:
        # Not near the end of an hour or a day.
        self.now = (at or now_ms()) // DAY * DAY + 10 * HOUR + 60_000

    def __call__(self) -> int:
        return self.now


def change(key: ApiKeyWithSecret, expression: str, **values: Any) -> None:
    """Change a key's row and increment its version, as an update does."""
    dynamo.update(settings().api_keys_table, {"id": key.id}, f"{expression}, v = v + :one", one=1, **values)


def wrong_secret(key: ApiKeyWithSecret) -> str:
    """A well-formed key with another secret."""
    return key_format.assemble(settings().api_key_prefix, key.id, key_format.mint_secret())


@pytest.fixture
def bcrypts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that reached bcrypt."""
    seen: list[str] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        seen.append(password.decode())
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return seen


# ── cost of a request ────────────────────────────────────────────────────────────────────────────────


def test_first_request_costs_a_read_and_a_write_and_others_one_write(
    backend: Backend, bcrypts: list[str]
) -> None:
    key = create()
    backend.calls.clear()
    guard.admit(key.key)
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 1}
    backend.calls.clear()
    for _ in range(5):
        guard.admit(key.key)
    assert backend.calls.count == {"dynamodb.UpdateItem": 5}
    assert len(bcrypts) == 1


def test_malformed_key_costs_no_call(backend: Backend, bcrypts: list[str]) -> None:
    key = create().key
    backend.calls.clear()
    for token in (key[:-1] + ("a" if key[-1] != "a" else "b"), key[:-3], key + "x", "sk_live_", "", "é"):
        with pytest.raises(InvalidKey) as refused:
            guard.admit(token)
        assert refused.value.reason == "MALFORMED"
        assert refused.value.status == 401
    assert backend.calls.made == []
    assert bcrypts == []


def test_new_window_costs_no_retry(backend: Backend) -> None:
    key, clock = create(), Clock()
    process = Guard(clock)
    process.admit(key.key)
    backend.calls.clear()
    for step in (HOUR, 3 * HOUR, DAY, 5 * DAY):
        clock.now += step
        process.admit(key.key)
    assert backend.calls.count == {"dynamodb.UpdateItem": 4}


def test_stale_cache_entry_costs_one_retry(backend: Backend) -> None:
    key, clock = create(), Clock()
    one, other = Guard(clock), Guard(clock)
    one.admit(key.key)
    other.admit(key.key)
    clock.now += HOUR
    one.admit(key.key)
    backend.calls.clear()
    other.admit(key.key)
    assert backend.calls.count == {"dynamodb.UpdateItem": 2}


# ── principal ────────────────────────────────────────────────────────────────────────────────────────


def test_principal_has_the_keys_scopes_and_limits(backend: Backend) -> None:
    key = create(
        scopes=["events:publish", "posts:read"], rateLimitPerHour=7, expiresAt="2999-01-01T00:00:00Z"
    )
    principal = guard.admit(key.key).principal
    assert principal.id == key.id
    assert principal.workspace_id == "acme"
    assert principal.scopes == {"events:publish", "posts:read"}
    assert principal.role is None
    assert principal.key is not None
    assert principal.key.rate_limit_per_hour == 7
    assert principal.key.rate_limit_per_day == 10_000
    assert principal.key.expires_at == key.expires_at


def test_platform_only_scopes_have_no_effect_in_other_workspaces(backend: Backend) -> None:
    platform = Principal("platform", "user:root", ROLES["owner"] | {"actions:handle"}, "owner")
    body = CreateApiKey(name="worker", scopes=["actions:handle"])
    key = service.create(platform, body)
    assert guard.admit(key.key).principal.scopes == {"actions:handle"}
    dynamo.update(settings().api_keys_table, {"id": key.id}, "SET workspaceId = :other", other="acme")
    assert Guard().admit(key.key).principal.scopes == frozenset()


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────


def refusal_reason(process: Guard, token: str) -> str:
    with pytest.raises(InvalidKey) as refused:
        process.admit(token)
    return refused.value.reason


def test_revoked_key_is_refused_by_the_next_request_in_every_process(backend: Backend) -> None:
    key = create()
    one, other, fresh = Guard(), Guard(), Guard()
    one.admit(key.key)
    other.admit(key.key)
    service.revoke(ADA, key.id)
    assert [refusal_reason(process, key.key) for process in (one, other, fresh)] == ["REVOKED"] * 3
    backend.calls.clear()
    assert refusal_reason(other, key.key) == "REVOKED"
    assert backend.calls.made == [], "a permanent refusal is cached"


def test_key_expires_on_time_in_every_process(backend: Backend) -> None:
    clock = Clock(now_ms() + DAY)
    key = create(expiresAt=iso(from_ms(clock.now + 5_000)))
    one, fresh = Guard(clock), Guard(clock)
    clock.now += 4_999
    one.admit(key.key)
    clock.now += 1
    assert refusal_reason(one, key.key) == "EXPIRED"
    assert refusal_reason(fresh, key.key) == "EXPIRED"


def test_shortened_expiry_applies_to_the_next_request(backend: Backend) -> None:
    key, clock = create(), Clock()
    process = Guard(clock)
    process.admit(key.key)
    change(key, "SET x = :now", now=clock.now)
    assert refusal_reason(process, key.key) == "EXPIRED"
    change(key, "SET x = :later", later=clock.now + 60_000)
    clock.now += 1_000
    process.admit(key.key)


def test_changed_scopes_and_limits_apply_to_the_next_request(backend: Backend) -> None:
    key, clock = create(scopes=["events:publish", "events:read"]), Clock()
    process = Guard(clock)
    process.admit(key.key)
    change(key, "SET sc = :sc, hl = :hl", sc="events:read", hl=2)
    backend.calls.clear()
    admitted = process.admit(key.key)
    assert admitted.principal.scopes == {"events:read"}
    assert admitted.headers()["x-ratelimit-limit"] == "2"
    # The refused write returns the changed row. The request uses up the limit, which is announced.
    assert backend.calls.count == {"dynamodb.UpdateItem": 2, "dynamodb.PutItem": 1}
    with pytest.raises(RateLimited):
        process.admit(key.key)


def test_deleted_key_is_refused_despite_the_cache(backend: Backend) -> None:
    key = create()
    process = Guard()
    process.admit(key.key)
    dynamo.delete(settings().api_keys_table, {"id": key.id})
    assert refusal_reason(process, key.key) == "NOT_FOUND"
    assert backend.rows("ApiKeysTable") == [{"id": "count#acme", "n": 1}], "the row was not recreated"


def test_key_with_a_replaced_hash_is_refused(backend: Backend) -> None:
    key, other = create(), create()
    process = Guard()
    process.admit(key.key)
    row = dynamo.get(settings().api_keys_table, {"id": other.id})
    assert row is not None
    change(key, "SET sh = :sh", sh=row["sh"])
    assert refusal_reason(process, key.key) == "NOT_FOUND"


# ── guessed keys ─────────────────────────────────────────────────────────────────────────────────────


def test_wrong_secrets_never_reach_bcrypt_or_lock_the_key(backend: Backend, bcrypts: list[str]) -> None:
    key = create()
    cached, fresh = Guard(), Guard()
    cached.admit(key.key)
    bcrypts.clear()
    backend.calls.clear()
    for _ in range(300):
        token = wrong_secret(key)
        assert refusal_reason(cached, token) == refusal_reason(fresh, token) == "NOT_FOUND"
    assert len(bcrypts) <= 1  # the expected number is 0.01
    assert backend.calls.count == {"dynamodb.GetItem": 2}, "one read per process"
    cached.admit(key.key)
    fresh.admit(key.key)


def test_wrong_secret_with_matching_fingerprint_reaches_bcrypt_once(
    backend: Backend, bcrypts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, clock = create(), Clock()
    process, token = Guard(clock), wrong_secret(key)
    monkeypatch.setattr(hashing, "fingerprint", lambda secret, secret_hash: 7)
    change(key, "SET sm = :seven", seven=7)
    for _ in range(5):
        assert refusal_reason(process, token) == "NOT_FOUND"
    assert len(bcrypts) == 1


def test_unknown_id_is_read_once_and_not_hashed(backend: Backend, bcrypts: list[str]) -> None:
    process = Guard()
    token = key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())
    for _ in range(5):
        assert refusal_reason(process, token) == "NOT_FOUND"
    assert backend.calls.count == {"dynamodb.GetItem": 1}
    assert bcrypts == []


def test_workspace_count_row_is_not_accepted_as_an_api_key(backend: Backend) -> None:
    create()
    with pytest.raises(InvalidKey):
        guard.admit("sk_test_count#acme")


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────


def admitted(process: Guard, key: ApiKeyWithSecret, times: int) -> int:
    def passes() -> bool:
        try:
            process.admit(key.key)
        except RateLimited:
            return False
        return True

    return sum(passes() for _ in range(times))


def test_uses_of_the_previous_hour_fade_out_gradually(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=10), Clock()
    process = Guard(clock)
    clock.now = clock.now // HOUR * HOUR
    assert admitted(process, key, 12) == 10
    clock.now += HOUR  # a new interval: all ten of the previous one still count
    assert admitted(process, key, 1) == 0
    clock.now += HOUR // 2
    assert admitted(process, key, 9) == 5
    clock.now += HOUR // 4  # 2.5 of the ten still count, plus five new ones
    assert admitted(process, key, 9) == 2


def test_day_limit_applies_across_hours(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=4, rateLimitPerDay=10), Clock()
    clock.now = clock.now // DAY * DAY
    process = Guard(clock)
    counts = []
    for _ in range(5):
        counts.append(admitted(process, key, 6))
        clock.now += 2 * HOUR
    assert counts == [4, 4, 2, 0, 0]


def test_refusal_has_quota_statuses_and_retry_after(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=2), Clock()
    process = Guard(clock)
    first = process.admit(key.key).headers()
    assert first["x-ratelimit-remaining"] == "1"
    process.admit(key.key)
    with pytest.raises(RateLimited, match="2 requests per hour") as refused:
        process.admit(key.key)
    headers = refused.value.headers
    end = (clock.now // HOUR + 1) * HOUR
    available_at = end + HOUR // 2  # when one of the two no longer counts
    assert headers["x-ratelimit-limit"] == "2"
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-ratelimit-reset"] == str(available_at // 1000)
    assert headers["retry-after"] == str((available_at - clock.now) // 1000)
    assert headers["ratelimit-policy"] == '"hour";q=2;w=3600, "day";q=10000;w=86400'
    assert re.fullmatch(r'"hour";r=0;t=\d+, "day";r=9998;t=\d+', headers["ratelimit"])
    clock.now = available_at - 1
    assert admitted(process, key, 1) == 0
    clock.now = available_at
    assert admitted(process, key, 1) == 1


def test_refused_request_is_not_counted(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=2), Clock()
    process = Guard(clock)
    assert admitted(process, key, 9) == 2
    clock.now += 1_000
    assert admitted(process, key, 9) == 0
    assert service.get(ADA, key.id).usage.total == 2


def test_full_window_is_refused_without_a_call_for_at_most_a_second(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=2), Clock()
    process = Guard(clock)
    admitted(process, key, 3)
    backend.calls.clear()
    clock.now += 999
    assert admitted(process, key, 20) == 0
    assert backend.calls.made == []
    clock.now += 1
    assert admitted(process, key, 20) == 0
    assert backend.calls.count == {"dynamodb.UpdateItem": 1}


def test_processes_share_the_limit_despite_clock_skew(backend: Backend) -> None:
    key, now = create(rateLimitPerHour=20), Clock()
    late, early = Clock(), Clock()
    late.now, early.now = now.now - 90_000, now.now + 90_000
    processes = [Guard(clock) for clock in (now, late, early)]
    assert sum(admitted(process, key, 1) for _ in range(20) for process in processes) == 20


def test_cost_is_counted_completely_or_not_at_all(backend: Backend) -> None:
    key, clock = create(rateLimitPerHour=10), Clock()
    process = Guard(clock)
    process.admit(key.key, cost=8)
    with pytest.raises(RateLimited):
        process.admit(key.key, cost=3)
    assert process.admit(key.key, cost=2).headers()["x-ratelimit-remaining"] == "0"
    fresh = create(rateLimitPerHour=10)
    with pytest.raises(KeyCostExceedsLimit, match="limit of 10 per hour, so it is never allowed") as refused:
        Guard(clock).admit(fresh.key, cost=11)
    assert (refused.value.status, refused.value.headers) == (422, {})


def test_throttled_row_returns_429(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    key = create()
    process = Guard()
    process.admit(key.key)
    for code in (
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "TransactionConflictException",
    ):
        error = aws.ServiceError(code)
        monkeypatch.setattr(dynamo, "update", Mock(side_effect=error))
        with pytest.raises(RateLimited) as refused:
            process.admit(key.key)
        assert refused.value.headers["retry-after"] == "1"
        assert refused.value.headers["x-ratelimit-limit"] == "1000"
        monkeypatch.setattr(dynamo, "get", Mock(side_effect=error))
        with pytest.raises(RateLimited) as refused:
            Guard().admit(key.key)
        assert refused.value.headers["retry-after"] == "1"


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────


def size(row: dynamo.Row) -> int:
    """The size of a row in bytes by DynamoDB's rules: names and strings in UTF-8; for a number, one byte for
    every two significant digits, plus one.
    """

    def value_size(value: Any) -> int:
        if isinstance(value, str):
            return len(value.encode())
        digits = len(str(value).strip("-0")) or 1
        return (digits + 1) // 2 + 1

    return sum(len(name.encode()) + value_size(value) for name, value in row.items())


def test_row_stays_below_1_kb_over_60_days_of_sparse_use(backend: Backend) -> None:
    key = create(
        name="Zapier: publish to the newsroom",
        scopes=["integrations:read", "webhooks:read", "webhooks:write", "events:publish", "posts:read"],
        rateLimitPerHour=100_000,
        rateLimitPerDay=2_000_000,
        expiresAt="2999-01-01T00:00:00Z",
    )
    clock = Clock(now_ms() - 60 * DAY)
    process = Guard(clock)
    sizes, names = [], set()
    for day in range(61):
        if day % 7 != 3:
            for _ in range(1 + day % 3):
                process.admit(key.key, cost=997)
                clock.now += 5 * HOUR // 4
        clock.now = clock.now // DAY * DAY + DAY + 10 * HOUR
        row = dynamo.get(settings().api_keys_table, {"id": key.id})
        assert row is not None
        sizes.append(size(row))
        names.add(frozenset(row))
    assert max(sizes) < 1_024, max(sizes)
    assert max(sizes[35:]) == max(sizes), "the size is stable"
    assert len(max(names, key=len)) <= 31 + 22


def test_usage_is_counted_in_total_and_per_day(backend: Backend) -> None:
    key = create()
    fresh = service.get(ADA, key.id)
    assert fresh.last_used_at is None
    assert fresh.usage.total == 0
    assert [day.count for day in fresh.usage.daily or []] == [0] * 30
    today = now_ms() // DAY
    clock = Clock()
    process = Guard(clock)
    expected = {}
    for days_ago, times in ((45, 9), (40, 1), (31, 7), (30, 5), (29, 3), (10, 2), (1, 4), (0, 6)):
        clock.now = (today - days_ago) * DAY + 12 * HOUR
        for _ in range(times):
            process.admit(key.key)
        expected[29 - days_ago] = times
    shown = service.get(ADA, key.id)
    assert (shown.usage.total, shown.usage.today) == (37, 6)
    assert [day.count for day in shown.usage.daily or []] == [expected.get(index, 0) for index in range(30)]
    first, *_, last = shown.usage.daily or []
    assert (last.date - first.date).days == 29
    assert shown.last_used_at == from_ms(clock.now)


def test_repr_contains_no_secret(backend: Backend) -> None:
    key = create()
    admitted = guard.admit(key.key)
    secret = key.key.split("_")[-2]
    rows = backend.rows("ApiKeysTable")
    for text in (repr(key), str(key), repr(admitted), repr(rows)):
        assert secret not in text
    with pytest.raises(InvalidKey) as refused:
        guard.admit(key.key + "x")
    assert secret not in repr(refused.value) + str(refused.value)
