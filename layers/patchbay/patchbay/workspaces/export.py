"""The export of a workspace: a task that writes one NDJSON file. docs/operate/data.md says what is in it.

Each line is `{"type": …, "data": …}`, with `data` as the API returns it. The file includes the audit log,
whose entries have people's addresses. It has no secrets: the API returns a secret only to the request that
creates it, and masks stored ones.

The sources are read in sequence, a page at a time, with the cursors of the API's lists. The place of the next
page is stored when a part of the file is written (see `storage.objects`), so memory holds one part and one
page. What changes during the export can be in the file before or after the change. A crash leaves:

    after the start of the upload    an upload without parts, which the bucket's lifecycle deletes
    after a part                     a part that the next run writes again
    before the file is completed     all parts; the place says so, and the next run completes it
    before the end of the task       the file; the next run finds it, and ends the task
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from patchbay import compact_json
from patchbay.activity import audit
from patchbay.activity import service as activity
from patchbay.activity.log import SubjectId
from patchbay.activity.models import AuditQuery, LogQuery
from patchbay.api_keys import service as api_keys
from patchbay.api_model import ListQuery, to_json
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.automations import runs
from patchbay.automations.models import RunQuery
from patchbay.connect import service as connect
from patchbay.deliveries import service as deliveries
from patchbay.events import service as events
from patchbay.flows import recent as flow_lists
from patchbay.flows import runs as flow_runs
from patchbay.flows import service as flows
from patchbay.flows.models import FlowQuery
from patchbay.ids import ApiKeyId, FlowId, IntegrationId, WebhookId
from patchbay.integrations import service as integrations
from patchbay.integrations.models import IntegrationQuery
from patchbay.oauth import connections
from patchbay.oauth.models import WorkspaceConnectionQuery
from patchbay.sessions import portal
from patchbay.storage import dynamo, objects
from patchbay.tasks import service as tasks
from patchbay.tasks.models import TaskQuery
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.models import WebhookQuery
from patchbay.workspaces import service

if TYPE_CHECKING:
    from patchbay.tasks.store import StoredTask

_PAGE = 100
# A run has up to 300 KB.
_FLOW_RUNS = 20
_THREADS = 8
_FINISH = "finish"
# A part is written when it reaches this size. Its last page can exceed the size by at most 10 MB.
_PART_BYTES = objects.MIN_PART_BYTES

Record = tuple[str, BaseModel | dict[str, object]]
Page = tuple[Iterable[Record], str | None]


class Place(NamedTuple):
    """The position of an export: a source, its cursor, and the written parts."""

    step: str
    cursor: str | None
    upload: str
    parts: int = 0

    @classmethod
    def read(cls, text: str) -> Place:
        return cls(**json.loads(text))

    def to_text(self) -> str:
        return json.dumps(self._asdict())


def advance(task: StoredTask, has_time: Callable[[], bool]) -> None:
    """Do a slice of an export that was claimed: write parts of the file."""
    key = tasks.export_key(task)
    if task.reached is None:
        first = Place(next(iter(_SOURCES)), None, objects.start(key))
        moved = tasks.advance(task, first.to_text(), 0, tasks.CLAIM_MS)
        if moved is None:
            return
        task = moved
    reader = _Reader(Principal(task.workspace_id, task.created_by, ROLES["owner"]))
    while True:
        place = Place.read(str(task.reached))
        if place.step == _FINISH:
            tasks.succeed(task, 0, size=objects.complete(key, place.upload, place.parts))
            return
        content, count, place = _fill_part(reader, place)
        if content:
            place = place._replace(parts=place.parts + 1)
            objects.put_part(key, place.upload, place.parts, content)
        goes_on = has_time()
        moved = tasks.advance(task, place.to_text(), count, tasks.CLAIM_MS if goes_on else tasks.DUE_AGAIN_MS)
        if moved is None or not goes_on:
            return
        task = moved


def _fill_part(reader: _Reader, place: Place) -> tuple[bytes, int, Place]:
    """The records of the next part, from a place on; their number; and the place after them."""
    content, count = bytearray(), 0
    names = [*_SOURCES, _FINISH]
    while place.step != _FINISH and len(content) < _PART_BYTES:
        records, cursor = _SOURCES[place.step](reader, place.cursor)
        for type, data in records:
            text = to_json(data) if isinstance(data, BaseModel) else compact_json.dumps(data)
            content += f'{{"type":"{type}","data":{text}}}\n'.encode()
            count += 1
        if cursor is not None:
            place = place._replace(cursor=cursor)
        else:
            place = place._replace(step=names[names.index(place.step) + 1], cursor=None)
    return bytes(content), count, place


# ── the sources: the records of a page, and the cursor of the next one ───────────────────────────────


@dataclass(frozen=True)
class _Reader:
    """Reads with the rights of an owner, for one slice."""

    principal: Principal

    @cached_property
    def webhook_ids(self) -> Sequence[str]:
        return sorted(webhooks_store.webhook_ids_with_gone(self.principal.workspace_id))

    @cached_property
    def flow_ids(self) -> Sequence[str]:
        return sorted(flows.ids_with_gone(self.principal.workspace_id))

    @cached_property
    def subjects(self) -> Sequence[str]:
        """The subjects of the activity log's entries, without deleted API keys and integrations."""
        prefix = f"{WebhookId.prefix}_"
        return sorted(
            [
                *(id for id in self.webhook_ids if id.startswith(prefix)),
                *(integration.id for integration in integrations.iter_stored(self.principal.workspace_id)),
                *self._api_key_ids(),
            ]
        )

    def _api_key_ids(self) -> Iterator[str]:
        cursor: str | None = None
        while True:
            page = api_keys.list_keys(self.principal, ListQuery(limit=_PAGE, cursor=cursor))
            yield from (key.id for key in page.items)
            if (cursor := page.next_cursor) is None:
                return


