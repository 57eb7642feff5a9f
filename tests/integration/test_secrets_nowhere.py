"""Promise 8: no secret in logs, in the clear at rest, or in a response after the one that creates it.

The tour runs every route and worker with the log level DEBUG. Then everything that was logged, stored, queued
and returned is searched for every secret that was used.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from patchbay import metrics, queues, vault
from patchbay.api_keys import guard, key_format, service, store
from patchbay.api_keys.models import CreateApiKey, Verification, VerifyApiKey
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import from_ms, iso
from patchbay.http import Request
from patchbay.ids import ApiKeyId
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.catalogued import minimal_data
from tests.conftest import JWT_SECRET, REDIRECT_URI, Answer, Api, Backend, jwt_for, routes_of
from tests.faults import REFUSED, THROTTLED, TIMEOUT, Clock, failing, one_at_a_time
from tests.receivers import receiver
from tests.tour import (
    CALLBACK,
    CLIENT_SECRETS,
    CODE,
    CREDENTIALS,
    EVENTS,
    HEADER_VALUES,
    INTEGRATIONS,
    KEYS,
    REVEALS,
    WEBHOOKS,
    Driver,
    echo,
    tour,
)

# A signing secret, or a whole API key.
OWN_SECRET = re.compile(r"whsec_[\w+/=-]{20}|sk_test_\w+_\w{20}")
FAILED_POST = {"type": "POST_FAILED", "data": minimal_data("POST_FAILED")}


def forms(secret: str) -> set[str]:
    """Return the forms in which a secret might appear: plain, in base64, and as JSON within JSON."""
    # The id in an API key and the claims of a JWT are public.
    core = secret
    if secret.startswith("sk_"):
        core = secret.split("_")[3]
    elif secret.count(".") == 2:
        core = secret.rpartition(".")[2]
    elif secret.startswith("whsec_"):
        core = secret.removeprefix("whsec_")
    encoded = base64.b64encode(core.encode()).decode().rstrip("=")
    return {core, encoded, json.dumps(core)[1:-1]}


def found(secrets: dict[str, str], text: str, except_for: Iterable[str] = ()) -> list[str]:
    """Return the names of the secrets that a text contains."""
    allowed = {form for secret in except_for for form in forms(secret)}
    return [
        name
        for name, secret in secrets.items()
        if not forms(secret) & allowed and any(form in text for form in forms(secret))
    ]


@pytest.fixture
def logs(logs: io.StringIO, caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """Return the log of the library at level DEBUG. `caplog` has the other loggers."""
    level = logger.log_level
    logger.setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    yield logs
    logger.setLevel(level)


@pytest.fixture
def driver(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> Driver:
    one_at_a_time(monkeypatch)
    return Driver(backend, api)


@pytest.mark.parameters(MaxVisibilityWaitSeconds=1000)
@pytest.mark.moto_queues
def test_no_secret_in_responses_logs_queues_or_tables(
    driver: Driver,
    backend: Backend,
    logs: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    subtests: pytest.Subtests,
) -> None:
    driver.secrets["JWT secret"] = JWT_SECRET
    tour(driver)
    send_secrets_in_wrong_places(driver)
    break_stores_and_queues(driver)

    secrets = driver.secrets
    assert len(secrets) > 40
    with subtests.test("the tour runs every route and every function"):
        assert driver.untried == set()
    with subtests.test("responses"):
        assert driver.revealed_by == set(REVEALS)
        for response in driver.responses:
            if response.line == "GET /api/openapi.json":
                continue  # a file whose examples contain the sample secrets of this tour
            assert not found(secrets, response.text, except_for=response.revealed), response.line
            # Secrets that REVEALS does not list are unknown, but our own have a recognizable format.
            assert response.revealed or not OWN_SECRET.search(response.text), response.line
    with subtests.test("the log of the library"):
        text = logs.getvalue()
        assert text.count("\n") > 50
        assert not found(secrets, text), [line for line in text.splitlines() if found(secrets, line)][:3]
    with subtests.test("other logs and the output"):
        printed = capfd.readouterr()
        assert not found(secrets, caplog.text + printed.out + printed.err)
    with subtests.test("queues"):
        for queue in backend.template.of_type("AWS::SQS::Queue"):
            driver.receive(queue.logical_id)
        assert len(driver.messages) >= 4
        assert not [name for body in driver.messages for name in found(secrets, body)]
    with subtests.test("tables"):
        for table in backend.template.of_type("AWS::DynamoDB::Table"):
            rows = backend.rows(table.logical_id)
            assert rows, f"{table.logical_id} is empty, so the tour stored nothing there"
            for row in rows:
                text = repr(row)
                assert not found(secrets, text), (table.logical_id, sorted(row))
                # Nor does a row contain an unknown signing secret or an unmasked bearer token.
                assert not re.search(r"whsec_|Bearer (?!\*{8})", text)


def send_secrets_in_wrong_places(driver: Driver) -> None:
    """Send requests that are refused, each with a secret where none belongs."""
    call, owner = driver.call, driver.owner
    viewer = jwt_for("acme", role="viewer", claims={"sub": "v"})
    driver.secrets["viewer's JWT"] = viewer
    webhook = {"name": "w", "url": "https://example.com/", "eventTypes": ["*"], "headers": HEADER_VALUES}
    once = {"Idempotency-Key": "an-idempotency-key"}
    created = driver.api(f"POST {WEBHOOKS}", 201, json=webhook, headers=once)
    secret, one = created["secret"], f"{WEBHOOKS}/{created['id']}"
    key_body = {"name": "k", "scopes": ["events:publish", "events:read", "webhooks:read", "api-keys:read"]}
    record = driver.api(f"POST {KEYS}", 201, json=key_body)
    key, header = record["key"], HEADER_VALUES["X-Api-Key"]
    for line, options in (
        (f"POST {WEBHOOKS}", {"json": {**webhook, "headers": {"Host": header}}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "headers": {"X-A": header + "\n"}}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "secret": f"{secret}\n"}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "secret": secret.removeprefix("whsec_")}}),
        (f"PUT {one}", {"json": {"secret": secret}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "url": f"https://u:{header}@example.com/"}}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "name": 5}, "headers": once}),
        (f"POST {WEBHOOKS}", {"json": {**webhook, "name": "other"}, "headers": once}),
        (f"POST {WEBHOOKS}", {"body": json.dumps(webhook).encode()[:-1]}),
        (f"POST {KEYS}", {"json": {**key_body, "scopes": [key]}}),
        (f"POST {KEYS}", {"json": {**key_body, "key": key}}),
        (f"POST {EVENTS}", {"json": {"type": key, "data": {}}}),
        (f"PUT {one}", {"json": {"headers": {"X-Other": "********"}}}),
        (f"POST {one}/rotate-secret", {"json": {"secret": secret * 3}}),
        (f"POST {one}/test", {"json": {"eventType": secret}}),
        (f"GET {WEBHOOKS}", {"token": owner[:-6] + "AAAAAA"}),
        (f"GET {WEBHOOKS}", {"token": key[:-1] + "!"}),
        (f"GET {WEBHOOKS}", {"token": None, "headers": {"X-API-Key": owner}}),
        (f"GET {WEBHOOKS}", {"headers": {"X-API-Key": key}}),
        (f"GET {WEBHOOKS}", {"token": None, "headers": {"Authorization": f"Basic {key}"}}),
        (f"POST {WEBHOOKS}", {"json": webhook, "token": viewer}),
        (f"GET {WEBHOOKS}?limit={key}&cursor={secret}", {}),
        (f"GET {KEYS}/{key}", {}),
    ):
        answer = call(line, **options)
        if line.endswith(key):
            driver.responses.pop()  # `instance` repeats the path, but only to its own caller
        assert 400 <= answer.status < 500, (line, answer)
    assert "********" in call(f"GET {one}").text
    send_oauth_secrets_in_wrong_places(driver)

    driver.api(f"DELETE {KEYS}/{record['id']}", 200)
    driver.api(f"GET {WEBHOOKS}", 401, token=key)
    for line in (f"GET {KEYS}", f"GET {KEYS}/{record['id']}"):
        driver.api(line, 200)


def send_oauth_secrets_in_wrong_places(driver: Driver) -> None:
    config = {
        "authorizationUrl": "https://example.com/authorize",
        "tokenUrl": "https://example.com/token",
        "clientId": "id",
        "clientSecret": CLIENT_SECRETS[0],
    }
    body = {"name": "own", "type": "CUSTOM", "provider": "own", "config": config}
    path = f"{INTEGRATIONS}/{driver.api(f'POST {INTEGRATIONS}', 201, json=body)['id']}"
    start = {"redirectUri": REDIRECT_URI}
    state = driver.api(f"POST {path}/oauth/initiate", 200, json=start)["state"]
    address = f"http://x:{CLIENT_SECRETS[1]}@example.com"
    key = CREDENTIALS["apiKey"]
    for line, json_body in (
        (f"POST {CALLBACK}", {"state": state, "error": "access_denied", "error_description": "no"}),
        (f"POST {CALLBACK}", {"state": state, "code": CODE}),
        (f"PUT {path}", {"config": {"tokenUrl": address}}),
        (f"PUT {path}", {"config": {"clientId": [CLIENT_SECRETS[0]]}}),
        (f"POST {path}/connections", {"credentials": {"token": key}}),
        (f"POST {path}/connections", {"credentials": CREDENTIALS}),
    ):
        answer = driver.call(line, json=json_body)
        assert 400 <= answer.status < 500, (line, answer)


def break_stores_and_queues(driver: Driver) -> None:
    """Make code fail while it handles a secret."""
    webhook = {"name": "w", "url": "https://example.com/", "eventTypes": ["*"], "headers": HEADER_VALUES}
    key = {"name": "k", "scopes": ["events:publish"]}
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("patchbay.webhooks.store.create", lambda *_: 1 / 0)
        broken.setattr("patchbay.api_keys.store.create", lambda *_: int("nothing"))
        broken.setattr("patchbay.queues.send", lambda *_: 1 / 0)
        broken.setattr("patchbay.publishing.fan_out.queues.send_all", lambda *_: 1 / 0)
        for line, body in ((WEBHOOKS, webhook), (KEYS, key), (EVENTS, FAILED_POST)):
            for headers in ({}, {"Idempotency-Key": "another"}):
                driver.api(f"POST {line}", 500, json=body, headers=headers)


# ── API keys, through each of their routes ───────────────────────────────────────────────────────────


@dataclass
class KeyHunt:
    """Records every place that an API key passed through, and every text that came out."""

    api: Api
    backend: Backend
    logs: io.StringIO
    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    keys: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    driven: set[tuple[str, int]] = field(default_factory=set)

    def call(self, line: str, *, shows: bool = False, **options: Any) -> Answer:
        """Send a request. Its response may contain a key only if it `shows` one."""
        answer = self.api(line, **options)
        self.driven.add((re.sub(r"key_\w+", "{id}", line.partition("?")[0]), answer.status))
        if not shows:
            self.answers.append(f"{answer.headers} {answer.text}")
        return answer

    def create(self, name: str, token: str | None = None, **changes: Any) -> dict[str, Any]:
        body = {"name": name, "scopes": ["posts:read", "api-keys:read"]} | changes
        line, token = f"POST {KEYS}", token or jwt_for("acme")
        created: dict[str, Any] = self.call(line, json=body, token=token, shows=True).json()
        self.keys[name] = created["key"]
        return created

    def verify(self, key: str, code: str | None, **options: Any) -> None:
        """Verify a key and check the verdict. `code` is None if the response is an error."""
        body = {"key": key} | options.pop("body", {})
        answer = self.call(f"POST {KEYS}/verify", json=body, **options)
        assert answer.json()["code"] == code if code else answer.status >= 400, answer

    def raises(self, act: Callable[[], object]) -> None:
        """Record every text of the exception that `act` raises in this process, and of its causes."""
        with pytest.raises(Exception) as caught:  # noqa: PT011  # every type is searched
            act()
        error = caught.value
        self.raised += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]

    def found(self) -> dict[str, set[str]]:
        """Return, for each place, the names of the keys that appeared there."""
        queues = [queue.logical_id for queue in self.backend.template.of_type("AWS::SQS::Queue")]
        sent = [message["body"] for queue in queues for message in self.backend.messages(queue)]
        printed = self.capfd.readouterr()
        places = {
            "answers": self.answers,
            "log": [self.logs.getvalue()],
            "other logs": [self.caplog.text, *(repr(vars(record)) for record in self.caplog.records)],
            "printed": [printed.out, printed.err],
            "exceptions": self.raised,
            "queues": self.queued + sent,
            "tables": [str(row) for row in self.rows()],
        }
        assert all("".join(texts) for texts in places.values()), "a place is empty, so nothing was searched"
        forms = {name: key_forms(key) for name, key in self.keys.items()}
        return {
            place: {
                name
                for name, all_forms in forms.items()
                for text in texts
                if any(form in text for form in all_forms)
            }
            for place, texts in places.items()
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every item as DynamoDB returns it. Moto's internal items have bytes in base64."""
        dynamodb = self.backend.client("dynamodb")
        for table in self.backend.template.of_type("AWS::DynamoDB::Table"):
            name = self.backend.template.name(table.logical_id)
            for page in dynamodb.get_paginator("scan").paginate(TableName=name):
                yield from page["Items"]


