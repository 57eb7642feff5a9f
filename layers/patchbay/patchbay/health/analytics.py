"""The hourly counters of a period, by hour or day.

Reads only rows that the roll-up has completed, so that a series has no hour with failures but without the
successes of the same time. One query reads the hours of a webhook, a connection, an integration or a
workspace; a page has at most 100 of them. Counters and histograms add up exactly, so a day is the sum of its
hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple, TypedDict

from patchbay.auth.principal import Principal
from patchbay.automations.models import AutomationPlatform
from patchbay.clock import from_ms, now_ms, to_ms
from patchbay.errors import NotFound, ValidationFailed
from patchbay.health import measures
from patchbay.health.models import Analytics, AnalyticsQuery, Group, Point, Series, Volume
from patchbay.health.service import check_integration
from patchbay.ids import webhook_key
from patchbay.integrations import service as integrations
from patchbay.integrations.models import IntegrationQuery
from patchbay.oauth import connections
from patchbay.oauth.models import WorkspaceConnectionQuery
from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HOUR_MS, HourCounters, Tally
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import WebhookQuery

_THREADS = 8
_DEFAULT_HOURS = {"hour": 24, "day": 7 * 24}
_MAX_DAYS = {"hour": 7, "day": 31}
_STEP_HOURS = {"hour": 1, "day": 24}

HoursOf = Mapping[int, HourCounters]
# Maps the counters of an hour to the tallies of its deliveries and of its refreshes; None for what a series
# does not have.
Measure = Callable[[HourCounters], tuple[Tally | None, Tally | None]]


class _Group(NamedTuple):
    """The subject of a series. The key of its counters is its workspace and `key`."""

    kind: Group
    id: str | None
    name: str
    key: str


def analyze(principal: Principal, query: AnalyticsQuery) -> Analytics:
    """The series of a period, or a page of them. Raises ValidationFailed for a period that is too long, in
    the future or before the retention, for mutually exclusive parameters, and for an unknown integration,
    webhook or connection.
    """
    _check_combination(query)
    workspace_id = principal.workspace_id
    check_integration(workspace_id, query.integration_id)
    hours = _hours(query, now_ms())
    if query.group_by == "eventType":
        page = _by_event_type(principal, query, hours)
    else:
        groups = _SOURCES[query.group_by](principal, query)
        keys = [group.key for group in groups.items]
        all_hours = _read(workspace_id, keys, hours, with_types=query.event_type is not None)
        series = {
            group: _series(group, its_hours, _measure(group.kind, query.event_type), query.by)
            for group, its_hours in zip(groups.items, all_hours, strict=True)
        }
        page = groups.map(lambda group: series[group])
    result = Analytics(
        items=page.items,
        next_cursor=page.next_cursor,
        since=_start(hours.start),
        until=_start(hours.stop),
        by=query.by,
    )
    result._cursors = [cursor for _, cursor in page.entries if cursor]  # none for groups on one page
    return result


# ── the period ───────────────────────────────────────────────────────────────────────────────────────


def _hours(query: AnalyticsQuery, now: int) -> range:
    """The hours to read: whole hours or days, up to the last one that was rolled up."""
    step, through = _STEP_HOURS[query.by], stats_store.last_rolled_up()
    complete = counters.hour_of(now) - 1 if through is None else through
    last = complete if query.until is None else _floor(query.until, step) + step - 1
    first = last // step * step - _DEFAULT_HOURS[query.by] + step
    if query.since is not None:
        _check_since(query.since, now)
        first = _floor(query.since, step)
    days = _MAX_DAYS[query.by]
    if last - first > days * 24 + step:
        advice = " Use by=day for a longer period." if query.by == "hour" else ""
        raise ValidationFailed.for_field("since", f"must be at most {days} days before until.{advice}")
    first = max(first, 0)
    return range(first, first if through is None else max(min(last, complete) + 1, first))


def _floor(time: datetime, step: int) -> int:
    return counters.hour_of(to_ms(time)) // step * step


def _check_since(since: datetime, now: int) -> None:
    if to_ms(since) > now:
        raise ValidationFailed.for_field("since", "must not be in the future")
    if to_ms(since) < now - settings().retention_ms:
        raise ValidationFailed.for_field("since", f"must be within the last {settings().retention_days} days")


def _start(hour: int) -> datetime:
    return from_ms(hour * HOUR_MS)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────

# The parameters that each value of groupBy excludes.
_EXCLUDED: Mapping[str | None, Sequence[str]] = {
    None: (),
    "integration": ("integrationId", "webhookId"),
    "automation": ("integrationId", "webhookId"),
    "webhook": ("webhookId",),
    "connection": ("webhookId", "eventType"),
    "eventType": ("eventType",),
}


def _check_combination(query: AnalyticsQuery) -> None:
    values = {
        "integrationId": query.integration_id,
        "webhookId": query.webhook_id,
        "eventType": query.event_type,
    }
    for name in _EXCLUDED[query.group_by]:
        if values[name] is not None:
            raise ValidationFailed.for_field(
                name, f"cannot be combined with groupBy={query.group_by}; omit one of them"
            )
    if query.integration_id is not None and query.webhook_id is not None:
        raise ValidationFailed.for_field(
            "webhookId", "cannot be combined with integrationId; omit one of them"
        )
    if query.cursor and query.group_by not in ("integration", "webhook", "connection"):
        raise dynamo.invalid_cursor()


def _one(principal: Principal, query: AnalyticsQuery) -> Page[_Group]:
    return Page([(_scope(principal, query), "")], None)


def _scope(principal: Principal, query: AnalyticsQuery) -> _Group:
    """The subject of the query: the workspace, or one of its integrations or webhooks."""
    if query.integration_id is not None:
        integration = integrations.get_stored(principal.workspace_id, query.integration_id)
        return _Group("integration", integration.id, integration.name, integration.id)
    if query.webhook_id is not None:
        try:
            webhook = webhooks.get(principal, query.webhook_id)
        except NotFound:
            raise ValidationFailed.for_field(
                "webhookId", "no webhook with this ID in this workspace"
            ) from None
        return _Group("webhook", webhook.id, webhook.name, webhook.id)
    return _Group("workspace", None, principal.workspace_id, "")


def _integrations(principal: Principal, query: AnalyticsQuery) -> Page[_Group]:
    page = integrations.page_own(principal.workspace_id, IntegrationQuery(), query.limit, query.cursor)
    return page.map(
        lambda integration: _Group("integration", integration.id, integration.name, integration.id)
    )


def _automations(principal: Principal, query: AnalyticsQuery) -> Page[_Group]:
    """All automation platforms, whether they have hooks or not."""
    groups = [
        _Group("automation", platform.value, platform.label, platform.value)
        for platform in AutomationPlatform
    ]
    return Page([(group, "") for group in groups], None)


def _webhooks(principal: Principal, query: AnalyticsQuery) -> Page[_Group]:
    page = webhooks.list_webhooks(principal, WebhookQuery(limit=query.limit, cursor=query.cursor))
    wanted = query.integration_id
    return page.map(
        lambda webhook: (
            _Group("webhook", webhook.id, webhook.name, webhook.id)
            if wanted in (None, webhook.integration_id)
            else None
        )
    )


def _connections(principal: Principal, query: AnalyticsQuery) -> Page[_Group]:
    page = connections.page_all(
        principal.workspace_id,
        WorkspaceConnectionQuery(limit=query.limit, cursor=query.cursor, integration_id=query.integration_id),
    )
    return page.map(
        lambda connection: _Group("connection", connection.id, connection.connection_id, connection.id)
    )


_SOURCES: Mapping[str | None, Callable[[Principal, AnalyticsQuery], Page[_Group]]] = {
    None: _one,
    "integration": _integrations,
    "automation": _automations,
    "webhook": _webhooks,
    "connection": _connections,
}


def _by_event_type(principal: Principal, query: AnalyticsQuery, hours: range) -> Page[Series]:
    """A series for each event type with attempts; all on one page, because the catalogue is small."""
    key = _scope(principal, query).key
    (its_hours,) = _read(principal.workspace_id, [key], hours, with_types=True)
    totals = counters.add_types(hour.types for hour in its_hours.values())
    types = sorted(totals, key=lambda type: (-sum(counters.histogram_of(totals[type])), type))
    groups = [_Group("eventType", type, type, "") for type in types]
    return Page(
        [(_series(group, its_hours, _measure("eventType", group.id), query.by), "") for group in groups], None
    )


# ── series ───────────────────────────────────────────────────────────────────────────────────────────


def _read(workspace_id: str, keys: Sequence[str], hours: range, *, with_types: bool) -> list[HoursOf]:
    """The counters of these webhooks, connections or totals, each with one query."""
    if not hours:
        return [{} for _ in keys]
    full_keys = [webhook_key(workspace_id, key) for key in keys]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(partial(stats_store.get_hours, hours=hours, with_types=with_types), full_keys))


def _measure(kind: Group, event_type: str | None) -> Measure:
    if event_type is not None:
        return lambda hour: (hour.types.get(event_type, {}), None)
    if kind == "connection":
        return lambda hour: (None, hour.tally)
    if kind in ("workspace", "integration"):
        return lambda hour: (hour.tally, hour.refreshes)
    return lambda hour: (hour.tally, None)


def _series(group: _Group, hours: HoursOf, measure: Measure, by: Literal["hour", "day"]) -> Series:
    step = _STEP_HOURS[by]
    steps: defaultdict[int, list[HourCounters]] = defaultdict(list)
    for hour, counted in sorted(hours.items()):
        steps[hour // step * step].append(counted)
    points = [
        Point(at=_start(first), **_volumes(counted, measure))
        for first, counted in steps.items()
        if any(tally for each in counted for tally in measure(each))
    ]
    return Series(
        kind=group.kind,
        id=group.id,
        name=group.name,
        **_volumes(hours.values() or [HourCounters()], measure),
        points=points,
    )


class _Volumes(TypedDict):
    deliveries: Volume | None
    refreshes: Volume | None


def _volumes(hours: Iterable[HourCounters], measure: Measure) -> _Volumes:
    """The sum of at least one hour."""
    deliveries, refreshes = zip(*map(measure, hours), strict=True)
    return _Volumes(deliveries=_volume(deliveries), refreshes=_volume(refreshes))


def _volume(tallies: Sequence[Tally | None]) -> Volume | None:
    present = [tally for tally in tallies if tally is not None]
    return measures.volume(counters.add_tallies(present)) if present else None
