"""Schemathesis hooks that make requests useful and keep them on this machine.

schemathesis loads this file in its own environment, so it uses only the standard library, schemathesis and
schemathesis's dependencies. `CONFORMANCE`, set by suite.py, has the stack's address, tokens and samples.

Most values that match a schema mean nothing: an ID of no resource, or an event type that the catalogue does
not have. So in three of four positive requests, `before_call` replaces them with values of existing
resources, which it creates on demand. It keeps values that are invalid on purpose. In every request, it
replaces an address of another machine with the receiver's.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

GIVEN: dict[str, Any] = json.loads(os.environ["CONFORMANCE"])
URL, OWNER, RECEIVER = GIVEN["url"], GIVEN["owner"], GIVEN["receiver"]
REDIRECT = {"redirectUri": GIVEN["redirectUri"]}
PLATFORM = "n8n"
ACTION = "create_campaign"
INTEGRATIONS, AUTOMATIONS = "/api/integrations", f"/api/automations/{PLATFORM}"
WEBHOOKS, KEYS = f"{INTEGRATIONS}/webhooks", f"{INTEGRATIONS}/api-keys"
OAUTH_CLIENT = {
    "authorizationUrl": f"{RECEIVER}/authorization",
    "tokenUrl": f"{RECEIVER}/token",
    "clientId": "client",
    "clientSecret": "client-secret",
}
Json = dict[str, Any]


# ── resources ────────────────────────────────────────────────────────────────────────────────────────


def send(line: str, body: Json | None = None, token: str = OWNER) -> Json:
    """Send a request that must succeed."""
    method, _, path = line.partition(" ")
    response = requests.request(
        method, URL + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=40
    )
    assert response.ok, f"{line}: {response.status_code} {response.text}"
    found: Json = response.json()
    return found


def _webhook(**settings: object) -> Json:
    return send(f"POST {WEBHOOKS}", {"name": "receiver", "eventTypes": ["POST_PUBLISHED"], **settings})


def _push() -> Json:
    return {"id": _webhook(url=f"{RECEIVER}/hook")["id"]}


def _pull() -> Json:
    id = _webhook(kind="pull")["id"]
    send(f"POST {WEBHOOKS}/{id}/feed/commit", {"consumer": "one", "sequence": 0})
    return {"id": id, "consumer": "one"}


def _publish() -> Json:
    event = {"type": "POST_PUBLISHED", "data": GIVEN["samples"]["POST_PUBLISHED"]}
    return {"id": send("POST /api/events", event)["id"]}


def _event() -> Json:
    """Create an event, and wait until it can be read: its fan-out has begun."""
    event = _publish()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        response = requests.get(
            f"{URL}/api/events/{event['id']}", headers={"Authorization": f"Bearer {OWNER}"}, timeout=40
        )
        if response.ok:
            return event
        time.sleep(0.05)
    raise AssertionError("the event did not appear within 30 s")


def _delivery() -> Json:
    """Create a delivery to its own webhook, which no other request has deleted or paused."""
    id = _push()["id"]
    _publish()
    deadline = time.monotonic() + 30
    delivered = f"GET {WEBHOOKS}/{id}/deliveries?status=DELIVERED"
    while not (items := send(delivered)["items"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"id": id, "deliveryId": items[0]["id"]}


def _key() -> Json:
    return {"id": send(f"POST {KEYS}", {"name": "key", "scopes": ["events:read"]})["id"]}


def _oauth() -> Json:
    own = {"name": "own", "type": "CUSTOM", "provider": "own", "config": OAUTH_CLIENT}
    return {"id": send(f"POST {INTEGRATIONS}", own)["id"]}


def _plain() -> Json:
    return {"id": send(f"POST {INTEGRATIONS}", {"name": "plain", "type": "CRM"})["id"]}


def _connection() -> Json:
    id = _plain()["id"]
    send(f"POST {INTEGRATIONS}/{id}/connections", {"credentials": {"apiKey": "key-of-a-provider"}})
    return {"id": id, "connectionId": "default"}


def _state() -> Json:
    id = _oauth()["id"]
    started = send(f"POST {INTEGRATIONS}/{id}/oauth/initiate", {**REDIRECT, "returnUrl": GIVEN["returnUrl"]})
    return {"id": id, "state": started["state"]}


def _granted() -> Json:
    """Create a connection with tokens that can be refreshed."""
    flow = _state()
    send(f"POST {INTEGRATIONS}/oauth/callback", {"state": flow["state"], "code": "code"})
    return {"id": flow["id"], "connectionId": "default"}


def _cancel_tasks() -> None:
    """Make room for a new task, because a workspace can have only a few."""
    for task in send("GET /api/tasks?status=RUNNING&limit=100")["items"]:
        requests.post(
            f"{URL}/api/tasks/{task['id']}/cancel", headers={"Authorization": f"Bearer {OWNER}"}, timeout=40
        )  # the task may have ended


def _task() -> Json:
    _cancel_tasks()
    replay = {"since": moment(-3600), "missing": True}
    return {"id": send(f"POST {WEBHOOKS}/{_push()['id']}/replay", replay)["id"]}


def _hook() -> Json:
    wanted = {"url": f"{RECEIVER}/{time.time_ns()}", "eventType": "POST_PUBLISHED"}
    return {"platform": PLATFORM, "id": send(f"POST {AUTOMATIONS}/hooks", wanted)["id"]}


def _run() -> Json:
    run = send(f"POST {AUTOMATIONS}/actions/{ACTION}", {"input": {"name": "Spring"}})
    return {"platform": PLATFORM, "id": run["id"]}


FLOW: Json = {
    "name": "flow",
    "trigger": {"type": "event", "eventTypes": ["POST_PUBLISHED"]},
    "steps": [{"id": "pause", "type": "wait", "seconds": 600}],
}


def _flow() -> Json:
    return {"id": send("POST /api/flows", FLOW)["id"]}


def _flow_run() -> Json:
    """Create a run of its own flow. The run waits."""
    id = _flow()["id"]
    _publish()
    deadline = time.monotonic() + 30
    while not (items := send(f"GET /api/flows/{id}/runs")["items"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(f"PUT /api/flows/{id}/status", {"status": "INACTIVE"})
    return {"id": id, "runId": items[0]["id"]}


def _portal() -> Json:
    return {"id": send("POST /api/portal/sessions", {})["id"]}


def _link() -> Json:
    link = send("POST /api/connect/sessions", {"integrations": [_plain()["id"]]})
    return {"id": link["id"], "token": link["link"].partition("#")[2]}


def _publication() -> Json:
    """Create a publication of another workspace that waits for a decision."""
    public = send(f"POST {INTEGRATIONS}", GIVEN["public"], GIVEN["publisher"]["token"])
    return {"workspaceId": GIVEN["publisher"]["workspace"], "id": public["id"]}


class Resources:
    """Existing resources of one kind, as path parameters. Each is used up to `uses` times."""

    def __init__(self, create: Callable[[], Json], uses: int = 20) -> None:
        self._create, self._uses = create, uses
        self._current: Json = {}
        self._left = 0

    def take(self) -> Json:
        if not self._left:
            self._current, self._left = self._create(), self._uses
        self._left -= 1
        return self._current

    def forget(self, id: str) -> None:
        """Stop using a resource that was deleted."""
        if self._current.get("id") == id:
            self._left = 0


PUSH, PULL, KEY = Resources(_push), Resources(_pull), Resources(_key)
EVENT, DELIVERY, TASK = Resources(_event, 100), Resources(_delivery), Resources(_task)
OAUTH, PLAIN, CONNECTION = Resources(_oauth), Resources(_plain), Resources(_connection)
HOOK, RUN, LINK = Resources(_hook), Resources(_run), Resources(_link)
FLOWS, FLOW_RUN = Resources(_flow), Resources(_flow_run, 100)
LINK_PAGE = "GET /api/connect/session"  # it needs the token of a link
STATE, GRANTED = Resources(_state, 1), Resources(_granted, 1)
LISTING = Resources(lambda: {"id": GIVEN["listing"]}, 1_000_000)
PUBLICATION, DECISION = Resources(_publication), "PUT /api/publications/{workspaceId}/{id}/decision"
KINDS = [PUSH, PULL, KEY, EVENT, DELIVERY, TASK, OAUTH, PLAIN, CONNECTION, HOOK, RUN, FLOWS, STATE, GRANTED]

# The kind of resource that a path's parameters name: the first pattern that matches `METHOD path`.
PATHS: list[tuple[str, Resources]] = [
    (re.escape(DECISION), Resources(_publication, 1)),
    (r".*/publications/", PUBLICATION),
    (r".*/flows/templates/\{key\}/", Resources(lambda: {"key": "campaign_thanks"})),
    (r".*/flows/\{id\}/runs/\{runId\}", FLOW_RUN),
    (r"DELETE .*/flows/\{id\}", Resources(_flow, 1)),
    (r".*/flows/\{id\}", FLOWS),
    (r"POST .*/deliveries/\{deliveryId\}/retry", Resources(_delivery, 1)),
    (r".*/deliveries/\{deliveryId\}", DELIVERY),
    (r"DELETE .*/consumers/", Resources(_pull, 1)),
    (r".*/feed\b", PULL),
    (r"POST .*/replay", Resources(_push, 1)),
    (r"POST .*/recover", Resources(_push, 1)),
    (r"DELETE .*/webhooks/\{id\}", Resources(_push, 1)),
    (r".*/webhooks/\{id\}", PUSH),
    (r"GET /api/events/\{id\}", EVENT),
    (r"DELETE /api/events/\{id\}/data", Resources(_event)),
    (r"POST /api/tasks/\{id\}", Resources(_task, 1)),
    (r".*/tasks/\{id\}", TASK),
    (r".*/portal/sessions/\{id\}", Resources(_portal, 1)),
    (r".*/connect/sessions/\{id\}", Resources(_link, 1)),
    (r"(DELETE .*/api-keys/\{id\}|.*/rotate$)", Resources(_key, 1)),
    (r".*/api-keys/\{id\}", KEY),
    (r".*/marketplace/\{id\}|.*/install$", LISTING),
    (r".*/oauth/initiate", OAUTH),
    (r"GET .*/oauth/callback", STATE),
    (r".*/oauth/refresh", GRANTED),
    (r"DELETE .*/connections/\{connectionId\}", Resources(_connection, 1)),
    (r".*/connections/\{connectionId\}", CONNECTION),
    (r"POST .*/connections$", PLAIN),
    (r"DELETE /api/integrations/\{id\}", Resources(_plain, 1)),
    (r".*/providers/\{key\}", Resources(lambda: {"key": "hubspot"})),
    (r".* /api/integrations/\{id\}", OAUTH),
    (r"DELETE .*/hooks/\{id\}", Resources(_hook, 1)),
    (r".*/hooks/\{id\}", HOOK),
    (r"PUT .*/runs/\{id\}", Resources(_run, 1)),
    (r".*/runs/\{id\}", RUN),
    (r".*/samples$", Resources(lambda: {"eventType": "POST_PUBLISHED"})),
    (r".*/choices/\{resource\}", Resources(lambda: {"resource": "accounts"})),
    (r".*/actions/\{key\}", Resources(lambda: {"key": ACTION})),
    (r".*/docs/\{file\}", Resources(lambda: {"file": "errors"})),
]


def kind_of(label: str) -> Resources | None:
    return next((kind for pattern, kind in PATHS if re.match(pattern, label)), None)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────


def moment(seconds: float) -> str:
    """Return the time this many seconds from now, in the API's format."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def event_type(type: str) -> str:
    """Return a type of the catalogue: always the same one for a generated type."""
    types = sorted(GIVEN["samples"])
    known: str = type if type in types else types[sum(type.encode()) % len(types)]
    return known