PLACES = ("answers", "log", "other logs", "printed", "exceptions", "queues", "tables")


def key_forms(key: str) -> set[str]:
    """Return the forms in which a key might appear: the whole key or its secret part (the ID is public),
    plain, encoded, or as a hash that can be looked up.
    """
    forms = set()
    for text in (key.split("_")[3].encode(), key.encode()):
        forms |= {text.decode(), text.hex(), hashlib.sha256(text).hexdigest(), hashlib.md5(text).hexdigest()}  # noqa: S324
        # Base64 has three forms, depending on the length of the text before it.
        forms |= {base64.b64encode(b"x" * ahead + text).decode()[4:-4] for ahead in range(3)}
        forms.add(base64.b64encode(hashlib.sha256(text).digest()).decode())
    return forms


NEVER_CREATED = {"name": "never", "scopes": ["posts:read"]}


@dataclass
class HuntedKeys:
    """Keys in every state, as created; `unknown` and `wrong` are well formed, but match no row."""

    good: dict[str, Any]
    foreign: dict[str, Any]
    spent: dict[str, Any]
    revoked: dict[str, Any]
    expired: dict[str, Any]
    unknown: str = key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())
    wrong: str = ""

    @property
    def path(self) -> str:
        return f"{KEYS}/{self.good['id']}"


