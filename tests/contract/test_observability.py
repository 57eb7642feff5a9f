"""Metrics, alarms, dashboard, runbooks and schedules: the template, code, tests and documents agree.

No emulator evaluates alarms, so the only sign of an unpublished metric would be an alarm that never fires.
These tests require that the code prints each metric, that a filter in the template creates it, or that AWS
publishes it for a resource in the template.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from local import schedules
from local.intrinsics import Resolver
from local.settings import REQUIRED_PARAMETERS, ROOT, Problem
from local.template import Template
from patchbay import aws, metrics
from patchbay.receivers.lanes import Lane
from tests.conftest import routes_of

PARAMETERS = {
    **REQUIRED_PARAMETERS,
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
    "MonthlyBillUsd": "100",
}
TEMPLATE = Template(ROOT / "template.yaml", PARAMETERS)
ALARMS = {alarm.logical_id: alarm.properties for alarm in TEMPLATE.of_type("AWS::CloudWatch::Alarm")}
FILTERS = {each.logical_id: each.properties for each in TEMPLATE.of_type("AWS::Logs::MetricFilter")}
(DASHBOARD,) = TEMPLATE.of_type("AWS::CloudWatch::Dashboard")
WIDGETS = json.loads(DASHBOARD.properties["DashboardBody"])["widgets"]
OWN = dict(TEMPLATE.functions()["DeliverFunction"].environment)["METRICS_NAMESPACE"]
PAGE = (ROOT / "docs/reference/metrics.md").read_text()
RUNBOOKS = (ROOT / "docs/operate/runbooks.md").read_text()

_FUNCTION, _QUEUE, _TABLE = ("FunctionName",), ("QueueName",), ("TableName",)
_API = ("ApiId", "Stage")
# The metrics that AWS publishes, with their dimensions. Source: each service's page "Metrics for …".
PUBLISHED: dict[str, dict[str, set[tuple[str, ...]]]] = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": {name: {_API} for name in ("4xx", "5xx", "Count", "IntegrationLatency", "Latency")},
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": {
        name: {_FUNCTION, (*_FUNCTION, "Resource"), ()}
        for name in ("ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles")
    },
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": {
        name: {_QUEUE}
        for name in (
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesDeleted",
            "NumberOfMessagesSent",
        )
    },
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    "AWS/DynamoDB": {
        name: {_TABLE}
        for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "WriteThrottleEvents")
    },
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
    "AWS/Logs": {"IncomingBytes": {("LogGroupName",)}},
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/monitor_estimated_charges_with_cloudwatch.html
    "AWS/Billing": {"EstimatedCharges": {("Currency",)}},
}
_RESOURCES = {
    "FunctionName": "AWS::Lambda::Function",
    "QueueName": "AWS::SQS::Queue",
    "TableName": "AWS::DynamoDB::Table",
    "LogGroupName": "AWS::Logs::LogGroup",
    "ApiId": "AWS::ApiGatewayV2::Api",
}


class Used(NamedTuple):
    """A metric that an alarm or a widget uses."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def _used(properties: Mapping[str, Any]) -> Used:
    dimensions = {each["Name"]: each["Value"] for each in properties.get("Dimensions", [])}
    return Used(properties["Namespace"], properties["MetricName"], tuple(dimensions.items()))


def metrics_of(alarm: Mapping[str, Any]) -> list[Used]:
    if "Metrics" not in alarm:
        return [_used(alarm)]
    return [_used(each["MetricStat"]["Metric"]) for each in alarm["Metrics"] if "MetricStat" in each]


def _widget_metrics(widget: Mapping[str, Any]) -> Iterator[Used]:
    for row in widget["properties"].get("metrics", []):
        if isinstance(row[0], str):
            names = [each for each in row if not isinstance(each, dict)]
            namespace, name, *pairs = names
            yield Used(namespace, name, tuple(zip(pairs[::2], pairs[1::2], strict=True)))


def own_series() -> set[Used]:
    """Every custom metric that the code prints or a filter creates. CloudWatch bills these."""
    printed = {
        Used(OWN, each.name, ((each.dimension, value),)) for each in metrics.ALL for value in each.values
    }
    made = {
        Used(each["MetricNamespace"], each["MetricName"], ())
        for properties in FILTERS.values()
        for each in properties["MetricTransformations"]
    }
    return printed | made