def _mend_event(body: Json) -> None:
    body["type"] = event_type(body["type"])
    body["data"] = GIVEN["samples"][body["type"]]
    if body.get("workspaceId"):  # an event of another workspace could not be read afterwards
        body["workspaceId"] = GIVEN["workspace"]


def _mend_events(body: Json) -> None:
    for event in body["events"]:
        _mend_event(event)


def _mend_webhook(body: Json) -> None:
    if body.get("kind") == "pull":
        for name in ("url", "secret", "headers", "retryConfig", "rateLimitPerSecond", "disableAfter"):
            body.pop(name, None)
    elif "url" in body or "kind" in body or "name" in body:
        body["url"] = f"{RECEIVER}/hook"
        body.pop("expiresInSeconds", None)
    if "eventTypes" in body:
        body["eventTypes"] = sorted({event_type(type) for type in body["eventTypes"]})
    if body.get("secret") is not None:
        body["secret"] = "whsec_QW5FeGFtcGxlT2ZBU2lnbmluZ1NlY3JldDMyQnl0ZXM="
    if "headers" in body:
        body["headers"] = {f"X-Header-{number}": "value" for number in range(min(3, len(body["headers"])))}
    if (body.get("retryConfig") or {}).get("schedule"):
        body["retryConfig"] = {"schedule": "standard"}
    if body.get("integrationId"):
        body["integrationId"] = PLAIN.take()["id"]
    if body.get("filters"):
        body["filters"] = [{**each, "path": "network"} for each in body["filters"]]
        body["eventTypes"] = ["POST_PUBLISHED"]


