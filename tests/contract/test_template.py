"""template.yaml against the contract and against the code: routes, scopes, times, tables, queues, rights.

No emulator enforces IAM, so a right that is missing would first show in a deployed stack. Here every function
works in this process against moto, its AWS calls are recorded, and each of them must be allowed by the
function's own statements; and each statement must be one that is used.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from local import gateway
from local.settings import ACCOUNT, REGION, ROOT
from local.template import Resource, Template
from patchbay import vault
from patchbay.api_keys import guard
from patchbay.auth import jwt
from patchbay.clock import iso, now_ms
from patchbay.ids import DeliveryId
from patchbay.rate_limits import ceilings
from patchbay.settings import Settings
from patchbay.stats.counters import HOUR_MS, hour_of
from patchbay.storage import dynamo
from patchbay.version import VERSION
from tests.catalogued import POST, least
from tests.conftest import LAMBDA_CONTEXT, REDIRECT_URI, RETURN_ORIGIN, Answer, Api, Backend, jwt_for
from tests.faults import one_at_a_time
from tests.receivers import Answer as Reply
from tests.receivers import Request, receiver
from tests.wire import Params, around_calls

TEMPLATE = Template(
    ROOT / "template.yaml", {"JwksUrl": "https://platform.example/jwks", "PlatformWorkspaceId": "platform"}
)
FUNCTIONS = TEMPLATE.functions()
ROUTES = gateway.read(TEMPLATE).routes
QUEUES = {queue.logical_id: queue.properties for queue in TEMPLATE.of_type("AWS::SQS::Queue")}
TABLES = {table.logical_id: table.properties for table in TEMPLATE.of_type("AWS::DynamoDB::Table")}
SOURCES = {
    TEMPLATE.function_named(source.properties["FunctionName"]): TEMPLATE.queue_named(
        source.properties["EventSourceArn"]
    )
    for source in TEMPLATE.of_type("AWS::Lambda::EventSourceMapping")
}

# ── functions and their files ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_file(name: str) -> None:
    module, _, attribute = FUNCTIONS[name].handler.rpartition(".")
    assert attribute == "handler"
    assert (ROOT / "functions" / module.replace(".", "/")).with_suffix(".py").is_file()
    assert callable(importlib.import_module(module).handler)


def test_a_file_is_of_one_function() -> None:
    functions = ROOT / "functions"
    files = {
        file.relative_to(functions).with_suffix("").as_posix().replace("/", ".")
        for file in functions.rglob("*.py")
    }
    assert sorted(files) == sorted(f.handler.removesuffix(".handler") for f in FUNCTIONS.values())


def test_every_variable_is_a_setting_and_every_setting_is_set() -> None:
    local_only = {"PATCHBAY_ALLOW_LOOPBACK_TARGETS"}
    known = {field.name.upper() for field in fields(Settings)}
    for name, function in FUNCTIONS.items():
        variables = dict(function.environment)
        own = {variable for variable in variables if not variable.startswith("POWERTOOLS_")}
        assert own == known - local_only, name
        # Of the two ways to sign JWTs only one is set; and none is to have OAuth lead there by default.
        assert {variable for variable, value in variables.items() if not value} == {
            "JWT_SECRET_ARN",
            "ALLOWED_REDIRECT_URIS",
            "ALLOWED_RETURN_ORIGINS",
        }


def test_nothing_is_named_so_that_a_second_stack_fails() -> None:
    """Names of these kinds are unique in an account and region, and the SAM transform names a schedule after
    its logical id unless OmitName is set.
    """
    assert len(list(TEMPLATE.of_type("AWS::Scheduler::Schedule"))) == 6
    for kind, name in (
        ("AWS::Scheduler::Schedule", "Name"),
        ("AWS::DynamoDB::Table", "TableName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::IAM::Role", "RoleName"),
    ):
        for resource in TEMPLATE.of_type(kind):
            assert name not in resource.properties, resource.logical_id


def test_the_version_is_one() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────

# API.md, "Authentication and authorisation"; the first that fits. `*` is read for GET and write for the rest.
PUBLIC = None
SCOPES: list[tuple[str, str | None]] = [
    (r"\$default", PUBLIC),
    (r"GET /api/health", PUBLIC),
    (r"GET /api/integrations/\{id\}/oauth/callback", PUBLIC),
    (r"POST /api/events(/batch)?", "events:publish"),
    (r"GET /api/events(/.*)?", "events:read"),
    (r"POST /api/integrations/api-keys/verify", "api-keys:verify"),
    (r"\w+ /api/integrations/api-keys(/.*)?", "api-keys:*"),
    (r"\w+ /api/integrations/webhooks(/.*)?", "webhooks:*"),
    (r"GET /api/integrations/(health|analytics)", "analytics:read"),
    (r"GET /api/integrations/.*/token", "credentials:read"),
    (r"\w+ /api/integrations/.*(oauth|connections)(/.*)?", "connections:*"),
    (r"\w+ /api/integrations(/.*)?", "integrations:*"),
    (r"\w+ /api/automations/.*", "automations:use"),
    (r"PUT /api/actions/.*", "actions:handle"),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_a_route_asks_for_the_contracts_scope(route: gateway.Route) -> None:
    scope = next(scope for line, scope in SCOPES if re.fullmatch(line, route.key))
    if scope is not None:
        scope = scope.replace("*", "read" if route.method == "GET" else "write")
    assert asked_scope(route) == scope


def asked_scope(route: gateway.Route) -> str | None:
    module = FUNCTIONS[route.function].handler.rpartition(".")[0]
    scope: str | None = importlib.import_module(module).handler.endpoint["scope"]
    return scope


def test_a_place_in_a_path_has_one_variable_name() -> None:
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for route in ROUTES:
        shape = tuple("{}" if part.startswith("{") else part for part in route.segments)
        for at, part in enumerate(route.segments):
            if part.startswith("{"):
                names[shape[:at]].add(part)
    assert [(place, found) for place, found in names.items() if len(found) > 1] == []


def test_a_function_has_one_route() -> None:
    served = [route.function for route in ROUTES]
    assert len(served) == len(set(served))
    assert [route.key for route in ROUTES].count("$default") == 1


# ── times ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_endpoint_ends_before_the_gateway_gives_up() -> None:
    assert {
        route.function for route in ROUTES if FUNCTIONS[route.function].timeout >= gateway.MAX_SECONDS
    } == set()


def test_an_attempt_ends_before_the_function_the_lease_and_the_visibility() -> None:
    attempt, function, lease = (
        int(TEMPLATE.parameters[name])
        for name in ("AttemptTimeoutSeconds", "DeliverFunctionTimeoutSeconds", "DeliveryLeaseSeconds")
    )
    for lane in ("", "Slow"):
        assert FUNCTIONS[f"Deliver{lane}Function"].timeout == function
        assert attempt < function < lease < int(QUEUES[f"{lane}DeliveriesQueue"]["VisibilityTimeout"])


def test_a_test_event_is_answered_however_long_its_attempt() -> None:
    longest = TEMPLATE.document["Parameters"]["AttemptTimeoutSeconds"]["MaxValue"]
    start = 5  # a cold one, and the caller's API key
    assert longest + start <= FUNCTIONS["TestWebhookFunction"].timeout


def test_a_message_is_invisible_for_six_times_its_functions_timeout() -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    for function, queue in SOURCES.items():
        assert int(QUEUES[str(queue)]["VisibilityTimeout"]) >= 6 * FUNCTIONS[str(function)].timeout, function


# ── queues and tables ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_keeps_what_it_has(name: str) -> None:
    queue = QUEUES[name]
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is True
    if name in SOURCES.values():
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 1000
        dead_letters = TEMPLATE.queue_named(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert dead_letters is not None
        assert "RedrivePolicy" not in QUEUES[dead_letters]
        watched = [
            alarm.properties["Dimensions"][0]["Value"] for alarm in TEMPLATE.of_type("AWS::CloudWatch::Alarm")
        ]
        assert TEMPLATE.name(dead_letters) in watched


def test_a_source_reports_which_messages_failed() -> None:
    for source in TEMPLATE.of_type("AWS::Lambda::EventSourceMapping"):
        assert source.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


# Nothing in them is worth a restore: windows, OAuth states and idempotency rows last for a day at most.
WITHOUT_RECOVERY = {"IdempotencyTable", "RateLimitsTable", "OAuthStatesTable"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_costs_by_use_and_can_be_restored(name: str) -> None:
    table = TABLES[name]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    recovery = table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    assert recovery is (name not in WITHOUT_RECOVERY)
    resource = TEMPLATE.document["Resources"][name]
    kept = "Delete" if name in WITHOUT_RECOVERY else "Retain"
    assert resource["UpdateReplacePolicy"] == kept


PROVISIONED = Template(
    ROOT / "template.yaml", {**TEMPLATE.parameters, "TableCapacity": "provisioned", "MinTableCapacity": "9"}
)


def test_provisioned_tables_and_the_indexes_that_failures_write_follow_their_load() -> None:
    scaled = set()
    targets = {each.logical_id: each.properties for each in _scaling("ScalableTarget")}
    for policy in _scaling("ScalingPolicy"):
        target = targets.pop(policy.properties["ScalingTargetId"].removeprefix("patchbay-"))
        kind = target["ScalableDimension"].rpartition(":")[2].removesuffix("CapacityUnits")
        metric = policy.properties["TargetTrackingScalingPolicyConfiguration"][
            "PredefinedMetricSpecification"
        ]
        assert metric == {"PredefinedMetricType": f"DynamoDB{kind}CapacityUtilization"}
        assert target["ScalableDimension"].split(":")[1] == (
            "index" if "/index/" in target["ResourceId"] else "table"
        )
        scaled.add((target["ResourceId"].removeprefix("table/patchbay-"), kind))
    assert targets == {}
    least = {"ReadCapacityUnits": "9", "WriteCapacityUnits": "9"}
    for table in PROVISIONED.of_type("AWS::DynamoDB::Table"):
        name, properties = table.logical_id, table.properties
        if properties["BillingMode"] == "PAY_PER_REQUEST":
            assert name not in {resource.partition("/")[0] for resource, _ in scaled}
            continue
        indexes = properties.get("GlobalSecondaryIndexes", [])
        assert [each["ProvisionedThroughput"] for each in [properties, *indexes]] == [least] * (
            1 + len(indexes)
        )
        assert {(name, "Read"), (name, "Write")} <= scaled
    busy = {("DeliveriesTable/index/byStatus", "Write"), ("DeliveriesTable/index/due", "Write")}
    assert busy | {("EventsTable/index/due", "Write")} <= scaled


def _scaling(kind: str) -> Iterator[Resource]:
    return PROVISIONED.of_type(f"AWS::ApplicationAutoScaling::{kind}")


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_no_log_level_drops_the_metrics() -> None:
    """They are lines without a level, which Lambda treats as INFO."""
    for function in TEMPLATE.of_type("AWS::Lambda::Function"):
        config = function.properties["LoggingConfig"]
        assert (config["LogFormat"], config["ApplicationLogLevel"]) == ("JSON", "INFO"), function.logical_id


# ── rights: what is granted ──────────────────────────────────────────────────────────────────────────


class Right(NamedTuple):
    """An action on a resource: one that is granted (either may be a pattern), or one that a call needs.

    `attributes` and `partitions` are the values of `dynamodb:Attributes` and `dynamodb:LeadingKeys`: the ones
    that a grant is limited to (None: all), or the ones that a call names.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """

    action: str
    resource: str
    attributes: frozenset[str] | None = None
    partitions: frozenset[str] | None = None

    def covers(self, needed: Right) -> bool:
        return (
            fnmatchcase(needed.action, self.action)
            and fnmatchcase(needed.resource, self.resource)
            and _within(needed.attributes, self.attributes)
            and _within(needed.partitions, self.partitions)
        )


def _within(named: frozenset[str] | None, allowed: frozenset[str] | None) -> bool:
    return allowed is None or (named is not None and named <= allowed)


@dataclass(frozen=True)
class Grants:
    """A function's own rights, and those of the policies that it shares with others."""

    own: tuple[Right, ...]
    shared: Mapping[str, tuple[Right, ...]]

    def allow(self, needed: Right) -> bool:
        everything = [*self.own, *(right for rights in self.shared.values() for right in rights)]
        return any(right.covers(needed) for right in everything)