IN_ALARMS = [(name, used) for name, alarm in ALARMS.items() for used in metrics_of(alarm)]
ON_DASHBOARD = [("the dashboard", used) for widget in WIDGETS for used in _widget_metrics(widget)]


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("where", "used"), IN_ALARMS + ON_DASHBOARD, ids=lambda each: str(each)[:60])
def test_metric_is_published(where: str, used: Used) -> None:
    if used.namespace not in PUBLISHED:
        assert used in own_series(), where
        return
    assert tuple(name for name, _ in used.dimensions) in PUBLISHED[used.namespace][used.name], where
    for name, value in used.dimensions:
        if name in _RESOURCES:
            assert value in {TEMPLATE.name(each.logical_id) for each in TEMPLATE.of_type(_RESOURCES[name])}
    assert dict(used.dimensions).get("Stage", "$default") == "$default"
    function, resource = (dict(used.dimensions).get(name) for name in ("FunctionName", "Resource"))
    assert resource in (None, f"{function}:live")


def test_own_metrics_are_few_and_documented_and_on_the_dashboard() -> None:
    series = own_series()
    assert {namespace for namespace, _, _ in series} == {"Patchbay/patchbay"}
    assert len(series) <= 30
    assert f"| {len(series)} custom metrics |" in PAGE
    assert f"| ${len(series) * 0.3:.2f} |" in PAGE
    assert series <= {used for _, used in ON_DASHBOARD}

    documented = {}
    for name, dimension, unit in re.findall(r"^\| `(\w+)` \| (.*?) \| (Count|Milliseconds) \|", PAGE, re.M):
        documented[name] = (tuple(re.findall(r"`(\w+)`", dimension)), unit)
    declared = {
        each.name: (
            (each.dimension, *(each.values if each.dimension != "service" else ())),
            str(each.unit),
        )
        for each in metrics.ALL
    }
    made = {used.name: ((), "Count") for used in series if not used.dimensions}
    assert documented == declared | made


def test_each_own_metric_is_added_somewhere() -> None:
    library = ROOT / "layers/patchbay/patchbay"
    sources = "".join(file.read_text() for file in library.rglob("*.py") if file.name != "metrics.py")
    names = [name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)]
    assert [name for name in names if f"metrics.{name}" not in sources] == []
    assert set(metrics.AWS_CALLS_FAILED.values) == {*aws.SERVICES, "s3"}
    assert set(metrics.DELIVERED.values) == {lane.name for lane in Lane}


def test_filters_match_the_lines_that_they_count() -> None:
    access = json.dumps({"route": "GET /api/me", "status": "429", "latencyMs": "3"})
    report = {"type": "platform.report", "record": {"status": "success", "requestId": "1"}}
    failed = {**report, "record": {**report["record"], "status": "timeout"}}  # type: ignore[dict-item]
    line = {"level": "INFO", "message": "GET /api/me", "status": 429}
    counted, failures = (
        FILTERS[name]["FilterPattern"] for name in ("RateLimitedRequests", "ApiFunctionFailures")
    )
    assert [_matches(counted, json.loads(each)) for each in (access, access.replace("429", "200"))] == [1, 0]
    assert [_matches(failures, each) for each in (report, failed, line)] == [0, 1, 0]
    (stage,) = TEMPLATE.of_type("AWS::ApiGatewayV2::Stage")
    assert json.loads(stage.properties["AccessLogSettings"]["Format"])["status"] == "$context.status"