def create_keys(hunt: KeyHunt, clock: Clock) -> HuntedKeys:
    """Send the requests whose responses show a key: create, rotate, and their replays."""
    good = hunt.create(
        "a good key", scopes=["posts:read", "api-keys:read", "api-keys:write", "api-keys:verify"]
    )
    keys = HuntedKeys(
        good,
        foreign=hunt.create("a foreign key", jwt_for("globex")),
        spent=hunt.create("a spent key", rateLimitPerHour=1),
        revoked=hunt.create("a revoked key"),
        expired=hunt.create("an expired key", expiresAt=iso(from_ms(clock.now + 3 * 86_400_000))),
        wrong=key_format.assemble("sk_test", ApiKeyId(good["id"]), key_format.mint_secret()),
    )
    hunt.keys |= {"a key that was never created": keys.unknown, "a key with a wrong secret": keys.wrong}
    body, once = {"name": "once", "scopes": ["posts:read"]}, {"Idempotency-Key": "an-idempotency-key"}
    rotate = f"POST {KEYS}/{keys.revoked['id']}/rotate"
    for _ in range(2):
        created = hunt.call(f"POST {KEYS}", json=body, headers=once, shows=True)
        hunt.keys["a key created once"] = created.json()["key"]
        rotated = hunt.call(rotate, json={}, headers=once, shows=True)
        hunt.keys["a rotated key"] = rotated.json()["key"]
    assert hunt.call(f"POST {KEYS}", json=body | {"name": "other"}, headers=once).status == 422
    return keys


