"""The erasure of a workspace: a task that deletes its rows from every table, and its files.

    start      the mark (see `erasure_mark`) and the task, in one transaction: requests get a 409, events and
               deliveries are dropped
    settle     wait for requests and workers that had begun before the mark: a process may have reserved
               requests until the end of its minute, and no function runs for longer than 90 seconds
    …          the rows, table by table; the data keys last. Any remaining ciphertexts then cannot be read
    forget     wait until no process has a data key in memory (DataKeyCacheSeconds). A process could otherwise
               encrypt for a new workspace of this ID with a key that is gone
    … again    what a late worker wrote, the logs, and everything that only a scan finds; flows and
               webhooks last, because their IDs lead to all runs, deliveries, feeds and counters
    end        the mark is removed, and the task ends, in one transaction. Its row stays as a receipt for 30
               days

Integrations are deleted as if by their owner: `oauth.maintenance` revokes their grants at the providers and
deactivates their copies. An hour after the deletion, the step continues regardless: it deactivates the
copies, then deletes what the providers did not let it finish. A copy's row in `#installs#…` stays as long as
the copy, as after any deletion of its source.

Each step deletes what it finds, so it can be repeated. This keeps the crash table short:

    before the transaction of the start      nothing
    anywhere in a step                       rows that are deleted; the next run repeats the step a minute
                                             later
    before the task's row                    a step that is done; the next run repeats it, and finds nothing
    before the transaction of the end        an empty workspace with its mark; the next run ends the task

An erasure never fails: errors are logged, and it is retried every minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from patchbay import idempotency, vault
from patchbay.activity import log as activity
from patchbay.api_keys import store as api_keys
from patchbay.auth.principal import Principal
from patchbay.automations import store as automations
from patchbay.automations.models import RUN_ORIGINS
from patchbay.catalogue.entries import resources
from patchbay.clock import now_ms
from patchbay.deliveries import store as deliveries
from patchbay.events import store as events
from patchbay.feeds import store as feeds
from patchbay.flows import store as flows
from patchbay.ids import TaskId, webhook_key
from patchbay.integrations import client
from patchbay.integrations import service as integrations
from patchbay.integrations import store as integrations_store
from patchbay.oauth import states
from patchbay.oauth import store as connections
from patchbay.observability import logger
from patchbay.rate_limits import store as rate_limits
from patchbay.receivers import health_store
from patchbay.sessions import store as sessions
from patchbay.settings import settings
from patchbay.storage import dynamo, objects
from patchbay.tasks import service as tasks
from patchbay.tasks import store as tasks_store
from patchbay.tasks.models import Task
from patchbay.tasks.store import StoredTask
from patchbay.webhooks import store as webhooks

# Longer than the rest of a minute and the longest timeout of a function that works for one workspace.
SETTLE_MS = 180_000
# How long the providers have to revoke the workspace's grants.
REVOKE_MS = 3_600_000
_AGAIN_MS = 30_000
# BatchWriteItem's limit.
_BATCH = 25


class Place(NamedTuple):
    """The position of an erasure: a step, when it began, and what the step continues after: the key of a
    scan, or the last completed part (`_erase_parts`).
    """

    step: str
    since: int
    after: dynamo.Row | None = None

    @classmethod
    def read(cls, task: StoredTask) -> Place:
        return (
            cls(STEPS[0].name, task.created_at) if task.reached is None else cls(**json.loads(task.reached))
        )

    def to_text(self) -> str:
        return json.dumps({name: value for name, value in self._asdict().items() if value is not None})


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of a step. `has_time` says whether there is time for another batch."""

    task: StoredTask
    place: Place
    has_time: Callable[[], bool]

    @property
    def workspace_id(self) -> str:
        return self.task.workspace_id


class Progress(NamedTuple):
    """What a run of a step did. If not done, it continues in `wait_ms`, `after` what it has completed."""

    erased: int = 0
    is_done: bool = True
    after: dynamo.Row | None = None
    wait_ms: int = _AGAIN_MS


class Step(NamedTuple):
    """`erases` names the settings of the tables, or the bucket, of which the step erases everything."""

    name: str
    erases: tuple[str, ...]
    run: Callable[[Slice], Progress]


def start(principal: Principal) -> Task | None:
    """Mark the workspace, and start the task. Returns None if another request has marked it."""
    workspace_id = principal.workspace_id

    def marks(id: TaskId) -> list[dynamo.TransactItem]:
        return [
            webhooks.mark_erasing_action(workspace_id, id),
            health_store.mark_erasing_action(workspace_id, id),
            rate_limits.mark_erasing_action(workspace_id, id),
        ]

    try:
        return tasks.start(principal, "workspace.erase", None, {}, None, None, marks)
    except dynamo.TransactionCanceled:
        return None


