"""IDs: time order, ranges, and parsing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from patchbay.ids import ALPHABET, ApiKeyId, DeliveryId, EventId, WebhookId, base62, from_base62

milliseconds = st.integers(0, 2**48 - 1)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))


@given(milliseconds)
def test_id_has_its_creation_time_and_parses_to_itself(at_ms: int) -> None:
    id = WebhookId.new(at_ms)
    assert id.time_ms == at_ms
    assert id == f"whk_{id.body}"
    assert len(id.body) == 22
    assert WebhookId.parse(str(id)) == id


@given(st.lists(milliseconds, unique=True))
def test_ids_sort_by_time(times: list[int]) -> None:
    ids = [EventId.new(at) for at in times]
    assert [id.time_ms for id in sorted(ids)] == sorted(times)


def test_ids_of_the_same_millisecond_differ() -> None:
    assert len({ApiKeyId.new(7) for _ in range(1_000)}) == 1_000


@given(milliseconds)
def test_derived_id_is_deterministic_and_has_the_time_of_its_base(at_ms: int) -> None:
    event, webhook = EventId.new(at_ms), WebhookId.new()
    delivery = DeliveryId.derived(event, webhook)
    assert delivery == DeliveryId.derived(event, webhook)
    assert delivery != DeliveryId.derived(event, WebhookId.new())
    assert delivery.time_ms == at_ms
    assert DeliveryId.parse(delivery) == delivery


@given(moments, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_range_includes_exactly_the_ids_of_its_time(since: datetime, span: timedelta) -> None:
    low, high = EventId.range(since, since + min(span, datetime.max.replace(tzinfo=UTC) - since))
    assert low <= EventId.new(low.time_ms) <= high
    assert low <= EventId.new(high.time_ms) <= high
    assert not low <= EventId.new(high.time_ms + 1) <= high
    if low.time_ms:
        assert not low <= EventId.new(low.time_ms - 1) <= high


def test_open_range_includes_all_ids() -> None:
    low, high = EventId.range(None, None)
    assert low <= EventId.new(0) <= high
    assert low <= EventId.new(2**48 - 1) <= high


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whk_",
        "whk_" + "0" * 21,
        "whk_" + "0" * 23,
        "whk_" + "8" + "0" * 21,  # more than 128 bits
        "whk_" + "0" * 21 + "\n",
        "whk_" + "0" * 21 + "-",
        "whk_" + "0" * 21 + "٣",  # a Unicode digit, but not in base62
        "evt_" + "0" * 22,
        "WHK_" + "0" * 22,
        " whk_" + "0" * 22,
    ],
)
def test_parse_rejects_text_that_is_not_a_webhook_id(text: str) -> None:
    with pytest.raises(ValueError, match="must be whk_ followed by 22 letters or digits"):
        WebhookId.parse(text)


def test_pydantic_validates_and_serializes_ids() -> None:
    adapter = TypeAdapter(WebhookId)
    id = WebhookId.new()
    assert type(adapter.validate_json(f'"{id}"')) is WebhookId
    assert adapter.dump_json(id) == f'"{id}"'.encode()
    with pytest.raises(ValidationError):
        adapter.validate_python(str(EventId.new()))


@given(st.integers(0, 62**8 - 1))
def test_base62_has_the_requested_length_and_round_trips(number: int) -> None:
    text = base62(number, 8)
    assert len(text) == 8
    assert set(text) <= set(ALPHABET)
    assert from_base62(text) == number


def test_base62_rejects_a_number_that_is_too_large() -> None:
    with pytest.raises(ValueError, match="base62 digits"):
        base62(62**3, 3)
