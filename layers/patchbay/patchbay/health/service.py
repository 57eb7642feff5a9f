"""The health of a workspace: its integrations, the hooks of automation platforms, webhooks, connections and
flows.

Every page is bounded. It lists at most 100 items, each with one query: of its hourly counters, or of the
latest runs of a flow. Integrations also need the state of all their webhooks and connections, whose number
the workspace's ceilings limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from patchbay.api_model import LastError
from patchbay.auth.principal import Principal
from patchbay.automations.models import AutomationPlatform
from patchbay.clock import from_ms, now_ms
from patchbay.deliveries import receiver_state
from patchbay.errors import ValidationFailed
from patchbay.flows import recent
from patchbay.flows import service as flows
from patchbay.flows.models import Flow, FlowRun
from patchbay.health import measures, states
from patchbay.health.models import HealthItem, HealthList, HealthQuery, HealthState, Kind, Parts, Trend
from patchbay.health.states import Verdict
from patchbay.ids import IntegrationId, webhook_key
from patchbay.integrations import service as integrations
from patchbay.integrations.models import Integration, IntegrationQuery
from patchbay.oauth import connections
from patchbay.oauth.models import Connection, WorkspaceConnectionQuery
from patchbay.receivers.health import Health as ReceiverHealth
from patchbay.stats import counters, summary
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HourCounters, Tally
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import Webhook, WebhookQuery

_DAY_HOURS = 24
_RECENT_HOURS = 2
_THREADS = 8
# How many of each kind a page with a filter considers.
_CONSIDERED = 100
_EVERYTHING = len(HealthState)

HoursOf = Mapping[int, HourCounters]


class _Window(NamedTuple):
    """The hours that volumes cover: the day up to the roll-up's progress, and the day before it."""

    day: range
    previous: range
    current: int

    @property
    def recent(self) -> range:
        """The hours that determine a state."""
        return self.day[-_RECENT_HOURS:]

    @property
    def read(self) -> range:
        """The hours to read, including those not yet rolled up, which may have the latest error."""
        return range(self.previous.start, max(self.current + 1, self.day.stop))


@dataclass(frozen=True)
class _Request:
    workspace_id: str
    principal: Principal
    query: HealthQuery
    window: _Window

    @cached_property
    def webhooks(self) -> Sequence[Webhook]:
        """All webhooks of the workspace."""
        return webhooks.list_all(self.workspace_id)

    def hours_of(self, ids: Sequence[str]) -> list[HoursOf]:
        """The counters of webhooks, connections or totals, each with one query."""
        keys = [webhook_key(self.workspace_id, id) for id in ids]
        with ThreadPoolExecutor(_THREADS) as pool:
            read = partial(stats_store.get_hours, hours=self.window.read, with_types=False)
            return list(pool.map(read, keys))


def list_health(principal: Principal, query: HealthQuery) -> HealthList:
    """One page of the workspace's health. Raises ValidationFailed for an integration that the workspace does
    not have, and for the cursor of another list.
    """
    check_integration(principal.workspace_id, query.integration_id)
    now = now_ms()
    through = stats_store.last_rolled_up()
    page = _page(_Request(principal.workspace_id, principal, query, _window(through, now)))
    listing = HealthList(
        items=page.items,
        next_cursor=page.next_cursor,
        checked_at=from_ms(now),
        measured_until=None if through is None else from_ms((through + 1) * counters.HOUR_MS),
    )
    listing._cursors = [cursor for _, cursor in page.entries]
    return listing


def check_integration(workspace_id: str, id: IntegrationId | None) -> None:
    """Raises ValidationFailed for an integration that the workspace does not have."""
    if id is not None and integrations.find_stored(workspace_id, id) is None:
        raise ValidationFailed.for_field("integrationId", "no integration with this ID in this workspace")


def _window(through: int | None, now: int) -> _Window:
    """The window at `now`, if the hours up to `through` are rolled up."""
    current = counters.hour_of(now)
    end = (current - 1 if through is None else through) + 1
    return _Window(range(end - _DAY_HOURS, end), range(end - 2 * _DAY_HOURS, end - _DAY_HOURS), current)


def _page(request: _Request) -> Page[HealthItem]:
    """One page of the lists of the kinds, in sequence. A cursor has the kind and the cursor of its list."""
    query = request.query
    kinds = [kind for kind in _SOURCES if kind in query.kind]
    first, inner = dynamo.decode_cursor(query.cursor, 2) if query.cursor else [kinds[0], ""]
    if first not in kinds:
        raise dynamo.invalid_cursor()
    is_filtered = len(set(query.state)) < _EVERYTHING
    entries: list[tuple[HealthItem, str]] = []
    for kind in kinds[kinds.index(first) :]:
        room = query.limit - len(entries)
        if room == 0:
            return Page(entries, dynamo.encode_cursor([kind, ""]))
        page = _SOURCES[kind](request, _CONSIDERED if is_filtered else room, inner or None)
        wanted = page.map(lambda entry: entry if entry.state in query.state else None)
        found = [(entry, dynamo.encode_cursor([kind, cursor])) for entry, cursor in wanted.entries]
        entries += found[:room]
        if len(found) > room:
            return Page(entries, entries[-1][1])
        if page.next_cursor is not None:
            return Page(entries, dynamo.encode_cursor([kind, page.next_cursor]))
        inner = ""
    return Page(entries, None)


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────


