"""Schedules that invoke functions: EventBridge Scheduler's, and rules with a ScheduleExpression.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.logs import Logs
from local.runtime import Runtime
from local.settings import ACCOUNT, REGION, Problem
from local.template import Template

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_HORIZON_DAYS = 12 * 366  # February 29 occurs at least every 8 years
_RETRY_SECONDS = (60, 120)  # Lambda's waits before it repeats an asynchronous invocation
_LATE = timedelta(minutes=1)  # times that were missed during the machine's sleep are skipped


@dataclass(frozen=True)
class Schedule:
    """A function, the times of its invocations, and their input."""

    name: str
    function: str
    expression: str
    timezone: str
    input: str | None
    arn: str
    source: str
    retries: int  # how often Lambda repeats a failed run, and for how long
    max_age_seconds: int

    def event(self, at: datetime) -> str:
        """The payload of the invocation at this time."""
        time = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        scheduler = self.source == "aws.scheduler"
        if self.input is None:
            return json.dumps(
                {
                    "version": "0",
                    "id": str(uuid.uuid4()),
                    "detail-type": "Scheduled Event",
                    "source": self.source,
                    "account": ACCOUNT,
                    "time": time,
                    "region": REGION,
                    "resources": [self.arn],
                    "detail": "{}" if scheduler else {},
                }
            )
        keywords = {
            "<aws.scheduler.schedule-arn>": self.arn,
            "<aws.scheduler.scheduled-time>": time,
            "<aws.scheduler.execution-id>": uuid.uuid4().hex[:16],
            "<aws.scheduler.attempt-number>": "1",
        }
        text = self.input
        for keyword, value in keywords.items() if scheduler else ():
            text = text.replace(keyword, value)
        return text


def read(template: Template) -> list[Schedule]:
    """The enabled schedules of the template."""
    return [*_scheduler(template), *_rules(template)]


def _scheduler(template: Template) -> Iterator[Schedule]:
    for resource in template.of_type("AWS::Scheduler::Schedule"):
        properties = resource.properties
        if unknown := sorted(properties.keys() & {"StartDate", "EndDate"}):
            raise Problem(f"{resource.logical_id}: {', '.join(unknown)} is not emulated")
        yield from _read_one(template, resource.logical_id, properties, properties["Target"])


def _rules(template: Template) -> Iterator[Schedule]:
    for resource in template.of_type("AWS::Events::Rule"):
        if "ScheduleExpression" in resource.properties:
            for target in resource.properties.get("Targets", []):
                yield from _read_one(template, resource.logical_id, resource.properties, target)


def _read_one(
    template: Template, logical_id: str, properties: dict[str, Any], target: dict[str, Any]
) -> Iterator[Schedule]:
    function = template.function_named(target["Arn"])
    if function is None:
        raise Problem(f"{logical_id}: only functions of this template are emulated as targets of schedules")
    rule = "Targets" in properties
    schedule = Schedule(
        name=logical_id,
        function=function,
        expression=properties["ScheduleExpression"],
        timezone=properties.get("ScheduleExpressionTimezone", "UTC"),
        input=target.get("Input"),
        arn=template.arn(logical_id),
        source="aws.events" if rule else "aws.scheduler",
        **_asynchronous(template, function),
    )
    try:
        next_time(schedule.expression, datetime.now(ZoneInfo(schedule.timezone)))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise Problem(f"{logical_id}: {schedule.expression}: {error}") from None
    if properties.get("State", "ENABLED") == "ENABLED":
        yield schedule


def _asynchronous(template: Template, function: str) -> dict[str, int]:
    """How Lambda repeats the function's asynchronous invocations. Its defaults: twice, within six hours.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
    for config in template.of_type("AWS::Lambda::EventInvokeConfig"):
        if template.function_named(config.properties["FunctionName"]) == function:
            return {
                "retries": int(config.properties.get("MaximumRetryAttempts", 2)),
                "max_age_seconds": int(config.properties.get("MaximumEventAgeInSeconds", 21_600)),
            }
    return {"retries": 2, "max_age_seconds": 21_600}