def advance(task: StoredTask, has_time: Callable[[], bool]) -> None:
    """Do a slice of an erasure that was claimed."""
    place = Place.read(task)
    while True:
        step = next((step for step in STEPS if step.name == place.step), STEPS[0])
        progress = step.run(Slice(task, place, has_time))
        if step is STEPS[-1] and progress.is_done:
            _end(task, progress.erased)
            return
        if progress.is_done:
            place = Place(STEPS[STEPS.index(step) + 1].name, now_ms())
        else:
            place = place._replace(after=progress.after)
        goes_on = progress.is_done and has_time()
        due_in_ms = tasks.CLAIM_MS if goes_on else _AGAIN_MS if progress.is_done else progress.wait_ms
        moved = tasks.advance(task, place.to_text(), progress.erased, due_in_ms)
        if moved is None or not goes_on:
            return
        task = moved


def _end(task: StoredTask, erased: int) -> None:
    workspace_id, now = task.workspace_id, now_ms()
    actions = [
        webhooks.end_erasure_action(workspace_id, task.id, now),
        health_store.end_erasure_action(workspace_id, now),
        rate_limits.end_erasure_action(workspace_id),
    ]
    tasks.succeed(task, erased, actions=actions)


# ── the steps ────────────────────────────────────────────────────────────────────────────────────────


def _wait(wait_ms: Callable[[], int], run: Slice) -> Progress:
    remaining = run.place.since + wait_ms() - now_ms()
    return Progress(is_done=remaining <= 0, wait_ms=max(remaining, 1))


def _erase(table: str, run: Slice, keys: Iterable[dynamo.Row]) -> Progress:
    """Delete rows by their keys, at least one batch, while there is time. The next run finds the rest."""
    name, erased, remaining = getattr(settings(), table), 0, iter(keys)
    while batch := list(islice(remaining, _BATCH)):
        dynamo.batch_delete(name, batch)
        erased += len(batch)
        if not run.has_time():
            return Progress(erased, is_done=False)
    return Progress(erased)


def _erase_parts(
    table: str, run: Slice, names: Iterable[str], rows: Callable[[str], Iterable[dynamo.Row]]
) -> Progress:
    """Delete the rows of parts of a table, in the order of their names. There can be more empty parts than a
    run can read, so the place has the last completed part.
    """
    reached = None if run.place.after is None else str(run.place.after["part"])
    remaining = [name for name in sorted(names) if reached is None or name > reached]

    def keys() -> Iterator[dynamo.Row]:
        nonlocal reached
        for name in remaining:
            yield from rows(name)
            reached = name
            if not run.has_time():
                return

    progress = _erase(table, run, keys())
    if not remaining or reached == remaining[-1]:
        return progress._replace(is_done=True)
    return progress._replace(is_done=False, after=None if reached is None else {"part": reached})


def _erase_keys(table: str, keys: Callable[[str], Iterable[dynamo.Row]], run: Slice) -> Progress:
    return _erase(table, run, keys(run.workspace_id))


Scan = Callable[[str, dynamo.Row | None], tuple[list[dynamo.Row], dynamo.Row | None]]


def _erase_scanned(table: str, scan: Scan, run: Slice) -> Progress:
    """Delete the workspace's rows of a table whose keys do not have the workspace first."""
    erased, after = 0, run.place.after
    while True:
        if not run.has_time():
            return Progress(erased, is_done=False, after=after)
        keys, last = scan(run.workspace_id, after)
        dynamo.batch_delete(getattr(settings(), table), keys)
        erased += len(keys)
        if last is None:
            return Progress(erased)
        after = last


def _erase_of_webhooks(table: str, rows: Callable[[str], Iterable[dynamo.Row]], run: Slice) -> Progress:
    """Delete the rows of all webhooks, including deleted ones and callbacks, and those of the workspace."""
    workspace_id = run.workspace_id
    runs = (row["id"] for row in automations.workspace_keys(workspace_id, RUN_ORIGINS, ()))
    ids = {"", *webhooks.webhook_ids_with_gone(workspace_id), *runs}
    return _erase_parts(table, run, ids, lambda id: rows(webhook_key(workspace_id, id)))


def _erase_active_hours(run: Slice) -> Progress:
    """Delete the marks of the workspace's active hours, a day at a time. Most hours have none, so the count
    of rows leaves them out.
    """
    days = events.days_of_active_hours(now_ms())
    names = (f"{day:06}" for day in days)
    keys = partial(events.active_hour_keys, run.workspace_id)
    return _erase_parts("events_table", run, names, lambda name: keys(int(name)))._replace(erased=0)


