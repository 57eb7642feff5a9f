"""Lanes: when a webhook, or a whole workspace, is slow; what is put off and for how long."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.units import item_bytes
from patchbay.deliveries import states, store
from patchbay.deliveries.models import DeliveryMessage
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.receivers import lanes
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.storage import dynamo

DAY = 86_400_000


def test_a_webhook_must_be_fast_for_longer_each_time_up_to_an_hour() -> None:
    minutes = [lanes.proving_ms(slowdowns) / 60_000 for slowdowns in range(10)]
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert lanes.proving_ms(10_000) == 3_600_000


def test_what_is_put_off_waits_longer_each_time() -> None:
    assert [lanes.defer_seconds(receives) for receives in range(1, 5)] == [5, 20, 80, 80]


@pytest.mark.parametrize(("concurrency", "most"), [(2, 1), (3, 1), (4, 1), (8, 2), (20, 5), (1000, 250)])
def test_a_workspace_holds_a_quarter_of_the_slow_lane(concurrency: int, most: int) -> None:
    assert lanes.max_permits(concurrency) == most


@pytest.mark.parametrize(
    ("slow", "is_slow"),
    [
        ([], False),
        (["1000#a", "1000#b", "1000#c", "1000#d"], False),
        (["1000#a", "1001#a", "1000#b", "1000#c", "1000#d"], False),  # the same one twice
        (["1000#a", "1001#b", "1002#c", "1003#d", "1004#e"], True),
        (["0#a", "1001#b", "1002#c", "1003#d", "1004#e"], False),  # ten minutes ago
    ],
)
def test_five_webhooks_that_became_slow_lately_make_their_workspace_slow(
    slow: list[str], is_slow: bool
) -> None:
    assert Traffic(slow=frozenset(slow)).is_slow(600_000) is is_slow


@pytest.mark.parametrize(
    ("known", "slowdowns"),
    [
        (Health(), 1),  # new
        (Health(fast_at=DAY), 1),
        (Health(slow_at=5, slowdowns=3), 3),  # still slow: this is no further time
        (Health(slow_at=5, fast_at=DAY + 6, slowdowns=3), 4),
        (Health(slow_at=5, fast_at=DAY, slowdowns=3), 1),  # it was fast for a day
    ],
)
def test_how_often_a_webhook_has_become_slow(known: Health, slowdowns: int) -> None:
    assert known.slowdowns_with(2 * DAY) == slowdowns


@pytest.mark.parametrize(
    ("known", "proves"),
    [
        (Health(), True),
        (Health(fast_at=1), False),  # it has
        (Health(slow_at=DAY - 59_999, slowdowns=1), False),
        (Health(slow_at=DAY - 60_000, slowdowns=1), True),
        (Health(slow_at=DAY - 60_000, fast_at=9, slowdowns=2), False),
        (Health(slow_at=DAY - 120_000, fast_at=9, slowdowns=2), True),
    ],
)
def test_when_a_fast_answer_is_enough(known: Health, proves: bool) -> None:
    assert known.proves_fast(DAY) is proves


# ── the row of a success ─────────────────────────────────────────────────────────────────────────────

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), values, max_size=6))
def test_a_row_is_never_larger_than_it_is_taken_for(row: dynamo.Row) -> None:
    assert dynamo.size_of(row) >= item_bytes(dynamo.pack_row(row))


@given(st.text(max_size=3000), st.integers(0, 3))
@example("é" * 3000, 0)
@example("🎈" * 3000, 0)
@example("a" * 3000, 0)
@example("a" * 199 + "é" * 100, 3)
def test_of_an_answer_as_much_is_kept_as_one_write_unit_holds(body: str, own_headers: int) -> None:
    id = DeliveryId.new()
    message = DeliveryMessage(id, "acme", WebhookId.new(), EventId.new(), "POST_PUBLISHED", "{}", 0, "c")
    attempt = {
        "number": 1,
        "trigger": "AUTO",
        "startedAt": id.time_ms,
        "durationMs": 12,
        "statusCode": 200,
        "error": None,
        "requestHeaders": {"webhook-id": id, **{f"x-{at}" * 50: "********" for at in range(own_headers)}},
        "responseHeaders": {"content-type": "text/plain"},
        "responseBody": body,
        "truncated": False,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "kept_until", lambda now: now // 1000)
        row = store._within_a_unit(
            states.delivered(None, message, attempt, counted=False, now=id.time_ms, max_attempts=4)
        )
    kept = row["success"]["responseBody"]
    size = item_bytes(dynamo.pack_row(row))
    assert body.startswith(kept)
    assert row["success"]["truncated"] is (kept != body)
    assert len(kept) >= min(len(body), 200)
    assert size <= 1024 or len(kept) <= 200
    if kept != body and len(kept) > 200:
        assert size > 1024 - 24  # not a character less than fits, but for what numbers are rounded up by