def granted(template: Template) -> dict[str, Grants]:
    """By function. AWS's managed policies (logs, reading the function's queue) are left to SAM."""
    shared = {
        template.name(policy.logical_id): (policy.logical_id, tuple(_rights(policy.properties)))
        for policy in template.of_type("AWS::IAM::ManagedPolicy")
    }
    roles = {role.logical_id: role.properties for role in template.of_type("AWS::IAM::Role")}
    found = {}
    for function in template.functions():
        role = roles[f"{function}Role"]
        found[function] = Grants(
            own=tuple(right for policy in role.get("Policies", []) for right in _rights(policy)),
            shared=dict(shared[arn] for arn in role["ManagedPolicyArns"] if arn in shared),
        )
    return found


def _rights(policy: Mapping[str, Any]) -> Iterator[Right]:
    for statement in policy["PolicyDocument"]["Statement"]:
        # Others than these the test would have to learn to weigh.
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}, statement
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {})
        assert condition.keys() <= {"ForAllValues:StringEquals"}, condition
        limits = condition.get("ForAllValues:StringEquals", {})
        assert limits.keys() <= {"dynamodb:Attributes", "dynamodb:LeadingKeys"}, limits
        attributes, partitions = (
            frozenset(limits[name]) if name in limits else None
            for name in ("dynamodb:Attributes", "dynamodb:LeadingKeys")
        )
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield Right(action, resource, attributes, partitions)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize(("function", "grants"), granted(TEMPLATE).items(), ids=list(FUNCTIONS))
def test_no_right_is_for_everything(function: str, grants: Grants) -> None:
    for right in [*grants.own, *(right for rights in grants.shared.values() for right in rights)]:
        assert "*" not in right.action, right
        assert "*" not in right.resource, right


