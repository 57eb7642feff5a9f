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
def test_an_id_keeps_its_time_and_parses_to_itself(at_ms: int) -> None:
    id = WebhookId.new(at_ms)
    assert id.time_ms == at_ms
    assert id == f"whk_{id.body}"
    assert len(id.body) == 22
    assert WebhookId.parse(str(id)) == id


@given(st.lists(milliseconds, unique=True))
def test_the_order_of_ids_is_the_order_of_time(times: list[int]) -> None:
    ids = [EventId.new(at) for at in times]
    assert [id.time_ms for id in sorted(ids)] == sorted(times)


def test_ids_of_one_moment_differ() -> None:
    assert len({ApiKeyId.new(7) for _ in range(1_000)}) == 1_000


@given(milliseconds)
def test_a_derived_id_is_always_the_same_and_has_the_time_of_its_base(at_ms: int) -> None:
    event, webhook = EventId.new(at_ms), WebhookId.new()
    delivery = DeliveryId.derived(event, webhook)
    assert delivery == DeliveryId.derived(event, webhook)
    assert delivery != DeliveryId.derived(event, WebhookId.new())
    assert delivery.time_ms == at_ms
    assert DeliveryId.parse(delivery) == delivery


@given(moments, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_range_holds_the_ids_of_its_time_and_no_others(since: datetime, span: timedelta) -> None:
    low, high = EventId.range(since, since + min(span, datetime.max.replace(tzinfo=UTC) - since))
    assert low <= EventId.new(low.time_ms) <= high
    assert low <= EventId.new(high.time_ms) <= high
    assert not low <= EventId.new(high.time_ms + 1) <= high
    if low.time_ms:
        assert not low <= EventId.new(low.time_ms - 1) <= high


def test_an_open_range_holds_all() -> None:
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
        "whk_" + "0" * 21 + "٣",  # a digit, but not one of base62
        "evt_" + "0" * 22,
        "WHK_" + "0" * 22,
        " whk_" + "0" * 22,
    ],
)
def test_what_is_no_webhook_id_does_not_parse(text: str) -> None:
    with pytest.raises(ValueError, match="not a whk_ id"):
        WebhookId.parse(text)


def test_pydantic_reads_and_writes_ids_of_the_right_kind() -> None:
    adapter = TypeAdapter(WebhookId)
    id = WebhookId.new()
    assert type(adapter.validate_json(f'"{id}"')) is WebhookId
    assert adapter.dump_json(id) == f'"{id}"'.encode()
    with pytest.raises(ValidationError):
        adapter.validate_python(str(EventId.new()))


@given(st.integers(0, 62**8 - 1))
def test_base62_is_of_the_asked_length_and_comes_back(number: int) -> None:
    text = base62(number, 8)
    assert len(text) == 8
    assert set(text) <= set(ALPHABET)
    assert from_base62(text) == number


def test_base62_does_not_cut_what_is_too_large() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        base62(62**3, 3)
