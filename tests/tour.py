"""A tour of the whole system: every route and every worker of the template, on every path that calls AWS.

Tests that observe the whole system share this driver. The rights test records the AWS calls of each function,
and the secrets test searches all output. `untried` lists the routes and functions that the tour missed, so
those tests fail for a new route or function until the tour covers it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode

from local import gateway
from patchbay import vault
from patchbay.api_keys import guard
from patchbay.auth import jwt
from patchbay.clock import iso, now_ms
from patchbay.http.response import EXPOSED_HEADERS
from patchbay.ids import ApiKeyId, DeliveryId, IntegrationId
from patchbay.rate_limits import ceilings
from patchbay.sessions import guard as sessions_guard
from patchbay.stats.counters import HOUR_MS, hour_of
from patchbay.storage import dynamo
from tests.catalogued import POST, minimal_data
from tests.conftest import (
    LAMBDA_CONTEXT,
    REDIRECT_URI,
    RETURN_ORIGIN,
    Answer,
    Api,
    Backend,
    jwt_for,
    routes_of,
)
from tests.receivers import Answer as Reply
from tests.receivers import Request, Step, receiver

INTEGRATIONS, EVENTS, AUTOMATIONS = "/api/integrations", "/api/events", "/api/automations"
KEYS, WEBHOOKS = f"{INTEGRATIONS}/api-keys", f"{INTEGRATIONS}/webhooks"
CALLBACK = f"{INTEGRATIONS}/oauth/callback"
PORTAL, CONNECT = "/api/portal/sessions", "/api/connect/sessions"
JSON = {"content-type": "application/json"}

HEADER_VALUES = {"Authorization": "Bearer receiver-token-5f2c", "X-Api-Key": "receiver-key-91d0"}
CLIENT_SECRETS = ("client-secret-0b6e44", "client-secret-changed-7c1a", "client-secret-published-19c2")
API_TOKEN = "own-token-9a0f3d"
OWN_SECRETS = ("whsec_YzY4YjQxMTcwOWQ1NGU2MmFmNWVlMGJh", "whsec_OTNkZjFiMGM4YTc1NDZlMmQ2ZjQwYWJl")
CREDENTIALS = {"apiKey": "connection-key-31f0aa"}
CODE = "authorization-code-8e21b7"


class Response(NamedTuple):
    """An HTTP response: its request line, its headers and body, and the secrets that it may contain."""

    line: str
    text: str
    revealed: Sequence[str]


def _field(*path: str) -> Callable[[Answer], list[str]]:
    def read(answer: Answer) -> list[str]:
        value = answer.json()
        for name in path:
            value = value.get(name)
        return [] if value is None else [value]

    return read


def _token(answer: Answer) -> list[str]:
    body = answer.json()
    return [body["accessToken"]] if "accessToken" in body else list(body["credentials"].values())


def _redirect(answer: Answer) -> list[str]:
    return [
        value
        for values in parse_qs(answer.headers["location"].partition("#")[2]).values()
        for value in values
    ]


def _link(answer: Answer) -> list[str]:
    """The secret in the fragment of a link: the code or the token."""
    return [answer.json()["link"].partition("#")[2].removeprefix("code=")]


# The only responses that may contain a secret, and where the secret is (promise 8).
REVEALS: dict[str, Callable[[Answer], list[str]]] = {
    f"POST {KEYS}": _field("key"),
    f"POST {KEYS}/{{id}}/rotate": _field("key"),
    f"POST {WEBHOOKS}": _field("secret"),
    f"POST {WEBHOOKS}/{{id}}/rotate-secret": _field("secret"),
    f"POST {AUTOMATIONS}/{{platform}}/hooks": _field("secret"),
    f"POST {PORTAL}": _link,
    f"POST {PORTAL}/exchange": _field("token"),
    f"POST {CONNECT}": _link,
    f"POST {INTEGRATIONS}/{{id}}/oauth/initiate": _field("state"),
    f"GET {INTEGRATIONS}/{{id}}/oauth/callback": _redirect,
    f"GET {INTEGRATIONS}/{{id}}/connections/{{connectionId}}/token": _token,
    f"GET {INTEGRATIONS}/{{id}}?reveal=true": lambda answer: [*CLIENT_SECRETS, API_TOKEN],
}


# The headers that a page of another origin can read, and those that only browsers need.
READABLE_HEADERS = {*EXPOSED_HEADERS, "cache-control", "content-type", "x-content-type-options"}
READABLE_HEADERS |= {"content-security-policy", "referrer-policy", "vary"}  # of pages and their files
READABLE_HEADERS |= {"cross-origin-opener-policy", "permissions-policy"}


class Driver:
    """Sends requests to the API and invokes workers, each with empty caches, as in a new process.

    Keeps every response, every message that a worker received, and every secret that was revealed. Follows
    the `Location` of each created resource.
    """

    def __init__(self, backend: Backend, api: Api) -> None:
        self.backend = backend
        self.owner = jwt_for("acme")
        self.responses: list[Response] = []
        self.messages: list[str] = []
        self.secrets: dict[str, str] = {
            **{f"header {name}": value for name, value in HEADER_VALUES.items()},
            **{f"client secret {number}": secret for number, secret in enumerate(CLIENT_SECRETS)},
            **{f"credential {name}": value for name, value in CREDENTIALS.items()},
            "configured token": API_TOKEN,
            "authorization code": CODE,
            "owner's JWT": self.owner,
        }
        self.revealed_by: set[str] = set()  # the entries of REVEALS that found a secret
        self.function = ""  # the function that runs, or ran last
        self._api = api
        self._gateway = gateway.read(backend.template)
        self._functions = backend.template.functions()
        self._tried: set[str] = set()

    @property
    def routes(self) -> Sequence[gateway.Route]:
        return routes_of(self.backend.template)

    @property
    def untried(self) -> set[str]:
        """The routes and functions that have not run yet."""
        return {*self._functions, *(route.key for route in self.routes)} - self._tried

    def api(self, line: str, status: int, **options: Any) -> Any:
        """Send a request and check the status of its response. Returns the parsed body. By default the caller
        is the owner of the workspace `acme`.
        """
        return self._parse(self.call(line, **options), line, status)

    def call(self, line: str, **options: Any) -> Answer:
        """Send a request without checking the status of its response."""
        method, _, target = line.partition(" ")
        path, _, query = target.partition("?")
        found = self._gateway.match(method, path)
        assert found is not None, line
        route = found[0]
        self._tried.add(route.key)
        options.setdefault("token", self.owner)
        answer: Answer = self._run(route.function, lambda: self._api(line, **options))
        revealing = f"{route.key}?{query}" if query == "reveal=true" else route.key
        read = REVEALS.get(revealing)
        revealed = read(answer) if read is not None and answer.status < 400 else []
        if revealed:
            self.revealed_by.add(revealing)
        self.secrets |= {f"{secret[:12]}… of {line}": secret for secret in revealed}
        self.responses.append(Response(line, f"{answer.headers} {answer.text}", revealed))
        assert answer.headers.keys() <= READABLE_HEADERS, f"{line}: {answer.headers}"
        created = answer.headers.get("location", "") if answer.status < 300 else ""
        if created and not created.startswith(EVENTS):  # an event cannot be read before its fan-out begins
            self.api(f"GET {created}", 200)
        return answer

    def worker(self, function: str, queue: str | None = None, *, remaining_ms: int | None = None) -> Any:
        """Invoke a worker with all messages of the queue. It has its full timeout left, or `remaining_ms`."""
        return self.invoke(function, {"Records": self.receive(queue)} if queue else {}, remaining_ms)

    def invoke(self, function: str, event: dict[str, Any], remaining_ms: int | None = None) -> Any:
        config = self._functions[function]
        handler = importlib.import_module(config.handler.rpartition(".")[0]).handler
        remaining = config.timeout * 1000 if remaining_ms is None else remaining_ms
        context = SimpleNamespace(
            **vars(LAMBDA_CONTEXT) | {"get_remaining_time_in_millis": lambda: remaining}
        )
        return self._run(function, lambda: handler(event, context))

    def receive(self, queue: str) -> list[dict[str, Any]]:
        """Receive all messages of a queue."""
        records = self.backend.messages(queue)
        self.messages += [record["body"] for record in records]
        return records

    def _run(self, function: str, work: Callable[[], Any]) -> Any:
        self.function = function
        self._tried.add(function)
        for module in (vault, jwt, guard, sessions_guard, ceilings):
            module.clear_cache()
        return work()

    @staticmethod
    def _parse(answer: Answer, line: str, status: int) -> Any:
        assert answer.status == status, f"{line}: {answer.text}"
        return answer.json() if answer.text else None


def tour(driver: Driver) -> None:
    """Run everything."""
    driver.api("GET /api/health", 200, token=None)
    driver.api("GET /api/nothing", 404, token=None)
    for path in ("openapi.json", "docs", "docs/errors"):
        assert driver.call(f"GET /api/{path}", token=None).status == 200
    for path in ("console", "console/webhooks", "connect", "connect/return"):
        assert driver.call(f"GET /{path}", token=None).status == 200
    publisher = _api_keys(driver)
    driver.api("GET /api/nothing", 404, token=publisher["key"])
    _webhooks(driver, publisher)
    driver.api(f"DELETE {KEYS}/{publisher['id']}", 200)
    _automations(driver)
    _flows(driver)
    _integrations(driver)
    _key_rotation(driver)
    _portal_sessions(driver)
    assert driver.api("GET /api/audit", 200)["items"]
    _workspace(driver)


def echo(status: int) -> Step:
    """An answer that repeats `authorization` in a header, and all request headers in the body."""

    def respond(request: Request) -> Reply:
        headers = {"x-echo": request.headers.get("authorization", "none")}
        return Reply(status, headers, json.dumps(dict(request.headers)).encode())

    return respond


# ── API keys ─────────────────────────────────────────────────────────────────────────────────────────


def _api_keys(driver: Driver) -> Any:
    """API keys from creation to expiry. Returns one that may publish events."""
    api, backend, once = driver.api, driver.backend, {"idempotency-key": "one"}
    body = {
        "name": "Publisher",
        "scopes": ["events:publish", "events:read", "webhooks:read", "api-keys:read"],
    }
    publisher = api(f"POST {KEYS}", 201, json=body, headers=once)
    assert api(f"POST {KEYS}", 201, json=body, headers=once) == publisher
    beyond = {**body, "scopes": ["actions:handle"]}
    api(f"POST {KEYS}", 403, json=beyond, headers={"idempotency-key": "two"})
    api(f"GET {KEYS}", 200)
    api(f"GET {KEYS}/{publisher['id']}", 200)
    api(f"GET {KEYS}/{publisher['id']}/logs", 200)
    for line in (f"GET {KEYS}", f"GET {KEYS}/{publisher['id']}"):
        api(line, 200, token=publisher["key"])
    for token in (driver.owner, publisher["key"]):
        assert api("GET /api/me", 200, token=token)["workspaceId"] == "acme"
    expires = iso(datetime.now(UTC) + timedelta(days=5))
    expiring = api(f"POST {KEYS}", 201, json={**body, "expiresAt": expires})
    api(f"PUT {KEYS}/{expiring['id']}", 200, json={"name": "renamed"})
    successor = api(f"POST {KEYS}/{expiring['id']}/rotate", 201, headers=once)
    api(f"POST {KEYS}/{expiring['id']}/rotate", 409, headers={"idempotency-key": "two"})
    assert api(f"POST {KEYS}/verify", 200, json={"key": successor["key"]})["valid"]
    assert not api(f"POST {KEYS}/verify", 200, json={"key": successor["key"][:-1] + "!"})["valid"]
    set_attributes(backend, "ApiKeysTable", {"id": expiring["id"]}, d=1, x=1)
    set_attributes(backend, "ApiKeysTable", {"id": successor["id"]}, d=1, x=now_ms() + 3_600_000)
    # A key whose revocation was interrupted. Its only request of the hour has used up its limit.
    revoked = api(f"POST {KEYS}", 201, json={**body, "rateLimitPerHour": 1})
    api("GET /api/nothing", 404, token=revoked["key"])
    api(f"DELETE {KEYS}/{revoked['id']}", 200)
    set_attributes(backend, "ApiKeysTable", {"id": revoked["id"]}, d=1, k=0)
    assert driver.worker("ExpireKeysFunction") == {"announced": 1, "retired": 2, "reminded": 0, "rotated": 0}
    assert len(driver.receive("EventsQueue")) == 1
    set_attributes(backend, "RateLimitsTable", {"id": "of a deleted workspace"}, ttl=1)
    assert driver.worker("SweepWindowsFunction") == {"deleted": 1}
    return publisher


def _key_rotation(driver: Driver) -> None:
    """Rotate keys to a webhook that refuses once and to a secret, with a manual rotation in between."""
    api, backend = driver.api, driver.backend
    key = {"name": "Publisher", "scopes": ["events:publish", "events:read"]}
    with receiver([echo(500), echo(200)]) as taker:
        webhook = {"name": "Vault", "url": taker.url, "eventTypes": ["POST_PUBLISHED"]}
        id = api(f"POST {WEBHOOKS}", 201, json={**webhook, "headers": HEADER_VALUES})["id"]
        to_webhook = {"everyDays": 90, "deliverTo": {"type": "webhook", "webhookId": id}}
        name = f"patchbay/patchbay/acme/{id}"
        secret = backend.client("secretsmanager").create_secret(Name=name, SecretString="{}")
        to_secret = {"everyDays": 90, "deliverTo": {"type": "secretsManager", "secretArn": secret["ARN"]}}
        api("PUT /api/workspace", 200, json={"apiKeyRotation": to_webhook})
        keys = [
            api(f"POST {KEYS}", 201, json={**key, "rotation": rotation}) for rotation in (None, to_webhook)
        ]
        keys.append(api(f"POST {KEYS}", 201, json=key))
        api(f"PUT {KEYS}/{keys[2]['id']}", 200, json={"rotation": to_webhook})
        api(f"PUT {KEYS}/{keys[2]['id']}", 200, json={"rotation": to_secret})
        api(f"POST {KEYS}/{keys[1]['id']}/rotate", 201)
        for each in keys:
            _age(driver, ApiKeyId(each["id"]))
        # The first request fails, and so does the second if they are concurrent.
        for _ in range(3):
            driver.worker("ExpireKeysFunction")
        taken = [request.json()["data"]["key"] for request in taker.requests]
    assert taken
    value = backend.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"]
    driver.secrets |= {f"successor {number}": text for number, text in enumerate(set(taken))}
    driver.secrets["successor in a secret"] = json.loads(value)["key"]
    api("PUT /api/workspace", 200, json={"apiKeyRotation": None})


def _age(driver: Driver, id: ApiKeyId) -> None:
    """Make a key 100 days older by changing its ID, which contains its creation time."""
    backend, old = driver.backend, ApiKeyId.new(now_ms() - 100 * 86_400_000)
    for prefix in ("", "rotation#"):
        rows = [row for row in backend.rows("ApiKeysTable") if row["id"] == f"{prefix}{id}"]
        for row in rows:
            put_row(backend, "ApiKeysTable", {**row, "id": f"{prefix}{old}"})


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────


def open_portal(driver: Driver, **options: Any) -> str:
    """Open a portal session for the caller, and return its token."""
    made = driver.api(f"POST {PORTAL}", 201, **options)
    code = made["link"].partition("#code=")[2]
    token: str = driver.api(f"POST {PORTAL}/exchange", 200, json={"code": code}, token=None)["token"]
    driver.api(f"POST {PORTAL}/exchange", 401, json={"code": code}, token=None)
    return token


def _portal_sessions(driver: Driver) -> None:
    """The sessions of a user and of an API key, ended in every possible way."""
    api = driver.api
    token = open_portal(driver, json={"label": "Ada", "readOnly": True, "view": "/webhooks"})
    assert api("GET /api/me", 200, token=token)["session"]["label"] == "Ada"
    api(f"POST {WEBHOOKS}", 403, json={}, token=token)
    api(f"DELETE {PORTAL}/current", 200, token=token)
    api("GET /api/me", 401, token=token)
    key = api(f"POST {KEYS}", 201, json={"name": "Backend", "scopes": ["webhooks:read"]})
    of_key = open_portal(driver, token=key["key"])
    api(f"GET {WEBHOOKS}", 200, token=of_key)
    api(f"GET {PORTAL}", 200, token=key["key"])
    api(f"DELETE {KEYS}/{key['id']}", 200)
    api(f"GET {WEBHOOKS}", 401, token=of_key)
    (newest, *_) = api(f"GET {PORTAL}", 200)["items"]
    api(f"DELETE {PORTAL}/{newest['id']}", 200)


def _connect_links(driver: Driver, plain: str, oauth: str) -> None:
    """A link that connects with OAuth, one that connects with credentials, and a revoked one."""
    api = driver.api

    def link(integration: str, **options: Any) -> tuple[str, str]:
        body = {"integrations": [integration], "requestedBy": "Ada", "workspaceName": "Acme"}
        made = api(f"POST {CONNECT}", 201, json=body, **options)
        return made["id"], made["link"].partition("#")[2]

    _, token = link(oauth)
    (shown,) = api("GET /api/connect/session", 200, token=token)["integrations"]
    origin = shown["redirectUri"].partition(INTEGRATIONS)[0]
    start = {"redirectUri": shown["redirectUri"], "returnUrl": f"{origin}/connect/return"}
    state = api(f"POST {INTEGRATIONS}/{oauth}/oauth/initiate", 200, json=start, token=token)["state"]
    returned = urlencode({"state": state, "code": CODE})
    api(f"GET {INTEGRATIONS}/{oauth}/oauth/callback?{returned}", 303, token=None)
    api(f"POST {CALLBACK}", 200, json={"state": state, "code": CODE}, token=token)
    assert api("GET /api/connect/session", 200, token=token)["status"] == "COMPLETED"
    key = api(f"POST {KEYS}", 201, json={"name": "Backend", "scopes": ["connections:write"]})
    _, token = link(plain, token=key["key"])
    api(f"POST {INTEGRATIONS}/{plain}/connections", 201, json={"credentials": CREDENTIALS}, token=token)
    id, token = link(plain)
    api(f"DELETE {CONNECT}/{id}", 200)
    api("GET /api/connect/session", 401, token=token)
    assert len(api(f"GET {CONNECT}", 200)["items"]) == 3


# ── workspaces ───────────────────────────────────────────────────────────────────────────────────────


def _workspace(driver: Driver) -> None:
    """The settings and the export of `acme`, and the erasure of another workspace."""
    api, once = driver.api, {"idempotency-key": "one"}
    api("GET /api/workspace", 200)
    api("PUT /api/workspace", 200, json={"retainDays": 29})
    task = api("POST /api/workspace/export", 202, headers=once)
    assert api("POST /api/workspace/export", 202, headers=once) == task
    assert driver.worker("RunWorkspaceTasksFunction") == {"advanced": 1}
    assert api(f"GET /api/tasks/{task['id']}", 200)["file"]["bytes"]
    tried = max(api("GET /api/deliveries?limit=100", 200)["items"], key=lambda item: item["attemptCount"])
    api(f"DELETE {EVENTS}/{tried['eventId']}/data", 200)
    _erasure(driver)


def _erasure(driver: Driver) -> None:
    """Erase a workspace with files of two exports, and an integration with a copy and a slow provider."""
    api, backend, acme = driver.api, driver.backend, driver.owner
    driver.owner = driver.secrets["leaver's JWT"] = jwt_for("leaver")
    integration = {"name": "Mail", "type": "CUSTOM"}
    id = api(f"POST {INTEGRATIONS}", 201, json=integration)["id"]
    api(f"POST {INTEGRATIONS}/{id}/connections", 201, json={"credentials": CREDENTIALS})
    put_row(backend, "IntegrationsTable", {"workspaceId": f"#installs#{id}", "sk": f"acme#{id}"})
    export = api("POST /api/workspace/export", 202)
    assert driver.worker("RunWorkspaceTasksFunction") == {"advanced": 1}
    assert api(f"GET /api/tasks/{export['id']}", 200)["file"]
    s3, bucket = backend.client("s3"), backend.environment["EXPORTS_BUCKET"]
    s3.create_multipart_upload(Bucket=bucket, Key="leaver/unfinished")
    webhook = "whk_032asvoIJDDiQMG9VZzHw8"
    put_row(backend, "WebhooksTable", {"workspaceId": "leaver", "sk": f"gone#{webhook}", "ttl": 1})
    for table in ("DeliveriesTable", "FeedsTable", "HealthTable"):
        put_row(backend, table, {"webhookKey": f"leaver#{webhook}", "sk": "row", "ttl": 1})
    flow = "flw_0355OOyfmJo93vsM6y1y7k"
    put_row(backend, "FlowsTable", {"flowsKey": "leaver", "id": f"gone#{flow}", "ttl": 1})
    put_row(backend, "FlowsTable", {"flowsKey": f"leaver#{flow}", "id": "frn_0355OOyfmJo93vsM6y1y7k"})
    put_row(backend, "SessionsTable", {"workspaceId": "leaver", "id": "cse_0355OESzuRjlmnbGXfjS8e", "ttl": 1})
    for table in ("OAuthStatesTable", "IdempotencyTable"):
        put_row(backend, table, {"id": "of leaver", "workspaceId": "leaver", "ttl": 1})
    erasure = "DELETE /api/workspace?confirm=leaver"
    task = api(erasure, 202)
    assert api(erasure, 202) == task
    key = {"workspaceId": "leaver", "id": task["id"]}
    # End the waits: at the start, for the providers, and until no process has a data key.
    for step in ("settle", "integrations", "forget"):
        if step == "integrations":
            set_attributes(backend, "IntegrationsTable", {"workspaceId": "leaver", "sk": id}, deletedAt=1)
        place = json.dumps({"step": step, "since": 0})
        set_attributes(backend, "TasksTable", key, dueAt=1, reached=place)
        assert driver.worker("RunWorkspaceTasksFunction") == {"advanced": 1}
    assert api(f"GET /api/tasks/{task['id']}", 200)["status"] == "SUCCEEDED"
    assert s3.list_objects_v2(Bucket=bucket, Prefix="leaver/")["KeyCount"] == 0
    driver.owner = acme


# ── webhooks, events and deliveries ──────────────────────────────────────────────────────────────────


def _webhooks(driver: Driver, publisher: Any) -> None:
    """Webhooks whose receivers answer 200, 500 and 410, from the event to the recovery."""
    api, backend, once = driver.api, driver.backend, {"idempotency-key": "one"}
    with receiver([echo(200)]) as healthy, receiver([echo(500)]) as broken, receiver([echo(410)]) as gone:
        webhook = {"name": "Team chat", "url": healthy.url, "eventTypes": ["POST_PUBLISHED"]}
        retries = {"maxRetries": 1, "backoffMultiplier": 1, "initialDelaySeconds": 1}
        body = {**webhook, "headers": HEADER_VALUES}
        first = api(f"POST {WEBHOOKS}", 201, json=body, headers=once)
        assert api(f"POST {WEBHOOKS}", 201, json=body, headers=once) == first
        invalid = {**webhook, "url": "ftp://files.example"}
        api(f"POST {WEBHOOKS}", 422, json=invalid, headers={"idempotency-key": "two"})
        soon = api(f"POST {WEBHOOKS}", 201, json={**body, "url": broken.url, "retryConfig": retries})
        # The first retry waits in the queue for minutes unless that is crowded, and the second is parked.
        minutes, hour = ({**retries, "initialDelaySeconds": seconds} for seconds in (500, 3000))
        slow = api(f"POST {WEBHOOKS}", 201, json={**webhook, "url": broken.url, "retryConfig": minutes})
        parked = api(f"POST {WEBHOOKS}", 201, json={**webhook, "url": broken.url, "retryConfig": hour})
        disabled = api(f"POST {WEBHOOKS}", 201, json={**webhook, "url": gone.url})
        limited = api(f"POST {WEBHOOKS}", 201, json={**webhook, "rateLimitPerSecond": 1})
        moved = {**webhook, "secret": OWN_SECRETS[0], "filters": [{"path": "network", "op": "exists"}]}
        driver.secrets["webhook's own secret"] = OWN_SECRETS[0].removeprefix("whsec_")
        driver.secrets["webhook's second own secret"] = OWN_SECRETS[1].removeprefix("whsec_")
        moved_id = api(f"POST {WEBHOOKS}", 201, json=moved)["id"]
        api(f"POST {WEBHOOKS}", 422, json={**moved, "secret": OWN_SECRETS[1][:-2]})
        api(f"POST {WEBHOOKS}/{moved_id}/rotate-secret", 200, json={"secret": OWN_SECRETS[1]})
        api(f"DELETE {WEBHOOKS}/{moved_id}", 200)
        assert len(api(f"GET {WEBHOOKS}/{moved_id}/logs", 200)["items"]) == 3
        api(f"GET {WEBHOOKS}/{moved_id}/logs?action=nothing", 404)
        api(f"GET {WEBHOOKS}", 200)
        api(f"GET {WEBHOOKS}?include=receiver", 200)
        api(f"GET {WEBHOOKS}?include=stats,receiver", 200)
        api(f"GET {WEBHOOKS}", 200, token=publisher["key"])
        api(f"GET {WEBHOOKS}/event-types", 200)
        path = f"{WEBHOOKS}/{first['id']}"
        changed = {"eventTypes": ["POST_FAILED", "POST_PUBLISHED"], "headers": HEADER_VALUES}
        assert api(f"PUT {path}", 200, json=changed)["headers"] == dict.fromkeys(HEADER_VALUES, "********")
        api(f"PUT {path}", 200, json={"eventTypes": ["POST_PUBLISHED"]})
        for status in ("INACTIVE", "ACTIVE"):
            api(f"PUT {path}/status", 200, json={"status": status})
        rotated = api(f"POST {path}/rotate-secret", 200, headers=once)
        assert api(f"POST {path}/rotate-secret", 200, headers=once) == rotated
        api(f"POST {path}/rotate-secret", 412, headers={"idempotency-key": "two", "if-match": "1"})
        tested = api(f"POST {path}/test", 200, headers=once)
        assert tested["statusCode"] == 200
        assert api(f"POST {path}/test", 200, headers=once) == tested

        published, many = _publish(driver, publisher, webhook, broken.url, minutes)
        api("GET /api/deliveries?status=PENDING", 200)
        # The webhooks of the large event have proved fast. The others take the slow lane.
        for each in (first, soon, slow, parked, disabled, limited):
            key = {"webhookKey": f"acme#{each['id']}", "sk": "health"}
            set_attributes(backend, "HealthTable", key, fastAt=1)
        assert len(driver.worker("DeliverFunction", "DeliveriesQueue")["batchItemFailures"]) == 2
        assert driver.worker("DeliverSlowFunction", "SlowDeliveriesQueue")["batchItemFailures"] != []

    deliveries = api(f"GET {EVENTS}/{published['id']}", 200)["deliveries"]
    assert {delivery["webhookId"]: delivery["status"] for delivery in deliveries} == {
        first["id"]: "DELIVERED",
        soon["id"]: "RETRYING",
        slow["id"]: "RETRYING",
        limited["id"]: "DELIVERED",
        parked["id"]: "RETRYING",
        disabled["id"]: "FAILED",
    }
    _scheduled_runs(driver, many["id"], limited["id"])

    api(f"GET {EVENTS}", 200)
    api(f"GET {EVENTS}?type=POST_PUBLISHED", 200)
    assert api("GET /api/deliveries?limit=100", 200)["items"]
    api(f"GET /api/deliveries?webhookId={soon['id']}", 200)
    (waiting,) = api(f"GET /api/deliveries?webhookId={soon['id']}&status=RETRYING", 200)["items"]
    assert waiting["id"] in {item["id"] for item in api("GET /api/deliveries?status=RETRYING", 200)["items"]}
    for id in (first["id"], soon["id"], disabled["id"]):
        api(f"GET {WEBHOOKS}/{id}", 200)
        (delivery,) = api(f"GET {WEBHOOKS}/{id}/deliveries", 200)["items"]
        api(f"GET {WEBHOOKS}/{id}/deliveries/{delivery['id']}", 200)
    (failed,) = api(f"GET {WEBHOOKS}/{disabled['id']}/deliveries?status=FAILED", 200)["items"]
    api(f"GET {WEBHOOKS}?include=stats", 200)  # counts pending deliveries, because there may be some now
    recovered = f"{WEBHOOKS}/{disabled['id']}"
    api(f"PUT {recovered}", 200, json={"name": "healthy again"})
    api(f"PUT {recovered}/status", 200, json={"status": "ACTIVE"})
    since = {"since": iso(datetime.now(UTC) - timedelta(hours=1))}
    api(f"POST {recovered}/recover", 202, json=since, headers=once)
    api(f"POST {recovered}/recover", 409, json=since, headers={"idempotency-key": "two"})
    api(f"POST {recovered}/deliveries/{failed['id']}/retry", 202, headers=once)
    api(f"POST {path}/deliveries/{failed['id']}/retry", 404, headers={"idempotency-key": "two"})
    delivered = api(f"GET {WEBHOOKS}/{limited['id']}/deliveries", 200)["items"][0]
    again = f"POST {WEBHOOKS}/{limited['id']}/deliveries/{delivered['id']}/retry"
    api(again, 409)
    api(again, 202, json={"force": True})
    _replays(driver, path, webhook)
    api(f"DELETE {path}", 200)
    _feed(driver)


def _feed(driver: Driver) -> None:
    """A temporary pull webhook, from an event whose writer died to the removal of the webhook."""
    api, backend = driver.api, driver.backend
    pull = {"kind": "pull", "name": "test", "eventTypes": ["POST_FAILED"], "expiresInSeconds": 60}
    path = f"{WEBHOOKS}/{api(f'POST {WEBHOOKS}', 201, json=pull)['id']}"
    api(f"PUT {path}", 200, json={"expiresInSeconds": 600})
    key = f"acme#{path.rpartition('/')[2]}"
    # A sequence number that was reserved a minute ago and never used.
    head = {"webhookKey": key, "sk": "entry#~", "seq": 1, "at": now_ms() - 60_000, "ttl": now_ms()}
    put_row(backend, "FeedsTable", head)
    event = {"type": "POST_FAILED", "data": minimal_data("POST_FAILED")}
    once = {"idempotency-key": "in a feed"}
    for _ in range(2):  # the repeat looks for the event in the feed
        api(f"POST {EVENTS}", 202, json=event, headers=once)
    api(f"POST {EVENTS}/batch", 202, json={"events": [event]}, headers=once)
    assert driver.worker("FanOutFunction", "EventsQueue") == {"batchItemFailures": []}
    api(f"POST {EVENTS}/batch", 202, json={"events": [event]}, headers=once)
    assert driver.worker("FanOutFunction", "EventsQueue") == {"batchItemFailures": []}
    page = api(f"GET {path}/feed?consumer=one", 200)
    assert [item["sequence"] for item in page["items"]] == [2, 3]
    api(f"POST {path}/feed/commit", 200, json={"consumer": "one", "sequence": 3})
    assert api(f"GET {path}/feed?consumer=one&wait=1", 200)["items"] == []
    assert api(f"GET {path}/feed/consumers", 200)["items"][0]["lag"] == 0
    api(f"DELETE {path}/feed/consumers/one", 200)
    webhook = {"workspaceId": "acme", "sk": path.rpartition("/")[2]}
    set_attributes(backend, "WebhooksTable", webhook, expiresAt=1)
    set_attributes(backend, "HealthTable", {"webhookKey": key, "sk": "health"}, dueAt=1)
    driver.worker("SweepDeliveriesFunction")
    api(f"GET {path}", 404)


def _replays(driver: Driver, delivered_path: str, webhook: Any) -> None:
    """Replay a delivered delivery, and an event that is older than the webhook, and cancel a replay."""
    api, once = driver.api, {"idempotency-key": "one"}
    hour = {"since": iso(datetime.now(UTC) - timedelta(hours=1))}
    late = f"{WEBHOOKS}/{api(f'POST {WEBHOOKS}', 201, json=webhook)['id']}"
    for status in ("PAUSED", "ACTIVE"):
        api(f"PUT {late}/status", 200, json={"status": status})
    dry = {**hour, "missing": True, "dryRun": True}
    assert api(f"POST {late}/replay", 200, json=dry) == {"total": 1, "isComplete": True}
    missing = api(f"POST {late}/replay", 202, json={**hour, "missing": True}, headers=once)
    assert api(f"POST {late}/replay", 202, json={**hour, "missing": True}, headers=once) == missing
    again = api(f"POST {delivered_path}/replay", 202, json={**hour, "statuses": ["DELIVERED"]})
    assert driver.worker("SweepDeliveriesFunction")["queued"] >= 2
    for task in (missing, again):
        ended = api(f"GET /api/tasks/{task['id']}", 200)
        assert (ended["status"], ended["done"], ended["total"]) == ("SUCCEEDED", 1, 1)
    running = api(f"POST {delivered_path}/replay", 202, json=hour)
    api(f"POST /api/tasks/{running['id']}/cancel", 200)
    assert len(api("GET /api/tasks", 200)["items"]) == 3


def _publish(driver: Driver, publisher: Any, webhook: Any, broken_url: str, retries: Any) -> tuple[Any, Any]:
    """Publish over HTTP and the bus, and fan out. Returns a large event, and an event for many webhooks."""
    api, backend, once = driver.api, driver.backend, {"idempotency-key": "one"}
    # Large enough that the worker reads its body from the event's row.
    large = {"type": "POST_PUBLISHED", "data": {**POST, "text": "Spring is here. " * 4_400}}
    published = api(f"POST {EVENTS}", 202, json=large, token=publisher["key"], headers=once)
    campaign = {"type": "CAMPAIGN_STARTED", "data": minimal_data("CAMPAIGN_STARTED")}
    batch = {
        "events": [campaign, {"type": "POST_FAILED", "data": {}}, {"type": publisher["key"], "data": {}}]
    }
    items = api(f"POST {EVENTS}/batch", 202, json=batch, token=publisher["key"], headers=once)["items"]
    assert ["error" in item for item in items] == [False, True, True]
    for detail in ({"idempotencyKey": "one", **campaign}, {}):
        put_on_bus(backend, {"workspaceId": "acme", **detail})
    subscribed = {**webhook, "eventTypes": ["CAMPAIGN_STARTED"]}
    for _ in range(10):  # one more follows, which makes too many for one send
        api(f"POST {WEBHOOKS}", 201, json=subscribed)
    api(f"POST {WEBHOOKS}", 201, json={**subscribed, "url": broken_url, "retryConfig": retries})
    many = api(f"POST {EVENTS}", 202, json=campaign)
    for queue in ("EventsQueue", "DeliveriesQueue"):
        url = backend.queue_url(queue)
        backend.client("sqs").send_message(QueueUrl=url, MessageBody="unreadable")
    assert driver.worker("FanOutFunction", "EventsQueue", remaining_ms=0)["batchItemFailures"]
    assert driver.worker("FanOutFunction", "EventsQueue") == {"batchItemFailures": []}
    return published, many


def _scheduled_runs(driver: Driver, stopped_event: str, delivered_to: str) -> None:
    """The sweeper with a parked retry, a delivery that was held too long, announcements, and a stopped
    fan-out; and the roll-up with an hour to count.
    """
    backend = driver.backend
    (waiting,) = [row for row in backend.rows("DeliveriesTable") if "dueAt" in row]
    set_attributes(
        backend, "DeliveriesTable", {name: waiting[name] for name in ("webhookKey", "sk")}, dueAt=1
    )
    held = {
        "sk": DeliveryId.new(),
        "status": "HELD",
        "reason": "held:backlog",
        "heldAt": now_ms(),
        "dueAt": 1,
    }
    put_row(backend, "DeliveriesTable", {**waiting, **held})
    stopped = {"workspaceId": "acme", "id": stopped_event}
    set_attributes(backend, "EventsTable", stopped, dueAt=1, dueShard=0)
    assert driver.worker("SweepDeliveriesFunction") == {"queued": 1}
    types = [json.loads(message["body"])["type"] for message in driver.receive("EventsQueue")]
    assert set(types) == {
        *("API_KEY_CREATED", "API_KEY_REVOKED", "API_KEY_ROTATED", "RATE_LIMIT_NEAR"),
        *("DELIVERY_FAILED", "WEBHOOK_DISABLED", "CAMPAIGN_STARTED"),
    }, types

    # The workspace was active two hours ago, so there is data to roll up, and now, so there is data to read.
    key = f"acme#{delivered_to}"
    (delivery,) = [row for row in backend.rows("DeliveriesTable") if row["webhookKey"] == key]
    this, id = hour_of(now_ms()), DeliveryId.new(now_ms() - 2 * HOUR_MS)
    put_row(backend, "DeliveriesTable", {**delivery, "sk": id})
    for hour in (this - 2, this):
        put_row(backend, "EventsTable", {"workspaceId": f"active#{hour}", "id": "acme"})
    progress = {"webhookKey": "roll-up", "sk": "progress", "rolledThrough": this - 3}
    put_row(backend, "HealthTable", progress)
    assert driver.worker("RollUpStatsFunction") == {"rolledUp": 1}


# ── automations ──────────────────────────────────────────────────────────────────────────────────────


def _automations(driver: Driver) -> None:
    """Hooks that are subscribed twice, paused and removed. Runs with an answer, a callback, or neither."""
    api, base, once = driver.api, f"{AUTOMATIONS}/n8n", {"idempotency-key": "one"}
    driver.receive("EventsQueue")
    driver.receive("DeliveriesQueue")
    api(f"GET {base}/me", 200)
    api(f"GET {base}/triggers", 200)
    assert len(api(f"GET {base}/triggers/POST_PUBLISHED/samples", 200)) == 2
    api(f"GET {base}/actions", 200)
    failed_post = {"type": "POST_FAILED", "data": {"postId": "p", "network": "n", "errorCode": "e"}}
    with receiver([410]) as gone:
        wanted = {"url": gone.url, "eventType": "POST_FAILED"}
        hook = api(f"POST {base}/hooks", 201, json=wanted, headers=once)
        assert api(f"POST {base}/hooks", 201, json=wanted, headers=once) == hook
        api(f"PUT {WEBHOOKS}/{hook['id']}/status", 200, json={"status": "INACTIVE"})
        api(f"POST {base}/hooks", 200, json=wanted, headers={"idempotency-key": "two"})
        api(f"GET {base}/hooks", 200)
        api(f"GET {base}/hooks/{hook['id']}", 200)
        _publish_and_deliver(driver, failed_post)
        api(f"GET {base}/hooks/{hook['id']}", 404)
    with receiver([400]) as failing:
        wanted = {"url": failing.url, "eventType": "POST_FAILED"}
        hook = api(f"POST {base}/hooks", 201, json=wanted)
        api(f"PUT {WEBHOOKS}/{hook['id']}", 200, json={"disableAfter": 1})
        _publish_and_deliver(driver, failed_post)
        assert api(f"POST {base}/hooks", 201, json=wanted)["id"] == hook["id"]
    other = api(f"POST {base}/hooks", 201, json={**wanted, "url": "https://example.com/"})
    api(f"DELETE {base}/hooks/{other['id']}", 200)
    _runs(driver, base)


def _publish_and_deliver(driver: Driver, event: Any) -> None:
    driver.api(f"POST {EVENTS}", 202, json=event)
    driver.worker("FanOutFunction", "EventsQueue")
    driver.worker("DeliverFunction", "DeliveriesQueue")
    driver.worker("DeliverSlowFunction", "SlowDeliveriesQueue")


def _runs(driver: Driver, base: str) -> None:
    api, backend = driver.api, driver.backend
    platform = jwt_for("platform")
    driver.secrets["platform's JWT"] = platform
    items = [{"id": "acc_1", "label": "One"}]
    choices = {"workspaceId": "acme", "items": items}
    api("PUT /api/actions/choices/accounts", 200, json=choices, token=platform)
    assert api(f"GET {base}/choices/accounts", 200) == items
    action = f"POST {base}/actions/create_campaign"
    body = {"input": {"name": "Spring"}, "callbackUrl": "https://example.com/"}
    for key in ("one", "one", "two"):
        run = api(action, 202, json=body, headers={"idempotency-key": key})
    api(action, 422, json={"input": {"name": 1}}, headers={"idempotency-key": "three"})
    expired, unanswered, failed = (api(action, 202, json=body) for _ in range(3))
    answer = {"status": "SUCCEEDED", "output": {"campaignId": "c", "name": "Spring"}}
    api(f"PUT /api/actions/runs/{run['id']}", 200, json=answer, token=platform)
    answer = {"status": "FAILED", "error": {"detail": "no"}}
    api(f"PUT /api/actions/runs/{failed['id']}", 200, json=answer, token=platform)
    api(f"GET {base}/runs", 200)
    api(f"GET {AUTOMATIONS}/runs", 200)
    api(f"GET {base}/runs/{run['id']}", 200)
    set_attributes(backend, "AutomationsTable", {"id": expired["id"]}, dueAt=1, expiresAt=1)
    set_attributes(backend, "AutomationsTable", {"id": unanswered["id"]}, dueAt=1)
    assert driver.worker("SweepRunsFunction") == {"seen": 2}
    bodies = [json.loads(message["body"]) for message in driver.receive("SlowDeliveriesQueue")]
    called = [body["webhook_id"] for body in bodies if body["webhook_id"].startswith("run_")]
    assert called == [run["id"], failed["id"], expired["id"]]
    driver.receive("EventsQueue")


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────


def _flows(driver: Driver) -> None:
    """A flow that sends to a webhook, asks for an action and waits, from the event to the erasure of its
    data.
    """
    api, backend, once = driver.api, driver.backend, {"idempotency-key": "one"}
    base, platform = "/api/flows", driver.secrets["platform's JWT"]
    webhook = {"name": "Team", "url": "https://example.com/", "eventTypes": ["POST_FAILED"]}
    id = api(f"POST {WEBHOOKS}", 201, json={**webhook, "headers": HEADER_VALUES})["id"]
    started = "CAMPAIGN_STARTED"
    trigger = {"type": "event", "eventTypes": [started], "filters": [{"path": "name", "op": "exists"}]}
    tell = {"id": "tell", "type": "webhook", "webhookId": id, "data": {"text": "{{event.data.name}} begins"}}
    ask = {
        "id": "ask",
        "type": "action",
        "action": "create_campaign",
        "input": {"name": "{{event.data.name}}"},
    }
    pause = {"id": "pause", "type": "wait", "seconds": 1}
    body = {"name": "Care", "trigger": trigger, "steps": [tell, ask, pause]}
    flow = api(f"POST {base}", 201, json=body, headers=once)
    assert api(f"POST {base}", 201, json=body, headers=once) == flow
    api(f"POST {base}", 422, json={**body, "steps": [{**tell, "webhookId": "whk_0000000000000000000000"}]})
    path = f"{base}/{flow['id']}"
    assert api(f"GET {base}", 200)["items"] == [flow]
    (template, *_) = [
        each for each in api(f"GET {base}/templates", 200)["items"] if each["key"] == "failed_posts"
    ]
    install = f"POST {base}/templates/{template['key']}/install"
    installing = {"idempotency-key": "a template"}
    installed = api(install, 201, json={"choices": {"webhook": id}}, headers=installing)
    assert api(install, 201, json={"choices": {"webhook": id}}, headers=installing) == installed
    api(install, 422, json={})
    api(f"DELETE {base}/{installed['id']}", 200)
    dry = api(f"POST {base}/dry-run", 200, json={"trigger": trigger, "steps": [tell, ask, pause]})
    assert dry["status"] == "SUCCEEDED"
    # Change the event types, to put and delete subscriptions.
    other = {**trigger, "eventTypes": ["CAMPAIGN_COMPLETED", started]}
    api(f"PUT {path}", 200, json={"trigger": other, "steps": [tell, pause, ask]})
    api(f"PUT {path}", 200, json={"trigger": trigger, "steps": [tell, ask, pause]})
    for status in ("INACTIVE", "ACTIVE"):
        api(f"PUT {path}/status", 200, json={"status": status})
    queue = "FlowsQueue"
    backend.client("sqs").send_message(QueueUrl=backend.queue_url(queue), MessageBody="unreadable")
    campaign = {"type": started, "data": minimal_data(started)}
    event = api(f"POST {EVENTS}", 202, json=campaign)
    api(f"POST {EVENTS}/batch", 202, json={"events": [{**campaign, "causedBy": event["id"]}]})
    for _ in range(2):  # the webhook, and the action
        driver.worker("FanOutFunction", "EventsQueue")
        assert driver.worker("RunFlowsFunction", queue) == {"batchItemFailures": []}
    runs = api(f"GET {path}/runs", 200)["items"]
    assert [(run["status"], run["step"]) for run in runs] == [("WAITING", "ask")] * 2
    api(f"GET {path}/runs?status=WAITING", 200)
    (listed,) = api(f"GET {base}?include=recentRuns", 200)["items"]
    assert (listed["recentRuns"]["count"], listed["recentRuns"]["last"]["step"]) == (2, "ask")
    asked = api(f"GET {AUTOMATIONS}/runs?status=PENDING", 200)["items"]
    answer = {"status": "SUCCEEDED", "output": {"campaignId": "c", "name": "Spring"}}
    (first, *_) = [run for run in asked if run["platform"] == "flow"]
    api(f"PUT /api/actions/runs/{first['id']}", 200, json=answer, token=platform)
    driver.worker("RunFlowsFunction", queue)
    (waiting,) = [run for run in api(f"GET {path}/runs", 200)["items"] if run["step"] == "pause"]
    key = {"flowsKey": f"acme#{flow['id']}", "id": waiting["id"]}
    # A message that arrives too early waits.
    set_attributes(backend, "FlowsTable", key, dueAt=1, resumesAt=now_ms() + 60_000)
    assert driver.worker("SweepRunsFunction") == {"seen": 1}
    assert driver.worker("RunFlowsFunction", queue)["batchItemFailures"] != []
    set_attributes(backend, "FlowsTable", key, dueAt=1, resumesAt=1)
    assert driver.worker("SweepRunsFunction") == {"seen": 1}
    driver.worker("RunFlowsFunction", queue)
    run = api(f"GET {path}/runs/{waiting['id']}", 200)
    assert (run["status"], len(run["steps"])) == ("SUCCEEDED", 3)
    api(f"GET {EVENTS}/{event['id']}", 200)
    for each in runs:
        api(f"DELETE {EVENTS}/{each['eventId']}/data", 200)
    api(f"DELETE {path}", 200)
    for name in ("EventsQueue", "DeliveriesQueue", "SlowDeliveriesQueue", queue):
        driver.receive(name)


# ── integrations and connections ─────────────────────────────────────────────────────────────────────


class TalkativeProvider:
    """An authorization server whose errors repeat every secret that it received. It accepts every code, and
    refuses every refresh token. Its API repeats the headers of every request.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._issued = 0

    def respond(self, request: Request) -> Reply | int:
        if request.path.startswith("/api/"):
            return Reply(200, JSON, json.dumps(dict(request.headers)).encode())
        form = dict(parse_qsl(request.body.decode()))
        self._driver.secrets |= {
            f"{name} {value[:8]}…": value for name, value in form.items() if name == "code_verifier"
        }
        if form.get("grant_type") == "authorization_code":
            self._issued += 1
            tokens = {name: f"{name}-{self._issued}-5d1c0e77" for name in ("access_token", "refresh_token")}
            self._driver.secrets |= {f"{name} {self._issued}": token for name, token in tokens.items()}
            return Reply(200, JSON, json.dumps({**tokens, "expires_in": 3600}).encode())
        if form.get("grant_type") == "refresh_token":
            text = f"no: {request.body.decode()} {form} {dict(request.headers)}"
            error = {"error": "invalid_grant", "error_description": text}
            return Reply(400, JSON, json.dumps(error).encode())
        return 200  # a revocation