def _mend_flow(body: Json) -> None:
    """Replace steps: references to other steps, to webhooks and to event fields cannot be generated."""
    if "trigger" in body:
        body["trigger"] = {"type": "event", "eventTypes": ["POST_PUBLISHED"]}
    if "steps" in body:
        body["steps"] = [
            {"id": f"pause_{at}", "type": "wait", "seconds": 600} for at in range(len(body["steps"][:3]))
        ]
    # An active flow would run for each event that other requests publish.
    if "status" in body:
        body["status"] = "INACTIVE"
    if body.get("eventType"):
        body["eventType"] = event_type(body["eventType"])


def _mend_install(body: Json) -> None:
    body["choices"] = {"account": "acc_117"}
    body["status"] = "INACTIVE"


def _mend_subscription(body: Json) -> None:
    body["url"] = f"{RECEIVER}/{time.time_ns()}"
    body["eventType"] = "POST_PUBLISHED" if body.get("filters") else event_type(body["eventType"])
    if body.get("filters"):
        body["filters"] = [{**each, "path": "network"} for each in body["filters"]]


def _mend_integration(body: Json) -> None:
    body.pop("provider", None)
    if "config" in body:
        body["config"] = {"apiToken": "token"} if body["config"] else {}
    if body.get("logoUrl"):
        body["logoUrl"] = "https://example.com/logo.png"
    body.pop("isPublic", None)


