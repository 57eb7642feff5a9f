"""Shared fixtures: the template's backend in moto, the API in this process, and a record of AWS calls."""

from __future__ import annotations

import base64
import io
import json
import json as _json  # `json` is a parameter's name, as in httpx
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.loaders
import hypothesis
import moto.core.responses
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from local import direct, gateway, services
from local import settings as local_settings
from local.template import Function, Template
from patchbay import aws
from tests import wire
from tests.engines import queues

# Test machines are shared, so an example's duration means nothing.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")

ROOT = Path(__file__).resolve().parent.parent
JWT_SECRET = "a-shared-secret-for-tests-of-48-bytes-and-no-less"
# The URL of another engine for DynamoDB, set by `make test-engines`. It keeps the tables of each access key
# apart, so each worker has its own. Another engine for SQS: tests/engines/queues.py.
ENGINE = os.environ.get(local_settings.ENDPOINT_VARIABLES["dynamodb"])
ACCESS_KEY = f"test{os.environ.get('PYTEST_XDIST_WORKER', '')}"
ISSUER, AUDIENCE = "https://platform.test", "patchbay"
OWNER = "owner"
HOST = "api.patchbay.test"
REDIRECT_URI = "https://app.platform.test/callback"
RETURN_ORIGIN = "https://app.platform.test"
LOADER = botocore.loaders.create_loader()
LAMBDA_CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 60_000, aws_request_id="test", function_name="test"
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as a `summary`."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(value))


@dataclass
class Calls:
    """AWS calls since the last `clear`, as `service.Operation`."""

    made: list[str] = field(default_factory=list)

    def clear(self) -> None:
        self.made.clear()

    def note(self, service: str, operation: str, params: wire.Params, call: Any) -> wire.Params:
        self.made.append(f"{service}.{operation}")
        answer: wire.Params = call(params)
        return answer

    @property
    def count(self) -> Counter[str]:
        return Counter(self.made)


@dataclass
class Backend:
    """The tables, queues and keys of template.yaml, in moto."""

    template: Template
    environment: dict[str, str]
    calls: Calls
    queues: str | None = None  # the URL of the ElasticMQ that has the queues instead of moto

    def client(self, service: str) -> Any:
        """A boto3 client for the test itself. `calls` does not record its calls."""
        return _client(service)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, by its logical ID (`WebhooksTable`)."""
        return rows_of(self.template.name(table))

    def events(self) -> list[dict[str, Any]]:
        """The stored events, without the rows that mark active workspaces."""
        return [row for row in self.rows("EventsTable") if "fanOut" in row]

    def queue_url(self, logical_id: str) -> str:
        return self.template.queue_url(logical_id)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Receive all messages of a queue, by its logical ID, as the records of an SQS event."""
        sqs, url, records = self.client("sqs"), self.queue_url(queue), []
        options = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["ApproximateReceiveCount"]}
        while messages := sqs.receive_message(QueueUrl=url, **options).get("Messages"):
            for message in messages:
                records.append(
                    {
                        "messageId": message["MessageId"],
                        "receiptHandle": message["ReceiptHandle"],
                        "body": message["Body"],
                        "attributes": message["Attributes"],
                    }
                )
        return records


def is_audit_row(row: dict[str, Any]) -> bool:
    """Whether a row is a separate audit log entry, rather than one that is stored with a change."""
    return str(row.get("integrationKey", "")).startswith("audit#")


def rows_of(table: str) -> list[dict[str, Any]]:
    """All rows of a table, by its name. Reads moto's memory, because scans through a client would take
    much of the time of a test that moves the clock.
    """
    from patchbay.storage.dynamo import unpack_row

    if ENGINE:
        pages = _client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [unpack_row(_encoded(item)) for page in pages for item in page["Items"]]
    items = list(_account(dynamodb_backends).tables[table].all_items())
    return [unpack_row(_encoded(item.to_json()["Attributes"])) for item in items]


