"""Parts of the local runner that do not need a running stack."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from local import gateway
from local import schedules as schedules_module
from local.intrinsics import Resolver, parameter_values
from local.logs import Logs
from local.runtime import Answer, Runtime
from local.schedules import Schedule, Schedules, next_time
from local.settings import Problem

TEMPLATE = {
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "Name"}, "x"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    },
    "Mappings": {"Sizes": {"big": {"memory": 1024}}},
}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "Name"}, "x"),
        ({"Ref": "Queue"}, "Queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "Queue.Arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "Queue.Arn"),
        ({"Fn::Sub": "${Name}-${Queue.Arn}-${AWS::Region}-${!Literal}"}, "x-Queue.Arn-r-${Literal}"),
        ({"Fn::Sub": ["${A}${Name}", {"A": {"Ref": "Name"}}]}, "xx"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}]]}, "a-x"),
        ({"Fn::Join": ["", {"Ref": "Items"}]}, "ab"),
        ({"Fn::Select": [1, {"Fn::Split": [".", "a.b"]}]}, "b"),
        ({"Fn::FindInMap": ["Sizes", "big", "memory"]}, 1024),
        ({"Fn::If": ["Yes", "a", "b"]}, "a"),
        ({"Fn::If": ["Both", "a", "b"]}, "b"),
        ({"Fn::If": ["Either", "a", "b"]}, "a"),
        ({"Fn::Base64": "hi"}, "aGk="),
        ([1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}], [1]),
        ({"a": {"Ref": "AWS::NoValue"}, "b": {"Ref": "Name"}}, {"b": "x"}),
        ({"Condition": {"StringEquals": {}}}, {"Condition": {"StringEquals": {}}}),
    ],
)
def test_intrinsic_functions(value: Any, resolved: Any) -> None:
    resolver = Resolver(
        TEMPLATE,
        {"Name": "x", "Items": ["a", "b"]},
        {"AWS::Region": "r"},
        lambda logical_id, name: f"{logical_id}.{name}" if name else logical_id,
    )
    assert resolver(value) == resolved


def test_unsupported_intrinsics_are_rejected() -> None:
    resolver = Resolver(TEMPLATE, {}, {}, lambda logical_id, name: logical_id)
    for value in ({"Fn::ImportValue": "x"}, {"Fn::If": ["None", 1, 2]}):
        with pytest.raises(Problem):
            resolver(value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"Type": "String"}, None),
        ({"Type": "Number"}, "many"),
        ({"Type": "Number", "MinValue": 2}, "1"),
        ({"Type": "Number", "MaxValue": 2}, "3"),
        ({"Type": "String", "AllowedValues": ["a"]}, "b"),
        ({"Type": "String", "AllowedPattern": "[a-z]"}, "ab"),
    ],
)
def test_invalid_parameters_are_rejected(declared: dict[str, Any], value: str | None) -> None:
    with pytest.raises(Problem, match="parameter P"):
        parameter_values({"P": declared}, {} if value is None else {"P": value})


def test_list_parameter_is_split() -> None:
    declared = {"P": {"Type": "CommaDelimitedList", "Default": "a, b"}}
    assert parameter_values(declared, {}) == {"P": ["a", "b"]}


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("rate(5 minutes)", "2026-01-01T00:00", "2026-01-01T00:05"),
        ("rate(1 day)", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("at(2026-01-01T00:00:10)", "2026-01-01T00:00", "2026-01-01T00:00:10"),
        ("at(2026-01-01T00:00:00)", "2026-01-01T00:00", None),
        ("cron(0 10 * * ? *)", "2026-01-01T10:00", "2026-01-02T10:00"),
        ("cron(15/20 8-9 ? * MON-FRI *)", "2026-01-02T09:56", "2026-01-05T08:15"),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00", "2026-01-04T00:00"),  # 1 is Sunday
        ("cron(0 12 L * ? *)", "2026-02-01T00:00", "2026-02-28T12:00"),
        ("cron(0 0 29 FEB ? *)", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("cron(0 0 1 1 ? 2025)", "2026-01-01T00:00", None),
    ],
)
def test_schedule_expressions(expression: str, after: str, expected: str | None) -> None:
    zone = ZoneInfo("Europe/Berlin")
    time = next_time(expression, datetime.fromisoformat(after).replace(tzinfo=zone))
    assert time == (expected and datetime.fromisoformat(expected).replace(tzinfo=zone))


@pytest.mark.parametrize(
    "expression",
    ["often", "rate(5 weeks)", "cron(* * * * * *)", "cron(60 * * * ? *)", "cron(0 0 15W * ? *)"],
)
def test_invalid_schedule_expressions_are_rejected(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        next_time(expression, datetime.now(ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("retries", "max_age_seconds", "late_seconds", "runs"),
    [(0, 60, 0, 1), (2, 21_600, 0, 3), (2, 60, 0, 2), (2, 60, 30, 1)],
    ids=["never", "twice", "while it is young", "too old"],
)
def test_failed_run_of_a_schedule_is_repeated_as_often_as_its_function_allows(
    monkeypatch: pytest.MonkeyPatch, retries: int, max_age_seconds: int, late_seconds: int, runs: int
) -> None:
    started = datetime.now(ZoneInfo("UTC")) - timedelta(seconds=late_seconds)
    invoked: list[bytes] = []
    clock = FakeSleep(monkeypatch, started + timedelta(seconds=late_seconds))

    class Failing:
        async def invoke(self, _: str, event: bytes) -> Answer:
            invoked.append(event)
            return Answer(b"{}", "Unhandled")

    schedule = Schedule(
        "EveryMinute",
        "Fn",
        "rate(1 minute)",
        "UTC",
        None,
        "arn",
        "aws.scheduler",
        retries=retries,
        max_age_seconds=max_age_seconds,
    )
    schedules = Schedules(cast(Runtime, Failing()), Logs(io.StringIO(), False))
    asyncio.run(schedules._fire(schedule, started))
    assert len(invoked) == runs
    assert len(set(invoked)) == 1, "a repeated run gets the same event"
    assert clock.slept == [60, 120][: runs - 1]


class FakeSleep:
    """A clock for local.schedules that only sleeping advances."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
        self.slept: list[float] = []
        self.moment = now
        monkeypatch.setattr(schedules_module, "datetime", self)
        monkeypatch.setattr(schedules_module.asyncio, "sleep", self.sleep)

    def now(self, _: object) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