def _mend_key(body: Json) -> None:
    if "scopes" in body:
        body["scopes"] = ["events:read", "webhooks:read"][: len(body["scopes"])]
    if body.get("expiresAt"):
        body["expiresAt"] = moment(86_400)
    _mend_rotation(body.get("rotation"))


def _mend_rotation(policy: Json | None) -> None:
    """Remove the target, because it has to exist."""
    if isinstance(policy, dict) and "deliverTo" in policy:
        policy["deliverTo"] = None


def _mend_replay(body: Json) -> None:
    _cancel_tasks()
    _mend_range(body)


def _mend_range(body: Json) -> None:
    body["since"] = moment(-3600)
    if body.get("until"):
        body["until"] = moment(0)
    if body.get("eventTypes"):
        body["eventTypes"] = ["POST_PUBLISHED"]


def _mend_consumer(body: Json) -> None:
    body.update(consumer="one", sequence=0)


def _mend_initiate(body: Json) -> None:
    body.update(REDIRECT)
    for name in ("returnUrl", "scopes"):
        body.pop(name, None)


def _mend_callback(body: Json) -> None:
    state = STATE.take()["state"]
    kept = {"error": "access_denied"} if body.get("error") else {"code": "code"}
    body.clear()
    body.update(state=state, **kept)


