"""The metrics that functions print, and the correlation ID from a request to each attempt."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from patchbay import metrics
from patchbay.clock import from_ms, iso
from patchbay.deliveries.models import DeliveryMessage
from patchbay.ids import LogId
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT
from tests.faults import INVALID, REFUSED, failing
from tests.integration.conftest import Pipeline
from tests.problems import assert_problem
from tests.receivers import receiver
from workers import roll_up_stats

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"

Values = dict[tuple[str, str], list[float]]
Printed = Callable[[], Values]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """The values of each metric since the last call, by metric name and dimension value."""
    known = {each.name: each for each in metrics.ALL}

    def read() -> Values:
        found: Values = defaultdict(list)
        for line in capsys.readouterr().out.splitlines():
            if '"_aws"' not in line:
                continue
            record = json.loads(line)
            (directive,) = record.pop("_aws")["CloudWatchMetrics"]
            ((dimension,),) = directive["Dimensions"]
            by = record.pop(dimension)
            # The record has only the metrics and their one dimension, whose values are bounded.
            assert record.keys() == {each["Name"] for each in directive["Metrics"]}
            for each in directive["Metrics"]:
                metric = known[each["Name"]]
                assert (metric.dimension, metric.unit) == (dimension, each["Unit"])
                assert by in metric.values
                values = record[metric.name]
                found[metric.name, by] += values if isinstance(values, list) else [values]
        return dict(found)

    return read


def test_deliveries_are_counted_by_lane_and_outcome(pipeline: Pipeline, printed: Printed) -> None:
    with receiver([200, 500, 200, 404]) as r:
        pipeline.webhook(r.url)
        for _ in range(3):
            pipeline.publish()
            pipeline.clock.move(2)
            pipeline.run()
    values = printed()
    assert len(values.pop(("AttemptMilliseconds", "FAST"))) == 4
    assert values == {
        ("DeliveriesDelivered", "FAST"): [1, 1],
        ("AttemptsRetried", "FAST"): [1],
        ("DeliveriesFailed", "FAST"): [1],
        ("FirstAttemptDelay", "FAST"): [2002] * 3,  # no value for the retry
    }


def test_slow_lane_is_counted_separately(pipeline: Pipeline, printed: Printed) -> None:
    with receiver([200]) as r:
        pipeline.webhook(r.url, is_fast=False)
        pipeline.publish()
        pipeline.run()
    values = printed()
    assert values["DeliveriesDelivered", "SLOW"] == [1]
    assert {by for _, by in values} == {"SLOW"}


def test_delivery_that_fails_without_an_attempt_is_counted(pipeline: Pipeline, printed: Printed) -> None:
    with receiver([500]) as r:
        pipeline.webhook(r.url)
        pipeline.publish({"text": "x" * 70_000})  # too large for the message
        event = pipeline.backend.rows("EventsTable")
        for row in event:
            key = {name: row[name] for name in ("workspaceId", "id")}
            pipeline.backend.client("dynamodb").delete_item(
                TableName=settings().events_table, Key={name: {"S": key[name]} for name in key}
            )
        pipeline.run()
    assert pipeline.ends() == [("FAILED", "event_expired")]
    assert printed() == {("DeliveriesFailed", "FAST"): [1]}


def test_batch_prints_one_line_for_each_dimension(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiver([200]) as r:
        pipeline.webhook(r.url)
        for _ in range(10):
            pipeline.publish()
        capsys.readouterr()
        assert pipeline.deliveries.poll() == 10
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["DeliveriesDelivered"] == 10
    assert len(line) < 600  # see docs/reference/metrics.md and docs/operate/costs.md


def test_disabled_webhook_and_its_replay_are_counted(pipeline: Pipeline, printed: Printed) -> None:
    with receiver([410, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = iso(from_ms(pipeline.clock.now))
        pipeline.publish()
        pipeline.run()
        assert printed()["WebhooksDisabled", "patchbay"] == [1]
        pipeline.set_status(webhook, "ACTIVE")
        pipeline.clock.move(1)
        path = f"/api/integrations/webhooks/{webhook['id']}/replay"
        assert pipeline.api(f"POST {path}", json={"since": since}).status == 202
        pipeline.clock.move(61)
        pipeline.run()
    assert sum(printed()["TaskItemsDone", "patchbay"]) == 1


def test_failed_run_prints_its_metrics(pipeline: Pipeline, printed: Printed) -> None:
    with failing("dynamodb.GetItem", error=REFUSED), pytest.raises(Exception, match="AccessDenied"):
        roll_up_stats.handler({}, LAMBDA_CONTEXT)
    assert printed() == {("AwsCallsFailed", "dynamodb"): [1]}


def test_failed_condition_is_no_failed_call(pipeline: Pipeline, printed: Printed) -> None:
    webhook = pipeline.webhook("https://example.com/")
    pipeline.set_status(webhook, "PAUSED")
    answer = pipeline.api(
        f"PUT /api/integrations/webhooks/{webhook['id']}/status",
        json={"status": "ACTIVE"},
        headers={"if-match": '"1"'},
    )
    assert answer.status == 412
    assert printed() == {}


def test_forged_cursor_is_no_failed_call(pipeline: Pipeline, printed: Printed) -> None:
    """Otherwise, any caller could trigger the operator's alarm."""
    line = f"GET /api/audit?cursor={dynamo.encode_cursor([LogId.new(), 'of another list'])}"
    with failing("dynamodb.Query", error=INVALID):
        assert_problem(pipeline.api(line), 422, "validation_failed")
    assert printed() == {}
    with failing("dynamodb.Query", error=REFUSED):
        pipeline.api(line)
    assert printed() == {("AwsCallsFailed", "dynamodb"): [1]}


