"""Lanes: when a webhook or a workspace is slow, and how long a deferred delivery waits."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.units import item_bytes
from patchbay.api_model import MASK
from patchbay.deliveries import states, store
from patchbay.deliveries.models import DeliveryMessage
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.receivers import lanes
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.storage import dynamo
from tests.stored_attempts import stored_attempt

DAY = 86_400_000


def test_proving_time_doubles_up_to_an_hour() -> None:
    minutes = [lanes.proving_ms(slowdowns) / 60_000 for slowdowns in range(10)]
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert lanes.proving_ms(10_000) == 3_600_000


def test_deferred_delivery_waits_longer_each_time() -> None:
    assert [lanes.defer_seconds(receives) for receives in range(1, 5)] == [5, 20, 80, 80]


@pytest.mark.parametrize(("concurrency", "most"), [(2, 1), (3, 1), (4, 1), (8, 2), (20, 5), (1000, 250)])
def test_workspace_has_permits_for_a_quarter_of_slow_lane(concurrency: int, most: int) -> None:
    assert lanes.max_permits(concurrency) == most


@pytest.mark.parametrize(
    ("slow", "is_slow"),
    [
        ([], False),
        (["1000#a", "1000#b", "1000#c", "1000#d"], False),
        (["1000#a", "1001#a", "1000#b", "1000#c", "1000#d"], False),  # one webhook twice
        (["1000#a", "1001#b", "1002#c", "1003#d", "1004#e"], True),
        (["0#a", "1001#b", "1002#c", "1003#d", "1004#e"], False),  # ten minutes ago
    ],
)
def test_five_recently_slow_webhooks_make_workspace_slow(slow: list[str], is_slow: bool) -> None:
    assert Traffic(slow=frozenset(slow)).is_slow(600_000) is is_slow


@pytest.mark.parametrize(
    ("health", "slowdowns"),
    [
        (Health(), 1),  # new
        (Health(fast_at=DAY), 1),
        (Health(slow_at=5, slowdowns=3), 3),  # still slow, so it is not counted again
        (Health(slow_at=5, fast_at=DAY + 6, slowdowns=3), 4),
        (Health(slow_at=5, fast_at=DAY, slowdowns=3), 1),  # it was fast for a day
    ],
)
def test_slowdowns_are_counted(health: Health, slowdowns: int) -> None:
    assert health.slowdowns_with(2 * DAY) == slowdowns


@pytest.mark.parametrize(
    ("health", "proves"),
    [
        (Health(), True),
        (Health(fast_at=1), False),  # it has proved fast
        (Health(slow_at=DAY - 59_999, slowdowns=1), False),
        (Health(slow_at=DAY - 60_000, slowdowns=1), True),
        (Health(slow_at=DAY - 60_000, fast_at=9, slowdowns=2), False),
        (Health(slow_at=DAY - 120_000, fast_at=9, slowdowns=2), True),
    ],
)
def test_fast_response_proves_fast_after_proving_time(health: Health, proves: bool) -> None:
    assert health.proves_fast(DAY) is proves


# ── the row of a success ─────────────────────────────────────────────────────────────────────────────

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), values, max_size=6))
def test_size_of_is_never_less_than_item_size(row: dynamo.Row) -> None:
    assert dynamo.size_of(row) >= item_bytes(dynamo.pack_row(row))


@given(st.text(max_size=3000), st.integers(0, 3))
@example("é" * 3000, 0)
@example("🎈" * 3000, 0)
@example("a" * 3000, 0)
@example("a" * 199 + "é" * 100, 3)
def test_response_body_is_cut_to_one_write_unit(body: str, own_headers: int) -> None:
    id = DeliveryId.new()
    message = DeliveryMessage(id, "acme", WebhookId.new(), EventId.new(), "POST_PUBLISHED", "{}", 0, "c")
    attempt = stored_attempt(
        id.time_ms,
        duration_ms=12,
        status_code=200,
        request_headers={"webhook-id": id, **{f"x-{index}" * 50: MASK for index in range(own_headers)}},
        response_headers={"content-type": "text/plain"},
        response_body=body,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "retention_ttl", lambda now, days: now // 1000)
        row = store._fit_write_unit(
            states.delivered(None, message, attempt, counted=False, now=id.time_ms, max_attempts=4)
        )
    kept = row["success"]["responseBody"]
    size = item_bytes(dynamo.pack_row(row))
    assert body.startswith(kept)
    assert row["success"]["truncated"] is (kept != body)
    assert len(kept) >= min(len(body), 200)
    assert size <= 1024 or len(kept) <= 200
    if kept != body and len(kept) > 200:
        assert size > 1024 - 24  # as long as possible, except for the rounding of numbers