def test_a_request_cannot_change_what_a_key_may_do() -> None:
    """Every function that authenticates counts uses in the key's row. Only the key routes change more."""
    keys = _table(TEMPLATE.name("ApiKeysTable"))
    update = "dynamodb:UpdateItem"
    editors = {"Create", "Update", "Rotate", "Revoke"}
    for function, grants in granted(TEMPLATE).items():
        if "AuthenticatePolicy" not in grants.shared:
            continue
        assert grants.allow(Right(update, keys, frozenset({"id", "v", "hn", "t", "lu"})))
        for attribute in ("sh", "sm", "sc", "hl", "dl", "workspaceId", "by", "ttl"):
            may_change = grants.allow(Right(update, keys, frozenset({"id", attribute})))
            assert may_change == (function in {f"{editor}ApiKeyFunction" for editor in editors}), function


def test_what_is_public_reads_no_workspaces_integrations() -> None:
    integrations = _table(TEMPLATE.name("IntegrationsTable"))
    public = [route.function for route in ROUTES if asked_scope(route) is PUBLIC]
    assert len(public) == 3
    for function in [*public, "BrowseMarketplaceFunction"]:
        for action in ("GetItem", "Query", "BatchGetItem", "Scan"):
            needed = Right(f"dynamodb:{action}", integrations, frozenset(), frozenset({"acme"}))
            assert not granted(TEMPLATE)[function].allow(needed), function


# ── rights: what is used ─────────────────────────────────────────────────────────────────────────────