def _webhooks(request: _Request, limit: int, cursor: str | None) -> Page[HealthItem]:
    page = webhooks.list_webhooks(request.principal, WebhookQuery(limit=limit, cursor=cursor))
    wanted = request.query.integration_id
    page = page.map(lambda webhook: webhook if wanted in (None, webhook.integration_id) else None)
    receivers = _receivers(request, page.items)
    all_hours = request.hours_of([webhook.id for webhook in page.items])
    found = {
        webhook.id: _webhook(request, webhook, health, hours)
        for webhook, health, hours in zip(page.items, receivers, all_hours, strict=True)
    }
    return page.map(lambda webhook: found[webhook.id])


def _receivers(request: _Request, items: Sequence[Webhook]) -> list[ReceiverHealth]:
    keys = [webhook_key(request.workspace_id, webhook.id) for webhook in items]
    return receiver_state.load(request.workspace_id, keys)[1] if keys else []


def _webhook(request: _Request, webhook: Webhook, receiver: ReceiverHealth, hours: HoursOf) -> HealthItem:
    verdict = states.of_webhook(webhook, receiver, _sum(hours, request.window.recent))
    return _entry(
        "webhook",
        webhook.id,
        webhook.name,
        verdict,
        integration_id=webhook.integration_id,
        deliveries=_trend(request, hours),
        last_error=_last_error(hours),
    )


def _verdicts(request: _Request, items: Sequence[Webhook]) -> dict[str, Verdict]:
    """The states of any number of webhooks, by ID, with two reads of counters for each."""
    keys = [webhook_key(request.workspace_id, webhook.id) for webhook in items]
    rows = [stats_store.get_hour(keys, hour) for hour in request.window.recent]
    recent = [counters.add_tallies(found[key].tally for found in rows if key in found) for key in keys]
    return {
        webhook.id: states.of_webhook(webhook, receiver, tally)
        for webhook, receiver, tally in zip(items, _receivers(request, items), recent, strict=True)
    }


# ── connections ──────────────────────────────────────────────────────────────────────────────────────


def _connections(request: _Request, limit: int, cursor: str | None) -> Page[HealthItem]:
    query = WorkspaceConnectionQuery(limit=limit, cursor=cursor, integration_id=request.query.integration_id)
    page = connections.page_all(request.workspace_id, query)
    all_hours = request.hours_of([connection.id for connection in page.items])
    found = {
        connection.id: _connection(request, connection, hours)
        for connection, hours in zip(page.items, all_hours, strict=True)
    }
    return page.map(lambda connection: found[connection.id])


def _connection(request: _Request, connection: Connection, hours: HoursOf) -> HealthItem:
    return _entry(
        "connection",
        connection.id,
        connection.connection_id,
        states.of_connection(connection),
        integration_id=connection.integration_id,
        refreshes=_trend(request, hours),
        last_error=connection.last_error,
    )


# ── integrations and automation platforms ────────────────────────────────────────────────────────────


def _integrations(request: _Request, limit: int, cursor: str | None) -> Page[HealthItem]:
    only = request.query.integration_id
    if only is None:
        page = integrations.page_own(request.workspace_id, IntegrationQuery(), limit, cursor)
    else:
        page = Page([(integrations.get(request.principal, only), "")], None)
    ids = {integration.id for integration in page.items}
    its_webhooks: dict[str, list[Webhook]] = {id: [] for id in ids}
    for webhook in request.webhooks:
        if webhook.integration_id in ids:
            its_webhooks[str(webhook.integration_id)].append(webhook)
    verdicts = _verdicts(request, [webhook for part in its_webhooks.values() for webhook in part])
    with ThreadPoolExecutor(_THREADS) as pool:
        its_connections = list(
            pool.map(
                lambda integration: _connections_of(request, integration.id, integration.connection_count),
                page.items,
            )
        )
    all_hours = request.hours_of([integration.id for integration in page.items])
    found = {
        integration.id: _integration(
            request,
            integration,
            [verdicts[webhook.id] for webhook in its_webhooks[integration.id]],
            of_integration,
            hours,
        )
        for integration, of_integration, hours in zip(page.items, its_connections, all_hours, strict=True)
    }
    return page.map(lambda integration: found[integration.id])


def _connections_of(request: _Request, id: IntegrationId, count: int) -> list[Connection]:
    return connections.list_of_integration(request.workspace_id, id) if count else []