def _matches(pattern: str, line: Mapping[str, Any]) -> bool:
    """Whether a filter pattern of = and != terms, joined by &&, matches a line. Missing fields never match.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    for term in pattern.strip("{} ").split("&&"):
        match = re.fullmatch(r'\s*\$\.([\w.]+) (=|!=) "([^"]*)"\s*', term)
        assert match, term
        value: Any = line
        for key in match[1].split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is None or (value == match[3]) != (match[2] == "="):
            return False
    return True


def test_every_worker_prints_its_metrics() -> None:
    served = {route.function for route in routes_of(TEMPLATE)}
    for name, function in TEMPLATE.functions().items():
        if name not in served:
            handler = importlib.import_module(function.handler.removesuffix(".handler")).handler
            assert handler.__code__.co_name == "observed", f"{name}: decorate its handler with @worker"


# ── alarms and runbooks ──────────────────────────────────────────────────────────────────────────────


class Row(NamedTuple):
    metrics: frozenset[str]
    anchor: str


def rows() -> dict[str, Row]:
    """The rows of the documented table of alarms, by alarm."""
    table = PAGE.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    found = {}
    for line in table.splitlines():
        if "Alarm`" in line:
            _, requirement, used, alarm, runbook, _ = (cell.strip() for cell in line.split("|"))
            assert requirement
            anchor = re.fullmatch(r"\[([\w-]+)\]\(\.\./operate/runbooks\.md#\1\)", runbook)
            assert anchor, line
            assert alarm.strip("`") not in found
            found[alarm.strip("`")] = Row(frozenset(re.findall(r"`([^`]+)`", used)), anchor[1])
    return found


def test_table_has_each_alarm() -> None:
    assert rows().keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_has_its_metrics_actions_and_runbook(name: str) -> None:
    alarm, row = ALARMS[name], rows()[name]
    used = {f"{each.namespace.partition('/patchbay')[0]} {each.name}" for each in metrics_of(alarm)}
    assert used == row.metrics
    sections = re.findall(r"^## (.*)$([\s\S]*?)(?=^## |\Z)", RUNBOOKS, re.M)
    anchors = {title.lower().replace(" ", "-"): text for title, text in sections}
    description = alarm["AlarmDescription"]
    assert description.endswith(f". Runbook: docs/operate/runbooks.md#{row.anchor}")
    assert len(description) <= 1024
    assert alarm["AlarmActions"] == alarm["OKActions"] == [PARAMETERS["AlarmTopicArn"]]
    section = anchors[row.anchor]
    assert f"`{name}`" in section
    assert all(
        f"**{part}**" in section for part in ("What it means", "Confirm", "What to do", "Over when")
    ), name


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "Metrics" in alarm])
def test_expression_uses_each_of_at_most_ten_metrics(name: str) -> None:
    expressions = [each for each in ALARMS[name]["Metrics"] if "Expression" in each]
    ids = [each["Id"] for each in ALARMS[name]["Metrics"] if "MetricStat" in each]
    assert len(expressions) == 1
    assert "SEARCH" not in expressions[0]["Expression"], "CloudWatch allows no search in an alarm"
    words = set(re.findall(r"\b[a-z_]+\b", expressions[0]["Expression"]))
    assert words == set(ids)
    assert len(ids) == len(set(ids)) <= 10
    periods = {each["MetricStat"]["Period"] for each in ALARMS[name]["Metrics"] if "MetricStat" in each}
    assert len(periods) == 1
    assert not any(each["ReturnData"] for each in ALARMS[name]["Metrics"] if "MetricStat" in each)


def test_alarms_evaluate_within_the_limits_of_cloudwatch() -> None:
    for name, alarm in ALARMS.items():
        period = alarm.get("Period") or alarm["Metrics"][1]["MetricStat"]["Period"]
        window = period * alarm["EvaluationPeriods"]
        assert window <= (7 * 86_400 if period >= 3600 else 86_400), name


def test_documented_cost_of_alarms() -> None:
    billed = [used for name, used in IN_ALARMS if name != "BillAlarm"]
    assert f"| {len(billed)} metrics in {len(ALARMS) - 1} alarms |" in PAGE
    assert f"| ${len(billed) * 0.1:.2f} |" in PAGE


def test_slow_functions_alarm_knows_the_timeouts() -> None:
    (expression,) = [each for each in ALARMS["FunctionsSlowAlarm"]["Metrics"] if "Expression" in each]
    seconds = dict(re.findall(r"FILL\((\w+), 0\) / (\d+)", expression["Expression"]))
    for each in ALARMS["FunctionsSlowAlarm"]["Metrics"]:
        if "MetricStat" in each:
            function = TEMPLATE.function_named(
                dict(_used(each["MetricStat"]["Metric"]).dimensions)["FunctionName"]
            )
            assert int(seconds[each["Id"]]) == TEMPLATE.functions()[str(function)].timeout


def test_each_schedule_has_an_alarm_for_errors_and_a_heartbeat() -> None:
    def functions(alarm: str) -> set[str | None]:
        return {
            TEMPLATE.function_named(dict(used.dimensions)["FunctionName"])
            for used in metrics_of(ALARMS[alarm])
        }

    scheduled = {each.function: each.expression for each in schedules.read(TEMPLATE)}
    assert functions("ScheduleErrorsAlarm") == scheduled.keys()
    every = {"minute": set(), "hour": set(), "day": set()}  # type: dict[str, set[str | None]]
    for function, expression in scheduled.items():
        match = re.fullmatch(
            r"rate\(1 (minute|hour|day)\)|cron\(\d+ (\*) \* \* \? \*\)|cron\(\d+ \d+ \* \* \? \*\)",
            expression,
        )
        assert match, expression
        every[match[1] or ("hour" if match[2] else "day")].add(function)
    assert functions("SchedulesStoppedAlarm") == every["minute"]
    assert functions("HourlySchedulesStoppedAlarm") == every["hour"]
    assert functions("DailySchedulesStoppedAlarm") == every["day"]


def test_parameters_decide_about_alarms_and_dashboard() -> None:
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic")

    def resources(region: str = "us-east-1", **parameters: str) -> dict[str, Any]:
        """The alarms, dashboards and topics for these parameters. References resolve to logical IDs."""
        values = {**TEMPLATE.parameters, **parameters}
        pseudo = {**TEMPLATE.resolve.pseudo, "AWS::Region": region}
        resolve = Resolver(TEMPLATE.document, values, pseudo, lambda id, _: id)
        resolve.check_rules()
        return {
            name: resolve(each["Properties"])
            for name, each in TEMPLATE.document["Resources"].items()
            if each["Type"] in kinds and ("Condition" not in each or resolve.condition(each["Condition"]))
        }

    mail = {"AlarmTopicArn": "", "AlarmEmail": "ops@example.com"}
    guarded = ("PublishEvent", "FanOut", "Deliver", "DeliverSlow", "RunFlows")
    rollbacks = {f"{name}ErrorsAlarm" for name in guarded}
    assert resources(Alarms="off", Dashboard="off", **mail).keys() == rollbacks
    mailed = resources(**mail)
    (subscription,) = mailed.pop("AlarmTopic")["Subscription"]
    assert subscription == {"Protocol": "email", "Endpoint": "ops@example.com"}
    assert mailed.pop("OperationsDashboard")
    assert {str(each["AlarmActions"]) for each in mailed.values()} == {"['AlarmTopic']"}
    assert not any("AlarmActions" in each for each in resources(AlarmTopicArn="").values())
    assert "BillAlarm" not in resources(MonthlyBillUsd="0", region="eu-central-1")
    with pytest.raises(Problem, match="only in us-east-1"):
        resources(region="eu-central-1")
    with pytest.raises(Problem, match="not both"):
        resources(AlarmEmail="ops@example.com")


def test_functions_are_traced_only_on_request() -> None:
    assert TEMPLATE.document["Parameters"]["Tracing"]["Default"] == "PassThrough"
    for resource in TEMPLATE.document["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            assert resource["Properties"]["TracingConfig"] == {"Mode": {"Ref": "Tracing"}}


# ── dashboard ────────────────────────────────────────────────────────────────────────────────────────


def test_widgets_fit_the_grid_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        columns = range(widget["x"], widget["x"] + widget["width"])
        cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
        assert max(columns) < 24
        assert not cells & taken, widget
        taken |= cells


def test_widget_expressions_use_metrics_of_their_widget() -> None:
    for widget in WIDGETS:
        rows = widget["properties"].get("metrics", [])
        ids = {row[-1]["id"] for row in rows if isinstance(row[-1], dict) and "id" in row[-1]}
        for row in rows:
            if isinstance(row[0], dict):
                assert set(re.findall(r"\b[a-z][a-zA-Z]*\b", row[0]["expression"])) <= ids, row


def test_query_groups_all_routes_of_the_access_log() -> None:
    (query,) = [each["properties"]["query"] for each in WIDGETS if each["type"] == "log"]
    (stage,) = TEMPLATE.of_type("AWS::ApiGatewayV2::Stage")
    fields = json.loads(stage.properties["AccessLogSettings"]["Format"])
    assert {"route", "status", "latencyMs"} <= fields.keys()
    assert f"'{TEMPLATE.name('AccessLogGroup')}'" in query
    (pattern,) = re.findall(r"parse route /(.*)/ \|", query)
    pattern = pattern.replace("(?<", "(?P<")
    found = [re.search(pattern, route.key) for route in routes_of(TEMPLATE)]
    assert [
        route.key
        for route, match in zip(routes_of(TEMPLATE), found, strict=True)
        if match is None and route.key != "$default"
    ] == []
    groups = {match["group"] for match in found if match}
    assert {"events", "integrations", "integrations/webhooks", "integrations/{id}/oauth", "console"} <= groups
    assert len(groups) <= 25


# ── schedules ────────────────────────────────────────────────────────────────────────────────────────

# The tests that move a clock past a schedule's due times. They are with the tests of their features.
# Function → what it does after the clock has moved → (file under tests/integration, test).
PROOFS: dict[str, dict[str, tuple[str, str]]] = {
    "RunWorkspaceTasksFunction": {
        "advances the erasure of a workspace": (
            "test_workspace_erasure.py",
            "test_erasure_leaves_nothing_of_the_workspace_and_everything_of_its_neighbor",
        ),
    },
    "SweepDeliveriesFunction": {
        "queues a parked retry when it is due, and not before": (
            "test_delivery.py",
            "test_long_wait_is_parked_in_table",
        ),
        "visits a webhook again at the next run": (
            "test_delivery.py",
            "test_webhook_is_due_again_at_next_sweep",
        ),
        "queues a stalled fan-out again": ("test_fan_out.py", "test_sweeper_requeues_a_stalled_fan_out"),
        "fails a delivery that was held too long": (
            "test_receiver_health.py",
            "test_hold_time_counts_from_the_first_hold",
        ),
        "removes a temporary webhook that has expired": (
            "test_feeds.py",
            "test_expired_webhook_is_gone_at_once_and_removed_by_the_sweeper",
        ),
        "advances a replay": ("test_replay.py", "test_replay_sends_failed_deliveries_of_a_time_range"),
    },
    "RollUpStatsFunction": {
        "rolls up an hour 15 minutes after its end": (
            "test_roll_up.py",
            "test_hour_is_rolled_up_15_minutes_after_its_end",
        ),
    },
    "RefreshConnectionsFunction": {
        "refreshes a token when it is due, and not before": (
            "test_refresh.py",
            "test_maintenance_refreshes_only_what_is_due",
        ),
    },
    "SweepRunsFunction": {
        "ends a run without an answer after 15 minutes, not after 14": (
            "test_runs.py",
            "test_run_without_an_answer_fails",
        ),
        "announces a run again after a minute": (
            "test_runs.py",
            "test_sweep_repeats_a_failed_announcement",
        ),
        "continues a flow when its wait is over, and not before": (
            "test_flows.py",
            "test_wait_takes_as_long_as_it_says",
        ),
    },
    "ExpireKeysFunction": {
        "announces an expiry 7 days and 1 day before it": (
            "test_api_key_expiry.py",
            "test_hourly_schedule_announces_expiry_once_7_days_and_1_day_before",
        ),
        "removes an expired key from the count": (
            "test_api_key_expiry.py",
            "test_expired_key_is_uncounted_and_stays_listed_for_30_days",
        ),
        "rotates a key when it is due, and again": (
            "test_key_rotation.py",
            "test_key_rotates_when_it_is_due_and_again",
        ),
        "reminds of a key 7 days before it is due, and then": (
            "test_key_rotation.py",
            "test_policy_without_a_target_reminds_twice_and_rotates_nothing",
        ),
    },
    "SweepWindowsFunction": {
        "deletes windows two days after they expired": (
            "test_window_sweep.py",
            "test_rows_of_real_requests_are_deleted_two_days_after_expiry",
        ),
    },
}


def test_each_schedule_has_a_proof() -> None:
    assert PROOFS.keys() == {each.function for each in schedules.read(TEMPLATE)}


class Part(NamedTuple):
    """A function or class of a test module: its source code and the names in it."""

    source: str
    names: frozenset[str]
    is_own: bool  # not from the conftest


@cache
def _parts(file: str) -> dict[str, Part]:
    """The functions and classes of a test module, and of its conftest."""
    found: dict[str, Part] = {}
    for name in (file, "conftest.py"):
        text = (ROOT / "tests/integration" / name).read_text()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
                source = "\n".join(lines)
                part = Part(source, frozenset(re.findall(r"\w+", source)), name == file)
                found.setdefault(node.name, part)
    return found


def _reachable(file: str, test: str) -> list[Part]:
    """A test, and everything that it uses, directly or indirectly, from its module and its conftest."""
    parts, names = _parts(file), [test]
    taken: dict[str, Part] = {}
    while names:
        name = names.pop()
        if name not in taken and name in parts:
            taken[name] = parts[name]
            names += parts[name].names
    return list(taken.values())


@pytest.mark.parametrize(
    ("function", "what"), [(function, what) for function, proofs in PROOFS.items() for what in proofs]
)
def test_proof_moves_a_clock_and_runs_the_schedule(function: str, what: str) -> None:
    file, test = PROOFS[function][what]
    assert test in _parts(file), f"{file} has no {test}"
    parts = _reachable(file, test)
    moved = [part for part in parts if part.is_own and re.search(r"clock\.(move\(|now [+-]?=)", part.source)]
    assert moved, f"{test} moves no clock"
    module = TEMPLATE.functions()[function].handler.removesuffix(".handler")
    text = (ROOT / "tests/integration" / file).read_text() + "".join(part.source for part in parts)
    assert module in text, f"{file} does not run {module}"