def _mend_portal(body: Json) -> None:
    if body.get("capabilities"):
        body["capabilities"] = ["webhooks:read", "events:read"][: len(body["capabilities"])]
    body.pop("returnUrl", None)


def _mend_code(body: Json) -> None:
    link = send("POST /api/portal/sessions", {})["link"]
    body["code"] = link.partition("#code=")[2]


def _mend_link(body: Json) -> None:
    body["integrations"] = [PLAIN.take()["id"]]
    for name in ("scopes", "returnUrl"):
        body.pop(name, None)


def _mend_refresh(body: Json) -> None:
    body["connectionId"] = "default"


def _mend_credentials(body: Json) -> None:
    body["credentials"] = {"apiKey": "key-of-a-provider"}


def _mend_run(body: Json) -> None:
    body["input"] = {"name": "Spring"}
    if body.get("callbackUrl"):
        body["callbackUrl"] = f"{RECEIVER}/callback"


def _mend_answer(body: Json) -> None:
    if body["status"] == "SUCCEEDED":
        body["output"] = {"campaignId": "c", "name": "Spring"}


def _mend_choices(body: Json) -> None:
    body["workspaceId"] = GIVEN["workspace"]
    body["items"] = [{**each, "id": f"acc_{number}"} for number, each in enumerate(body["items"][:20])]


def _mend_decision(body: Json) -> None:
    body["version"] = 1


def _mend_test(body: Json) -> None:
    if body.get("eventType"):
        body["eventType"] = event_type(body["eventType"])


def _mend_secret(body: Json) -> None:
    body["secret"] = "whsec_QW5FeGFtcGxlT2ZBU2lnbmluZ1NlY3JldDMyQnl0ZXM="


def _mend_workspace(body: Json) -> None:
    if isinstance(body.get("retainDays"), int):
        body["retainDays"] = 7  # a parameter of the deployment limits it
    _mend_rotation(body.get("apiKeyRotation"))


BODIES: dict[str, Callable[[Json], None]] = {
    "publishEvent": _mend_event,
    "publishEvents": _mend_events,
    "createWebhook": _mend_webhook,
    "updateWebhook": _mend_webhook,
    "rotateWebhookSecret": _mend_secret,
    "testWebhook": _mend_test,
    "recoverDeliveries": _mend_range,
    "replayDeliveries": _mend_replay,
    "commitFeed": _mend_consumer,
    "subscribe": _mend_subscription,
    "createFlow": _mend_flow,
    "updateFlow": _mend_flow,
    "installFlow": _mend_install,
    "dryRunFlow": _mend_flow,
    "createIntegration": _mend_integration,
    "updateIntegration": _mend_integration,
    "createApiKey": _mend_key,
    "updateApiKey": _mend_key,
    "initiateOauth": _mend_initiate,
    "completeOauth": _mend_callback,
    "createPortalSession": _mend_portal,
    "exchangePortalCode": _mend_code,
    "createConnectSession": _mend_link,
    "refreshConnection": _mend_refresh,
    "createConnection": _mend_credentials,
    "startRun": _mend_run,
    "answerRun": _mend_answer,
    "setChoices": _mend_choices,
    "decidePublication": _mend_decision,
    "updateWorkspace": _mend_workspace,
}


# ── the hooks ────────────────────────────────────────────────────────────────────────────────────────


_lock = threading.Lock()
_received: set[str] = set()  # the IDs in responses
_calls: defaultdict[str, count[int]] = defaultdict(lambda: count(1))
_results = Path(GIVEN["results"]).open("a", encoding="utf-8")  # noqa: SIM115  # open until the process ends


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: Json) -> None:
    with _lock:
        if _is_stateful(case) or next(_calls[case.operation.label]) % 4:
            _mend(case)
            if case.operation.label == LINK_PAGE:
                case.headers["Authorization"] = f"Bearer {LINK.take()['token']}"
        _keep_here(case)


def _is_stateful(case: schemathesis.Case) -> bool:
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL


def _is_positive(case: schemathesis.Case, location: ParameterLocation) -> bool:
    component = case.meta.components.get(location) if case.meta else None
    return component is not None and component.mode == GenerationMode.POSITIVE


