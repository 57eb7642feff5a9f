"""Events on the EventBridge bus: valid ones reach webhooks like published events, invalid ones are stored."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.settings import ROOT
from patchbay import catalogue
from patchbay.events.models import EventMessage
from patchbay.ids import EventId
from tests.catalogued import POST, minimal_data
from tests.conftest import LAMBDA_CONTEXT, Api, Backend, jwt_for
from tests.faults import THROTTLED, Clock, Source, failing, killed
from tests.integration.conftest import take_deliveries

PAGE = ROOT / "docs/guides/publish/eventbridge.md"
KB = 1024
DETAIL: dict[str, Any] = {"workspaceId": "acme", "type": "POST_PUBLISHED", "data": {**POST, "n": 1}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(monkeypatch)
    clock.now -= clock.now % 1000  # an envelope's time is in whole seconds
    return clock


@pytest.fixture
def webhook(api: Api) -> str:
    body = {"name": "test", "url": "https://receiver.example/", "eventTypes": ["*"]}
    answer = api("POST /api/integrations/webhooks", json=body)
    assert answer.status == 201, answer
    return str(answer.json()["id"])


def envelope(clock: Clock, detail: Any, id: str = "bus-1", **extra: Any) -> dict[str, Any]:
    """A message as EventBridge sends it to a queue (EventBridge user guide, "Event structure")."""
    return {
        "version": "0",
        "id": id,
        "detail-type": "Post published",
        "source": "social.platform",
        "account": "123456789012",
        "time": datetime.fromtimestamp(clock.now / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
        **extra,
    }


def listed(api: Api, workspace: str = "acme", query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api(f"GET /api/events{query}", token=jwt_for(workspace)).json()["items"]
    return items


# ── valid events ─────────────────────────────────────────────────────────────────────────────────────


def test_event_on_the_bus_reaches_the_webhooks(
    api: Api, backend: Backend, source: Source, webhook: str
) -> None:
    (bus,) = backend.template.of_type("AWS::Events::EventBus")
    backend.client("events").put_events(
        Entries=[
            {
                "EventBusName": bus.properties["Name"],
                "Source": "social.platform",
                "DetailType": "anything",
                "Detail": json.dumps({**DETAIL, "data": {**POST, "title": "Grüße 🎈"}}),
            }
        ]
    )
    source.poll()
    (event,) = listed(api)
    assert (event["source"], event["status"], event["statusReason"]) == ("bus", "ACCEPTED", None)
    (delivery,) = take_deliveries(backend)
    assert (delivery["webhook_id"], delivery["event_id"]) == (webhook, event["id"])
    assert json.loads(delivery["body"])["data"] == {**POST, "title": "Grüße 🎈"}


def test_documented_code_puts_an_event_on_the_bus(
    api: Api, backend: Backend, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"^```python [^\n]*\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (bus,) = backend.template.of_type("AWS::Events::EventBus")
    monkeypatch.setenv("EVENT_BUS", bus.properties["Name"])
    monkeypatch.setattr("sys.argv", ["publish.py", "acme"])
    exec(code, {})  # noqa: S102  # the test proves that the documented code runs
    source.poll()
    assert [(event["type"], event["status"]) for event in listed(api)] == [("POST_PUBLISHED", "ACCEPTED")]


def test_event_has_the_time_and_correlation_id_of_the_envelope(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str
) -> None:
    happened_at = clock.now - 3 * 86_400_000
    time = datetime.fromtimestamp(happened_at / 1000, UTC).isoformat()
    source.send(envelope(clock, DETAIL, time=time))
    source.poll()
    (event,) = listed(api)
    assert datetime.fromisoformat(event["timestamp"]) == datetime.fromisoformat(time)
    assert EventId(event["id"]).time_ms == happened_at
    (delivery,) = take_deliveries(backend)
    assert json.loads(delivery["body"])["timestamp"] == event["timestamp"]
    assert delivery["correlation_id"] == "bus-1"


def test_repeated_envelope_is_the_same_event(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str
) -> None:
    """EventBridge and SQS both deliver at least once."""
    for _ in range(2):
        source.send(envelope(clock, DETAIL))
        source.poll()
    source.send(envelope(clock, DETAIL, id="bus-2"))
    source.poll()
    assert len(listed(api)) == 2
    assert len({delivery["id"] for delivery in take_deliveries(backend)}) == 2


def test_same_idempotency_key_is_the_same_event(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str
) -> None:
    keyed = {**DETAIL, "idempotencyKey": "mine"}
    for n in range(3):
        source.send(envelope(clock, keyed, id=f"bus-{n}"))
        source.poll()
        clock.move(5)
    (event,) = listed(api)
    assert len({delivery["id"] for delivery in take_deliveries(backend)}) == 1
    source.send(envelope(clock, {**keyed, "workspaceId": "rival"}, id="bus-7"))
    source.poll()
    assert [item["status"] for item in listed(api, "rival")] == ["ACCEPTED"]

    source.send(envelope(clock, {**keyed, "data": {**POST, "n": 2}}, id="bus-8"))
    source.poll()
    rejected, accepted = listed(api)
    assert accepted == event
    assert rejected["status"] == "REJECTED"
    assert "Idempotency-Key" in rejected["statusReason"]


@pytest.mark.parameters(MaxEventsPerMinute=1)
def test_bus_has_no_ceiling(api: Api, source: Source, clock: Clock, webhook: str) -> None:
    for n in range(5):
        source.send(envelope(clock, DETAIL, id=f"bus-{n}"))
    source.poll()
    assert [event["status"] for event in listed(api)] == ["ACCEPTED"] * 5


@pytest.mark.parametrize("operation", ["dynamodb.PutItem", "sqs.SendMessageBatch"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_worker_crash_loses_no_event(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str, operation: str, after: bool
) -> None:
    source.send(envelope(clock, {**DETAIL, "idempotencyKey": "mine"}))
    with killed(operation, after=after):
        source.poll()
    source.run(3600)
    assert len(listed(api)) == 1
    assert {delivery["webhook_id"] for delivery in take_deliveries(backend)} == {webhook}


# ── invalid events ───────────────────────────────────────────────────────────────────────────────────

REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"type": "NOPE"}, "type: is not an event type; "),
    ({"type": "WEBHOOK_DISABLED"}, "type: is an event type that only Patchbay publishes"),
    ({"type": "ACTION_REQUESTED"}, "type: is an event type that only Patchbay publishes"),
    ({"data": [1]}, "data: "),
    ({"data": None}, "data: "),
    ({"data": {**POST, "x": "x" * 256 * KB}}, "data has "),
    ({"data": {**POST, "x": "x" * 600 * KB}}, "data has "),
    ({"extra": "secret"}, "extra: "),
    ({"idempotencyKey": ""}, "idempotencyKey: "),
    ({"idempotencyKey": "é"}, "idempotencyKey: must be 1 to 255 printable ASCII characters"),
]


@pytest.mark.parametrize(("change", "reason"), REJECTED, ids=[reason for _, reason in REJECTED])
def test_invalid_event_is_stored_with_the_reason_and_not_delivered(
    api: Api,
    backend: Backend,
    source: Source,
    clock: Clock,
    webhook: str,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    reason: str,
) -> None:
    for _ in range(2):  # the second time, the event is already stored
        source.send(envelope(clock, {**DETAIL, **change}))
        assert source.poll() == 1
    assert (source.waits, take_deliveries(backend)) == ([], [])
    assert backend.messages("EventsDeadLetterQueue") == []
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "EventsRejected" in line]
    assert [line["EventsRejected"] for line in counted] == [1]

    (event,) = listed(api)
    assert (event["status"], event["source"]) == ("REJECTED", "bus")
    assert event["statusReason"].startswith(reason)
    assert "secret" not in event["statusReason"]
    assert event["type"] == change.get("type", "POST_PUBLISHED")
    shown = api(f"GET /api/events/{event['id']}").json()
    stored = DETAIL["data"] if reason[:4] != "data" else {}
    assert shown == {
        **event,
        "data": stored,
        "deliveries": [],
        "feeds": [],
        "unmatched": [],
        "unmatchedTruncated": False,
        "erasedAt": None,
        "flows": [],
        "depth": 0,
        "causedBy": None,
    }
    assert listed(api, query="?status=REJECTED") == [event]
    if event["type"] in catalogue.ALL:  # a query for an unknown type returns 422
        assert listed(api, query=f"?type={event['type']}&status=REJECTED") == [event]


# Malformed JSON that replaces the 1 of `n`, and the reason for the rejection.
MALFORMED: list[tuple[str, str]] = [
    ('"\\ud800"', "A string contains a lone surrogate."),
    ('{"\\udc00": 1}', "A string contains a lone surrogate."),
    ("1e400", "A number is too large."),
    ("-1E+999", "A number is too large."),
    ("9" * 5000, "An integer has more than 4300 digits."),
    ("NaN", "NaN is not JSON."),
    ("-Infinity", "-Infinity is not JSON."),
    ('{"a": 1, "a": 2}', "The key 'a' appears twice in one object."),
    ('{"": 1, "": 2}', "The key '' appears twice in one object."),
    ("[" * 31 + "]" * 31, "The JSON is nested deeper than 32 levels."),
    ('{"n":' * 500 + "1" + "}" * 500, "The JSON is nested deeper than 32 levels."),
    ("[" * 50_000 + "]" * 50_000, "The JSON is nested deeper than 32 levels."),
]


@pytest.mark.parametrize(("value", "reason"), MALFORMED, ids=[f"{value[:12]}" for value, _ in MALFORMED])
def test_malformed_json_is_stored_in_its_workspace_with_the_reason(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str, value: str, reason: str
) -> None:
    text = json.dumps(envelope(clock, DETAIL))
    source.send(text.replace('"n": 1}', f'"n": {value}}}'))
    source.send(envelope(clock, DETAIL, id="bus-2"))
    assert source.poll() == 2
    assert backend.messages("EventsDeadLetterQueue") == []
    by_status = {event["status"]: event for event in listed(api)}
    assert by_status["REJECTED"]["statusReason"] == reason
    assert by_status["REJECTED"]["type"] == "POST_PUBLISHED"
    assert api(f"GET /api/events/{by_status['REJECTED']['id']}").json()["data"] == {}
    assert [delivery["event_id"] for delivery in take_deliveries(backend)] == [by_status["ACCEPTED"]["id"]]


@pytest.mark.parametrize("detail", [[], [DETAIL], "text", 5, None, True], ids=repr)
def test_detail_that_is_not_an_object_is_stored_in_the_platform_workspace(
    api: Api, backend: Backend, source: Source, clock: Clock, detail: Any
) -> None:
    source.send(envelope(clock, detail))
    source.poll()
    (event,) = listed(api, "platform")
    assert (event["status"], event["statusReason"]) == ("REJECTED", "detail: must be an object")
    assert backend.messages("EventsDeadLetterQueue") == []


@pytest.mark.parametrize("label", [{"source": "\ud800"}, {"detail-type": 5}, {"source": None}], ids=repr)
def test_invalid_labels_of_an_envelope_lose_no_event(
    api: Api, source: Source, clock: Clock, label: dict[str, Any]
) -> None:
    source.send(envelope(clock, {**DETAIL, "type": "NOPE"}, **label))
    source.poll()
    assert [event["status"] for event in listed(api)] == ["REJECTED"]


def test_log_lines_have_the_correlation_id_of_their_message(
    source: Source, clock: Clock, webhook: str, logs: io.StringIO
) -> None:
    source.send(envelope(clock, DETAIL))
    source.send("no envelope")
    source.send(envelope(clock, [], id="bus-2"))
    source.poll()
    lines = [json.loads(line) for line in logs.getvalue().splitlines()]
    assert {line["message"]: line.get("correlation_id") for line in lines} == {
        "unreadable message moved to the dead-letter queue": None,
        "bus event rejected": "bus-2",
    }


def test_reason_has_all_errors(api: Api, source: Source, clock: Clock) -> None:
    source.send(envelope(clock, {**DETAIL, "data": [1], "extra": 1}))
    source.poll()
    (event,) = listed(api)
    assert event["statusReason"] == "data: must be an object; extra: unknown field"


@pytest.mark.parametrize("type", [None, 5, "post published", "", "A" * 65, ["POST_PUBLISHED"]], ids=repr)
def test_event_with_an_invalid_type_is_listed_without_type(
    api: Api, source: Source, clock: Clock, type: Any
) -> None:
    source.send(envelope(clock, {**DETAIL, "type": type}))
    source.poll()
    (event,) = listed(api)
    assert (event["type"], event["status"]) == ("", "REJECTED")
    assert event["statusReason"].startswith("type: ")


@pytest.mark.parametrize("workspace", [None, 5, "", "a b", "acme\n", "a" * 65, "../acme"], ids=repr)
def test_event_without_a_valid_workspace_is_stored_in_the_platform_workspace(
    api: Api, backend: Backend, source: Source, clock: Clock, workspace: Any
) -> None:
    source.send(envelope(clock, {**DETAIL, "workspaceId": workspace}))
    source.send(envelope(clock, {"type": "POST_PUBLISHED", "data": POST}, id="bus-2"))
    source.poll()
    assert listed(api) == []
    events = listed(api, "platform")
    assert [event["status"] for event in events] == ["REJECTED"] * 2
    assert all(event["statusReason"].startswith("workspaceId: ") for event in events)
    assert take_deliveries(backend) == []


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (-29.9, None),
        (-30.1, "time: is more than 30 days"),
        (0.002, None),
        (0.1, "time: is in"),
        (9_999, "time: is in"),
    ],
)
def test_time_in_the_future_or_before_the_retention_is_rejected(
    api: Api, backend: Backend, source: Source, clock: Clock, days: float, reason: str | None
) -> None:
    when = datetime.fromtimestamp(clock.now / 1000, UTC) + timedelta(days=days)
    source.send(envelope(clock, DETAIL, time=when.isoformat(timespec="seconds")))
    source.poll()
    (event,) = listed(api)
    assert (event["statusReason"] is None) is (reason is None)
    assert str(event["statusReason"]).startswith(reason or "None")
    (row,) = backend.rows("EventsTable")
    assert row["ttl"] == clock.now // 1000 + 30 * 86_400


def test_time_before_1970_is_rejected(api: Api, source: Source, clock: Clock) -> None:
    source.send(envelope(clock, DETAIL, time="1901-01-01T00:00:00Z"))
    source.poll()
    (event,) = listed(api)
    assert event["status"] == "REJECTED"


def test_invalid_event_does_not_stop_the_others(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str
) -> None:
    source.send(envelope(clock, {**DETAIL, "type": "NOPE"}))
    source.send(envelope(clock, DETAIL, id="bus-2"))
    event = {"type": "POST_FAILED", "data": minimal_data("POST_FAILED")}
    api("POST /api/events/batch", json={"events": [event]})
    assert source.poll() == 3
    assert len(take_deliveries(backend)) == 2


def test_invalid_event_is_redelivered_if_it_cannot_be_stored(
    api: Api, backend: Backend, source: Source, clock: Clock
) -> None:
    source.send(envelope(clock, {**DETAIL, "type": "NOPE"}))
    with failing("dynamodb.PutItem", error=THROTTLED):
        source.poll()
    assert source.waits == [180]
    source.run(3600)
    assert [event["status"] for event in listed(api)] == ["REJECTED"]


def test_event_is_redelivered_if_its_idempotency_key_is_in_use(
    api: Api, source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conflict is temporary, so the event is not rejected."""
    from patchbay import idempotency

    def conflict(*_: Any, **__: Any) -> None:
        raise idempotency.request_in_progress()

    source.send(envelope(clock, {**DETAIL, "idempotencyKey": "mine"}))
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "get_or_store", conflict)
        source.poll()
    assert source.waits == [180]
    source.run(3600)
    assert [event["status"] for event in listed(api)] == ["ACCEPTED"]