_TRANSACTED = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def needed(service: str, operation: str, call: Mapping[str, Any]) -> Iterator[Right]:
    """What IAM asks for a call: the actions and resources of the Service Authorization Reference."""
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            for item in call["TransactItems"]:
                ((kind, action),) = item.items()
                yield Right(_TRANSACTED[kind], _table(action["TableName"]), *_named(action))
        case "dynamodb", ("BatchGetItem" | "BatchWriteItem"):
            for table in call["RequestItems"]:
                yield Right(f"dynamodb:{operation}", _table(table))
        case "dynamodb", ("GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" | "Scan"):
            table = _table(call["TableName"], call.get("IndexName"))
            yield Right(f"dynamodb:{operation}", table, *_named(call))
        case "sqs", (
            "SendMessage"
            | "SendMessageBatch"
            | "ChangeMessageVisibility"
            | "ChangeMessageVisibilityBatch"
            | "GetQueueAttributes"
        ):
            name = call["QueueUrl"].rpartition("/")[2]
            yield Right(f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
        case "kms", ("GenerateDataKey" | "Decrypt"):
            yield Right(f"kms:{operation}", call["KeyId"])
        case "secretsmanager", "GetSecretValue":
            yield Right(f"secretsmanager:{operation}", call["SecretId"])
        case _:
            raise NotImplementedError(f"say here which rights {service}.{operation} needs")


_WORD = re.compile(r"[#:]?[A-Za-z_]\w*")
_SYNTAX = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"}
_SYNTAX |= {"attribute_exists", "attribute_not_exists", "begins_with", "contains", "size", "if_not_exists"}


def _named(call: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str] | None]:
    """The attributes that a call names in its key, its item and its expressions, and the partition it is for
    (None for a scan, or where only the reader's code knows it).
    """
    expressions = [text for name, text in call.items() if name.endswith("Expression")]
    words = {word for text in expressions for word in _WORD.findall(text)} - _SYNTAX
    names = call.get("ExpressionAttributeNames", {})
    attributes = {names.get(word, word) for word in words if not word.startswith(":")}
    row = {**call.get("Key", {}), **call.get("Item", {})}
    if asked := call.get("KeyConditionExpression"):
        name, value = re.findall(r"(#?\w+) = (:\w+)", asked)[0]
        row[names.get(name, name)] = call["ExpressionAttributeValues"][value]
    partition = row.get("workspaceId")
    return frozenset(attributes | row.keys()), frozenset([partition["S"]]) if partition else None


def _table(name: str, index: str | None = None) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}" + (f"/index/{index}" if index else "")


_sealer = vault.sealer