def _workspace(reader: _Reader, cursor: str | None) -> Page:
    return [("workspace", service.get(reader.principal))], None


def _integrations(reader: _Reader, cursor: str | None) -> Page:
    page = integrations.list_integrations(reader.principal, IntegrationQuery(limit=_PAGE, cursor=cursor))
    return _records("integration", page.items), page.next_cursor


def _connections(reader: _Reader, cursor: str | None) -> Page:
    page = connections.list_all(reader.principal, WorkspaceConnectionQuery(limit=_PAGE, cursor=cursor))
    return _records("connection", page.items), page.next_cursor


def _api_keys(reader: _Reader, cursor: str | None) -> Page:
    page = api_keys.list_keys(reader.principal, ListQuery(limit=_PAGE, cursor=cursor))
    return _records("apiKey", page.items), page.next_cursor


def _webhooks(reader: _Reader, cursor: str | None) -> Page:
    page = webhooks.list_webhooks(reader.principal, WebhookQuery(limit=_PAGE, cursor=cursor))
    return _records("webhook", page.items), page.next_cursor


def _events(reader: _Reader, cursor: str | None) -> Page:
    page = events.list_with_data(reader.principal, _PAGE, cursor)
    return _records("event", page.items), page.next_cursor


def _deliveries(reader: _Reader, cursor: str | None) -> Page:
    def of_webhook(id: str, cursor: str | None) -> Page:
        page = deliveries.list_with_attempts(reader.principal, id, _PAGE, cursor)
        return [record for records in page.items for record in records], page.next_cursor

    return _of_each(reader.webhook_ids, cursor, of_webhook)


def _runs(reader: _Reader, cursor: str | None) -> Page:
    page = runs.list_runs(reader.principal, None, RunQuery(limit=_PAGE, cursor=cursor))
    return _records("run", page.items), page.next_cursor