def test_unreadable_message_is_counted(pipeline: Pipeline, printed: Printed) -> None:
    pipeline.deliveries.send("no message")
    pipeline.deliveries.poll()
    assert printed() == {("MessagesSetAside", "patchbay"): [1]}


# ── correlation ──────────────────────────────────────────────────────────────────────────────────────


def lines_of(logs: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs.getvalue().splitlines()]


@pytest.mark.parametrize("traced", [True, False])
def test_correlation_id_lasts_from_the_request_to_each_attempt(
    pipeline: Pipeline, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch, traced: bool
) -> None:
    """The attempts include a retry in the queue, a parked retry, and a retry by hand."""
    monkeypatch.setenv("MAX_VISIBILITY_WAIT_SECONDS", "60")
    monkeypatch.setenv("SUCCESS_LOG_PERCENT", "100")
    settings.cache_clear()
    retries = {"initialDelaySeconds": 40, "backoffMultiplier": 4, "maxRetries": 2}
    with receiver([500, 500, 500, 200]) as r:
        webhook = pipeline.webhook(r.url, retryConfig=retries)
        headers = {"traceparent": TRACEPARENT} if traced else {}
        body = {"type": "POST_PUBLISHED", "data": POST}
        answer = pipeline.api("POST /api/events", json=body, headers=headers)
        pipeline.events.run()
        pipeline.run()
        delivery = pipeline.shown(webhook, answer.json()["id"])
        assert delivery["status"] == "FAILED"
        path = f"/api/integrations/webhooks/{webhook['id']}/deliveries/{delivery['id']}"
        assert pipeline.api(f"POST {path}/retry").status == 202
        pipeline.run()
        assert len(r.requests) == 4
    request_id = answer.headers["x-request-id"]
    assert request_id != TRACE_ID
    expected = TRACE_ID if traced else request_id
    lines = lines_of(logs)
    attempts = [line for line in lines if line["message"] == "attempt"]
    assert [line["number"] for line in attempts] == [1, 2, 3, 4]
    assert {line["correlation_id"] for line in attempts} == {expected}
    assert {line["event_id"] for line in attempts} == {answer.json()["id"]}
    (request,) = [line for line in lines if line["message"] == "POST /api/events"]
    assert request["correlation_id"] == expected
    assert request.get("request_id") == (request_id if traced else None)
    # The trace belongs to the publisher, so receivers do not get it.
    assert not any(TRACE_ID in json.dumps(dict(each.headers)) for each in r.requests)


def test_held_delivery_keeps_its_correlation_id(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("https://example.com/")
    pipeline.set_status(webhook, "PAUSED")
    body = {"type": "POST_PUBLISHED", "data": POST}
    answer = pipeline.api("POST /api/events", json=body, headers={"traceparent": TRACEPARENT})
    assert answer.status == 202
    pipeline.events.run()
    pipeline.deliveries.poll()
    assert pipeline.row["status"] == "HELD"
    pipeline.set_status(webhook, "ACTIVE")
    pipeline.clock.move(60)
    assert pipeline.sweep() == 1
    (record,) = pipeline.deliveries.receive()
    assert DeliveryMessage.read(record["body"]).correlation_id == TRACE_ID


def test_success_at_the_first_attempt_stores_no_correlation_id(pipeline: Pipeline) -> None:
    with receiver([200]) as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.run()
    assert "correlationId" not in pipeline.row


@pytest.mark.parametrize(
    "secret", ["sk_test_secret", f"00-{'s' * 32}-00f067aa0ba902b7-01", TRACEPARENT + " sk_test"]
)
def test_header_that_is_no_traceparent_is_not_logged(
    pipeline: Pipeline, logs: io.StringIO, secret: str
) -> None:
    answer = pipeline.api("GET /api/me", headers={"traceparent": secret})
    assert answer.status == 200
    (line,) = lines_of(logs)
    assert line["correlation_id"] == answer.headers["x-request-id"]
    assert secret[:20] not in logs.getvalue()