def _integrations(driver: Driver) -> None:
    with receiver([TalkativeProvider(driver).respond]) as r:
        plain, published, copies = _marketplace(driver, r.url)
        addresses = {f"{name}Url": f"{r.url}/{name}" for name in ("authorization", "token", "revocation")}
        _connections(driver, addresses, plain, published, copies)


def _marketplace(driver: Driver, api_url: str) -> tuple[str, str, list[str]]:
    """A publisher, four copies of its integration, and an integration with credentials. Returns the IDs of
    the integration with credentials, of the publisher's integration, and of the copies.
    """
    api, once = driver.api, {"idempotency-key": "one"}
    public = {
        "name": "Contacts",
        "type": "CRM",
        "provider": "hubspot",
        "config": {"clientId": "id", "clientSecret": CLIENT_SECRETS[2]},
        "isPublic": True,
    }
    published = api(f"POST {INTEGRATIONS}", 201, json=public, headers=once)
    decide = _publications(driver, published["id"])
    decide("REJECT", reviewReason="The description is missing.")
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json={"description": "Contacts of readers"})
    waiting = driver.worker("ReviewPublicationFunction")["waiting"][0]
    decision = {name: waiting[name] for name in ("workspaceId", "integrationId", "version")}
    driver.invoke("ReviewPublicationFunction", {**decision, "decision": "APPROVE"})
    api(f"GET {INTEGRATIONS}/marketplace", 200)
    for id in (published["id"], IntegrationId.for_template("hubspot")):
        api(f"GET {INTEGRATIONS}/marketplace/{id}", 200)
    api(f"GET {INTEGRATIONS}/providers", 200)
    api(f"GET {INTEGRATIONS}/providers/hubspot", 200)
    install = f"POST {INTEGRATIONS}/{published['id']}/install"
    copies = [api(install, 201, headers={"idempotency-key": str(number)}) for number in range(4)]
    start = {"redirectUri": REDIRECT_URI}
    state = api(f"POST {INTEGRATIONS}/{copies[0]['id']}/oauth/initiate", 200, json=start)["state"]
    denied = {"state": state, "error": "access_denied"}
    api(f"POST {CALLBACK}", 422, json=denied, headers={"idempotency-key": "denied"})
    api(f"POST {INTEGRATIONS}/{copies[1]['id']}/oauth/initiate", 200, json=start)  # nobody completes it
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json={"description": "new"})
    assert decide("APPROVE", publisherName="Acme Inc.", verified=True)["copyCount"] == len(copies)
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json={"isPublic": False})
    moved = {"config": {"clientId": "another", "clientSecret": CLIENT_SECRETS[1]}}
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json=moved)
    # The publisher's client has changed. Each function that would use it deactivates the copy.
    initiate = f"POST {INTEGRATIONS}/{copies[0]['id']}/oauth/initiate"
    api(initiate, 409, json=start, headers={"idempotency-key": "inactive"})
    api(f"PUT {INTEGRATIONS}/{copies[0]['id']}/status", 409, json={"status": "ACTIVE"})

    own = {"name": "Contacts", "type": "CRM", "config": {"apiUrl": api_url.removesuffix("/hook")}}
    plain = api(f"POST {INTEGRATIONS}", 201, json=own)["id"]
    webhook = {"name": "Contacts", "url": "https://example.com", "eventTypes": ["*"], "integrationId": plain}
    webhook_id = api(f"POST {WEBHOOKS}", 201, json=webhook)["id"]
    api(f"PUT {WEBHOOKS}/{webhook_id}", 200, json={"integrationId": plain})
    credentials = {"credentials": CREDENTIALS}
    connection = api(f"POST {INTEGRATIONS}/{plain}/connections", 201, json=credentials, headers=once)
    api(f"GET {INTEGRATIONS}", 200)
    api(f"GET {INTEGRATIONS}/{plain}/logs", 200)
    assert api(f"GET {INTEGRATIONS}/{plain}/logs?action=nothing", 200)["items"] == []
    for ref in ("default", connection["id"]):
        api(f"GET {INTEGRATIONS}/{plain}/connections/{ref}", 200)
        api(f"GET {INTEGRATIONS}/{plain}/connections/{ref}/token", 200)
    api(f"GET {INTEGRATIONS}/{plain}/connections", 200)
    api("GET /api/connections", 200)
    api(f"GET /api/connections?integrationId={plain}", 200)
    api(f"GET {INTEGRATIONS}/health?limit=100", 200)
    api(f"GET {INTEGRATIONS}/health?integrationId={plain}&state=UNKNOWN,HEALTHY", 200)
    for group in ("integration", "automation", "webhook", "connection", "eventType"):
        api(f"GET {INTEGRATIONS}/analytics?groupBy={group}", 200)
    for part in (f"integrationId={plain}", f"webhookId={webhook_id}"):
        api(f"GET {INTEGRATIONS}/analytics?{part}", 200)
    return plain, published["id"], [copy["id"] for copy in copies]