def test_message_that_is_not_an_envelope_goes_to_the_dead_letter_queue(
    backend: Backend, source: Source, clock: Clock
) -> None:
    valid = envelope(clock, DETAIL)
    invalid: list[dict[str, Any]] = [{"time": "now"}, {"id": ""}, {"id": 5}, {"time": 5}]
    texts = [
        *(json.dumps({name: valid[name] for name in valid if name != missing}) for missing in ("id", "time")),
        *(json.dumps(valid | change) for change in invalid),
        json.dumps(valid)[:-1],
        json.dumps([valid]),
        "[" * 100_000,
        "",
    ]
    for text in texts:
        source.send(text)
    assert source.poll() == len(texts)
    assert sorted(record["body"] for record in backend.messages("EventsDeadLetterQueue")) == sorted(texts)
    assert backend.rows("EventsTable") == []


def test_detail_is_never_read_as_an_internal_message(
    api: Api, backend: Backend, source: Source, clock: Clock, webhook: str
) -> None:
    """No one can publish an operational event through the bus, whatever the detail contains."""
    internal = EventMessage(
        EventId.new(), "acme", "API_KEY_EXPIRING", clock.now, {}, "patchbay", "x"
    ).fields()
    source.send(envelope(clock, internal))
    source.poll()
    assert take_deliveries(backend) == []
    assert [event["status"] for event in listed(api, "platform")] == ["REJECTED"]