def _mend(case: schemathesis.Case) -> None:
    label = case.operation.label
    is_linked = _is_stateful(case) and not _received.isdisjoint(case.path_parameters.values())
    if _is_positive(case, ParameterLocation.PATH) and not is_linked and (kind := kind_of(label)):
        found = kind.take()
        for name in case.path_parameters:
            if name in found:
                case.path_parameters[name] = found[name]
        if label == "GET /api/integrations/{id}/oauth/callback":  # the provider writes its query
            case.query = {"state": found["state"], "code": "code"}
    if _is_positive(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        mend = BODIES.get(case.operation.definition.raw.get("operationId", ""))
        if mend:
            body = json.loads(json.dumps(case.body))
            mend(body)
            case.body = body
    if _is_positive(case, ParameterLocation.QUERY):
        _mend_query(case.query)
    if _is_positive(case, ParameterLocation.HEADER):
        case.headers.pop("If-Match", None)
        if _is_stateful(case):  # hypothesis repeats sequences, and expects the same results
            case.headers.pop("Idempotency-Key", None)


def _mend_query(query: Json) -> None:
    query.pop("cursor", None)
    for name, seconds in (("since", -3600), ("until", 0)):
        if name in query:
            query[name] = moment(seconds)
    if isinstance(query.get("eventType"), str):
        query["eventType"] = event_type(query["eventType"])
    if "confirm" in query:
        query["confirm"] = GIVEN["workspace"]
    if "integrationId" in query:
        query["integrationId"] = PLAIN.take()["id"]
    elif "webhookId" in query:
        query["webhookId"] = PUSH.take()["id"]
    # The filters of analytics exclude each other.
    for one, others in (
        ("groupBy", ("integrationId", "webhookId", "eventType")),
        ("integrationId", ("webhookId",)),
    ):
        if one in query:
            for name in others:
                query.pop(name, None)


def _keep_here(case: schemathesis.Case) -> None:
    """Keep the request on this machine, and limit a valid `wait` to 1 s."""
    if case.path_parameters.get("id") == GIVEN["keyId"] and case.method.upper() != "GET":
        case.path_parameters["id"] = KEY.take()["id"]  # this key sends the requests
    if case.operation.label == DECISION and case.path_parameters.get("id") == GIVEN["listing"]:
        case.path_parameters["id"] = PUBLICATION.take()["id"]  # other requests install the listing
    if isinstance(case.body, dict | list):
        case.body = _local(case.body)
        if isinstance(case.body, dict) and case.body.get("provider") in GIVEN["providers"]:
            case.body["provider"] = "own"
    if str((case.query or {}).get("wait", "")) in {str(seconds) for seconds in range(2, 21)}:
        case.query["wait"] = 1


def _local(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _local(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_local(each) for each in value]
    if isinstance(value, str) and is_elsewhere(value):
        return f"{RECEIVER}/other"
    return value


def is_elsewhere(text: str) -> bool:
    """Return whether the text is a URL that leads to another machine."""
    if not re.match(r"(?i)https?://", text.strip()):
        return False
    try:
        return urlsplit(text.strip()).hostname not in ("127.0.0.1", "localhost", None)
    except ValueError:  # not a URL
        return False


# Rules that a schema cannot express: the API refuses a request that matches the schema.
# By the problem's code:
REFUSALS = {
    "idempotency_mismatch": "the key was used with another request",
    "precondition_failed": "the resource has another version",
    "authorization_failed": "the provider refused",
}
# By "field: message" of a 422 `validation_failed`:
SEMANTIC = {
    r".+: is not (an event type|the event type of a trigger|a built-in provider)": "the catalogue has them",
    r".+: no (integration|webhook) (with|of)": "it has to exist",
    r"(integrationId|webhookId|eventType): cannot be combined": "parameters exclude each other",
    r".+: must be [a-z]+_ followed by 22 letters or digits": "the pattern has IDs of more than 128 bits",
    r"(data|input|output)\b.*: ": "the catalogue has the schema of each type",
    r"cursor: .*is not a cursor": "a cursor is from another response",
    r"(state|redirectUri|logoUrl|url|callbackUrl|config\..*|credentials.*|headers): ": "the service decides",
    r"(rotation|apiKeyRotation)\.deliverTo\b.*: ": "the target has to exist",
    r"returnUrl: ": "the deployment has the origins",
    r"since: must (not be in the future|be within|be at most)": "the clock decides",
    r"expiresAt: must not be in the past": "the clock decides",
    r"until: must not be before since|body: must contain either": "fields depend on each other",
    r"(statusReason: |version: must be the version)": "fields depend on each other",
    r"(url|kind|expiresInSeconds|secret|retryConfig.*): ": "some fields are for push, others for pull",
    r"connectionId: (looks like an ID|is a relative path)": "a pattern that says this is hard to read",
    r"isPublic: ": "the service decides",
    r"idempotencyKey: must match": "the header has another one",
    r"items: must not contain duplicate IDs": "a schema cannot compare the items",
    r".+: must (not contain control or invisible|have at least one visible) character": (
        "patterns of JSON Schema know no categories"
    ),
    r".+: must (not be empty|not have more than \d+ combining marks)": "a name is stripped first",
    r"choices\.\w+: (the template has no choice|is missing)": "each template has its own choices",
    r"integrations\.\d+: no integration": "it has to exist",
    r"capabilities\b.*: ": "scopes that no session has, or that the caller lacks",
    r"(view|theme\..*): ": "a pattern and a schema say the same",
    r"scopes\b.*: ": "misspellings, and scopes that the integration does not have",
    r"filters\.\d+\.path: ": "the catalogue has the paths of each type",
    r".+: a number must be 0, or have a magnitude": "as DynamoDB stores it",
    r".+: must be an integer$": "1.0 is an integer for JSON Schema, and not for the API",
    r"(?s)(filters|items|retryConfig|choices)\b.*: unknown field": (
        "these objects are in responses too, whose schemas are open"
    ),
}


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,
    failure: Failure,
    case: schemathesis.Case,
    response: schemathesis.Response,
) -> bool:
    """Return whether this is a real failure, and not a rule that the document cannot express."""
    name = type(failure).__name__
    if name == "IgnoredAuth" and case.operation.label == LINK_PAGE:
        return False  # `before_call` replaced the credentials with those of a link
    if name == "RejectedPositiveData":
        return not _is_explained(response)
    if name == "UseAfterFree" and case.operation.label.startswith("GET "):
        # The activity log of a deleted resource stays, and so does a revoked key, with its status.
        is_log = case.operation.label.endswith("/logs")
        return not is_log and response.json().get("status") != "REVOKED"
    if name == "EnsureResourceAvailability" and case.operation.label == "DELETE /api/events/{id}/data":
        return False  # an event appears when its fan-out has begun, and the response says so
    if name == "AcceptedNegativeData" and "idempotent-replayed" in response.headers:
        return False  # the API ignores the headers of a repeated request
    if name == "AcceptedNegativeData" and case.operation.label == "POST /api/events/batch":
        # Each event is validated separately: an invalid one is an item of the response.
        return not any("error" in item for item in response.json().get("items", ()))
    return True


def _is_explained(response: schemathesis.Response) -> bool:
    problem = response.json()
    if problem["code"] in REFUSALS:
        return True
    errors = [f"{error['path']}: {error['message']}" for error in problem.get("errors", ())]
    return bool(errors) and all(any(re.match(pattern, error) for pattern in SEMANTIC) for error in errors)


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response
) -> None:
    if case.method.upper() == "DELETE" and response.status_code < 300:
        for kind in KINDS:
            kind.forget(case.path_parameters.get("id", ""))
    if _is_stateful(case):
        _received.update(re.findall(r"\b[a-z]{3}_[0-9A-Za-z]{22}\b", response.text))
    phase = case.meta.phase.name.value if case.meta else ""
    mode = case.meta.generation.mode.value if case.meta else ""
    _results.write(f"{json.dumps([case.operation.label, response.status_code, phase, mode])}\n")
    _results.flush()