def send_key_in_each_header(hunt: KeyHunt, keys: HuntedKeys) -> None:
    """Send the requests whose responses show no key, with a key in each header, and with a JWT."""
    good = keys.good["key"]
    credentials: list[dict[str, Any]] = [
        {"token": jwt_for("acme")},
        {"token": good},
        {"token": None, "headers": {"X-API-Key": good}},
        {"token": good, "headers": {"X-API-Key": good}},
    ]
    for options in credentials:
        for line, sent in (
            (f"GET {KEYS}", None),
            (f"GET {keys.path}", None),
            (f"GET {keys.path}/logs", None),
            (f"PUT {KEYS}/{keys.spent['id']}", {"name": "spent"}),
            (f"POST {KEYS}/verify", {"key": good}),
            (f"DELETE {KEYS}/{keys.revoked['id']}", None),
        ):
            assert hunt.call(line, json=sent, **options).status == 200, line


def verify_keys(hunt: KeyHunt, keys: HuntedKeys, clock: Clock) -> None:
    """Get each verdict of verification. Each request has a key in its body, most also in a header."""
    good = keys.good["key"]
    hunt.verify(keys.spent["key"], "VALID")
    clock.move(4 * 86_400)
    hunt.verify(keys.spent["key"], "VALID")
    platform = jwt_for("platform")
    for token in (jwt_for("acme"), good, platform):
        for text, code in (
            (good, "VALID"),
            (keys.spent["key"], "RATE_LIMITED"),
            (keys.expired["key"], "EXPIRED"),
            (keys.revoked["key"], "REVOKED"),
            (keys.foreign["key"], "VALID" if token == platform else "NOT_FOUND"),
            *((text, "NOT_FOUND") for text in (keys.unknown, keys.wrong)),
            *(
                (text, "MALFORMED")
                for text in (good + "x", good[:-1], " " + good, f"Bearer {good}", good * 3)
            ),
        ):
            hunt.verify(text, code, token=token)
        hunt.verify(good, "INSUFFICIENT_SCOPES", token=token, body={"scopes": ["posts:write"]})