def test_preflight_request_goes_to_the_default_route_and_gets_the_headers_of_cors() -> None:
    async def send_request() -> dict[str, Any]:
        answered: dict[str, Any] = {}

        class Function:
            async def invoke(self, *_: object) -> Answer:
                value = {"statusCode": 204, "headers": {"access-control-allow-origin": "*", "x-own": "1"}}
                return Answer(json.dumps(value).encode())

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            answered.update(message)

        api = gateway.Gateway(cast(Runtime, Function()), lambda *_: None)
        cors = gateway.Cors(("https://a.example",), ("GET", "POST"), ("authorization",), (), False, 600)
        routes = (
            gateway.Route("ANY", "", "NotFound", 30),
            gateway.Route("POST", "/api/events", "Publish", 30),
        )
        api.api = gateway.Api(routes, cors)
        headers = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"POST")]
        scope = {"method": "OPTIONS", "path": "/api/events", "raw_path": b"/api/events"}
        await api({**scope, "headers": headers, "query_string": b"", "http_version": "1.1"}, receive, send)
        return answered

    answered = asyncio.run(send_request())
    headers = {name.decode(): value.decode() for name, value in answered["headers"]}
    assert headers["x-own"] == "1", "it came from the function"
    assert headers["access-control-allow-origin"] == "https://a.example"
    assert headers["access-control-allow-methods"] == "GET,POST"


def formatted(line: str, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    Logs(stream, verbose).output("Fn", line)
    return [line[9:] for line in stream.getvalue().splitlines()]  # without the timestamp


def test_a_request_is_one_line_with_the_fields_of_the_functions_record() -> None:
    stream = io.StringIO()
    logs = Logs(stream, False)
    record = {"level": "INFO", "message": "GET /a/{id}", "correlation_id": "r1", "status": 200, "ms": 1}
    logs.begin("r1")
    logs.output("Fn", json.dumps({**record, "workspace": "acme", "caller": None}))
    logs.access("r1", "GET", "/a/1", 200, 2.4, "Fn")
    logs.begin("r2")
    logs.access("r2", "GET", "/b", 503, 7, "Fn")
    logs.output("Fn", json.dumps({**record, "correlation_id": "r2"}))
    assert [line[9:] for line in stream.getvalue().splitlines()] == [
        "HTTP    Fn 200 GET /a/1 2 ms workspace=acme correlation_id=r1",
        "HTTP    Fn 503 GET /b 7 ms",
        "INFO    Fn GET /a/{id} correlation_id=r2 status=200 ms=1",
    ]


@pytest.mark.parametrize("verbose", [False, True])
def test_ordinary_notes_are_no_warnings(verbose: bool) -> None:
    stream = io.StringIO()
    Logs(stream, verbose).note("Fn", "1 of 2 messages stay in Queue", ordinary=True)
    assert [line[9:] for line in stream.getvalue().splitlines()] == (
        ["DEBUG   Fn 1 of 2 messages stay in Queue"] if verbose else []
    )


METRIC = json.dumps({"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Delivered"}]}]}, "Delivered": [3]})
TRACE = 'Traceback (most recent call last):\n  File "/x/a.py", line 7, in go\n    f()\nValueError: no'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain\n", ["PRINT   Fn plain"]),
        ("  \n", []),
        (METRIC, []),
        (
            json.dumps({"level": "INFO", "message": "hi", "service": "s", "n": 1, "o": {"a": "b"}}),
            ['INFO    Fn hi n=1 o={"a": "b"}'],
        ),
        (
            json.dumps({"level": "ERROR", "message": "two\nlines", "exception": TRACE}),
            ["ERROR   Fn two\\nlines ValueError: no at /x/a.py:7 in go"],
        ),
        ("[WARNING]\t2026-01-01T00:00:00.0Z\tid\tbeware", ["WARNING Fn beware"]),
        (
            "[ERROR] KeyError: 'x'\rTraceback (most recent call last):\r  File \"/x/a.py\", line 7, in go",
            ["ERROR   Fn KeyError: 'x' at /x/a.py:7 in go"],
        ),
        ('{"not": "a record"}', ['PRINT   Fn {"not": "a record"}']),
    ],
)
def test_log_lines(line: str, expected: list[str]) -> None:
    assert formatted(line) == expected


def test_metrics_are_shown_if_verbose() -> None:
    assert formatted(METRIC, verbose=True) == ["METRIC  Fn Delivered=[3]"]