def _delete_integrations(run: Slice) -> Progress:
    """Delete the integrations as their owner would, and wait up to an hour until their connections are
    revoked. The hour begins with the deletion: before that, nothing is sent to a provider.
    """
    workspace_id = run.workspace_id
    for integration in integrations.iter_stored(workspace_id):
        if not run.has_time():
            return Progress(is_done=False)
        integrations.delete_by_system(integration)
    deletions = dict(integrations_store.deletions(workspace_id))
    latest = max((run.place.since, *(at or now_ms() for at in deletions.values())))
    if deletions and now_ms() < latest + REVOKE_MS:
        return Progress(is_done=False)
    if deletions:
        count = len(deletions)
        logger.warning("grants may remain at their providers", workspace=workspace_id, integrations=count)
    return Progress()


def _deactivate_copies(run: Slice) -> Progress:
    """Deactivate the copies of the remaining integrations, usually a second time. There can be more than a
    run can visit, so the place has the last completed one.
    """
    last = run.place.after or {"id": "", "copy": ""}
    for id in sorted(dict(integrations_store.deletions(run.workspace_id))):
        if id < last["id"]:
            continue
        for workspace_id, copy in integrations.copies(id, last["copy"] if id == last["id"] else ""):
            client.deactivate_copy(workspace_id, copy, client.PUBLISHER_REMOVED)
            last = {"id": id, "copy": f"{workspace_id}#{copy}"}
            if not run.has_time():
                return Progress(is_done=False, after=last)
    return Progress()


def _erase_integrations(run: Slice) -> Progress:
    """Delete the remaining rows of the integrations."""
    workspace_id = run.workspace_id
    ids = list(dict(integrations_store.deletions(workspace_id)))
    progress = _erase("connections_table", run, connections.workspace_keys(workspace_id, ids))
    if not progress.is_done:
        return progress
    limits: list[dynamo.Row] = [{"id": f"integration#{id}"} for id in ids]
    dynamo.batch_delete(settings().rate_limits_table, limits)
    integrations_store.erase(workspace_id)
    rows = _erase("integrations_table", run, integrations_store.workspace_rows(workspace_id))
    return rows._replace(erased=rows.erased + progress.erased)


def _erase_files(run: Slice) -> Progress:
    return Progress(objects.delete_all(f"{run.workspace_id}/"))


def _automation_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    return automations.workspace_keys(workspace_id, RUN_ORIGINS, resources())


def _erase_tasks(run: Slice) -> Progress:
    return _erase("tasks_table", run, tasks_store.workspace_keys(run.workspace_id, run.task.id))


def _forget_ms() -> int:
    return max(settings().data_key_cache_seconds * 1000, SETTLE_MS)


def _by_keys(name: str, table: str, keys: Callable[[str], Iterable[dynamo.Row]]) -> Step:
    return Step(name, (table,), partial(_erase_keys, table, keys))


def _by_webhooks(name: str, table: str, rows: Callable[[str], Iterable[dynamo.Row]]) -> Step:
    return Step(name, (table,), partial(_erase_of_webhooks, table, rows))


def _by_scan(name: str, table: str, scan: Scan) -> Step:
    return Step(name, (table,), partial(_erase_scanned, table, scan))


_TWICE = (
    _by_keys("sessions", "sessions_table", sessions.workspace_keys),
    _by_keys("api keys", "api_keys_table", api_keys.workspace_keys),
    Step("integrations", (), _delete_integrations),
    Step("copies", (), _deactivate_copies),
    Step("connections", ("integrations_table", "connections_table"), _erase_integrations),
    _by_keys("events", "events_table", events.workspace_keys),
    Step("active hours", ("events_table",), _erase_active_hours),
    _by_webhooks("deliveries", "deliveries_table", deliveries.webhook_rows),
    _by_webhooks("feeds", "feeds_table", feeds.webhook_rows),
    _by_keys("automations", "automations_table", _automation_keys),
    _by_keys("runs of flows", "flows_table", flows.keys_of_runs),
    Step("files", ("exports_bucket",), _erase_files),
    Step("tasks", ("tasks_table",), _erase_tasks),
    _by_keys("data keys", "data_keys_table", vault.workspace_keys),
)
STEPS = (
    Step("settle", (), partial(_wait, lambda: SETTLE_MS)),
    *_TWICE,
    Step("forget", (), partial(_wait, _forget_ms)),
    *(step._replace(name=f"{step.name} again") for step in _TWICE),
    _by_scan("health", "health_table", health_store.scan_workspace),
    _by_scan("activity", "activity_table", activity.scan_workspace),
    _by_scan("oauth states", "oauth_states_table", states.scan_workspace),
    _by_scan("idempotency", "idempotency_table", idempotency.scan_workspace),
    _by_scan("rate limits", "rate_limits_table", rate_limits.scan_workspace),
    _by_keys("flows", "flows_table", flows.workspace_keys),
    _by_keys("webhooks", "webhooks_table", webhooks.workspace_keys),
)
