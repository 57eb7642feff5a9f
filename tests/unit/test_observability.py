"""The sampling of log records, correlation IDs, and the format of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from aws_lambda_powertools.metrics import Metrics

from patchbay import metrics, observability
from patchbay.settings import settings
from patchbay.storage.due_index import IncompleteRun


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from dataclasses import MISSING, fields

    from patchbay.settings import Settings

    for field in fields(Settings):
        if field.default is MISSING:
            monkeypatch.setenv(field.name.upper(), "x")
    settings.cache_clear()
    metrics.clear()
    yield
    settings.cache_clear()
    metrics.clear()


@pytest.mark.parametrize(
    ("percent", "fewest", "most"), [(0, 0, 0), (1, 5, 20), (50, 450, 550), (100, 1000, 1000)]
)
def test_sampled_selects_a_percentage_of_correlation_ids(
    monkeypatch: pytest.MonkeyPatch, percent: int, fewest: int, most: int
) -> None:
    monkeypatch.setenv("SUCCESS_LOG_PERCENT", str(percent))
    ids = [str(UUID(int=number)) for number in range(1000)]
    sampled = [id for id in ids if observability.sampled(id)]
    assert fewest <= len(sampled) <= most
    assert sampled == [id for id in ids if observability.sampled(id)]  # every function samples the same IDs


TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        (f"00-{TRACE_ID}-{PARENT}-01", TRACE_ID),
        (f"00-{TRACE_ID}-{PARENT}-00", TRACE_ID),
        (f"01-{TRACE_ID}-{PARENT}-01-more", TRACE_ID),  # a later version
        (f"00-{TRACE_ID}-{PARENT}-01-more", None),
        (f"ff-{TRACE_ID}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{'0' * 16}-01", None),
        (f"00-{TRACE_ID.upper()}-{PARENT}-01", None),
        (f"00-{TRACE_ID[:-1]}-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{PARENT}-1", None),
        (f" 00-{TRACE_ID}-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{PARENT}-01\n", None),
        (f"00-{TRACE_ID}-{PARENT}-01,00-{TRACE_ID}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_correlation_id_is_the_trace_id_of_a_valid_traceparent(
    traceparent: str, expected: str | None
) -> None:
    assert observability.correlation_id({"traceparent": traceparent}, "request") == (expected or "request")


def test_correlation_id_without_traceparent_is_the_request_id() -> None:
    assert observability.correlation_id({}, "request") == "request"


def test_metrics_have_the_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.add(metrics.HELD)
    metrics.add(metrics.HELD, 2)
    for value in range(250):
        metrics.add(metrics.ATTEMPT_MILLISECONDS, value, by="FAST")
        metrics.add(metrics.DELIVERED, by="FAST")
    metrics.flush()
    metrics.flush()
    held, *lane = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    timestamp = held["_aws"].pop("Timestamp")
    assert timestamp > 1_600_000_000_000
    assert held == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "Patchbay",
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": "DeliveriesHeld", "Unit": "Count"}],
                }
            ]
        },
        "service": "patchbay",
        "DeliveriesHeld": 3,
    }
    # A line has at most 100 values of a metric. Counts are added up.
    assert [len(line["AttemptMilliseconds"]) for line in lane] == [100, 100, 50]
    assert [value for line in lane for value in line["AttemptMilliseconds"]] == list(range(250))
    assert [line.get("DeliveriesDelivered") for line in lane] == [250, None, None]


def test_metrics_have_the_format_of_powertools(capsys: pytest.CaptureFixture[str]) -> None:
    """Powertools is an independent implementation, whose import takes too long for the functions."""
    powertools = Metrics(namespace="Patchbay", service="unused")
    powertools.provider.dimension_set = {}  # without the default dimension
    for value in (3, 4):
        metrics.add(metrics.ATTEMPT_MILLISECONDS, value, by="SLOW")
        powertools.add_metric("AttemptMilliseconds", "Milliseconds", value)
    expected: Any = powertools.serialize_metric_set(dimensions={"Lane": "SLOW"})
    metrics.flush()
    line = json.loads(capsys.readouterr().out)
    line["_aws"].pop("Timestamp")
    expected["_aws"].pop("Timestamp")
    assert line == expected


def test_worker_prints_metrics_of_a_failed_invocation(capsys: pytest.CaptureFixture[str]) -> None:
    @observability.worker
    def handler(event: object, context: object) -> None:
        metrics.add(metrics.TASKS_FAILED)
        raise IncompleteRun

    observability.logger.set_correlation_id("of the previous invocation")
    with pytest.raises(IncompleteRun):
        handler({}, None)
    assert observability.logger.get_correlation_id() is None
    assert json.loads(capsys.readouterr().out)["TasksFailed"] == 1