def next_time(expression: str, after: datetime) -> datetime | None:
    """The first time of a `rate(…)`, `cron(…)` or `at(…)` expression after `after`, in its time zone, or
    None. Raises ValueError for another expression.
    """
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return after + timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if match := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression):
        once = datetime.fromisoformat(match[1]).replace(tzinfo=after.tzinfo)
        return once if once > after else None
    if match := re.fullmatch(r"cron\((.+)\)", expression):
        return _next_cron(match[1].split(), after)
    raise ValueError("not a rate, cron or at expression")


def _next_cron(fields: list[str], after: datetime) -> datetime | None:
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError("a cron expression has six fields, and one of the two day fields is ?")
    minutes = sorted(_values(fields[0], 0, 59))
    hours = sorted(_values(fields[1], 0, 23))
    last_day = fields[2] == "L"
    days = set() if last_day else _values(fields[2], 1, 31)
    months = _values(fields[3], 1, 12, _MONTHS)
    weekdays = _values(fields[4], 1, 7, _DAYS)
    years = _values(fields[5], 1970, 2199)
    for offset in range(_HORIZON_DAYS):
        day = after.date() + timedelta(days=offset)
        ends_month = (day + timedelta(days=1)).month != day.month
        if (
            day.year in years
            and day.month in months
            and day.isoweekday() % 7 + 1 in weekdays  # 1 is Sunday
            and (ends_month if last_day else day.day in days)
        ):
            for hour in hours:
                for minute in minutes:
                    time = datetime(day.year, day.month, day.day, hour, minute, tzinfo=after.tzinfo)
                    if time > after:
                        return time
    return None


def _values(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    def number(text: str) -> int:
        value = names.index(text.upper()) + 1 if text.upper() in names else int(text)
        if not low <= value <= high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return value

    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = number(start)
            last = number(end) if dash else high if step else first
        values |= set(range(first, last + 1, int(step or 1)))
    return values


class Schedules:
    """Fires schedules, each in its own task."""

    def __init__(self, runtime: Runtime, logs: Logs) -> None:
        self._runtime = runtime
        self._logs = logs
        self._tasks: dict[Schedule, asyncio.Task[None]] = {}
        self._invocations: set[asyncio.Task[None]] = set()

    def update(self, schedules: Iterable[Schedule]) -> None:
        """Replace the schedules. The interval of an unchanged schedule continues."""
        wanted = set(schedules)
        for schedule in self._tasks.keys() - wanted:
            self._tasks.pop(schedule).cancel()
        for schedule in wanted - self._tasks.keys():
            self._tasks[schedule] = asyncio.create_task(self._run(schedule))

    def stop(self) -> None:
        for task in (*self._tasks.values(), *self._invocations):
            task.cancel()

    async def _run(self, schedule: Schedule) -> None:
        last = datetime.now(ZoneInfo(schedule.timezone))
        while at := next_time(schedule.expression, last):
            now = datetime.now(at.tzinfo)
            if at < now - _LATE:
                last = now
                continue
            await asyncio.sleep((at - now).total_seconds())
            last = at
            invocation = asyncio.create_task(self._fire(schedule, at))
            self._invocations.add(invocation)
            invocation.add_done_callback(self._invocations.discard)

    async def _fire(self, schedule: Schedule, at: datetime) -> None:
        """Invoke asynchronously: a failed run is repeated with the same event, if the function allows it."""
        event = schedule.event(at).encode()
        for repeat in range(schedule.retries + 1):
            answer = await self._runtime.invoke(schedule.function, event)
            if not answer.fault:
                return
            self._logs.note(schedule.function, f"schedule {schedule.name} failed ({answer.fault})")
            wait = _RETRY_SECONDS[min(repeat, len(_RETRY_SECONDS) - 1)]
            age = (datetime.now(at.tzinfo) - at).total_seconds()
            if repeat == schedule.retries or age + wait > schedule.max_age_seconds:
                return
            await asyncio.sleep(wait)