def _publications(driver: Driver, id: str) -> Callable[..., Any]:
    """A function with which the platform, in its own workspace, reads a publication and decides on it."""
    platform = driver.secrets["platform's JWT"]
    path = f"/api/publications/acme/{id}"

    def decide(decision: str, **body: object) -> Any:
        (waiting,) = driver.api("GET /api/publications?reviewStatus=PENDING", 200, token=platform)["items"]
        assert driver.api(f"GET {path}", 200, token=platform)["submitted"] == waiting["submitted"]
        made = {"decision": decision, "version": waiting["version"], **body}
        decided = driver.api(f"PUT {path}/decision", 200, json=made, token=platform)
        driver.api(f"PUT {path}/decision", 409, json=made, token=platform)
        return decided

    driver.api("GET /api/publications", 403)
    return decide


def _connections(
    driver: Driver, addresses: dict[str, str], plain: str, published: str, copies: list[str]
) -> None:
    """Connections whose refresh is refused on demand, on schedule, and under another process's lease."""
    api, backend = driver.api, driver.backend
    config = {**addresses, "clientId": "id", "clientSecret": CLIENT_SECRETS[0], "apiToken": API_TOKEN}
    own = {
        "name": "Our own CRM",
        "type": "CUSTOM",
        "provider": "own",
        "config": {**config, "clientAuth": "basic"},
    }
    id = api(f"POST {INTEGRATIONS}", 201, json=own)["id"]
    path = f"{INTEGRATIONS}/{id}"
    api(f"GET {path}?reveal=true", 200)
    for status in ("INACTIVE", "ACTIVE"):
        api(f"PUT {path}/status", 200, json={"status": status})

    def connect(name: str) -> Any:
        start = {"redirectUri": REDIRECT_URI, "returnUrl": f"{RETURN_ORIGIN}/back", "connectionId": name}
        once = {"idempotency-key": f"flow {len(driver.responses)}"}
        state = api(f"POST {path}/oauth/initiate", 200, json=start, headers=once)["state"]
        query = urlencode({"state": state, "code": CODE})
        assert driver.call(f"GET {path}/oauth/callback?{query}", token=None).status == 303
        return api(f"POST {CALLBACK}", 200, json={"state": state, "code": CODE}, headers=once)

    def make_due(integration: str, name: str, **attributes: Any) -> None:
        key = {"integrationKey": f"acme#{integration}", "name": name}
        set_attributes(backend, "ConnectionsTable", key, refreshAt=1, expiresAt=1, **attributes)

    _connect_links(driver, plain, id)
    connect("issued")
    api(f"GET {path}/connections/issued/token", 200)
    api(f"DELETE {path}/connections/issued", 200)
    # The provider refuses the first refresh of each, so the connection expires and an event reports it.
    calls = {"integrationKey": "acme", "name": "calls"}
    set_attributes(backend, "ConnectionsTable", calls, slowUntil=2**52)
    connect("forced")
    api(f"POST {path}/oauth/refresh", 409, json={"connectionId": "forced"})
    for name in ("on demand", "scheduled", "removed"):
        connect(name.replace(" ", "-"))
        make_due(id, name.replace(" ", "-"), dueAt=1)
    api(f"GET {path}/connections/on-demand/token", 409)
    api(f"DELETE {path}/connections/{connect('removed')['id']}", 200)
    assert driver.worker("RefreshConnectionsFunction") == {"connections": 1, "tasks": 1}
    types = [json.loads(message["body"])["type"] for message in driver.receive("EventsQueue")]
    # On a slow machine, messages that were received much earlier reappear. Ignore their types.
    assert [type for type in types if type.startswith("CONNECTION_")] == ["CONNECTION_EXPIRED"] * 3
    api(f"GET {path}/connections", 200)
    api(f"GET {path}/logs?limit=100", 200)

    # Another process holds the lease at first, and then that lease expires.
    set_attributes(backend, "ConnectionsTable", calls, slowUntil=0)
    forced: tuple[str, dict[str, Any]] = (f"POST {path}/oauth/refresh", {"json": {"connectionId": "forced"}})
    for name, (line, options) in (
        ("forced", forced),
        ("on-demand", (f"GET {path}/connections/on-demand/token", {})),
    ):
        connect(name)
        make_due(id, name, leaseUntil=now_ms() + 300, leaseOwner="dead")
        api(line, 409, **options)
    connect("on-demand")
    make_due(id, "on-demand")
    for copy, line in ((copies[1], "POST oauth/refresh"), (copies[2], "GET connections/default/token")):
        _copy_connection(backend, f"acme#{id}", f"acme#{copy}")
        method, _, rest = line.partition(" ")
        api(f"{method} {INTEGRATIONS}/{copy}/{rest}", 409)
    connect("called")
    assert _request(driver, id, connect("called")["id"]) == ("SUCCEEDED", None)
    # Another process holds the lease at first. Then the provider refuses the refresh.
    make_due(id, "called", leaseUntil=now_ms() + 300, leaseOwner="dead")
    assert _request(driver, id, "called") == ("FAILED", "connection_expired")
    set_attributes(backend, "ConnectionsTable", {**calls, "name": "requests"}, slowUntil=2**52)
    assert _request(driver, plain, "default") == ("SUCCEEDED", None)
    _copy_connection(backend, f"acme#{id}", f"acme#{copies[3]}")
    assert _request(driver, copies[3], "default") == ("FAILED", "integration_inactive")
    config = {"clientId": "other", "clientSecret": CLIENT_SECRETS[0]}
    api(f"PUT {path}", 200, json={"config": config})
    assert driver.worker("RefreshConnectionsFunction")["tasks"] == 1
    for deleted in (id, plain, published):
        api(f"DELETE {INTEGRATIONS}/{deleted}", 200)
    assert driver.worker("RefreshConnectionsFunction")["tasks"] == 3


