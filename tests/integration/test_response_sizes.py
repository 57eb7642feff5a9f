"""No response is larger than AWS Lambda allows: every route returns the largest rows that it can have.

Lambda fails a function whose response has more than 6 MB, and API Gateway returns a bare 500. The response is
JSON that contains the body as a string, so escapes in the body are escaped again.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from awslambdaric.lambda_runtime_marshaller import to_json

from local.runtime import MAX_PAYLOAD
from patchbay import response_size
from patchbay.api_model import ApiModel, Listing
from patchbay.automations import store as automations
from patchbay.automations.models import Choice
from patchbay.clock import iso, now_ms
from patchbay.http import Request, endpoint
from patchbay.ids import (
    ApiKeyId,
    ConnectionId,
    ConnectSessionId,
    DeliveryId,
    EventId,
    FlowId,
    FlowRunId,
    Id,
    IntegrationId,
    LogId,
    PortalSessionId,
    RunId,
    TaskId,
    WebhookId,
    webhook_key,
)
from patchbay.oauth.token_response import parse_token_response
from patchbay.providers.provider import OAuth
from patchbay.storage.dynamo import pack_row
from patchbay.storage.paging import Page
from tests.catalogued import POST
from tests.conftest import HOST, LAMBDA_CONTEXT, OWNER, Answer, Api, Backend, jwt_for, routes_of
from tests.receivers import Answer as Reply
from tests.receivers import receiver

INTEGRATIONS = "/api/integrations"
WEBHOOKS = f"{INTEGRATIONS}/webhooks"
ZAPIER = "/api/automations/zapier"
KB = 1024
NUL, EMOJI, QUOTE = "\0", "🌷", '"'


def size(answer: Answer) -> int:
    """Return the size in bytes of the response that a runtime sends if it escapes non-ASCII characters."""
    response = {
        "statusCode": answer.status,
        "headers": answer.headers,
        "body": answer.text,
        "isBase64Encoded": False,
    }
    return len(to_json(response).encode())


@dataclass
class Filler:
    """Fills the tables with the rows that a route returns."""

    api: Api
    backend: Backend

    def made(self, line: str, body: Any = None, **more: Any) -> Any:
        answer = self.api(line, json=body, **more)
        assert answer.status in (200, 201, 202), answer.text
        return answer.json()

    def write(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        name = self.backend.template.name(table)
        items = [{"PutRequest": {"Item": pack_row(row)}} for row in rows]
        for start in range(0, len(items), 25):
            self.backend.client("dynamodb").batch_write_item(RequestItems={name: items[start : start + 25]})

    def copies(self, table: str, kind: type[Id], count: int, key: str = "sk", **changes: Any) -> list[str]:
        """Make `count` rows with `changes` from the only row of that kind in the table, which is one of them.
        Returns their IDs, newest first.
        """
        (row,) = [row for row in self.backend.rows(table) if str(row.get(key)).startswith(f"{kind.prefix}_")]
        ids = [row[key], *(kind.new(now_ms() - number * 1000) for number in range(1, count))]
        self.write(table, ({**row, **changes, key: id} for id in ids))
        return sorted(ids, reverse=True)

    def integration(self) -> str:
        return str(self.made(f"POST {INTEGRATIONS}", {"name": "a", "type": "CRM"})["id"])

    def webhook(self) -> str:
        body = {"name": "a", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
        return str(self.made(f"POST {WEBHOOKS}", body)["id"])

    def run(self) -> str:
        body = {"input": {"accountId": "acc_1", "text": "a"}}
        return str(self.made(f"POST {ZAPIER}/actions/create_post", body)["id"])

    def event(self, data: Any, at: int = 0, webhook_ids: Iterable[str] = ()) -> str:
        id = EventId.new(now_ms() - at)
        row = {
            "workspaceId": "acme",
            "id": id,
            "type": "POST_PUBLISHED",
            "timestamp": id.time_ms,
            "source": "api",
            "data": json.dumps(data, ensure_ascii=False),
            "webhookIds": list(webhook_ids),
            "fanOut": "DONE",
        }
        self.write("EventsTable", [row])
        return id

    def delivery(self, webhook_id: str, event_id: str = "", attempts: int = 4, **more: Any) -> str:
        id = DeliveryId.new(now_ms())
        row = {
            "webhookKey": webhook_key("acme", webhook_id),
            "sk": id,
            "status": "FAILED",
            "statusKey": f"{webhook_key('acme', webhook_id)}#FAILED",
            "reason": "retries_exhausted:invalid_response",
            "eventId": event_id or EventId.new(),
            "eventType": "POST_PUBLISHED",
            "attempts": attempts,
            "maxAttempts": attempts,
            "generation": 1,
            "createdAt": now_ms(),
            "updatedAt": now_ms(),
            "ttl": now_ms() // 1000 + 86_400,
            "version": 1,
            **more,
        }
        self.write("DeliveriesTable", [row])
        return id

    def attempts(self, webhook_id: str, delivery_id: str, count: int, body: str) -> None:
        """Store failed attempts whose receiver responds with as many headers as are stored."""
        attempt = {
            "webhookKey": webhook_key("acme", webhook_id),
            "trigger": "MANUAL",
            "startedAt": now_ms(),
            "durationMs": 15_000,
            "statusCode": 500,
            "requestHeaders": {f"x-{number}".ljust(64, "x"): "********" for number in range(20)},
            "responseHeaders": {"x": "\x01" * 8 * KB},
            "responseBody": body,
            "truncated": False,
        }
        numbers = range(1, count + 1)
        self.write(
            "DeliveriesTable",
            ({**attempt, "sk": f"try#{delivery_id}#{number:04}", "number": number} for number in numbers),
        )


# The largest event data (256 KB as JSON), made of characters that grow most when they are escaped again.
LARGEST_DATA = {**POST, "text": QUOTE * (127 * KB)}
# The JSON of filters has at most 8,192 characters, each of any number of bytes.
LARGEST_FILTERS = [{"path": "text", "op": "in", "value": [f"{at:02}{EMOJI * 250}" for at in range(30)]}]
# 100 scopes of 256 characters with their quotes, as one scope because moto is slow with long lists.
LARGEST_SCOPES = ["x" * 26_000]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────

# The request of a list's first page, and the ids on all pages.
FilledList = tuple[str, list[str]]


def api_keys(filler: Filler) -> FilledList:
    filler.made(f"POST {INTEGRATIONS}/api-keys", {"name": "a", "scopes": ["events:read"]})
    scopes = ["x" * 50 * 70]
    ids = filler.copies(
        "ApiKeysTable", ApiKeyId, 101, key="id", name=EMOJI * 100, scopes=scopes, createdBy=NUL * 6 * KB
    )
    return f"GET {INTEGRATIONS}/api-keys", ids


def webhooks(filler: Filler) -> FilledList:
    filler.webhook()
    ids = filler.copies(
        "WebhooksTable", WebhookId, 70, name=QUOTE * 100, url="x" * 2048, filters=LARGEST_FILTERS
    )
    return f"GET {WEBHOOKS}", ids


def hooks(filler: Filler) -> FilledList:
    filler.webhook()
    ids = filler.copies("WebhooksTable", WebhookId, 70, source="zapier", filters=LARGEST_FILTERS)
    return f"GET {ZAPIER}/hooks", ids


def deliveries(filler: Filler) -> FilledList:
    filler.delivery(filler.webhook())
    ids = filler.copies("DeliveriesTable", DeliveryId, 101)
    whk = next(row["sk"] for row in filler.backend.rows("WebhooksTable") if row["sk"].startswith("whk_"))
    return f"GET {WEBHOOKS}/{whk}/deliveries", ids


def failed_deliveries(filler: Filler) -> FilledList:
    line, ids = deliveries(filler)
    return f"{line}?status=FAILED", ids


def events(filler: Filler) -> FilledList:
    filler.event({})
    # The reason why an event from the bus was rejected: twenty paths with messages.
    reason = "; ".join([f"{NUL * 200}: must be an object"] * 20)
    ids = filler.copies("EventsTable", EventId, 101, key="id", status="REJECTED", reason=reason)
    return "GET /api/events", ids


def integrations_with_public(filler: Filler) -> FilledList:
    filler.integration()
    ids = filler.copies(
        "IntegrationsTable",
        IntegrationId,
        101,
        description=QUOTE * 2000,
        statusReason=QUOTE * 500,
        logoUrl="https://" + "x" * 2040,
        scopes=LARGEST_SCOPES,
        metadata=json.dumps({"x": QUOTE * 4000}),
        config={"redirectUris": ["x" * 16 * KB]},
    )
    return f"GET {INTEGRATIONS}?includePublic=true", ids + listings(filler)


def listings(filler: Filler) -> list[str]:
    """Fill the marketplace with integrations of another workspace."""
    id = IntegrationId.new()
    row = {
        "workspaceId": "#marketplace",
        "sk": id,
        "publisherWorkspaceId": "x" * 64,
        "publisherName": EMOJI * 100,
        "publisherVerified": False,
        "name": EMOJI * 100,
        "type": "CRM",
        "provider": "slack",
        "description": EMOJI * 2000,
        "logoUrl": "https://" + "x" * 2040,
        "scopes": LARGEST_SCOPES,
        "clientId": "x",
        "approvedAt": now_ms(),
        "approvedVersion": 1,
        "searchText": "x",
    }
    ids = [id, *(IntegrationId.new(now_ms() - number * 1000) for number in range(1, 101))]
    filler.write("IntegrationsTable", ({**row, "sk": id} for id in ids))
    return sorted(ids, reverse=True)


def marketplace(filler: Filler) -> FilledList:
    line = f"GET {INTEGRATIONS}/marketplace"
    built_in = [item["id"] for item in filler.made(f"{line}?limit=100")["items"]]
    return line, listings(filler) + built_in


def publications(filler: Filler) -> FilledList:
    """Store publications that wait for a review and have a listed version."""
    ids = listings(filler)
    publisher = {
        "workspaceId": "x" * 64,
        "isPublic": True,
        "reviewStatus": "PENDING",
        "reviewReason": QUOTE * 500,
    }
    listed = [row for row in filler.backend.rows("IntegrationsTable") if row["sk"] in ids]
    shared = {"status": "ACTIVE", "createdBy": "user:x", "createdAt": 1, "updatedAt": 1, "version": 1}
    filler.write("IntegrationsTable", ({**row, **shared, **publisher} for row in listed))
    waiting = {"workspaceId": "#reviews", "publisherWorkspaceId": "x" * 64, "since": 1}
    filler.write("IntegrationsTable", ({**waiting, "sk": id} for id in ids))
    return "GET /api/publications", ids


def publication(filler: Filler) -> Answer:
    """Get a publication with as many decisions as the API shows."""
    _, ids = publications(filler)
    entry = {
        "action": "publication.rejected",
        "actor": NUL * 6 * KB,
        "outcome": "SUCCEEDED",
        "detail": QUOTE * 500,
    }
    log = {**entry, "integrationKey": f"platform#{'x' * 64}/{ids[0]}"}
    filler.write("ActivityTable", ({**log, "id": LogId.new()} for _ in range(12)))
    answer = filler.api(f"GET /api/publications/{'x' * 64}/{ids[0]}", token=jwt_for("platform"))
    assert len(answer.json()["decisions"]) == 10
    return answer


def decision(filler: Filler) -> Answer:
    id = publication(filler).json()["id"]
    body = {"decision": "REJECT", "version": 1, "reviewReason": QUOTE * 500}
    line = f"PUT /api/publications/{'x' * 64}/{id}/decision"
    return filler.api(line, json=body, token=jwt_for("platform"))


def connections(filler: Filler) -> FilledList:
    """Store connections from before scopes were limited, with 64 KB of scopes."""
    integration = filler.integration()
    filler.made(f"POST {INTEGRATIONS}/{integration}/connections", {"credentials": {"apiKey": "x"}})
    (row,) = filler.backend.rows("ConnectionsTable")
    ids = [ConnectionId.new(now_ms() - number * 1000) for number in range(100)]
    scopes = ["x" * 64 * KB]
    filler.write(
        "ConnectionsTable",
        ({**row, "id": id, "name": f"c{at}", "scopes": scopes} for at, id in enumerate(ids, 1)),
    )
    return f"GET {INTEGRATIONS}/{integration}/connections", sorted([row["id"], *ids], reverse=True)


def all_connections(filler: Filler) -> FilledList:
    return "GET /api/connections", connections(filler)[1]


def logs(filler: Filler) -> FilledList:
    integration = filler.integration()
    ids = filler.copies("ActivityTable", LogId, 101, key="id", actor=NUL * 6 * KB, detail=QUOTE * 4 * KB)
    return f"GET {INTEGRATIONS}/{integration}/logs", ids


def webhook_logs(filler: Filler) -> FilledList:
    webhook = filler.webhook()
    ids = filler.copies("ActivityTable", LogId, 101, key="id", actor=NUL * 6 * KB, detail=QUOTE * 4 * KB)
    return f"GET {WEBHOOKS}/{webhook}/logs", ids


def key_logs(filler: Filler) -> FilledList:
    key = filler.made("POST /api/integrations/api-keys", {"name": "a", "scopes": ["events:read"]})["id"]
    ids = filler.copies("ActivityTable", LogId, 101, key="id", actor=NUL * 6 * KB, detail=QUOTE * 4 * KB)
    return f"GET /api/integrations/api-keys/{key}/logs", ids


def audit(filler: Filler) -> FilledList:
    filler.made("POST /api/integrations/api-keys", {"name": "a", "scopes": ["events:read"]})
    fields = ["x" * 50] * 70
    ids = filler.copies(
        "ActivityTable", LogId, 101, key="id", actor=NUL * 6 * KB, target=QUOTE * 200, fields=fields
    )
    return "GET /api/audit", ids


def event_types(filler: Filler) -> FilledList:
    line = f"GET {WEBHOOKS}/event-types"
    return line, [item["type"] for item in filler.made(line)["items"]]


def runs(filler: Filler) -> FilledList:
    filler.run()
    largest = json.dumps({"text": QUOTE * 32_000})
    ids = filler.copies("AutomationsTable", RunId, 25, key="id", input=largest, output=largest)
    return f"GET {ZAPIER}/runs", ids


def all_runs(filler: Filler) -> FilledList:
    _, ids = runs(filler)
    return "GET /api/automations/runs", ids


def all_failed_deliveries(filler: Filler) -> FilledList:
    _, ids = failed_deliveries(filler)
    return "GET /api/deliveries?status=FAILED", ids


def health(filler: Filler) -> FilledList:
    filler.webhook()
    ids = filler.copies("WebhooksTable", WebhookId, 101, name=NUL * 60 * KB)
    return f"GET {INTEGRATIONS}/health?kind=webhook", ids


def analytics(filler: Filler) -> FilledList:
    _, ids = health(filler)
    return f"GET {INTEGRATIONS}/analytics?groupBy=webhook", ids


def flow(filler: Filler) -> str:
    body = {
        "name": "a",
        "trigger": {"type": "event", "eventTypes": ["POST_PUBLISHED"]},
        "steps": [{"id": "pause", "type": "wait", "seconds": 1}],
    }
    return str(filler.made("POST /api/flows", body)["id"])


def large_definition() -> str:
    step = {"id": "tell", "type": "webhook", "webhookId": WebhookId.new(), "data": {"text": QUOTE * 32_000}}
    trigger = {"type": "event", "eventTypes": ["POST_PUBLISHED"], "filters": []}
    return json.dumps({"trigger": trigger, "steps": [step]})


def flows(filler: Filler) -> FilledList:
    flow(filler)
    ids = filler.copies("FlowsTable", FlowId, 101, key="id", definition=large_definition(), name=NUL * 100)
    return "GET /api/flows", ids


def flow_runs(filler: Filler) -> FilledList:
    id, now = flow(filler), now_ms()
    content = {"text": QUOTE * 32_000}
    result = {"type": "webhook", "status": "SUCCEEDED", "startedAt": now, "endedAt": now, "input": content}
    results = [{**result, "id": f"step_{number}", "output": content} for number in range(2)]
    row = {
        "flowsKey": f"acme#{id}",
        "flowVersion": 1,
        "eventId": EventId.new(now),
        "eventType": "POST_PUBLISHED",
        "correlationId": "c",
        "depth": 0,
        "status": "SUCCEEDED",
        "reason": NUL * KB,
        "definition": large_definition(),
        "results": json.dumps(results),
        **dict.fromkeys(("turnAt", "startedAt", "endedAt", "updatedAt"), now),
        "version": 1,
        "ttl": now // 1000 + 86_400,
    }
    ids = [FlowRunId.new(now - number) for number in range(101)]
    filler.write("FlowsTable", ({**row, "id": id} for id in ids))
    return f"GET /api/flows/{id}/runs", sorted(ids, reverse=True)


def tasks(filler: Filler) -> FilledList:
    body = {"since": iso(datetime.now(UTC) - timedelta(hours=1))}
    filler.made(f"POST {WEBHOOKS}/{filler.webhook()}/replay", body)
    detail = NUL * KB
    parameters = {"eventTypes": ["X" * 64] * 40, "statuses": [], "missing": True}
    ids = filler.copies("TasksTable", TaskId, 101, key="id", parameters=parameters, errorDetail=detail)
    return "GET /api/tasks", ids


def portal_sessions(filler: Filler) -> FilledList:
    filler.made("POST /api/portal/sessions", {"label": "a"})
    large = {"label": QUOTE * 100, "returnUrl": QUOTE * 2 * KB, "capabilities": ["x" * 65] * 50}
    ids = filler.copies("SessionsTable", PortalSessionId, 101, key="id", **large, createdBy=NUL * 6 * KB)
    return "GET /api/portal/sessions", ids


def connect_sessions(filler: Filler) -> FilledList:
    integration = filler.integration()
    filler.made("POST /api/connect/sessions", {"integrations": [integration]})
    scopes = [QUOTE * 255] * 100
    large = {"requestedBy": QUOTE * 100, "integrationIds": [integration] * 20, "scopes": scopes}
    ids = filler.copies("SessionsTable", ConnectSessionId, 101, key="id", **large, createdBy=NUL * 6 * KB)
    return "GET /api/connect/sessions", ids


LISTS: dict[str, list[Callable[[Filler], FilledList]]] = {
    "GET /api/audit": [audit],
    "GET /api/automations/{platform}/hooks": [hooks],
    "GET /api/automations/{platform}/runs": [runs],
    "GET /api/automations/runs": [all_runs],
    "GET /api/connect/sessions": [connect_sessions],
    "GET /api/connections": [all_connections],
    "GET /api/deliveries": [all_failed_deliveries],
    "GET /api/events": [events],
    "GET /api/flows": [flows],
    "GET /api/flows/{id}/runs": [flow_runs],
    "GET /api/integrations": [integrations_with_public],
    "GET /api/integrations/analytics": [analytics],
    "GET /api/integrations/api-keys": [api_keys],
    "GET /api/integrations/health": [health],
    "GET /api/integrations/marketplace": [marketplace],
    "GET /api/integrations/webhooks": [webhooks],
    "GET /api/integrations/webhooks/{id}/deliveries": [deliveries, failed_deliveries],
    "GET /api/integrations/{id}/connections": [connections],
    "GET /api/integrations/{id}/logs": [logs],
    "GET /api/integrations/webhooks/{id}/logs": [webhook_logs],
    "GET /api/integrations/api-keys/{id}/logs": [key_logs],
    "GET /api/integrations/webhooks/event-types": [event_types],
    "GET /api/portal/sessions": [portal_sessions],
    "GET /api/publications": [publications],
    "GET /api/tasks": [tasks],
}


@pytest.mark.parametrize(
    ("route", "fill"),
    [pytest.param(route, fill, id=fill.__name__) for route, fills in LISTS.items() for fill in fills],
)
def test_list_pages_fit_and_contain_every_item_once(
    api: Api, backend: Backend, route: str, fill: Callable[[Filler], FilledList]
) -> None:
    line, expected = fill(Filler(api, backend))
    found: list[str] = []
    cursor = ""
    while True:
        # The catalogue is one page and takes no parameters.
        paging = "" if fill is event_types else f"{'&' if '?' in line else '?'}limit=100{cursor}"
        token = jwt_for("platform") if fill is publications else OWNER
        page = api(line + paging, token=token)
        assert page.status == 200, page.text[:500]
        assert size(page) <= MAX_PAYLOAD
        items = page.json()["items"]
        found += [item["id"] if "id" in item else item["type"] for item in items]
        if page.json()["nextCursor"] is None:
            break
        assert items, "a page without an item makes no progress"
        cursor = f"&cursor={page.json()['nextCursor']}"
    assert found == expected
    if any(re.fullmatch(rf"{re.escape(route)}/{{\w+}}", single) for single in ONE_ROW):
        answer = api(f"{line.partition('?')[0]}/{found[0]}")
        assert (answer.status, size(answer) <= MAX_PAYLOAD) == (200, True)


def test_page_has_one_item_when_second_does_not_fit(api: Api, backend: Backend) -> None:
    """The rows have the maximum size in DynamoDB, with characters that take the most bytes in a response."""
    filler = Filler(api, backend)
    filler.run()
    ids = filler.copies("AutomationsTable", RunId, 3, key="id", action=NUL * 390 * KB)
    single = api(f"GET {ZAPIER}/runs/{ids[0]}")
    assert (single.status, size(single) <= MAX_PAYLOAD) == (200, True)
    page = api(f"GET {ZAPIER}/runs")
    assert size(page) <= MAX_PAYLOAD
    assert [run["id"] for run in page.json()["items"]] == ids[:1]
    rest = api(f"GET {ZAPIER}/runs?cursor={page.json()['nextCursor']}")
    assert [run["id"] for run in rest.json()["items"]] == ids[1:2]


# ── responses of more than one row ───────────────────────────────────────────────────────────────────


def choices(filler: Filler) -> str:
    items = [Choice(id=f"{at:03}".ljust(256, "x"), label=QUOTE * 256) for at in range(380)]
    automations.set_choices("acme", "accounts", items)
    return f"GET {ZAPIER}/choices/accounts"


def samples(filler: Filler) -> str:
    for at in range(10):
        filler.event(LARGEST_DATA, at * 1000)
    return f"GET {ZAPIER}/triggers/POST_PUBLISHED/samples?limit=10"


def event(filler: Filler) -> str:
    return f"GET /api/events/{filler.event(LARGEST_DATA, webhook_ids=[WebhookId.new() for _ in range(500)])}"


def webhook(filler: Filler) -> str:
    id = filler.webhook()
    filler.delivery(id)
    filler.copies("DeliveriesTable", DeliveryId, 12)
    filler.copies("WebhooksTable", WebhookId, 1, filters=LARGEST_FILTERS)
    return f"GET {WEBHOOKS}/{id}"


def delivery(filler: Filler) -> str:
    id = filler.webhook()
    delivery_id = filler.delivery(id, filler.event(LARGEST_DATA), attempts=64)
    filler.attempts(id, delivery_id, 64, NUL * 16 * KB)
    return f"GET {WEBHOOKS}/{id}/deliveries/{delivery_id}"


def delivery_tried_by_hand(filler: Filler) -> str:
    id = filler.webhook()
    delivery_id = filler.delivery(id, filler.event(LARGEST_DATA), attempts=130)
    filler.attempts(id, delivery_id, 130, "")
    return f"GET {WEBHOOKS}/{id}/deliveries/{delivery_id}"


def batch(filler: Filler) -> Answer:
    """A hundred events, each rejected for twenty fields with the longest names that an error shows."""
    unknown = {f"{at:02}{QUOTE * 198}": 1 for at in range(20)}
    body = {"events": [{"type": "POST_PUBLISHED", "data": {}, **unknown}] * 100}
    answer = filler.api("POST /api/events/batch", json=body)
    assert len(answer.json()["items"][99]["error"]["errors"]) == 20
    return answer


def trial(filler: Filler) -> Answer:
    with receiver([Reply(500, body=bytes(20 * KB))]) as server:
        body = {"name": "a", "url": server.url, "eventTypes": ["POST_PUBLISHED"]}
        answer = filler.api(f"POST {WEBHOOKS}/{filler.made(f'POST {WEBHOOKS}', body)['id']}/test")
    assert answer.json()["truncated"]
    return answer


def connect_page(filler: Filler) -> Answer:
    """A link to 20 integrations, each with 100 long scopes."""
    scopes = [f"{at:02}".ljust(255, "x") for at in range(100)]
    config = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    body = {"name": "a", "type": "CUSTOM", "provider": "own", "config": {**config, "clientId": "i"}}
    ids = [filler.made(f"POST {INTEGRATIONS}", {**body, "scopes": scopes})["id"] for _ in range(20)]
    description = {"description": QUOTE * 2000, "status": "ACTIVE"}
    rows = [row for row in filler.backend.rows("IntegrationsTable") if row["sk"] in ids]
    filler.write("IntegrationsTable", ({**row, **description} for row in rows))
    token = filler.made("POST /api/connect/sessions", {"integrations": ids})["link"].partition("#")[2]
    answer = filler.api("GET /api/connect/session", token=token)
    assert len(answer.json()["integrations"]) == 20
    return answer


def feed(filler: Filler) -> str:
    body = {"kind": "pull", "name": "a", "eventTypes": ["POST_FAILED"]}
    id = filler.made(f"POST {WEBHOOKS}", body)["id"]
    entry = {"webhookKey": webhook_key("acme", id), "eventType": "POST_PUBLISHED", "size": 254 * KB}
    times = {"first": 1, "at": now_ms(), "before": 0, "ttl": now_ms() // 1000 + 86_400}
    filler.write(
        "FeedsTable",
        (
            {**entry, **times, "sk": f"entry#{number:016}", "eventId": filler.event(LARGEST_DATA, number)}
            for number in range(1, 14)
        ),
    )
    return f"GET {WEBHOOKS}/{id}/feed?limit=100"


def dry_run(filler: Filler) -> Answer:
    """Twenty steps that each repeat the largest input."""
    data = {"text": QUOTE * 32_000}
    steps = [
        {
            "id": f"step_{at}",
            "type": "webhook",
            "webhookId": WebhookId.new(),
            "data": {"all": "{{event.data.text}}"},
        }
        for at in range(20)
    ]
    trigger = {"type": "event", "eventTypes": ["POST_PUBLISHED"]}
    return filler.api("POST /api/flows/dry-run", json={"trigger": trigger, "steps": steps, "data": data})


MANY_ROWS: dict[str, list[Callable[[Filler], str | Answer]]] = {
    "GET /api/automations/{platform}/actions": [lambda filler: f"GET {ZAPIER}/actions"],
    "GET /api/automations/{platform}/choices/{resource}": [choices],
    "GET /api/automations/{platform}/triggers": [lambda filler: f"GET {ZAPIER}/triggers"],
    "GET /api/automations/{platform}/triggers/{eventType}/samples": [samples],
    "GET /api/events/{id}": [event],
    "GET /api/flows/templates": [lambda filler: "GET /api/flows/templates"],
    "GET /api/integrations/providers": [lambda filler: f"GET {INTEGRATIONS}/providers"],
    "GET /api/integrations/webhooks/{id}": [webhook],
    "GET /api/integrations/webhooks/{id}/deliveries/{deliveryId}": [delivery, delivery_tried_by_hand],
    "GET /api/integrations/webhooks/{id}/feed": [feed],
    "GET /api/connect/session": [connect_page],
    "GET /api/publications/{workspaceId}/{id}": [publication],
    "PUT /api/publications/{workspaceId}/{id}/decision": [decision],
    "POST /api/events/batch": [batch],
    "POST /api/flows/dry-run": [dry_run],
    "POST /api/integrations/webhooks/{id}/test": [trial],
}


@pytest.mark.parametrize(
    ("route", "fill"), [(route, fill) for route, fills in MANY_ROWS.items() for fill in fills]
)
def test_response_of_many_rows_fits(
    api: Api, backend: Backend, route: str, fill: Callable[[Filler], str | Answer]
) -> None:
    filled = fill(Filler(api, backend))
    answer = api(filled) if isinstance(filled, str) else filled
    assert answer.status in (200, 202), answer.text[:500]
    assert size(answer) <= MAX_PAYLOAD


# These return one row, which always fits (test_page_has_one_item…), or none. A GET of a list's item is tested
# with the list's largest rows; a POST or PUT returns the same row in the same shape.
ONE_ROW = {
    "$default",
    "DELETE /api/events/{id}/data",
    "DELETE /api/workspace",
    "GET /api/workspace",
    "POST /api/workspace/export",
    "PUT /api/workspace",
    # files, whose sizes test_reference and test_console check
    "GET /connect",
    "GET /connect/{file+}",
    "GET /console",
    "GET /console/{file+}",
    "GET /api/docs",
    "GET /api/docs/{file}",
    "GET /api/openapi.json",
    "DELETE /api/automations/{platform}/hooks/{id}",
    "DELETE /api/flows/{id}",
    "GET /api/flows/{id}",
    "GET /api/flows/{id}/runs/{runId}",
    "POST /api/flows",
    "POST /api/flows/templates/{key}/install",
    "PUT /api/flows/{id}",
    "PUT /api/flows/{id}/status",
    "DELETE /api/integrations/api-keys/{id}",
    "DELETE /api/integrations/webhooks/{id}",
    "DELETE /api/integrations/webhooks/{id}/feed/consumers/{consumer}",
    "DELETE /api/integrations/{id}",
    "DELETE /api/integrations/{id}/connections/{connectionId}",
    "GET /api/automations/{platform}/hooks/{id}",
    "GET /api/automations/{platform}/me",
    "GET /api/automations/{platform}/runs/{id}",
    "GET /api/health",
    "GET /api/me",
    "GET /api/integrations/api-keys/{id}",
    "GET /api/integrations/marketplace/{id}",
    "GET /api/integrations/providers/{key}",
    "GET /api/integrations/webhooks/{id}/feed/consumers",
    "GET /api/integrations/{id}",
    "GET /api/integrations/{id}/connections/{connectionId}",
    "GET /api/integrations/{id}/connections/{connectionId}/token",
    "GET /api/integrations/{id}/oauth/callback",
    "GET /api/tasks/{id}",
    "DELETE /api/connect/sessions/{id}",
    "DELETE /api/portal/sessions/{id}",
    "POST /api/connect/sessions",
    "POST /api/portal/sessions",
    "POST /api/portal/sessions/exchange",
    "POST /api/automations/{platform}/actions/{key}",
    "POST /api/automations/{platform}/hooks",
    "POST /api/events",
    "POST /api/integrations",
    "POST /api/integrations/api-keys",
    "POST /api/integrations/api-keys/verify",
    "POST /api/integrations/api-keys/{id}/rotate",
    "POST /api/integrations/oauth/callback",
    "POST /api/integrations/webhooks",
    "POST /api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry",
    "POST /api/integrations/webhooks/{id}/feed/commit",
    "POST /api/integrations/webhooks/{id}/recover",
    "POST /api/integrations/webhooks/{id}/replay",
    "POST /api/integrations/webhooks/{id}/rotate-secret",
    "POST /api/integrations/{id}/connections",
    "POST /api/integrations/{id}/install",
    "POST /api/integrations/{id}/oauth/initiate",
    "POST /api/integrations/{id}/oauth/refresh",
    "POST /api/tasks/{id}/cancel",
    "PUT /api/actions/choices/{resource}",
    "PUT /api/actions/runs/{id}",
    "PUT /api/integrations/api-keys/{id}",
    "PUT /api/integrations/webhooks/{id}",
    "PUT /api/integrations/webhooks/{id}/status",
    "PUT /api/integrations/{id}",
    "PUT /api/integrations/{id}/status",
}


def test_every_route_is_covered(backend: Backend) -> None:
    known = [*LISTS, *MANY_ROWS, *ONE_ROW]
    assert len(known) == len(set(known))
    # A new route that returns a list belongs in LISTS, one that returns many rows in MANY_ROWS.
    assert {route.key for route in routes_of(backend.template)} == set(known)


# ── truncation ───────────────────────────────────────────────────────────────────────────────────────


def test_delivery_contains_responses_of_latest_attempts(api: Api, backend: Backend) -> None:
    attempts = api(delivery(Filler(api, backend))).json()["attempts"]
    assert [attempt["number"] for attempt in attempts] == list(range(1, 65))
    shown = [attempt["number"] for attempt in attempts if attempt["responseBody"]]
    assert len(shown) > 20
    assert shown == list(range(65 - len(shown), 65))
    for attempt in attempts[: -len(shown)]:
        assert (attempt["responseHeaders"], attempt["responseBody"], attempt["statusCode"]) == ({}, None, 500)
        assert "fill this API response" in attempt["withheld"]
    assert (attempts[-1]["responseBody"], attempts[-1]["withheld"]) == (NUL * 16 * KB, None)


def test_delivery_contains_last_100_attempts(api: Api, backend: Backend) -> None:
    found = api(delivery_tried_by_hand(Filler(api, backend))).json()
    assert found["attemptCount"] == 130
    assert [attempt["number"] for attempt in found["attempts"]] == list(range(31, 131))


def test_oldest_samples_are_omitted_when_they_do_not_fit(api: Api, backend: Backend) -> None:
    filler = Filler(api, backend)
    ids = [filler.event(LARGEST_DATA, at * 1000) for at in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response_size, "MAX_BYTES", 600 * KB)
        line = f"GET {ZAPIER}/triggers/POST_PUBLISHED/samples"
        assert [sample["id"] for sample in api(line).json()] == ids[:1]
    assert [sample["id"] for sample in api(line).json()] == ids


def test_choices_continue_after_cursor(api: Api, backend: Backend) -> None:
    line = choices(Filler(api, backend))
    found: list[str] = []
    while items := api(f"{line}?cursor={found[-1] if found else ''}").json():
        found += [item["id"] for item in items]
    assert found == [f"{at:03}".ljust(256, "x") for at in range(380)]


def test_connection_keeps_32_kb_of_granted_scopes() -> None:
    payload = {"access_token": "x", "token_type": "Bearer", "scope": [f"{at:06}" for at in range(9_000)]}
    oauth = OAuth.model_construct()
    granted = list(parse_token_response(oauth, 200, payload).scopes or ())
    assert granted == payload["scope"][: len(granted)]
    assert 32 * KB - 7 <= sum(len(scope) + 1 for scope in granted) <= 32 * KB
    # All scopes that an integration can ask for are stored.
    asked = [f"{at:03}".ljust(256, "x") for at in range(100)]
    assert parse_token_response(oauth, 200, {**payload, "scope": asked}).scopes == tuple(asked)


def test_review_queue_fits_and_reports_more(api: Api, backend: Backend) -> None:
    from workers.review_publication import handler

    filler = Filler(api, backend)
    filler.integration()
    ids = filler.copies(
        "IntegrationsTable", IntegrationId, 60, description=EMOJI * 2000, scopes=["x" * 80 * KB]
    )
    filler.write(
        "IntegrationsTable",
        (
            {"workspaceId": "#reviews", "sk": id, "publisherWorkspaceId": "acme", "since": now_ms()}
            for id in ids
        ),
    )
    answer: Any = handler({}, LAMBDA_CONTEXT)
    assert len(json.dumps(answer)) <= MAX_PAYLOAD
    assert answer["more"] is True
    found = [waiting["integrationId"] for waiting in answer["waiting"]]
    assert found == sorted(ids)[: len(found)]


def test_error_path_is_limited_in_bytes(api: Api) -> None:
    answer = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": {}, EMOJI * 1000: 1})
    assert answer.json()["errors"] == [{"path": EMOJI * 50, "message": "unknown field"}]


# ── the last resort ──────────────────────────────────────────────────────────────────────────────────


class Large(ApiModel):
    text: str


def invoked(function: Any) -> Any:
    context = {"requestId": "r", "domainName": HOST, "http": {"method": "GET"}}
    event = {"routeKey": "GET /x", "rawPath": "/x", "requestContext": context}
    return endpoint(public=True)(function)(event, LAMBDA_CONTEXT)


def test_unbounded_response_becomes_problem(logs: io.StringIO) -> None:
    def handler(request: Request) -> Large:
        return Large(text=NUL * 900_000)

    handler.__annotations__ |= {"request": Request, "return": Large}
    answer = invoked(handler)
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["code"]) == (500, "response_too_large")
    assert "response too large" in logs.getvalue()


@pytest.mark.parametrize(
    ("bytes_", "count"), [(response_size.MAX_BYTES // 4, 3), (response_size.MAX_BYTES, 1)]
)
def test_list_is_truncated_to_fit(bytes_: int, count: int) -> None:
    text = "x" * bytes_
    items: list[tuple[Large, str]] = [(Large(text=text), f"after{at}") for at in range(5)]

    def handler() -> Listing[Large]:
        return Listing.from_page(Page(items, None))

    handler.__annotations__["return"] = Listing[Large]
    answer = invoked(handler)
    if count == 1:  # an item that is too large by itself, which no row is
        assert json.loads(answer["body"])["code"] == "response_too_large"
        return
    page = json.loads(answer["body"])
    assert (len(page["items"]), page["nextCursor"]) == (count, f"after{count - 1}")
