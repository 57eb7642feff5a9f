"""The API-key guard against a model, in any interleaving of hosts, clocks, updates and requests."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from patchbay.api_keys import guard, key_format, service, store
from patchbay.api_keys.guard import (
    AdmittedRequest,
    Guard,
    InsufficientScopes,
    InvalidKey,
    KeyCostExceedsLimit,
    KeyRateLimited,
)
from patchbay.api_keys.models import CreateApiKey, UpdateApiKey
from patchbay.clock import from_ms
from patchbay.errors import Conflict, NotFound
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR, NO_COUNT, QuotaStatus, Window
from patchbay.rate_limits.throttling import THROTTLED_DETAIL
from patchbay.storage import dynamo
from tests.api_keys import ADA, use_config, use_fast_hashes
from tests.fake_rows import FakeRows

# Half an hour before the end of a day, in a future year, because the models reject an expiry in the past.
START = 50_000 * DAY.length_ms - HOUR.length_ms // 2
HOSTS, KEYS = 3, 3
SCOPES = ("events:read", "posts:read", "webhooks:read")
SECOND, RETENTION_DAYS = 1_000, 30


@dataclass
class Key:
    """The model of one key: its terms, and all admitted requests by window and interval."""

    id: ApiKeyId
    token: str
    scopes: set[str]
    limits: dict[Window, int]
    expires_ms: int | None = None
    ended: str | None = None
    ended_ms: int = 0
    is_deleted: bool = False
    counted: dict[Window, Counter[int]] = field(default_factory=lambda: {HOUR: Counter(), DAY: Counter()})
    last_used_ms: int | None = None

    def has_ended(self, now: int) -> bool:
        return self.ended is not None or (self.expires_ms is not None and self.expires_ms <= now)

    def number(self, window: Window, now: int) -> int:
        """Time never goes back before the latest counted interval."""
        return max(now // window.length_ms, max(self.counted[window], default=0))

    def free(self, window: Window, now: int) -> Fraction:
        number, counted = self.number(window, now), self.counted[window]
        overlap = 1 - Fraction(max(now - number * window.length_ms, 0), window.length_ms)
        return self.limits[window] - counted[number] - counted[number - 1] * overlap

    def has_room(self, cost: int, now: int) -> bool:
        return all(self.free(window, now) >= cost for window in self.limits)

    def available_at_ms(self, cost: int, now: int) -> int:
        """The first moment with room for a cost within the limits. Room only grows with time, and is complete
        when the latest day no longer counts.
        """
        end = (self.number(DAY, now) + 2) * DAY.length_ms
        return bisect_left(range(end), True, now, key=lambda moment: self.has_room(cost, moment))

    def verdict(self, cost: int, scopes: set[str], workspace: str | None, now: int) -> str:
        if self.is_deleted or workspace == "globex":
            return "NOT_FOUND"
        if self.ended:
            return self.ended
        if self.has_ended(now):
            return "EXPIRED"
        if scopes - self.scopes:
            return "INSUFFICIENT_SCOPES"
        if cost > min(self.limits.values()):
            return "COST_EXCEEDS_LIMIT"
        return "VALID" if self.has_room(cost, now) else "RATE_LIMITED"

    def count(self, cost: int, now: int) -> None:
        for window, counted in self.counted.items():
            counted[self.number(window, now)] += cost
        self.last_used_ms = now


class CachedRefusals:
    """The refusals that a host may repeat without a call: those of the row, for a second by the host's clock
    (or longer if the clock is set back), until there is room again.
    """

    def __init__(self) -> None:
        self.full: list[tuple[int, int]] = []
        self.expired: list[int] = []

    def add(self, key: Key, verdict: str, cost: int, now: int) -> None:
        until = now + SECOND
        if verdict == "COST_EXCEEDS_LIMIT":
            self.full.append((until, cost))
        elif verdict == "RATE_LIMITED":
            self.full.append((min(until, key.available_at_ms(cost, now)), cost))
        elif verdict == "EXPIRED":
            self.expired.append(until)

    def explains(self, outcome: str, cost: int, now: int) -> bool:
        if outcome in ("RATE_LIMITED", "COST_EXCEEDS_LIMIT"):
            return any(now < until and cost >= refused_cost for until, refused_cost in self.full)
        return outcome == "EXPIRED" and any(now < until for until in self.expired)


terms = st.fixed_dictionaries(
    {
        "limits": st.tuples(st.integers(1, 12), st.integers(1, 30)),
        "scopes": st.sets(st.sampled_from(SCOPES), min_size=1),
        "lives": st.sampled_from([*[None] * 5, 1, 700, 60_000, HOUR.length_ms, 3 * DAY.length_ms]),
    }
)
hosts, keys = st.integers(0, HOSTS - 1), st.integers(0, KEYS - 1)
costs = st.one_of(st.integers(1, 3), st.integers(1, 14))
skews = st.one_of(st.integers(-90_000, 90_000), st.sampled_from([0, -HOUR.length_ms, 26 * HOUR.length_ms]))
pauses = st.one_of(
    st.integers(0, 1_500),
    st.integers(0, HOUR.length_ms),
    st.integers(0, 2 * DAY.length_ms),
    st.sampled_from([999, SECOND, DAY.length_ms, 31 * DAY.length_ms, 40 * DAY.length_ms]),
)
# Events between a host's read of the clock and its write.
events = st.one_of(
    st.tuples(st.just("admits"), hosts, st.integers(1, 4)),
    st.tuples(st.just("changes"), terms),
    st.tuples(st.just("passes"), st.integers(0, 5_000)),
    st.tuples(st.just("revokes")),
)


class HostsThatShareKeys(RuleBasedStateMachine):
    """Hosts with clock skew and separate caches admit requests while the keys change and end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.table = FakeRows()
        self.keys: list[Key] = []
        self.others = 0  # calls made by other hosts during a request
        self.patch = patch = pytest.MonkeyPatch()
        for name in ("get", "update", "transact"):
            patch.setattr(dynamo, name, getattr(self.table, name))
        use_config(patch)
        for module in (service, store):
            patch.setattr(module, "now_ms", lambda: self.now)
        use_fast_hashes(patch)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(skews=st.lists(skews, min_size=HOSTS, max_size=HOSTS), terms=terms)
    def start(self, skews: list[int], terms: dict[str, Any]) -> None:
        self.skews = skews
        self.hosts = [Guard(partial(self.clock, host)) for host in range(HOSTS - 1)]
        self.patch.setattr(guard, "_CACHE_SIZE", 1)  # … and one host with a tiny cache
        self.hosts.append(Guard(partial(self.clock, HOSTS - 1)))
        self.refusals: dict[tuple[int, str], CachedRefusals] = {}
        self.a_key_is_created(terms)

    def clock(self, host: int) -> int:
        return self.now + self.skews[host]

    def key(self, number: int) -> Key:
        """One of the newest keys."""
        return self.keys[-1 - number % len(self.keys)]

    @property
    def calls(self) -> int:
        return self.table.reads + self.table.writes

    # ── events ───────────────────────────────────────────────────────────────────────────────────────

    @rule(pause=pauses)
    def time_passes(self, pause: int) -> None:
        self.now += pause

    @rule(host=hosts, skew=skews)
    def a_clock_is_set(self, host: int, skew: int) -> None:
        self.skews[host] = skew

    @rule(host=hosts)
    def a_cache_is_cleared(self, host: int) -> None:
        self.hosts[host].clear()
        self.refusals = {key: cached for key, cached in self.refusals.items() if key[0] != host}

    @precondition(lambda self: sum(not key.has_ended(self.now) for key in self.keys[-KEYS:]) < KEYS)
    @rule(terms=terms)
    def a_key_is_created(self, terms: dict[str, Any]) -> None:
        expires_ms = None if terms["lives"] is None else self.now + terms["lives"]
        created = service.create(
            ADA,
            CreateApiKey(
                name="CI",
                scopes=sorted(terms["scopes"]),
                rate_limit_per_hour=terms["limits"][0],
                rate_limit_per_day=terms["limits"][1],
                expires_at=None if expires_ms is None else from_ms(expires_ms),
            ),
        )
        limits = dict(zip((HOUR, DAY), terms["limits"], strict=True))
        self.keys.append(Key(created.id, created.key, terms["scopes"], limits, expires_ms))

    @rule(number=keys, terms=terms, names=st.sets(st.sampled_from(["limits", "scopes", "lives"]), min_size=1))
    def a_key_is_updated(self, number: int, terms: dict[str, Any], names: set[str]) -> None:
        self.update(self.key(number), {name: terms[name] for name in names})

    def update(self, key: Key, changes: dict[str, Any]) -> None:
        sent: dict[str, Any] = {}
        if "limits" in changes:
            sent |= dict(zip(("rate_limit_per_hour", "rate_limit_per_day"), changes["limits"], strict=True))
        if "scopes" in changes:
            sent["scopes"] = sorted(changes["scopes"])
        if "lives" in changes:
            expires_ms = None if changes["lives"] is None else self.now + changes["lives"]
            sent["expires_at"] = None if expires_ms is None else from_ms(expires_ms)
        if key.is_deleted or key.has_ended(self.now):
            with pytest.raises((Conflict, NotFound)):
                service.update(ADA, key.id, UpdateApiKey(**sent))
            return
        service.update(ADA, key.id, UpdateApiKey(**sent))
        if "limits" in changes:
            key.limits = dict(zip((HOUR, DAY), changes["limits"], strict=True))
        key.scopes = set(changes.get("scopes", key.scopes))
        if "lives" in changes:
            key.expires_ms = expires_ms

    @rule(number=keys, sure=st.sampled_from([True, False, False]))
    def a_key_is_revoked(self, number: int, sure: bool) -> None:
        if sure:
            self.revoke(self.key(number))

    def revoke(self, key: Key) -> None:
        if key.is_deleted or (key.ended and key.ended_ms + RETENTION_DAYS * DAY.length_ms <= self.now):
            with pytest.raises(NotFound):
                service.revoke(ADA, key.id)
            return
        service.revoke(ADA, key.id)
        if not key.ended:
            key.ended, key.ended_ms = "EXPIRED" if key.has_ended(self.now) else "REVOKED", self.now

    @rule()
    def the_schedule_retires_expired_keys(self) -> None:
        for key in self.keys:
            if key.has_ended(self.now) and not key.ended:
                stored = store.get("acme", key.id)
                assert stored is not None
                store.retire(stored, self.now)
                key.ended, key.ended_ms = "EXPIRED", self.now

    @rule(number=keys)
    def ttl_deletes_ended_keys(self, number: int) -> None:
        key = self.key(number)
        if self.table.rows.get(key.id, {}).get("ttl", self.now) * 1000 < self.now:
            del self.table.rows[key.id]
            key.is_deleted = True

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────

    @rule(
        host=hosts,
        number=keys,
        times=st.integers(1, 5),
        cost=costs,
        scopes=st.one_of(st.just(set()), st.sets(st.sampled_from(SCOPES), min_size=1, max_size=2)),
        workspace=st.sampled_from([None, None, None, None, "acme", "globex"]),
        meanwhile=st.one_of(st.just([]), st.lists(events, min_size=1, max_size=2)),
    )
    def a_host_gets_requests(
        self,
        host: int,
        number: int,
        times: int,
        cost: int,
        scopes: set[str],
        workspace: str | None,
        meanwhile: list[tuple[Any, ...]],
    ) -> None:
        key = self.key(number)
        self.table.meanwhile = [partial(self.apply, key, event) for event in meanwhile]
        for _ in range(times):
            self.request(host, key, cost, scopes, workspace)
        self.table.meanwhile = []

    @rule(host=hosts, number=keys, cost=st.integers(1, 4))
    def a_host_gets_a_request_when_there_is_room(self, host: int, number: int, cost: int) -> None:
        """Exact to the millisecond, where an inexact sliding window would fail."""
        key = self.key(number)
        if cost <= min(key.limits.values()):
            first = key.available_at_ms(cost, self.clock(host)) - self.skews[host]
            for moment in (first - 1, first):
                self.now = max(self.now, moment)
                self.request(host, key, cost, set(), None)

    @rule(host=hosts, number=keys, off=st.sampled_from([-1, 0]), retired=st.booleans())
    def a_host_gets_a_request_when_a_key_expires(
        self, host: int, number: int, off: int, retired: bool
    ) -> None:
        """The key expires by the host's clock. The schedule may have retired it already."""
        key = self.key(number)
        if key.expires_ms is not None:
            self.request(host, key, 1, set(), None)
            self.now = max(self.now, key.expires_ms + off - self.skews[host])
            if retired:
                self.the_schedule_retires_expired_keys()
            self.request(host, key, 1, set(), None)

    @rule(host=hosts, number=keys, later=st.sampled_from([-1, -1, 0]))
    def a_refused_request_becomes_admissible(self, host: int, number: int, later: int) -> None:
        """Within the second for which the host caches a refusal, and right after it."""
        key = self.key(number)
        cached = self.refusals.get((host, key.id), CachedRefusals())
        candidates = [*cached.full[-1:], *((until, 1) for until in cached.expired[-1:])]
        if candidates:
            self.update(key, {"limits": (1_000, 1_000), "lives": None})
            until, cost = max(candidates)
            self.now = max(self.now, until + later - self.skews[host])
            self.request(host, key, cost, set(), None)

    @rule(host=hosts, number=keys)
    def a_host_gets_a_wrong_secret(self, host: int, number: int) -> None:
        wrong = key_format.assemble("sk_test", self.key(number).id, key_format.mint_secret())
        with pytest.raises(InvalidKey) as refused:
            self.hosts[host].admit(wrong)
        # One wrong secret in 65,536 matches the fingerprint, and gets the same response as the right one.
        assert refused.value.reason == "NOT_FOUND" or self.key(number).ended or self.key(number).expires_ms

    def apply(self, key: Key, event: tuple[Any, ...]) -> None:
        before = self.calls
        match event:
            case "admits", host, cost:
                self.request(host, key, cost, set(), None)
            case "changes", changes:
                self.update(key, changes)
            case ("revokes",):
                self.revoke(key)
            case "passes", pause:
                self.now += pause
        self.others += self.calls - before

    def request(self, host: int, key: Key, cost: int, scopes: set[str], workspace: str | None) -> None:
        """A request to a host. Its outcome must be the model's verdict at the time of the deciding write."""
        now, calls, others = self.clock(host), self.calls, self.others
        writes, alone = self.table.writes, not self.table.meanwhile
        admitted, outcome, refused = attempt(
            lambda: self.hosts[host].admit(key.token, cost=cost, scopes=scopes, workspace_id=workspace)
        )
        own_calls = self.calls - calls - (self.others - others)
        verdict = key.verdict(cost, scopes, workspace, now)
        cached = self.refusals.setdefault((host, key.id), CachedRefusals())
        if outcome == "VALID":
            assert (verdict, bool(own_calls)) == ("VALID", True)
        elif own_calls or not cached.explains(outcome, cost, now):
            assert outcome == verdict or (key.is_deleted and outcome in ("REVOKED", "EXPIRED")), (
                outcome,
                verdict,
            )
        if alone:
            assert self.table.writes - writes <= 2, "a stale cache entry and a change cost one retry together"
        if admitted:
            key.count(cost, now)
            assert admitted.principal.scopes == key.scopes
            assert admitted.principal.workspace_id == "acme"
            assert summary(admitted.statuses) == self.expected_statuses(key, now)
        elif own_calls:
            cached.add(key, key.verdict(cost, set(), None, now), cost, now)
        if own_calls and isinstance(refused, KeyRateLimited):
            assert summary(refused.statuses) == self.expected_statuses(key, now)
            assert refused.principal.scopes == key.scopes
            assert refused.detail != THROTTLED_DETAIL
            assert refused.available_at_ms == key.available_at_ms(cost, now) > now
        if own_calls and isinstance(refused, KeyCostExceedsLimit):
            assert refused.quota_status.quota.limit == min(key.limits.values()) < cost

    def expected_statuses(self, key: Key, now: int) -> list[tuple[Window, int, int]]:
        return [(window, limit, max(key.free(window, now) // 1, 0)) for window, limit in key.limits.items()]

    # ── invariants ───────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def rows_count_exactly_the_admitted_requests(self) -> None:
        for key in self.keys:
            if key.is_deleted:
                assert key.id not in self.table.rows
                continue
            state = store.get_state(key.id)
            assert state is not None
            for counted, count in zip(key.counted.values(), state.counts, strict=True):
                latest = max(counted, default=None)
                expected = NO_COUNT if latest is None else (latest, counted[latest], counted[latest - 1])
                assert count == expected
            days = +key.counted[DAY]
            retained = range(max(days, default=0) - RETENTION_DAYS, max(days, default=0) + 1)
            stored = state.key
            assert stored.uses == days.total()
            assert stored.last_used_ms == key.last_used_ms
            assert {day: uses for day, uses in stored.daily.items() if day in retained} == {
                day: uses for day, uses in days.items() if day in retained
            }


def attempt(admit: Callable[[], AdmittedRequest]) -> tuple[AdmittedRequest | None, str, Exception | None]:
    try:
        return admit(), "VALID", None
    except InvalidKey as error:
        return None, error.reason, error
    except InsufficientScopes as error:
        return None, "INSUFFICIENT_SCOPES", error
    except KeyCostExceedsLimit as error:
        return None, "COST_EXCEEDS_LIMIT", error
    except KeyRateLimited as error:
        return None, "RATE_LIMITED", error


def summary(statuses: Sequence[QuotaStatus]) -> list[tuple[Window, int, int]]:
    return [(status.quota.window, status.quota.limit, status.remaining) for status in statuses]


TestHostsThatShareKeys = HostsThatShareKeys.TestCase
TestHostsThatShareKeys.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)


def test_clock_set_back_does_not_prolong_a_refusal() -> None:
    world = HostsThatShareKeys()
    try:
        world.start([0] * HOSTS, {"limits": (1, 5), "scopes": {"events:read"}, "lives": None})
        key, (host, *_) = world.keys[0], world.hosts
        host.admit(key.token)
        with pytest.raises(KeyRateLimited):
            host.admit(key.token)
        world.update(key, {"limits": (5, 5)})
        world.skews[0] = -30_000
        world.time_passes(SECOND)
        host.admit(key.token)
    finally:
        world.teardown()