def _request(driver: Driver, integration: str, connection: str) -> tuple[str, str | None]:
    """The final status and reason of a flow run that sends a request with a connection's token."""
    api = driver.api
    step: dict[str, Any] = {"id": "call", "type": "request"}
    step |= {
        "integrationId": integration,
        "connectionId": connection,
        "method": "POST",
        "url": "/api/notes",
        "body": {"text": "{{event.data.name}}"},
    }
    trigger = {"type": "event", "eventTypes": ["CAMPAIGN_STARTED"]}
    body = {"name": "Call", "trigger": trigger, "steps": [step]}
    flow = f"/api/flows/{api('POST /api/flows', 201, json=body)['id']}"
    api(f"PUT {flow}", 200, json={"steps": [{**step, "method": "PUT"}]})
    api("POST /api/flows/dry-run", 200, json={"trigger": trigger, "steps": [step]})
    api(f"POST {EVENTS}", 202, json={"type": "CAMPAIGN_STARTED", "data": minimal_data("CAMPAIGN_STARTED")})
    driver.worker("FanOutFunction", "EventsQueue")
    assert driver.worker("RunFlowsFunction", "FlowsQueue") == {"batchItemFailures": []}
    (run,) = api(f"GET {flow}/runs", 200)["items"]
    api(f"GET {flow}/runs/{run['id']}", 200)
    api(f"DELETE {flow}", 200)
    driver.receive("EventsQueue")
    return run["status"], run["statusReason"]