def send_key_in_wrong_places(hunt: KeyHunt, keys: HuntedKeys) -> None:
    """Send requests that are refused, each with a key where none belongs."""
    good, verify, path = keys.good["key"], f"POST {KEYS}/verify", keys.path
    for body in (
        *({"key": good, "cost": cost} for cost in (0, good, True, [good])),
        *({"key": good, "scopes": scopes} for scopes in ([good], good, [{"a": good}])),
        *({"key": value} for value in ([good], {"key": good}, good * 4, None)),
        *({"key": good, "workspaceId": good}, {"cost": good}, [good], good),
    ):
        assert hunt.call(verify, json=body).status == 422, body
    for raw in (f'{{"key": "{good}"', f'{{"key": "{good}", "key": 1}}', good, f'{{"key": "{good}\\ud800"}}'):
        assert hunt.call(verify, body=raw.encode()).status in (400, 422), raw
    assert hunt.call(verify, body=json.dumps({"key": good}).encode() + b" " * 2**20).status == 413
    dead = (keys.revoked["key"], keys.expired["key"], keys.unknown, keys.wrong, good + "x")
    refused: list[tuple[str, dict[str, Any]]] = [
        (f"POST {KEYS}", {"json": {"name": good * 2, "scopes": ["posts:read"]}}),
        (f"POST {KEYS}", {"json": {"name": "x", "scopes": [good]}}),
        (f"POST {KEYS}", {"json": {"name": "x", "scopes": ["posts:read"], "expiresAt": good}}),
        (f"PUT {path}", {"json": {"key": good}}),
        (f"PUT {path}", {"json": {"rateLimitPerHour": good}}),
        (f"PUT {path}", {"json": {"scopes": ["events:read"]}, "token": good}),
        (f"PUT {path}", {"json": {}, "headers": {"If-Match": good}}),
        (f"PUT {KEYS}/{keys.revoked['id']}", {"json": {"name": "x"}}),
        (f"POST {KEYS}/{keys.revoked['id']}/rotate", {"json": {}}),
        (f"POST {path}/rotate", {"json": {"overlapSeconds": good}}),
        (f"POST {KEYS}/{keys.foreign['id']}/rotate", {"json": {}}),
        (f"GET {KEYS}/{keys.foreign['id']}", {}),
        (f"GET {KEYS}/{keys.foreign['id']}/logs", {}),
        (f"DELETE {path}", {"headers": {"If-Match": "77"}}),
        (f"DELETE {KEYS}/{keys.foreign['id']}", {}),
        (f"GET {KEYS}?limit={good}&cursor={good}&api_key={good}", {}),
        (f"GET {KEYS}?api_key={good}", {"token": None}),
        *((f"GET {KEYS}", {"token": text}) for text in dead),
        (f"GET {KEYS}", {"token": None, "headers": {"X-API-Key": keys.wrong}}),
        (f"GET {KEYS}", {"token": keys.wrong, "headers": {"X-API-Key": good}}),
        (f"GET {KEYS}", {"token": None, "headers": {"Authorization": f"Basic {good}"}}),
        (f"GET {KEYS}", {"token": keys.spent["key"]}),
        (verify, {"json": {"key": good}, "token": jwt_for("acme", role="viewer")}),
    ]
    for line, options in refused:
        assert 400 <= hunt.call(line, **options).status < 500, (line, options)