def _flows(reader: _Reader, cursor: str | None) -> Page:
    page = flow_lists.list_flows(reader.principal, FlowQuery(limit=_PAGE, cursor=cursor))
    return _records("flow", page.items), page.next_cursor


def _flow_runs(reader: _Reader, cursor: str | None) -> Page:
    def of_flow(id: str, cursor: str | None) -> Page:
        page = flow_runs.list_with_steps(reader.principal, FlowId(id), _FLOW_RUNS, cursor)
        return _records("flowRun", page.items), page.next_cursor

    return _of_each(reader.flow_ids, cursor, of_flow)


def _activity(reader: _Reader, cursor: str | None) -> Page:
    def of_subject(id: str, cursor: str | None) -> Page:
        kind = next(kind for kind in (IntegrationId, WebhookId, ApiKeyId) if id.startswith(kind.prefix))
        subject: SubjectId = kind(id)
        query = LogQuery(limit=_PAGE, cursor=cursor)
        page = activity.list_entries(reader.principal.workspace_id, subject, query, lambda: None)
        entries = ({"subject": id, **entry.model_dump(mode="json", by_alias=True)} for entry in page.items)
        return _records("logEntry", entries), page.next_cursor

    return _of_each(reader.subjects, cursor, of_subject)


def _audit_log(reader: _Reader, cursor: str | None) -> Page:
    page = audit.list_entries(reader.principal, AuditQuery(limit=_PAGE, cursor=cursor))
    return _records("auditEntry", page.items), page.next_cursor


def _portal_sessions(reader: _Reader, cursor: str | None) -> Page:
    page = portal.list_sessions(reader.principal, ListQuery(limit=_PAGE, cursor=cursor))
    return _records("portalSession", page.items), page.next_cursor


def _connect_sessions(reader: _Reader, cursor: str | None) -> Page:
    page = connect.list_sessions(reader.principal, ListQuery(limit=_PAGE, cursor=cursor))
    return _records("connectSession", page.items), page.next_cursor


def _tasks(reader: _Reader, cursor: str | None) -> Page:
    page = tasks.list_tasks(reader.principal, TaskQuery(limit=_PAGE, cursor=cursor))
    return _records("task", page.items), page.next_cursor


_SOURCES: dict[str, Callable[[_Reader, str | None], Page]] = {
    "workspace": _workspace,
    "integrations": _integrations,
    "connections": _connections,
    "api keys": _api_keys,
    "webhooks": _webhooks,
    "events": _events,
    "deliveries": _deliveries,
    "runs": _runs,
    "flows": _flows,
    "runs of flows": _flow_runs,
    "activity": _activity,
    "audit log": _audit_log,
    "portal sessions": _portal_sessions,
    "connect sessions": _connect_sessions,
    "tasks": _tasks,
}


def _records(type: str, items: Iterable[BaseModel | dict[str, object]]) -> Sequence[Record]:
    return [(type, item) for item in items]


def _of_each(ids: Sequence[str], cursor: str | None, page_of: Callable[[str, str | None], Page]) -> Page:
    """A page of the lists of several IDs, in the order of `ids`, which is ascending. Most lists are short, so
    several are read at the same time. The cursor is the next ID and the cursor of its list.
    """
    first, inner = dynamo.decode_cursor(cursor, 2) if cursor else ("", "")
    position = bisect_left(ids, first)
    if inner and ids[position : position + 1] == [first]:
        records, following = page_of(first, inner)
        if following is not None:
            return records, dynamo.encode_cursor([first, following])
        position, found = position + 1, [*records]
    else:
        found = []
        batch = ids[position : position + _THREADS]
        with ThreadPoolExecutor(_THREADS) as pool:
            pages = list(pool.map(lambda id: page_of(id, None), batch))
        for id, (records, following) in zip(batch, pages, strict=True):
            found += records
            if following is not None:
                return found, dynamo.encode_cursor([id, following])
        position += len(batch)
    return found, dynamo.encode_cursor([ids[position], ""]) if position < len(ids) else None