def _integration(
    request: _Request,
    integration: Integration,
    of_webhooks: Sequence[Verdict],
    its_connections: Sequence[Connection],
    hours: HoursOf,
) -> HealthItem:
    of_connections = [states.of_connection(connection) for connection in its_connections]
    errors = [connection.last_error for connection in its_connections]
    return _entry(
        "integration",
        integration.id,
        integration.name,
        states.of_integration(integration, of_webhooks, of_connections),
        deliveries=_trend(request, hours),
        refreshes=measures.trend(
            _sum_refreshes(hours, request.window.day), _sum_refreshes(hours, request.window.previous)
        ),
        webhooks=_parts(of_webhooks),
        connections=_parts(of_connections),
        last_error=max(
            (error for error in (*errors, _last_error(hours)) if error is not None),
            key=lambda error: error.at,
            default=None,
        ),
    )


def _automations(request: _Request, limit: int, cursor: str | None) -> Page[HealthItem]:
    """The automation platforms that have hooks; all on one page."""
    if request.query.integration_id is not None:
        return Page([], None)
    hooks: dict[str, list[Webhook]] = {platform.value: [] for platform in AutomationPlatform}
    for webhook in request.webhooks:
        if webhook.source in hooks:
            hooks[webhook.source].append(webhook)
    if cursor is not None and cursor not in hooks:
        raise dynamo.invalid_cursor()
    following = list(hooks)[0 if cursor is None else list(hooks).index(cursor) + 1 :]
    platforms = [platform for platform in following if hooks[platform]][:limit]
    verdicts = _verdicts(request, [hook for platform in platforms for hook in hooks[platform]])
    entries = []
    for platform, hours in zip(platforms, request.hours_of(platforms), strict=True):
        of_hooks = [verdicts[hook.id] for hook in hooks[platform]]
        entry = _entry(
            "automation",
            platform,
            AutomationPlatform(platform).label,
            states.of_parts({"webhook": of_hooks}, "kind=webhook"),
            deliveries=_trend(request, hours),
            webhooks=_parts(of_hooks),
            last_error=_last_error(hours),
        )
        entries.append((entry, platform))
    is_last = len(platforms) < limit
    return Page(entries, None if is_last else platforms[-1])


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────


def _flows(request: _Request, limit: int, cursor: str | None) -> Page[HealthItem]:
    if request.query.integration_id is not None:
        return Page([], None)
    page = flows.page_flows(request.workspace_id, None, limit, cursor)
    latest = recent.latest_runs(request.workspace_id, page.items)
    return page.map(lambda flow: _flow(flow, latest[flow.id]))


def _flow(flow: Flow, latest: Sequence[FlowRun]) -> HealthItem:
    ended = states.ended_runs(flow, latest)
    return _entry(
        "flow",
        flow.id,
        flow.name,
        states.of_flow(flow, ended),
        last_error=next((_run_error(run) for run in ended if run.status == "FAILED"), None),
    )


def _run_error(run: FlowRun) -> LastError:
    where = "The run failed." if run.step is None else f"The step {run.step} failed."
    return LastError(code=run.status_reason or "failed", detail=where, at=run.updated_at)


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _entry(
    kind: Kind,
    id: str,
    name: str,
    verdict: Verdict,
    *,
    integration_id: IntegrationId | None = None,
    deliveries: Trend | None = None,
    refreshes: Trend | None = None,
    webhooks: Parts | None = None,
    connections: Parts | None = None,
    last_error: LastError | None,
) -> HealthItem:
    return HealthItem(
        kind=kind,
        id=id,
        name=name,
        integration_id=integration_id,
        state=verdict.state,
        reason=verdict.reason,
        detail=verdict.detail,
        since=None if verdict.since is None else from_ms(verdict.since),
        deliveries=deliveries,
        refreshes=refreshes,
        webhooks=webhooks,
        connections=connections,
        last_error=last_error,
    )


def _parts(verdicts: Sequence[Verdict]) -> Parts:
    return Parts(total=len(verdicts), states=states.count(verdicts))


def _trend(request: _Request, hours: HoursOf) -> Trend:
    return measures.trend(_sum(hours, request.window.day), _sum(hours, request.window.previous))


def _sum(hours: HoursOf, window: Iterable[int]) -> Tally:
    return counters.add_tallies(hours[hour].tally for hour in window if hour in hours)


def _sum_refreshes(hours: HoursOf, window: Iterable[int]) -> Tally:
    return counters.add_tallies(hours[hour].refreshes for hour in window if hour in hours)


def _last_error(hours: HoursOf) -> LastError | None:
    return summary.describe_error(
        max((hour.last_error for hour in hours.values() if hour.last_error), default=None)
    )


_SOURCES: Mapping[Kind, Callable[[_Request, int, str | None], Page[HealthItem]]] = {
    "integration": _integrations,
    "automation": _automations,
    "webhook": _webhooks,
    "connection": _connections,
    "flow": _flows,
}