def fail_with_a_key(hunt: KeyHunt, keys: HuntedKeys) -> None:
    """Make AWS refuse or not answer, and make code fail while it handles a key."""
    good, path = keys.good["key"], keys.path
    for operation in ("dynamodb.UpdateItem", "dynamodb.GetItem"):
        for error in (REFUSED, TIMEOUT, THROTTLED):
            is_busy = (operation, error) == ("dynamodb.UpdateItem", THROTTLED)
            guard.clear_cache()
            with failing(operation, error=error, where=keys.good["id"]):
                hunt.verify(good, "RATE_LIMITED" if is_busy else None)
            guard.clear_cache()
            with failing(operation, error=error, where=keys.good["id"]):
                assert hunt.call(f"GET {KEYS}", token=good).status in (429, 500)
    for operation, line, sent in (
        ("dynamodb.Query", f"GET {KEYS}", None),
        ("dynamodb.BatchGetItem", f"GET {KEYS}", None),
        ("dynamodb.GetItem", f"GET {path}", None),
        ("dynamodb.Query", f"GET {path}/logs", None),
        ("dynamodb.TransactWriteItems", f"PUT {path}", {"name": "never"}),
        ("dynamodb.TransactWriteItems", f"POST {KEYS}", NEVER_CREATED),
        ("dynamodb.TransactWriteItems", f"POST {path}/rotate", {}),
        ("dynamodb.UpdateItem", f"DELETE {path}", None),
        ("dynamodb.PutItem", f"POST {KEYS}", NEVER_CREATED),
        ("kms.Decrypt", f"POST {KEYS}", NEVER_CREATED),
    ):
        vault.clear_cache()
        headers = {"Idempotency-Key": operation} if operation.endswith((".PutItem", ".Decrypt")) else {}
        with failing(operation, error=REFUSED):
            status = hunt.call(line, json=sent, headers=headers).status
        assert status == (502 if operation.startswith("kms") else 500), operation
    for function in (
        *("api_keys.hashing.matches", "api_keys.hashing.fingerprint", "api_keys.key_format.parse"),
        *("api_keys.store.count", "api_keys.store.get_state", "rate_limits.sliding_window.plan"),
    ):
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(f"patchbay.{function}", lambda *_, **__: int("nothing"))
            for _ in range(2):
                hunt.verify(good, None)
                assert hunt.call(f"GET {KEYS}", token=good).status == 500
                guard.clear_cache()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("patchbay.api_keys.store.create", lambda *_: int("nothing"))
        broken.setattr("patchbay.api_keys.store.rotate", lambda *_: int("nothing"))
        for line, sent in ((f"POST {KEYS}", NEVER_CREATED), (f"POST {path}/rotate", {})):
            for headers in ({}, {"Idempotency-Key": line}):
                assert hunt.call(line, json=sent, headers=headers).status == 500


def use_keys_in_process(hunt: KeyHunt, keys: HuntedKeys) -> None:
    """Record the texts of exceptions, and of objects that a developer might print."""
    ada, good = Principal("acme", "user:ada", ROLES["owner"], role="owner"), keys.good["key"]
    dead = (keys.revoked["key"], keys.expired["key"], keys.unknown, keys.wrong, good + "x")
    for text in (*dead, keys.spent["key"], good):
        hunt.raises(lambda text=text: guard.admit(text, scopes=["no:such"], cost=5))  # type: ignore[misc]
        guard.clear_cache()
    hunt.raises(lambda: guard.admit(good, workspace_id="globex"))
    for options in (
        {"key": [good]},
        {"key": good * 4},
        {"key": good, "cost": good},
        {"key": good, "x": good},
    ):
        hunt.raises(lambda options=options: VerifyApiKey.model_validate(options))  # type: ignore[misc]
    created = service.create(ada, CreateApiKey(name="in process", scopes=["posts:read"]))
    hunt.keys["a key created in process"] = created.key
    verified = service.verify(ada, VerifyApiKey(key=good))
    printed = (created, VerifyApiKey(key=good), verified, guard.admit(good))
    stored = store.get("acme", created.id)
    parsed = key_format.parse("sk_test", good)
    hunt.raised += [form(each) for form in (str, repr) for each in (*printed, stored, parsed)]