def test_log_of_a_rejection_has_the_envelope_id(source: Source, clock: Clock, logs: Any) -> None:
    source.send(envelope(clock, {**DETAIL, "type": "NOPE"}))
    source.poll()
    (line,) = [json.loads(line) for line in logs.getvalue().splitlines() if "rejected" in line]
    assert (line["bus_event_id"], line["correlation_id"]) == ("bus-1", "bus-1")
    assert (line["event_type"], line["reason"][:26]) == ("NOPE", "type: is not an event type")


# ── the template ─────────────────────────────────────────────────────────────────────────────────────


def test_only_the_rule_can_send_to_the_queues(backend: Backend) -> None:
    (rule,) = [r for r in backend.template.of_type("AWS::Events::Rule") if "EventPattern" in r.properties]
    (target,) = rule.properties["Targets"]
    queues = {
        backend.template.queue_named(target["Arn"]),
        backend.template.queue_named(target["DeadLetterConfig"]["Arn"]),
    }
    assert queues == {"EventsQueue", "EventsDeadLetterQueue"}
    allowed = set()
    for policy in backend.template.of_type("AWS::SQS::QueuePolicy"):
        (url,) = policy.properties["Queues"]
        (statement,) = policy.properties["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
        assert statement["Condition"] == {
            "ArnEquals": {"aws:SourceArn": backend.template.arn(rule.logical_id)}
        }
        name = backend.template.queue_named(statement["Resource"])
        assert name is not None
        assert url == backend.queue_url(name)
        allowed.add(name)
    assert allowed == queues


def test_envelope_returns_to_the_queue_unread_when_time_runs_out(
    backend: Backend, source: Source, clock: Clock
) -> None:
    """An envelope is treated like any other event."""
    source.send(envelope(clock, DETAIL))
    records = source.receive()
    context = type("Context", (), {**vars(LAMBDA_CONTEXT), "get_remaining_time_in_millis": lambda _: 9_000})()
    assert source.invoke(records, context) == [records[0]["messageId"]]
    assert backend.rows("EventsTable") == []