def _copy_connection(backend: Backend, source: str, target: str) -> None:
    """Give a copy of an integration a due connection, as if its provider had granted one."""
    (row,) = [
        row
        for row in backend.rows("ConnectionsTable")
        if (row["integrationKey"], row["name"]) == (source, "on-demand")
    ]
    row |= {"integrationKey": target, "name": "default", "refreshAt": 1, "expiresAt": 1, "generation": 1}
    row["integrationId"] = target.partition("#")[2]
    put_row(backend, "ConnectionsTable", row)


# ── changes that no request makes ────────────────────────────────────────────────────────────────────


def put_on_bus(backend: Backend, detail: dict[str, Any]) -> None:
    (bus,) = backend.template.of_type("AWS::Events::EventBus")
    entry = {"EventBusName": bus.properties["Name"], "Source": "test", "DetailType": "test"}
    answer = backend.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0, answer


def put_row(backend: Backend, table: str, row: dict[str, Any]) -> None:
    backend.client("dynamodb").put_item(TableName=backend.template.name(table), Item=dynamo.pack_row(row))


def set_attributes(backend: Backend, table: str, key: dict[str, str], **values: int | str) -> None:
    """Change a row as the passage of time or another process would."""
    backend.client("dynamodb").update_item(
        TableName=backend.template.name(table),
        Key={name: {"S": value} for name, value in key.items()},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": dynamo.pack(value) for name, value in values.items()},
    )