def announce_an_expiring_key(hunt: KeyHunt, clock: Clock) -> None:
    """Run the workers that publish, fan out and deliver the event about a key that expires soon."""
    hunt.create("a key that expires soon", expiresAt=iso(from_ms(clock.now + 5 * 86_400_000)))
    driver = Driver(hunt.backend, hunt.api)
    driver.worker("ExpireKeysFunction")
    driver.worker("FanOutFunction", "EventsQueue")
    driver.worker("DeliverFunction", "DeliveriesQueue")
    driver.worker("DeliverSlowFunction", "SlowDeliveriesQueue")
    assert any("API_KEY_EXPIRING" in body for body in driver.messages)
    hunt.queued += driver.messages


@pytest.fixture
def hunt(
    api: Api,
    backend: Backend,
    logs: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> KeyHunt:
    return KeyHunt(api, backend, logs, caplog, capfd)


def test_no_api_key_in_responses_logs_queues_or_tables(
    hunt: KeyHunt, clock: Clock, subtests: pytest.Subtests
) -> None:
    with receiver([echo(500), echo(200)]) as r:
        webhook = {"name": "w", "url": r.url, "eventTypes": ["*"]}
        assert hunt.call(f"POST {WEBHOOKS}", json=webhook, shows=True).status == 201
        keys = create_keys(hunt, clock)
        send_key_in_each_header(hunt, keys)
        verify_keys(hunt, keys, clock)
        send_key_in_wrong_places(hunt, keys)
        fail_with_a_key(hunt, keys)
        use_keys_in_process(hunt, keys)
        announce_an_expiring_key(hunt, clock)
    with subtests.test("every route of API keys succeeds, is refused and fails"):
        known = {route.key for route in routes_of(hunt.backend.template) if "api-keys" in route.key}
        assert {line for line, _ in hunt.driven if "api-keys" in line} == known
        for line in known:
            statuses = {status for driven, status in hunt.driven if driven == line}
            assert statuses & {200, 201}, line
            assert statuses & {400, 401, 403, 404, 409, 422}, line
            assert 500 in statuses, line
    for place, names in hunt.found().items():
        with subtests.test(place):
            assert not names


def test_the_hunt_finds_a_planted_key_in_each_place(hunt: KeyHunt, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key appears in each place in one of its forms."""
    leaked = hunt.create("a leaked key")
    key, secret = leaked["key"], leaked["key"].split("_")[3]
    hunt.create("a kept key")
    verify = service.verify

    def leaks(principal: Principal, body: VerifyApiKey) -> Verification:
        logger.debug("verify", body=body.model_dump())
        logging.getLogger("another").debug("%s", {"authorization": f"Bearer {body.key}"})
        metrics.add(metrics.HELD, by=body.key)
        verification = verify(principal, body)
        return verification.model_copy(update={"scopes": [hashlib.sha256(body.key.encode()).hexdigest()]})

    monkeypatch.setattr(service, "verify", leaks)
    hunt.verify(key, "VALID")
    hunt.raises(lambda: int(secret))
    body = base64.b64encode(f'{{"body":"{key}"}}'.encode()).decode()
    queues.send(settings().events_queue_url, queues.Message(body=body, group="g"))
    dynamo.put(settings().idempotency_table, {"id": "x", "answer": secret.encode()})
    assert hunt.found() == {place: {"a leaked key"} for place in PLACES}


def test_repr_of_request_has_no_credentials() -> None:
    """A request contains the credentials, and the request of an OAuth callback contains the code."""
    secret = "sk_test_in-a-header"
    request = Request.from_event(
        {
            "routeKey": "GET /",
            "rawPath": "/",
            "requestContext": {"requestId": "1", "domainName": "api.example", "http": {"method": "GET"}},
            "headers": {"authorization": f"Bearer {secret}", "x-api-key": secret},
            "queryStringParameters": {"code": secret},
            "body": secret,
        }
    )
    assert secret not in repr(request)
