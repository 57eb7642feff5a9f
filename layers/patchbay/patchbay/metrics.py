"""The metrics of this deployment, in CloudWatch's embedded metric format (EMF): a log line, not an API call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

A process collects values with `add`, and `flush` prints them at the end of an invocation: one line for each
value of a dimension. Powertools can do the same, but its import takes 70 ms of CPU, which is half a second in
the delivery functions.

Each value of a dimension is a custom metric, which costs $0.30 for each month with data. So each metric has
only one dimension, whose values are listed here. Workspaces, IDs and URLs belong in log lines.
docs/reference/metrics.md has a table of all metrics.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Literal, NamedTuple

from patchbay.clock import now_ms
from patchbay.settings import settings

# The maximum number of values of a metric in one line.
_MAX_VALUES = 100
_SERVICE = "patchbay"

_LANES = ("FAST", "SLOW")
_AWS_SERVICES = ("dynamodb", "kms", "s3", "secretsmanager", "sqs")


class Metric(NamedTuple):
    """`dimension` is the name of its only dimension, and `values` are the values that it can have."""

    name: str
    unit: Literal["Count", "Milliseconds"] = "Count"
    dimension: str = "service"
    values: tuple[str, ...] = (_SERVICE,)


# Attempts, by lane. ATTEMPT_MILLISECONDS also counts them.
DELIVERED = Metric("DeliveriesDelivered", dimension="Lane", values=_LANES)
FAILED = Metric("DeliveriesFailed", dimension="Lane", values=_LANES)
RETRIED = Metric("AttemptsRetried", dimension="Lane", values=_LANES)
ATTEMPT_MILLISECONDS = Metric("AttemptMilliseconds", "Milliseconds", "Lane", _LANES)
# The time from an event's publication to the first attempt, for deliveries that nothing held back.
FIRST_ATTEMPT_DELAY = Metric("FirstAttemptDelay", "Milliseconds", "Lane", _LANES)

HELD = Metric("DeliveriesHeld")
WEBHOOKS_DISABLED = Metric("WebhooksDisabled")
EVENTS_REJECTED = Metric("EventsRejected")
MESSAGES_SET_ASIDE = Metric("MessagesSetAside")
FEED_GAPS_CLOSED = Metric("FeedGapsClosed")
REFRESHES_SUCCEEDED = Metric("RefreshesSucceeded")
REFRESHES_FAILED = Metric("RefreshesFailed")
FLOW_STEPS = Metric("FlowSteps")
FLOW_RUNS_FAILED = Metric("FlowRunsFailed")
TASK_ITEMS_DONE = Metric("TaskItemsDone")
TASKS_FAILED = Metric("TasksFailed")
# Calls that failed after all their retries, or that AWS refused. A failed condition is not a failure.
AWS_CALLS_FAILED = Metric("AwsCallsFailed", dimension="AwsService", values=_AWS_SERVICES)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

# For each dimension and its value: the values of each metric since the last flush.
_collected: defaultdict[tuple[str, str], dict[Metric, list[int]]] = defaultdict(dict)


def add(metric: Metric, value: int = 1, *, by: str = _SERVICE) -> None:
    """Collect a value. `by` is the value of the metric's dimension, one of `metric.values`."""
    _collected[metric.dimension, by].setdefault(metric, []).append(value)


def flush() -> None:
    """Print what was collected. Call this at the end of each invocation: the process may not get another."""
    if not _collected:
        return
    namespace, now = settings().metrics_namespace, now_ms()
    collected = dict(_collected)
    _collected.clear()
    for dimension, added in collected.items():
        values = {metric: [sum(many)] if metric.unit == "Count" else many for metric, many in added.items()}
        for start in range(0, max(map(len, values.values())), _MAX_VALUES):
            part = {metric: many[start : start + _MAX_VALUES] for metric, many in values.items()}
            part = {metric: many for metric, many in part.items() if many}
            print(_line(namespace, now, dimension, part), flush=True)  # Lambda logs what is printed


def clear() -> None:
    """Drop what was collected; for tests."""
    _collected.clear()


def _line(namespace: str, now: int, dimension: tuple[str, str], values: dict[Metric, list[int]]) -> str:
    name, value = dimension
    directive = {
        "Namespace": namespace,
        "Dimensions": [[name]],
        "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in values],
    }
    line: dict[str, object] = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, name: value}
    for metric, many in values.items():
        line[metric.name] = many if len(many) > 1 else many[0]
    return json.dumps(line, separators=(",", ":"))