def _encoded(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes as they are on the wire: moto stores some bytes undecoded."""
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if isinstance(value.get("B"), bytes) else value
        for name, value in attributes.items()
    }


def _serialize_attribute_value(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Faster than moto's function, which tries each of the ten types for every attribute in several ways."""
    if shape.name != "AttributeValue" or not isinstance(value, dict) or not key:
        _serialize_structure(self, serialized, value, shape, key)
        return
    wrapper: dict[str, Any] = {}
    for kind, content in value.items():
        self._serialize(wrapper, content, shape.members[kind], kind)
    self._default_serialize(serialized, wrapper, shape, key)


_serialize_structure = BaseJSONSerializer._serialize_type_structure
BaseJSONSerializer._serialize_type_structure = _serialize_attribute_value  # type: ignore[method-assign]

# Cache what moto computes for every request from the names of classes and operations.
for _name in ("camelcase_to_underscores", "method_names_from_class"):
    setattr(moto.core.responses, _name, cache(getattr(moto.core.responses, _name)))


def _client(service: str) -> Any:
    variable = local_settings.ENDPOINT_VARIABLES.get(service, "")
    return _client_at(service, os.environ.get(variable) or None)


@cache
def _client_at(service: str, url: str | None) -> Any:
    """One client for all tests: creating it takes longer than most of the calls that a test makes."""
    made = boto3.client(service, endpoint_url=url)  # type: ignore[call-overload]  # the service is a variable
    if url:
        made.meta.events.register(
            f"before-call.{service}", lambda params, **_: wire.sent.append(params["body"])
        )
    return made


@cache
def _template(parameters: tuple[tuple[str, str], ...], queues: str) -> Template:
    template = Template(ROOT / "template.yaml", dict(parameters))
    template.endpoints["sqs"] = queues
    return template


@dataclass(frozen=True)
class _Parsed:
    """What tests read from a template. Resolving a template takes longer than most tests."""

    functions: dict[str, Function]
    api: gateway.Api


_parsed: dict[int, _Parsed] = {}  # by the `id` of a template, which `_template` keeps alive


def parsed(template: Template) -> _Parsed:
    """The functions and routes of the backend's template."""
    if id(template) not in _parsed:
        _parsed[id(template)] = _Parsed(template.functions(), gateway.read(template))
    return _parsed[id(template)]


def _account(backends: Any) -> Any:
    return backends[local_settings.ACCOUNT][local_settings.REGION]


def _empty_tables() -> None:
    """Delete the rows of the engine's tables that a request named since the last call."""
    dynamodb, bodies = _client("dynamodb"), b"".join(wire.sent)
    for name, keys in _engine_tables().items():
        if name.encode() not in bodies:
            continue
        names = {f"#{index}": key for index, key in enumerate(keys)}
        shown = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        for page in dynamodb.get_paginator("scan").paginate(TableName=name, **shown):
            for first in range(0, len(page["Items"]), 25):
                requests = [{"DeleteRequest": {"Key": key}} for key in page["Items"][first : first + 25]]
                dynamodb.batch_write_item(RequestItems={name: requests})


def _empty_queues(template: Template) -> None:
    """Delete the messages of the engine's queues that a request named since the last call."""
    bodies = b"".join(wire.sent)
    for queue in template.of_type("AWS::SQS::Queue"):
        if template.name(queue.logical_id).encode() in bodies:
            _client("sqs").purge_queue(QueueUrl=template.queue_url(queue.logical_id))


@cache
def _engine_tables() -> dict[str, list[str]]:
    """The primary key attributes of each table in the engine. This worker has just created the tables."""
    dynamodb = _client("dynamodb")
    tables = {name: dynamodb.describe_table(TableName=name) for name in dynamodb.list_tables()["TableNames"]}
    return {
        name: [key["AttributeName"] for key in described["Table"]["KeySchema"]]
        for name, described in tables.items()
    }


# The template parameters of the last test, and the tables and queues that it left.
_last: dict[str, Any] = {}


@contextmanager
def _moto(template: Template) -> Iterator[bool]:
    """Start moto. Yields True if it already has all resources of the template, empty. Creating tables would
    take most of a short test's time, so a test reuses those of the last test with the same parameters.
    """
    reused = _last.get("template") is template and _last["resources"] == _resource_ids()
    mock = mock_aws(config={"core": {"mock_credentials": False}})  # moto's are the same in all workers
    mock.start(reset=not reused)
    try:
        if reused:
            for table in _account(dynamodb_backends).tables.values():
                table.items.clear()
            for queue in _account(sqs_backends).queues.values():
                queue._messages.clear()
                queue._pending_messages.clear()
                queue.deleted_messages.clear()
            for bucket in s3_backends[local_settings.ACCOUNT]["aws"].buckets.values():
                bucket.keys.clear()
                bucket.multiparts.clear()
        yield reused
        _last.update(template=template, resources=_resource_ids())
    finally:
        try:
            if ENGINE:
                _empty_tables()
            if template.endpoints["sqs"].startswith("http:"):
                _empty_queues(template)
            wire.sent.clear()
        finally:
            mock.stop(remove_data=False)


def _resource_ids() -> list[int]:
    """The identities of moto's tables and queues."""
    resources = [*_account(dynamodb_backends).tables.values(), *_account(sqs_backends).queues.values()]
    return [id(resource) for resource in resources]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Patchbay on an empty moto. `@pytest.mark.parameters(Name=…)` sets template parameters."""
    for name, value in {
        "AWS_DEFAULT_REGION": local_settings.REGION,
        "AWS_REGION": local_settings.REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": "test",
        "MOTO_ACCOUNT_ID": local_settings.ACCOUNT,
    }.items():
        monkeypatch.setenv(name, value)
    # Read service descriptions once for all tests: they take most of the time of a new client.
    monkeypatch.setattr(botocore.loaders, "create_loader", lambda _=None: LOADER)
    monkeypatch.setattr(services, "client", lambda service, endpoints: _client(service))
    marker = request.node.get_closest_marker("parameters")
    values = {
        "PlatformWorkspaceId": "platform",
        "JwtIssuer": ISSUER,
        "JwtAudience": AUDIENCE,
        "AllowedRedirectUris": REDIRECT_URI,
        "AllowedReturnOrigins": RETURN_ORIGIN,
        **(marker.kwargs if marker else {}),
    }
    if "JwksUrl" not in values:
        values["JwtSecretArn"] = (
            f"arn:aws:secretsmanager:{local_settings.REGION}:{local_settings.ACCOUNT}:secret:jwt"
        )
    parameters = tuple(sorted((name, str(value)) for name, value in values.items()))
    url = queues.engine_for(request)
    if url:
        monkeypatch.setenv(local_settings.ENDPOINT_VARIABLES["sqs"], url)
    template = _template(parameters, url or f"https://sqs.{local_settings.REGION}.amazonaws.com")
    with _moto(template) as reused:
        endpoints: dict[str, Any] = {"*": None}
        if reused:
            _client("secretsmanager").put_secret_value(SecretId="jwt", SecretString=JWT_SECRET)
        else:
            _client("secretsmanager").create_secret(Name="jwt", SecretString=JWT_SECRET)
            template.identities = services.identify(template, endpoints)
            services.create(template, endpoints)
            _parsed.pop(id(template), None)  # its keys and secrets have new IDs
        environment = dict(parsed(template).functions["DeliverFunction"].environment)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "1")
        monkeypatch.setattr(aws, "exchange", wire.moto)
        clear_caches()
        calls = Calls()
        with wire.around_calls(calls.note):
            yield Backend(template, environment, calls, url)
    clear_caches()


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """The log output of Patchbay."""
    from patchbay.observability import logger

    stream, handler = io.StringIO(), logger.registered_handler
    before = handler.setStream(stream)  # type: ignore[attr-defined]  # a StreamHandler, by default
    yield stream
    handler.setStream(before)  # type: ignore[attr-defined]


def clear_caches() -> None:
    """Clear all state that a process keeps between invocations, as a cold start does."""
    from patchbay import metrics, vault
    from patchbay.api_keys import guard
    from patchbay.auth import jwt as auth_jwt
    from patchbay.deliveries import limits as delivery_limits
    from patchbay.http import auditing
    from patchbay.oauth import limits
    from patchbay.publishing import fan_out
    from patchbay.rate_limits import ceilings
    from patchbay.sessions import guard as sessions_guard
    from patchbay.settings import settings

    settings.cache_clear()
    metrics.clear()
    aws.clear_cache()
    vault.clear_cache()
    auth_jwt.clear_cache()
    guard.clear_cache()
    sessions_guard.clear_cache()
    auditing.clear_cache()
    ceilings.clear_cache()
    limits.clear_cache()
    delivery_limits.clear_cache()
    fan_out.clear_cache()


def jwt_for(workspace: str, *, claims: dict[str, Any] | None = None, **role_or_scope: Any) -> str:
    """A platform token, with `role="owner"` unless a role or scope is given. `claims` override these."""
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "someone",
        "workspace_id": workspace,
        "exp": int(time.time()) + 7200,  # some tokens are made when tests are collected
        **(role_or_scope or {"role": "owner"}),
        **(claims or {}),
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode({"alg": "HS256"}, payload, OctKey.import_key(JWT_SECRET))


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def routes_of(template: Template) -> list[gateway.Route]:
    """The routes of the template, without HEAD routes, which answer like the GET route of their path."""
    return [route for route in gateway.read(template).routes if route.method != "HEAD"]


class Api:
    """The API, running in this process. Each request goes to the handler that template.yaml names for the
    route, in API Gateway's payload format 2.0.
    """

    def __init__(self, template: Template) -> None:
        self._routes = parsed(template).api
        self._functions = parsed(template).functions

    def __call__(
        self,
        line: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        token: str | None = OWNER,
        headers: dict[str, str] | None = None,
        change: Mapping[str, Any] | None = None,
    ) -> Answer:
        """`api("POST /api/events", json={…})`. `token` is the bearer token, by default of an owner of the
        workspace `acme`, or None. `change` is merged into the event, for content that HTTP cannot carry.
        """
        sent = {"content-type": "application/json", "host": HOST, "x-forwarded-proto": "https"}
        sent |= {k.lower(): v for k, v in (headers or {}).items()}
        if token is not None:
            sent["authorization"] = f"Bearer {jwt_for('acme') if token == OWNER else token}"
        if json is not None:
            body = _json.dumps(json).encode()
        return Answer(
            *direct.request(
                self._routes,
                self._functions,
                line,
                sent,
                body or b"",
                context=LAMBDA_CONTEXT,
                request_id="test-request",
                source="203.0.113.9",
                change=change,
            )
        )


@pytest.fixture
def api(backend: Backend) -> Api:
    return Api(backend.template)


@pytest.fixture
def context() -> Any:
    """A Lambda context with 30 seconds left."""
    return LAMBDA_CONTEXT
