"""The API-key guard against a model of its promises: any interleaving of hosts, clocks, edits and uses."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from patchbay.api_keys import guard, hashing, key_format, service, store
from patchbay.api_keys.guard import Admission, Exhausted, Guard, InsufficientScopes, InvalidKey, NeverAdmitted
from patchbay.api_keys.models import CreateApiKey, UpdateApiKey
from patchbay.auth import principal
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import at_ms
from patchbay.errors import Conflict, NotFound
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR, NEVER, QuotaStatus, Window
from patchbay.rate_limits.throttling import BUSY
from patchbay.storage import dynamo
from tests.fake_rows import FakeRows

OWNER = Principal("acme", "user:ada", ROLES["owner"], role="owner")
CONFIG = SimpleNamespace(
    api_keys_table="keys", api_key_prefix="sk_test", platform_workspace_id="platform", max_api_keys=100
)
# Half an hour before the end of a day, in a year that lies ahead: the models refuse an expiry in the past.
START = 50_000 * DAY.length_ms - HOUR.length_ms // 2
HOSTS, KEYS = 3, 3
SCOPES = ("events:read", "posts:read", "webhooks:read")
SECOND, KEPT_DAYS = 1_000, 30


@dataclass
class Key:
    """What is true of one key: its terms, and all that was ever admitted, by window."""

    id: ApiKeyId
    token: str
    scopes: set[str]
    limits: dict[Window, int]
    expires_ms: int | None = None
    ended: str | None = None
    ended_ms: int = 0
    gone: bool = False
    counted: dict[Window, Counter[int]] = field(default_factory=lambda: {HOUR: Counter(), DAY: Counter()})
    last_used_ms: int | None = None

    def over(self, now: int) -> bool:
        return self.ended is not None or (self.expires_ms is not None and self.expires_ms <= now)

    def number(self, window: Window, now: int) -> int:
        """Time never runs before the latest window that was counted in."""
        return max(now // window.length_ms, max(self.counted[window], default=0))

    def free(self, window: Window, now: int) -> Fraction:
        number, counted = self.number(window, now), self.counted[window]
        overlap = 1 - Fraction(max(now - number * window.length_ms, 0), window.length_ms)
        return self.limits[window] - counted[number] - counted[number - 1] * overlap

    def has_room(self, cost: int, now: int) -> bool:
        return all(self.free(window, now) >= cost for window in self.limits)

    def first_room(self, cost: int, now: int) -> int:
        """The first moment with room for a cost within the limits: room only grows with time, and when the
        latest day counts no more all of it is back.
        """
        end = (self.number(DAY, now) + 2) * DAY.length_ms
        return bisect_left(range(end), True, now, key=lambda at: self.has_room(cost, at))

    def verdict(self, cost: int, scopes: set[str], workspace: str | None, now: int) -> str:
        if self.gone or workspace == "globex":
            return "NOT_FOUND"
        if self.ended:
            return self.ended
        if self.over(now):
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


class Memory:
    """What a host may refuse without asking: what the row refused it, for a second by its own clock (one that
    is set back makes it longer), and not beyond the moment at which room comes back.
    """

    def __init__(self) -> None:
        self.full: list[tuple[int, int]] = []
        self.expired: list[int] = []

    def learn(self, key: Key, verdict: str, cost: int, now: int) -> None:
        until = now + SECOND
        if verdict == "COST_EXCEEDS_LIMIT":
            self.full.append((until, cost))
        elif verdict == "RATE_LIMITED":
            self.full.append((min(until, key.first_room(cost, now)), cost))
        elif verdict == "EXPIRED":
            self.expired.append(until)

    def excuses(self, outcome: str, cost: int, now: int) -> bool:
        if outcome in ("RATE_LIMITED", "COST_EXCEEDS_LIMIT"):
            return any(now < until and cost >= refused for until, refused in self.full)
        return outcome == "EXPIRED" and any(now < until for until in self.expired)


def cheap_hash(secret: str) -> str:
    return f"$2b$00${'.' * 22}{hashlib.sha256(secret.encode()).hexdigest()}"


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
# What happens between a host's look at the clock and its write.
events = st.one_of(
    st.tuples(st.just("admits"), hosts, st.integers(1, 4)),
    st.tuples(st.just("changes"), terms),
    st.tuples(st.just("passes"), st.integers(0, 5_000)),
    st.tuples(st.just("revokes")),
)


class HostsThatShareKeys(RuleBasedStateMachine):
    """Hosts with clocks apart, and memories of their own, admit by keys that change and end meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.table = FakeRows()
        self.keys: list[Key] = []
        self.others = 0  # calls that were made within a request, by others
        self.patch = patch = pytest.MonkeyPatch()
        for name in ("get", "update", "transact"):
            patch.setattr(dynamo, name, getattr(self.table, name))
        for module in (guard, store, service, principal):
            patch.setattr(module, "settings", lambda: CONFIG)
        for module in (service, store):
            patch.setattr(module, "now_ms", lambda: self.now)
        patch.setattr(hashing, "hash_secret", cheap_hash)
        patch.setattr(hashing, "matches", lambda secret, secret_hash: cheap_hash(secret) == secret_hash)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(skews=st.lists(skews, min_size=HOSTS, max_size=HOSTS), terms=terms)
    def begin(self, skews: list[int], terms: dict[str, Any]) -> None:
        self.skews = skews
        self.hosts = [Guard(partial(self.clock, host)) for host in range(HOSTS - 1)]
        self.patch.setattr(guard, "_REMEMBERED", 1)  # … and one that keeps forgetting
        self.hosts.append(Guard(partial(self.clock, HOSTS - 1)))
        self.memories: dict[tuple[int, str], Memory] = {}
        self.a_key_is_made(terms)

    def clock(self, host: int) -> int:
        return self.now + self.skews[host]

    def key(self, number: int) -> Key:
        """One of the latest keys."""
        return self.keys[-1 - number % len(self.keys)]

    @property
    def calls(self) -> int:
        return self.table.reads + self.table.writes

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────

    @rule(pause=pauses)
    def time_passes(self, pause: int) -> None:
        self.now += pause

    @rule(host=hosts, skew=skews)
    def a_clock_is_set(self, host: int, skew: int) -> None:
        self.skews[host] = skew

    @rule(host=hosts)
    def a_host_forgets(self, host: int) -> None:
        self.hosts[host].clear()
        self.memories = {at: memory for at, memory in self.memories.items() if at[0] != host}

    @precondition(lambda self: sum(not key.over(self.now) for key in self.keys[-KEYS:]) < KEYS)
    @rule(terms=terms)
    def a_key_is_made(self, terms: dict[str, Any]) -> None:
        expires_ms = None if terms["lives"] is None else self.now + terms["lives"]
        made = service.create(
            OWNER,
            CreateApiKey(
                name="CI",
                scopes=sorted(terms["scopes"]),
                rate_limit_per_hour=terms["limits"][0],
                rate_limit_per_day=terms["limits"][1],
                expires_at=None if expires_ms is None else at_ms(expires_ms),
            ),
        )
        limits = dict(zip((HOUR, DAY), terms["limits"], strict=True))
        self.keys.append(Key(made.id, made.key, terms["scopes"], limits, expires_ms))

    @rule(number=keys, terms=terms, names=st.sets(st.sampled_from(["limits", "scopes", "lives"]), min_size=1))
    def a_key_changes(self, number: int, terms: dict[str, Any], names: set[str]) -> None:
        self.change(self.key(number), {name: terms[name] for name in names})

    def change(self, key: Key, changes: dict[str, Any]) -> None:
        sent: dict[str, Any] = {}
        if "limits" in changes:
            sent |= dict(zip(("rate_limit_per_hour", "rate_limit_per_day"), changes["limits"], strict=True))
        if "scopes" in changes:
            sent["scopes"] = sorted(changes["scopes"])
        if "lives" in changes:
            expires_ms = None if changes["lives"] is None else self.now + changes["lives"]
            sent["expires_at"] = None if expires_ms is None else at_ms(expires_ms)
        if key.gone or key.over(self.now):
            with pytest.raises((Conflict, NotFound)):
                service.update(OWNER, key.id, UpdateApiKey(**sent))
            return
        service.update(OWNER, key.id, UpdateApiKey(**sent))
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
        if key.gone or (key.ended and key.ended_ms + KEPT_DAYS * DAY.length_ms <= self.now):
            with pytest.raises(NotFound):
                service.revoke(OWNER, key.id)
            return
        service.revoke(OWNER, key.id)
        if not key.ended:
            key.ended, key.ended_ms = "EXPIRED" if key.over(self.now) else "REVOKED", self.now

    @rule()
    def the_schedule_counts_out_what_has_expired(self) -> None:
        for key in self.keys:
            if key.over(self.now) and not key.ended:
                stored = store.get("acme", key.id)
                assert stored is not None
                store.retire(stored, self.now)
                key.ended, key.ended_ms = "EXPIRED", self.now

    @rule(number=keys)
    def ttl_deletes_what_has_ended(self, number: int) -> None:
        key = self.key(number)
        if self.table.rows.get(key.id, {}).get("ttl", self.now) * 1000 < self.now:
            del self.table.rows[key.id]
            key.gone = True

    # ── what a host does ─────────────────────────────────────────────────────────────────────────────

    @rule(
        host=hosts,
        number=keys,
        times=st.integers(1, 5),
        cost=costs,
        scopes=st.one_of(st.just(set()), st.sets(st.sampled_from(SCOPES), min_size=1, max_size=2)),
        workspace=st.sampled_from([None, None, None, None, "acme", "globex"]),
        meanwhile=st.one_of(st.just([]), st.lists(events, min_size=1, max_size=2)),
    )
    def a_host_is_asked(
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
        self.table.meanwhile = [partial(self.happens, key, event) for event in meanwhile]
        for _ in range(times):
            self.ask(host, key, cost, scopes, workspace)
        self.table.meanwhile = []

    @rule(host=hosts, number=keys, cost=st.integers(1, 4))
    def a_host_is_asked_when_room_comes_back(self, host: int, number: int, cost: int) -> None:
        """To the millisecond: where a sliding window that is not exact would show."""
        key = self.key(number)
        if cost <= min(key.limits.values()):
            first = key.first_room(cost, self.clock(host)) - self.skews[host]
            for moment in (first - 1, first):
                self.now = max(self.now, moment)
                self.ask(host, key, cost, set(), None)

    @rule(host=hosts, number=keys, off=st.sampled_from([-1, 0]), retired=st.booleans())
    def a_host_is_asked_when_a_key_expires(self, host: int, number: int, off: int, retired: bool) -> None:
        """By its own clock; by the schedule's the key may be over already, or not yet."""
        key = self.key(number)
        if key.expires_ms is not None:
            self.ask(host, key, 1, set(), None)
            self.now = max(self.now, key.expires_ms + off - self.skews[host])
            if retired:
                self.the_schedule_counts_out_what_has_expired()
            self.ask(host, key, 1, set(), None)

    @rule(host=hosts, number=keys, later=st.sampled_from([-1, -1, 0]))
    def what_was_refused_would_be_admitted_now(self, host: int, number: int, later: int) -> None:
        """Within the second of the host's memory, and right after it."""
        key = self.key(number)
        memory = self.memories.get((host, key.id), Memory())
        remembered = [*memory.full[-1:], *((until, 1) for until in memory.expired[-1:])]
        if remembered:
            self.change(key, {"limits": (1_000, 1_000), "lives": None})
            until, cost = max(remembered)
            self.now = max(self.now, until + later - self.skews[host])
            self.ask(host, key, cost, set(), None)

    @rule(host=hosts, number=keys)
    def a_host_is_asked_with_a_wrong_secret(self, host: int, number: int) -> None:
        wrong = key_format.assemble("sk_test", self.key(number).id, key_format.mint_secret())
        with pytest.raises(InvalidKey) as refused:
            self.hosts[host].admit(wrong)
        # One wrong secret in 65,536 fits the mark, and is told no more than the right one.
        assert refused.value.reason == "NOT_FOUND" or self.key(number).ended or self.key(number).expires_ms

    def happens(self, key: Key, event: tuple[Any, ...]) -> None:
        before = self.calls
        match event:
            case "admits", host, cost:
                self.ask(host, key, cost, set(), None)
            case "changes", changes:
                self.change(key, changes)
            case ("revokes",):
                self.revoke(key)
            case "passes", pause:
                self.now += pause
        self.others += self.calls - before

    def ask(self, host: int, key: Key, cost: int, scopes: set[str], workspace: str | None) -> None:
        """A request at that host, whose verdict has to be the model's as of the write that decided it."""
        now, calls, others = self.clock(host), self.calls, self.others
        writes, alone = self.table.writes, not self.table.meanwhile
        admission, outcome, refused = attempt(
            lambda: self.hosts[host].admit(key.token, cost=cost, scopes=scopes, workspace_id=workspace)
        )
        asked = self.calls - calls - (self.others - others)
        verdict = key.verdict(cost, scopes, workspace, now)
        memory = self.memories.setdefault((host, key.id), Memory())
        if outcome == "VALID":
            assert (verdict, bool(asked)) == ("VALID", True)
        elif asked or not memory.excuses(outcome, cost, now):
            assert outcome == verdict or (key.gone and outcome in ("REVOKED", "EXPIRED")), (outcome, verdict)
        if alone:
            assert self.table.writes - writes <= 2, "a wrong belief and a change cost one try together"
        if admission:
            key.count(cost, now)
            assert admission.principal.scopes == key.scopes
            assert admission.principal.workspace_id == "acme"
            assert told(admission.statuses) == self.stands(key, now)
        elif asked:
            memory.learn(key, key.verdict(cost, set(), None, now), cost, now)
        if asked and isinstance(refused, Exhausted):
            assert told(refused.statuses) == self.stands(key, now)
            assert refused.principal.scopes == key.scopes
            assert refused.detail != BUSY
            assert refused.admits_ms == key.first_room(cost, now) > now
        if asked and isinstance(refused, NeverAdmitted):
            assert refused.quota_status.quota.limit == min(key.limits.values()) < cost

    def stands(self, key: Key, now: int) -> list[tuple[Window, int, int]]:
        return [(window, limit, max(key.free(window, now) // 1, 0)) for window, limit in key.limits.items()]

    # ── what always holds ────────────────────────────────────────────────────────────────────────────

    @invariant()
    def rows_hold_what_was_admitted_and_nothing_else(self) -> None:
        for key in self.keys:
            if key.gone:
                assert key.id not in self.table.rows
                continue
            state = store.state(key.id)
            assert state is not None
            for counted, count in zip(key.counted.values(), state.counts, strict=True):
                latest = max(counted, default=None)
                expected = NEVER if latest is None else (latest, counted[latest], counted[latest - 1])
                assert count == expected
            days = +key.counted[DAY]
            kept = range(max(days, default=0) - KEPT_DAYS, max(days, default=0) + 1)
            stored = state.key
            assert stored.uses == days.total()
            assert stored.last_used_ms == key.last_used_ms
            assert {day: uses for day, uses in stored.daily.items() if day in kept} == {
                day: uses for day, uses in days.items() if day in kept
            }


def attempt(admit: Callable[[], Admission]) -> tuple[Admission | None, str, Exception | None]:
    try:
        return admit(), "VALID", None
    except InvalidKey as refused:
        return None, refused.reason, refused
    except InsufficientScopes as refused:
        return None, "INSUFFICIENT_SCOPES", refused
    except NeverAdmitted as refused:
        return None, "COST_EXCEEDS_LIMIT", refused
    except Exhausted as refused:
        return None, "RATE_LIMITED", refused


def told(statuses: Sequence[QuotaStatus]) -> list[tuple[Window, int, int]]:
    return [(status.quota.window, status.quota.limit, status.remaining) for status in statuses]


TestHostsThatShareKeys = HostsThatShareKeys.TestCase
TestHostsThatShareKeys.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)


def test_a_clock_that_is_set_back_prolongs_no_memory() -> None:
    world = HostsThatShareKeys()
    try:
        world.begin([0] * HOSTS, {"limits": (1, 5), "scopes": {"events:read"}, "lives": None})
        key, (host, *_) = world.keys[0], world.hosts
        host.admit(key.token)
        with pytest.raises(Exhausted):
            host.admit(key.token)
        world.change(key, {"limits": (5, 5)})
        world.skews[0] = -30_000
        world.time_passes(SECOND)
        host.admit(key.token)
    finally:
        world.teardown()