class CallRecorder:
    """Runs functions, each time with nothing remembered from the last, and notes what they ask of AWS."""

    def __init__(self, backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.backend = backend
        self.used: dict[str, set[Right]] = defaultdict(set)
        self.encrypted: set[str] = set()  # functions that did
        self._api = api
        self._routes = gateway.read(backend.template)
        self._function = ""
        monkeypatch.setattr(vault, "sealer", self._sealer)

    def api(self, line: str, status: int, **more: Any) -> Any:
        """A request, and the answer that it must have."""
        method, _, target = line.partition(" ")
        found = self._routes.match(method, target.partition("?")[0])
        assert found is not None
        answer: Answer = self._run(found[0].function, lambda: self._api(line, **more))
        assert answer.status == status, f"{line}: {answer.text}"
        return answer.json() if answer.text else None

    def worker(self, function: str, queue: str | None = None, *, left: int | None = None) -> Any:
        """An invocation with everything in the queue, and its whole timeout or that many milliseconds."""
        return self.invoke(function, {"Records": self.backend.messages(queue)} if queue else {}, left)

    def invoke(self, function: str, event: dict[str, Any], left: int | None = None) -> Any:
        handler = importlib.import_module(FUNCTIONS[function].handler.rpartition(".")[0]).handler
        left = FUNCTIONS[function].timeout * 1000 if left is None else left
        context = SimpleNamespace(**vars(LAMBDA_CONTEXT) | {"get_remaining_time_in_millis": lambda: left})
        return self._run(function, lambda: handler(event, context))

    def _run(self, function: str, work: Callable[[], Any]) -> Any:
        self._function = function
        self.used[function] |= set()  # it was tried, whatever it asks for
        for clear_cache in (vault.clear_cache, jwt.clear_cache, guard.clear_cache, ceilings.clear_cache):
            clear_cache()
        return work()

    def _sealer(self, workspace_id: str) -> Callable[[str, str], str]:
        self.encrypted.add(self._function)
        return _sealer(workspace_id)

    def note(self, service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        self.used[self._function].update(needed(service, operation, params))
        return call(params)


@pytest.fixture
def recorder(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[CallRecorder]:
    """After each function has done all that it may have to do."""
    one_at_a_time(monkeypatch)
    recorder = CallRecorder(backend, api, monkeypatch)
    with around_calls(recorder.note):
        everything(recorder)
        yield recorder


KEYS, HOOKS, EVENTS = "/api/integrations/api-keys", "/api/integrations/webhooks", "/api/events"
INTEGRATIONS = "/api/integrations"
CALLBACK = f"{INTEGRATIONS}/oauth/callback"
JSON = {"content-type": "application/json"}


def everything(recorder: CallRecorder) -> None:
    """Every function, on every way that makes a call of its own."""
    api = recorder.api
    api("GET /api/health", 200, token=None)
    api("GET /api/nothing", 404, token=None)

    once = {"idempotency-key": "one"}
    key = {"name": "test", "scopes": ["events:publish", "events:read"]}
    made = api(f"POST {KEYS}", 201, json=key, headers=once)
    assert api(f"POST {KEYS}", 201, json=key, headers=once) == made
    api(f"POST {KEYS}", 403, json={**key, "scopes": ["actions:handle"]}, headers={"idempotency-key": "two"})
    api(f"GET {KEYS}", 200)
    api(f"GET {KEYS}/{made['id']}", 200)
    expires = iso(datetime.now(UTC) + timedelta(days=5))
    ending = api(f"POST {KEYS}", 201, json={**key, "expiresAt": expires})
    api(f"PUT {KEYS}/{ending['id']}", 200, json={"name": "renamed"})
    new = api(f"POST {KEYS}/{ending['id']}/rotate", 201, headers=once)
    api(f"POST {KEYS}/{ending['id']}/rotate", 409, headers={"idempotency-key": "two"})
    assert api(f"POST {KEYS}/verify", 200, json={"key": new["key"]})["valid"]
    _set(recorder.backend, "ApiKeysTable", {"id": ending["id"]}, d=1, x=1)
    _set(recorder.backend, "ApiKeysTable", {"id": new["id"]}, d=1, x=now_ms() + 3_600_000)
    assert recorder.worker("ExpireKeysFunction") == {"announced": 1, "retired": 1}
    assert len(recorder.backend.messages("EventsQueue")) == 1
    _set(recorder.backend, "RateLimitsTable", {"id": "of a workspace that is gone"}, ttl=1)
    assert recorder.worker("SweepWindowsFunction") == {"deleted": 1}

    with receiver([200]) as well, receiver([500]) as broken, receiver([410]) as gone:
        hook = {"name": "test", "url": well.url, "events": ["POST_PUBLISHED"]}
        retries = {"maxRetries": 1, "backoffMultiplier": 1, "initialDelaySeconds": 1}
        first = api(f"POST {HOOKS}", 201, json={**hook, "headers": {"x-team": "social"}}, headers=once)
        other = {"idempotency-key": "two"}
        api(f"POST {HOOKS}", 422, json={**hook, "url": "ftp://files.example"}, headers=other)
        soon = api(f"POST {HOOKS}", 201, json={**hook, "url": broken.url, "retryConfig": retries})
        late, later = ({**retries, "initialDelaySeconds": seconds} for seconds in (500, 3000))
        # Waits for minutes in the queue if that is not crowded; and past MaxVisibilityWaitSeconds.
        slow = api(f"POST {HOOKS}", 201, json={**hook, "url": broken.url, "retryConfig": late})
        parked = api(f"POST {HOOKS}", 201, json={**hook, "url": broken.url, "retryConfig": later})
        disabled = api(f"POST {HOOKS}", 201, json={**hook, "url": gone.url})
        limited = api(f"POST {HOOKS}", 201, json={**hook, "url": well.url, "rateLimitPerSecond": 1})
        api(f"GET {HOOKS}", 200)
        api(f"GET {HOOKS}/event-types", 200)
        path = f"{HOOKS}/{first['id']}"
        api(f"PUT {path}", 200, json={"events": ["POST_FAILED", "POST_PUBLISHED"], "headers": {"x-a": "b"}})
        api(f"PUT {path}", 200, json={"events": ["POST_PUBLISHED"]})
        for status in ("INACTIVE", "ACTIVE"):
            api(f"PUT {path}/status", 200, json={"status": status})
        rotated = api(f"POST {path}/rotate-secret", 200, headers=once)
        assert api(f"POST {path}/rotate-secret", 200, headers=once) == rotated
        api(f"POST {path}/rotate-secret", 409, headers={"idempotency-key": "two", "if-match": "1"})
        assert api(f"POST {path}/test", 200)["statusCode"] == 200

        # Large enough that the worker reads its body from the event's row.
        event = {"type": "POST_PUBLISHED", "data": {**POST, "text": "x" * 70_000}}
        published = api(f"POST {EVENTS}", 202, json=event, token=made["key"], headers=once)
        campaign = {"type": "CAMPAIGN_STARTED", "data": least("CAMPAIGN_STARTED")}
        batch = {"events": [campaign]}
        api(f"POST {EVENTS}/batch", 202, json=batch, token=made["key"], headers=once)
        for detail in ({"idempotencyKey": "one", **campaign}, {}):
            put(recorder.backend, {"workspaceId": "acme", **detail})
        started = {**hook, "events": ["CAMPAIGN_STARTED"]}
        for _ in range(10):  # with the next one, for more than one send
            api(f"POST {HOOKS}", 201, json=started)
        api(f"POST {HOOKS}", 201, json={**started, "url": broken.url, "retryConfig": late})
        many = api(f"POST {EVENTS}", 202, json=campaign)
        for queue in ("EventsQueue", "DeliveriesQueue"):
            url = recorder.backend.queue_url(queue)
            recorder.backend.client("sqs").send_message(QueueUrl=url, MessageBody="unreadable")
        assert recorder.worker("FanOutFunction", "EventsQueue", left=0)[
            "batchItemFailures"
        ]  # goes back at once
        assert recorder.worker("FanOutFunction", "EventsQueue") == {"batchItemFailures": []}
        # Those of the large event have proved fast; the others take the slow lane.
        for each in (first, soon, slow, parked, disabled, limited):
            _set(
                recorder.backend,
                "HealthTable",
                {"webhookKey": f"acme#{each['id']}", "sk": "health"},
                fastAt=1,
            )
        assert len(recorder.worker("DeliverFunction", "DeliveriesQueue")["batchItemFailures"]) == 2
        assert recorder.worker("DeliverSlowFunction", "SlowDeliveriesQueue")["batchItemFailures"] != []

    statuses = {
        d["webhookId"]: d["status"] for d in api(f"GET {EVENTS}/{published['id']}", 200)["deliveries"]
    }
    assert statuses == {
        first["id"]: "DELIVERED",
        soon["id"]: "RETRYING",
        slow["id"]: "RETRYING",
        limited["id"]: "DELIVERED",
        parked["id"]: "RETRYING",
        disabled["id"]: "FAILED",
    }
    (waiting,) = [row for row in recorder.backend.rows("DeliveriesTable") if "dueAt" in row]
    _set(recorder.backend, "DeliveriesTable", {n: waiting[n] for n in ("webhookKey", "sk")}, dueAt=1)
    stopped = {"workspaceId": "acme", "id": many["id"]}
    _set(recorder.backend, "EventsTable", stopped, dueAt=1, dueShard=0)
    assert recorder.worker("SweepDeliveriesFunction") == {"queued": 1}
    told = [json.loads(message["body"])["type"] for message in recorder.backend.messages("EventsQueue")]
    assert told == ["WEBHOOK_DISABLED", "CAMPAIGN_STARTED"]

    # Two hours ago, so that there is something to roll up; and now, so that there is something to read.
    limited_key = f"acme#{limited['id']}"
    (delivery,) = [
        row for row in recorder.backend.rows("DeliveriesTable") if row["webhookKey"] == limited_key
    ]
    this, id = hour_of(now_ms()), DeliveryId.new(now_ms() - 2 * HOUR_MS)
    _put(recorder.backend, "DeliveriesTable", {**delivery, "sk": id})
    for hour in (this - 2, this):
        _put(recorder.backend, "EventsTable", {"workspaceId": f"active#{hour}", "id": "acme"})
    _put(
        recorder.backend,
        "HealthTable",
        {"webhookKey": "roll-up", "sk": "progress", "rolledThrough": this - 3},
    )
    assert recorder.worker("RollUpStatsFunction") == {"rolledUp": 1}

    api(f"GET {EVENTS}", 200)
    api(f"GET {EVENTS}?type=POST_PUBLISHED", 200)
    for id in (first["id"], disabled["id"]):
        api(f"GET {HOOKS}/{id}", 200)
        (delivery,) = api(f"GET {HOOKS}/{id}/deliveries", 200)["items"]
        api(f"GET {HOOKS}/{id}/deliveries/{delivery['id']}", 200)
    (failed,) = api(f"GET {HOOKS}/{disabled['id']}/deliveries?status=FAILED", 200)["items"]
    # With something that may be pending: it is counted.
    api(f"GET {HOOKS}", 200)
    again = f"{HOOKS}/{disabled['id']}"
    api(f"PUT {again}", 200, json={"name": "well again"})
    api(f"PUT {again}/status", 200, json={"status": "ACTIVE"})
    api(f"POST {again}/recover", 202, json={"since": iso(datetime.now(UTC) - timedelta(hours=1))})
    api(f"POST {again}/deliveries/{failed['id']}/retry", 202)

    api(f"DELETE {path}", 200)
    api(f"DELETE {KEYS}/{made['id']}", 200)
    automations(recorder)
    integrations(recorder)


def automations(recorder: CallRecorder) -> None:
    """Hooks that are found again, paused, gone; runs that are answered, called back, and left alone."""
    api, base, once = recorder.api, "/api/automations/n8n", {"idempotency-key": "one"}
    recorder.backend.messages("EventsQueue")
    recorder.backend.messages("DeliveriesQueue")
    api(f"GET {base}/me", 200)
    api(f"GET {base}/triggers", 200)
    assert len(api(f"GET {base}/triggers/POST_PUBLISHED/samples", 200)) == 2
    api(f"GET {base}/actions", 200)
    with receiver([410]) as gone:
        wanted = {"targetUrl": gone.url, "event": "POST_FAILED"}
        hook = api(f"POST {base}/hooks", 201, json=wanted, headers=once)
        assert api(f"POST {base}/hooks", 201, json=wanted, headers=once) == hook
        api(f"PUT {HOOKS}/{hook['id']}/status", 200, json={"status": "INACTIVE"})
        api(f"POST {base}/hooks", 200, json=wanted, headers={"idempotency-key": "two"})
        api(f"GET {base}/hooks", 200)
        api(f"GET {base}/hooks/{hook['id']}", 200)
        data = {"postId": "p", "network": "n", "errorCode": "e"}
        api(f"POST {EVENTS}", 202, json={"type": "POST_FAILED", "data": data})
        recorder.worker("FanOutFunction", "EventsQueue")
        recorder.worker("DeliverFunction", "DeliveriesQueue")
        recorder.worker("DeliverSlowFunction", "SlowDeliveriesQueue")
        api(f"GET {base}/hooks/{hook['id']}", 404)
    with receiver([400]) as failing:
        wanted = {"targetUrl": failing.url, "event": "POST_FAILED"}
        hook = api(f"POST {base}/hooks", 201, json=wanted)
        api(f"PUT {HOOKS}/{hook['id']}", 200, json={"disableAfter": 1})
        api(f"POST {EVENTS}", 202, json={"type": "POST_FAILED", "data": data})
        recorder.worker("FanOutFunction", "EventsQueue")
        recorder.worker("DeliverFunction", "DeliveriesQueue")
        recorder.worker("DeliverSlowFunction", "SlowDeliveriesQueue")
        assert api(f"POST {base}/hooks", 201, json=wanted)["id"] == hook["id"]
    other = api(f"POST {base}/hooks", 201, json={**wanted, "targetUrl": "https://example.com/"})
    api(f"DELETE {base}/hooks/{other['id']}", 200)

    platform = jwt_for("platform")
    items = [{"id": "acc_1", "label": "One"}]
    filled = {"workspaceId": "acme", "items": items}
    api("PUT /api/actions/choices/accounts", 200, json=filled, token=platform)
    assert api(f"GET {base}/choices/accounts", 200) == items
    action = f"POST {base}/actions/create_campaign"
    asked = {"input": {"name": "Spring"}, "callbackUrl": "https://example.com/"}
    for each in ("one", "one", "two"):
        run = api(action, 202, json=asked, headers={"idempotency-key": each})
    refused = {"input": {"name": 1}}
    api(action, 422, json=refused, headers={"idempotency-key": "three"})
    silent, slow = (api(action, 202, json=asked) for _ in range(2))
    output = {"campaignId": "c", "name": "Spring"}
    said = {"status": "SUCCEEDED", "output": output}
    api(f"PUT /api/actions/runs/{run['id']}", 200, json=said, token=platform)
    api(f"GET {base}/runs", 200)
    api(f"GET {base}/runs/{run['id']}", 200)
    _set(recorder.backend, "AutomationsTable", {"id": silent["id"]}, dueAt=1, expiresAt=1)
    _set(recorder.backend, "AutomationsTable", {"id": slow["id"]}, dueAt=1)
    assert recorder.worker("SweepRunsFunction") == {"seen": 2}
    bodies = [json.loads(message["body"]) for message in recorder.backend.messages("SlowDeliveriesQueue")]
    called = [body["webhook_id"] for body in bodies if body["webhook_id"].startswith("run_")]
    assert called == [run["id"], silent["id"]]
    recorder.backend.messages("EventsQueue")


def integrations(recorder: CallRecorder) -> None:
    """The marketplace, a publisher and an installer; a provider that rotates, falls silent, and says no."""
    api, once = recorder.api, {"idempotency-key": "one"}
    public = {
        "name": "Contacts",
        "type": "CRM",
        "provider": "hubspot",
        "config": {"clientId": "id", "clientSecret": "secret"},
        "isPublic": True,
    }
    published = api(f"POST {INTEGRATIONS}", 201, json=public, headers=once)
    waiting = recorder.worker("ReviewPublicationFunction")["waiting"][0]
    decision = {name: waiting[name] for name in ("workspaceId", "integrationId", "version")}
    recorder.invoke("ReviewPublicationFunction", {**decision, "decision": "APPROVE"})
    api(f"GET {INTEGRATIONS}/marketplace", 200)
    copies = [
        api(f"POST {INTEGRATIONS}/{published['id']}/install", 201, headers={"idempotency-key": str(n)})
        for n in range(3)
    ]
    begin = {"redirectUri": REDIRECT_URI}
    begun = api(f"POST {INTEGRATIONS}/{copies[0]['id']}/oauth/initiate", 200, json=begin)
    api(f"POST {CALLBACK}", 422, json={"state": begun["state"], "error": "access_denied"})
    api(f"POST {INTEGRATIONS}/{copies[1]['id']}/oauth/initiate", 200, json=begin)  # that nobody finishes
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json={"description": "new"})
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json={"isPublic": False})
    moved = {"config": {"clientId": "another", "clientSecret": "new"}}
    api(f"PUT {INTEGRATIONS}/{published['id']}", 200, json=moved)
    # Its source's client is another now: each function that would use it puts the copy out of service.
    api(f"POST {INTEGRATIONS}/{copies[0]['id']}/oauth/initiate", 409, json=begin)
    api(f"PUT {INTEGRATIONS}/{copies[0]['id']}/status", 409, json={"status": "ACTIVE"})
    plain = api(f"POST {INTEGRATIONS}", 201, json={"name": "plain", "type": "CRM"})
    hook = {"name": "test", "url": "https://example.com", "events": ["*"], "integrationId": plain["id"]}
    webhook = api(f"POST {HOOKS}", 201, json=hook)
    api(f"PUT {HOOKS}/{webhook['id']}", 200, json={"integrationId": plain["id"]})
    credentials = {"credentials": {"apiKey": "key"}}
    keyed = api(f"POST {INTEGRATIONS}/{plain['id']}/connections", 201, json=credentials, headers=once)
    api(f"GET {INTEGRATIONS}", 200)
    api(f"GET {INTEGRATIONS}/{plain['id']}/logs", 200)
    for ref in ("default", keyed["id"]):
        api(f"GET {INTEGRATIONS}/{plain['id']}/connections/{ref}", 200)
        api(f"GET {INTEGRATIONS}/{plain['id']}/connections/{ref}/token", 200)
    api(f"GET {INTEGRATIONS}/{plain['id']}/connections", 200)

    def provider(request: Request) -> Reply | int:
        if b"token=" in request.body.replace(b"refresh_token=", b""):
            return 200  # a revocation
        if b"refuse" in request.body:
            return Reply(400, JSON, b'{"error": "invalid_grant"}')
        tokens = {"access_token": "a", "refresh_token": "refuse", "expires_in": 3600}
        return Reply(200, JSON, json.dumps(tokens).encode())

    with receiver([provider]) as r:
        addresses = {f"{name}Url": f"{r.url}/{name}" for name in ("authorization", "token", "revocation")}
        own = {"name": "own", "type": "CUSTOM", "provider": "own"}
        made = api(
            f"POST {INTEGRATIONS}",
            201,
            json={**own, "config": {**addresses, "clientId": "id", "clientSecret": "secret"}},
        )
        path = f"{INTEGRATIONS}/{made['id']}"
        api(f"GET {path}?reveal=true", 200)
        for status in ("INACTIVE", "ACTIVE"):
            api(f"PUT {path}/status", 200, json={"status": status})

        def connect(name: str) -> dict[str, Any]:
            back = {"returnUrl": f"{RETURN_ORIGIN}/back"}
            begun = api(f"POST {path}/oauth/initiate", 200, json={**begin, **back, "connectionId": name})
            query = urlencode({"state": begun["state"], "code": "c"})
            api(f"GET {path}/oauth/callback?{query}", 303, token=None)
            return dict(api(f"POST {CALLBACK}", 200, json={"state": begun["state"], "code": "c"}))

        # The first refresh of each is refused: the connection expires, and that is announced.
        slow = {"integrationKey": "acme", "name": "calls"}
        _set(recorder.backend, "ConnectionsTable", slow, slowUntil=2**52)
        connect("forced")
        api(f"POST {path}/oauth/refresh", 409, json={"connectionId": "forced"})
        for name in ("asked", "scheduled", "removed"):
            connect(name)
            key = {"integrationKey": f"acme#{made['id']}", "name": name}
            _set(recorder.backend, "ConnectionsTable", key, refreshAt=1, expiresAt=1, dueAt=1)
        api(f"GET {path}/connections/asked/token", 409)
        api(f"DELETE {path}/connections/{connect('removed')['id']}", 200)
        assert recorder.worker("RefreshConnectionsFunction") == {"connections": 1, "tasks": 1}
        types = [json.loads(message["body"])["type"] for message in recorder.backend.messages("EventsQueue")]
        assert types == ["CONNECTION_EXPIRED"] * 3
        # With a lease of somebody else's in the way, and then one that ran out.
        _set(recorder.backend, "ConnectionsTable", slow, slowUntil=0)
        connect("forced")
        connect("asked")
        for name, line in (("forced", "POST oauth/refresh"), ("asked", "GET connections/asked/token")):
            key = {"integrationKey": f"acme#{made['id']}", "name": name}
            soon = now_ms() + 300
            _set(recorder.backend, "ConnectionsTable", key, refreshAt=1, expiresAt=1, leaseUntil=soon)
            _set(recorder.backend, "ConnectionsTable", key, leaseOwner="dead")
            method, _, rest = line.partition(" ")
            body = {"json": {"connectionId": name}} if method == "POST" else {}
            api(f"{method} {path}/{rest}", 409, **body)
        connect("asked")
        for copy, line in ((copies[1], "POST oauth/refresh"), (copies[2], "GET connections/default/token")):
            _copy_connection(recorder.backend, f"acme#{made['id']}", f"acme#{copy['id']}")
            method, _, rest = line.partition(" ")
            api(f"{method} {INTEGRATIONS}/{copy['id']}/{rest}", 409)
        api(f"PUT {path}", 200, json={"config": {"clientId": "other", "clientSecret": "secret"}})
        assert recorder.worker("RefreshConnectionsFunction")["tasks"] == 1
        for id in (made["id"], plain["id"], published["id"]):
            api(f"DELETE {INTEGRATIONS}/{id}", 200)
        assert recorder.worker("RefreshConnectionsFunction")["tasks"] == 3


def put(backend: Backend, detail: dict[str, Any]) -> None:
    """Put an event on the bus."""
    (bus,) = backend.template.of_type("AWS::Events::EventBus")
    entry = {"EventBusName": bus.properties["Name"], "Source": "test", "DetailType": "test"}
    answer = backend.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0, answer


def _copy_connection(backend: Backend, source: str, target: str) -> None:
    """A connection that it would have, had its provider been there to ask; in want of a refresh."""
    (row,) = [
        row
        for row in backend.rows("ConnectionsTable")
        if (row["integrationKey"], row["name"]) == (source, "asked")
    ]
    row |= {"integrationKey": target, "name": "default", "refreshAt": 1, "expiresAt": 1, "generation": 1}
    row["integrationId"] = target.partition("#")[2]
    _put(backend, "ConnectionsTable", row)


def _put(backend: Backend, table: str, row: dict[str, Any]) -> None:
    backend.client("dynamodb").put_item(TableName=backend.template.name(table), Item=dynamo.pack_row(row))


def _set(backend: Backend, table: str, key: dict[str, str], **values: int | str) -> None:
    """What time, or another process, has done to a row."""
    backend.client("dynamodb").update_item(
        TableName=backend.template.name(table),
        Key={name: {"S": value} for name, value in key.items()},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": dynamo.pack(value) for name, value in values.items()},
    )


# Rights that the requests above do not show to be used: (function or shared policy, action, table) → why.
UNUSED: dict[tuple[str, str], str] = {}


@pytest.mark.parameters(MaxVisibilityWaitSeconds=1000)
def test_rights_and_calls_agree_and_rows_end_in_tables_that_end_them(
    recorder: CallRecorder, backend: Backend
) -> None:
    grants = granted(backend.template)
    assert recorder.used.keys() == grants.keys(), "a function was not tried: add a request to `everything`"

    missing = [
        f"{function} may not {right.action} on {right.resource}"
        for function, used in recorder.used.items()
        for right in used
        if not grants[function].allow(right)
    ]
    assert missing == []

    idle = []
    shared: dict[str, set[Right]] = defaultdict(set)
    for function, rights in grants.items():
        used = recorder.used[function]
        idle += [(function, *right[:2]) for right in rights.own if not any(right.covers(u) for u in used)]
        for policy, its_rights in rights.shared.items():
            shared[policy] |= used
            if not any(right.covers(u) for right in its_rights for u in used):
                idle.append((function, policy, "as a whole"))
    for policy, its_rights in {p: r for g in grants.values() for p, r in g.shared.items()}.items():
        idle += [
            (policy, *right[:2]) for right in its_rights if not any(right.covers(u) for u in shared[policy])
        ]
    assert [right for right in idle if right[:2] not in UNUSED] == []
    # Others only decrypt, and cannot make data keys.
    assert {function for function, g in grants.items() if "VaultPolicy" in g.shared} == recorder.encrypted

    # And the rows that all this has left: those that end are in tables that end them.
    ending = {name for name in TABLES if any("ttl" in row for row in recorder.backend.rows(name))}
    expiring = {
        name
        for name, table in TABLES.items()
        if table.get("TimeToLiveSpecification") == {"AttributeName": "ttl", "Enabled": True}
    }
    assert ending == expiring
