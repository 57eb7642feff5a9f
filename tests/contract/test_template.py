"""template.yaml matches the API contract and the code: routes, scopes, timeouts, tables, queues, rights.

No emulator enforces IAM, so a missing right would show only in a deployed stack. These tests run every
function in this process against moto, and record its AWS calls. The function's own statements must allow each
call, and each statement must be used.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local import gateway
from local.direct import handler_of
from local.settings import ACCOUNT, REGION, REQUIRED_PARAMETERS, ROOT
from local.template import Resource, Template
from patchbay import vault
from patchbay.auth.principal import in_process
from patchbay.events import service as events
from patchbay.events.models import PublishEvent, PublishEvents
from patchbay.ids import EventId
from patchbay.settings import Settings
from patchbay.version import VERSION
from tests.conftest import Api, Backend, routes_of
from tests.faults import one_at_a_time
from tests.tour import Driver, tour
from tests.wire import Params, around_calls

TEMPLATE = Template(ROOT / "template.yaml", REQUIRED_PARAMETERS)
FUNCTIONS = TEMPLATE.functions()
ROUTES = routes_of(TEMPLATE)
[API] = (api.properties["Body"] for api in TEMPLATE.of_type("AWS::ApiGatewayV2::Api"))
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
def test_function_has_handler_file(name: str) -> None:
    module, _, attribute = FUNCTIONS[name].handler.rpartition(".")
    assert attribute == "handler"
    assert (ROOT / "functions" / module.replace(".", "/")).with_suffix(".py").is_file()
    assert callable(importlib.import_module(module).handler)


def test_handler_file_belongs_to_one_function() -> None:
    functions = ROOT / "functions"
    files = {
        file.relative_to(functions).with_suffix("").as_posix().replace("/", ".")
        for file in functions.rglob("*.py")
    }
    assert sorted(files) == sorted(f.handler.removesuffix(".handler") for f in FUNCTIONS.values())


def test_environment_variables_match_settings() -> None:
    local_only = {"PATCHBAY_ALLOW_LOOPBACK_TARGETS"}
    of_one_function = {"CONSOLE_FRAME_ANCESTORS": "GetConsoleFileFunction"}
    known = {field.name.upper() for field in fields(Settings)}
    for name, function in FUNCTIONS.items():
        variables = dict(function.environment)
        for variable, owner in of_one_function.items():
            assert variables.pop(variable, None) == ("" if name == owner else None), name
        own = {variable for variable in variables if not variable.startswith("POWERTOOLS_")}
        assert own == known - local_only - of_one_function.keys(), name
        # One of the two ways to sign JWTs is set. No redirect target is allowed by default.
        assert {variable for variable, value in variables.items() if not value} == {
            "JWT_SECRET_ARN",
            "ALLOWED_REDIRECT_URIS",
            "ALLOWED_RETURN_ORIGINS",
        }


def test_no_resource_name_prevents_a_second_stack() -> None:
    """Names of these types are unique per account and region. The SAM transform names a schedule after its
    logical id unless OmitName is set, and a layer after its logical id unless LayerName is set.
    """
    layers = {layer.properties["LayerName"] for layer in TEMPLATE.of_type("AWS::Lambda::LayerVersion")}
    assert layers == {
        "patchbay-console",
        "patchbay-dependencies",
        "patchbay-patchbay",
        "patchbay-reference",
    }
    parameters = {parameter.properties["Name"] for parameter in TEMPLATE.of_type("AWS::SSM::Parameter")}
    assert all(name.startswith("/patchbay/") for name in parameters)
    assert len(list(TEMPLATE.of_type("AWS::Scheduler::Schedule"))) == 7
    for kind, name in (
        ("AWS::Scheduler::Schedule", "Name"),
        ("AWS::DynamoDB::Table", "TableName"),
        ("AWS::S3::Bucket", "BucketName"),
        ("AWS::SQS::Queue", "QueueName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::IAM::Role", "RoleName"),
    ):
        for resource in TEMPLATE.of_type(kind):
            assert name not in resource.properties, resource.logical_id


def test_stack_is_within_the_quotas_of_cloudformation_and_api_gateway() -> None:
    assert len(TEMPLATE.document["Resources"]) <= 450  # as in `make release-check`
    assert len(gateway.read(TEMPLATE).routes) <= 300


def test_package_and_library_have_one_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────

# The first pattern that matches decides. `*` means read for GET, and write for other methods.
PUBLIC = None
ANY = "any caller"
LINK = "a connect link"
SCOPES: list[tuple[str, str | None]] = [
    (r"\$default", PUBLIC),
    (r"GET /api/(health|openapi\.json|docs(/\{file\})?)", PUBLIC),
    (r"GET /(console|connect)(/\{file\+\})?", PUBLIC),
    (r"GET /api/me", ANY),
    (r"POST /api/portal/sessions/exchange", PUBLIC),
    (r"\w+ /api/portal/sessions(/.*)?", ANY),
    (r"GET /api/connect/session", LINK),
    (r"\w+ /api/connect/sessions(/.*)?", "connections:*"),
    (r"GET /api/deliveries", "webhooks:read"),
    (r"GET /api/integrations/\{id\}/oauth/callback", PUBLIC),
    (r"POST /api/events(/batch)?", "events:publish"),
    (r"GET /api/events(/.*)?", "events:read"),
    (r"DELETE /api/events/\{id\}/data", "events:publish"),
    (r"POST /api/integrations/api-keys/verify", "api-keys:verify"),
    (r"\w+ /api/integrations/api-keys(/.*)?", "api-keys:*"),
    (r"\w+ /api/integrations/webhooks(/.*)?", "webhooks:*"),
    (r"GET /api/integrations/(health|analytics)", "analytics:read"),
    (r"GET /api/integrations/.*/token", "credentials:read"),
    (r"\w+ /api/integrations/.*(oauth|connections)(/.*)?", "connections:*"),
    (r"\w+ /api/integrations(/.*)?", "integrations:*"),
    (r"GET /api/connections", "connections:read"),
    (r"\w+ /api/automations/.*", "automations:use"),
    (r"PUT /api/actions/.*", "actions:handle"),
    (r"\w+ /api/publications(/.*)?", "publications:review"),
    (r"POST /api/flows/dry-run", "flows:read"),
    (r"\w+ /api/flows(/.*)?", "flows:*"),
    (r"\w+ /api/tasks(/.*)?", "webhooks:*"),
    (r"GET /api/audit", "audit:read"),
    (r"GET /api/workspace", ANY),
    (r"POST /api/workspace/export", "workspace:export"),
    (r"\w+ /api/workspace", "workspace:delete"),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_route_requires_the_scope_of_the_contract(route: gateway.Route) -> None:
    scope = next(scope for line, scope in SCOPES if re.fullmatch(line, route.key))
    if scope is not None:
        scope = scope.replace("*", "read" if route.method == "GET" else "write")
    assert required_scope(route) == scope


def required_scope(route: gateway.Route) -> str | None:
    endpoint = handler_of(FUNCTIONS[route.function]).endpoint
    if endpoint["links"] == "only":
        return LINK
    if endpoint["scope"] is None and not endpoint["public"]:
        return ANY
    scope: str | None = endpoint["scope"]
    return scope


def test_path_segment_has_one_variable_name() -> None:
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for route in ROUTES:
        shape = tuple("{}" if part.startswith("{") else part for part in route.segments)
        for at, part in enumerate(route.segments):
            if part.startswith("{"):
                names[shape[:at]].add(part)
    assert [(place, found) for place, found in names.items() if len(found) > 1] == []


def test_function_has_one_route() -> None:
    """The exception is the console's files: all of their routes have the same function."""
    pages = {"GET /console", "GET /console/{file+}", "GET /connect", "GET /connect/{file+}"}
    assert {r.key for r in ROUTES if r.function == "GetConsoleFileFunction"} == pages
    served = [route.function for route in ROUTES if route.key not in pages]
    assert len(served) == len(set(served))
    assert [route.key for route in ROUTES].count("$default") == 1


def test_path_declares_its_variables() -> None:
    """If one is missing, API Gateway only warns, and a page that shows the API's definition lacks it."""
    for path, item in API["paths"].items():
        declared = [parameter["name"] for parameter in item.get("parameters", [])]
        assert declared == re.findall(r"{(\w+\+?)}", path), path


# ── timeouts ───────────────────────────────────────────────────────────────────────────────────────────


def test_endpoint_timeout_is_below_gateway_timeout() -> None:
    assert {
        route.function for route in ROUTES if FUNCTIONS[route.function].timeout >= gateway.MAX_SECONDS
    } == set()


def test_attempt_function_lease_and_visibility_timeouts_ascend() -> None:
    attempt, function, lease = (
        int(TEMPLATE.parameters[name])
        for name in ("AttemptTimeoutSeconds", "DeliverFunctionTimeoutSeconds", "DeliveryLeaseSeconds")
    )
    for lane in ("", "Slow"):
        assert FUNCTIONS[f"Deliver{lane}Function"].timeout == function
        assert attempt < function < lease < int(QUEUES[f"{lane}DeliveriesQueue"]["VisibilityTimeout"])


def test_test_event_function_outlasts_the_longest_attempt() -> None:
    longest = TEMPLATE.document["Parameters"]["AttemptTimeoutSeconds"]["MaxValue"]
    start = 5  # seconds for a cold start and the check of the API key
    assert longest + start <= FUNCTIONS["TestWebhookFunction"].timeout


def test_visibility_timeout_is_six_function_timeouts() -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    for function, queue in SOURCES.items():
        assert int(QUEUES[str(queue)]["VisibilityTimeout"]) >= 6 * FUNCTIONS[str(function)].timeout, function


SCHEDULES = list(TEMPLATE.of_type("AWS::Scheduler::Schedule"))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.logical_id)
def test_failed_run_of_a_schedule_is_not_repeated_and_goes_to_a_dead_letter_queue(schedule: Resource) -> None:
    dead_letters = TEMPLATE.arn("SchedulesDeadLetterQueue")
    target = schedule.properties["Target"]
    assert target["DeadLetterConfig"] == {"Arn": dead_letters}
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 60
    [config] = [
        config.properties
        for config in TEMPLATE.of_type("AWS::Lambda::EventInvokeConfig")
        if TEMPLATE.name(str(TEMPLATE.function_named(target["Arn"]))) == config.properties["FunctionName"]
    ]
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": dead_letters}}
    assert "SchedulesDeadLetterQueue" in {
        TEMPLATE.queue_named(right.resource) for right in _rights(_schedule_policy())
    }
    assert target["Arn"] in {right.resource for right in _rights(_schedule_policy())}


def _schedule_policy() -> dict[str, Any]:
    [role] = [role for role in TEMPLATE.of_type("AWS::IAM::Role") if role.logical_id == "ScheduleRole"]
    policy: dict[str, Any] = role.properties["Policies"][0]
    return policy


# ── domain and WAF ───────────────────────────────────────────────────────────────────────────────────

CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/0a1b2c3d"
WEB_ACL = f"arn:aws:wafv2:us-east-1:000000000000:global/webacl/web/{'0' * 8}-0000-0000-0000-{'0' * 12}"
DOMAIN = {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE, "HostedZoneId": "Z012345"}


@pytest.mark.parametrize(
    ("parameters", "made", "target"),
    [
        ({}, set(), None),
        (DOMAIN, {"Domain", "DomainMapping", "DomainRecord"}, "Domain.RegionalDomainName"),
        ({"WebAclArn": WEB_ACL}, {"Distribution"}, None),
        ({**DOMAIN, "WebAclArn": WEB_ACL}, {"Distribution", "DomainRecord"}, "Distribution.DomainName"),
    ],
    ids=["neither", "domain", "WAF", "both"],
)
def test_domain_and_web_acl_are_optional(
    parameters: dict[str, str], made: set[str], target: str | None
) -> None:
    template = Template(ROOT / "template.yaml", {**TEMPLATE.parameters, **parameters})
    kinds = ("ApiGatewayV2::DomainName", "ApiGatewayV2::ApiMapping", "Route53::RecordSet")
    found = {
        resource.logical_id: resource.properties
        for kind in (*kinds, "CloudFront::Distribution")
        for resource in template.of_type(f"AWS::{kind}")
    }
    assert found.keys() == made
    if target:
        assert found["DomainRecord"]["AliasTarget"]["DNSName"] == target
    if "Distribution" in made:
        config = found["Distribution"]["DistributionConfig"]
        assert config["WebACLId"] == WEB_ACL
        assert ("Aliases" in config) is ("ViewerCertificate" in config) is ("DomainName" in parameters)


@pytest.mark.parametrize("reserved", [0, 7])
def test_concurrency_is_reserved_only_if_asked_for(reserved: int) -> None:
    values = {"PublishReservedConcurrency": str(reserved), "FeedReservedConcurrency": str(reserved)}
    functions = Template(ROOT / "template.yaml", {**TEMPLATE.parameters, **values}).functions()
    having = {name for name, function in functions.items() if function.reserved_concurrency}
    assert having == ({"PublishEventFunction", "ReadFeedFunction"} if reserved else set())


# ── updates ──────────────────────────────────────────────────────────────────────────────────────────

HOT = {
    *("PublishEventFunction", "FanOutFunction", "DeliverFunction", "DeliverSlowFunction"),
    "RunFlowsFunction",
}


def test_hot_functions_run_behind_an_alias_that_an_alarm_guards() -> None:
    aliases = {
        TEMPLATE.function_named(alias.properties["FunctionName"])
        for alias in TEMPLATE.of_type("AWS::Lambda::Alias")
    }
    assert aliases == HOT
    alarms = {alarm.logical_id: alarm.properties for alarm in TEMPLATE.of_type("AWS::CloudWatch::Alarm")}
    groups = list(TEMPLATE.of_type("AWS::CodeDeploy::DeploymentGroup"))
    assert {group.logical_id.removesuffix("DeploymentGroup") for group in groups} == HOT
    for function in HOT:
        alarm = alarms[f"{function.removesuffix('Function')}ErrorsAlarm"]
        dimensions = {item["Name"]: item["Value"] for item in alarm["Dimensions"]}
        name = TEMPLATE.name(function)
        assert dimensions == {"FunctionName": name, "Resource": f"{name}:live"}
    # The queues invoke the alias, not the latest code. So does the route of PublishEventFunction.
    sources = [s.properties["FunctionName"] for s in TEMPLATE.of_type("AWS::Lambda::EventSourceMapping")]
    assert all(name.endswith(":live") for name in sources)


def versions(template: Template) -> set[str]:
    return {version.logical_id for version in template.of_type("AWS::Lambda::Version")}


def test_release_is_a_new_version_of_every_hot_function() -> None:
    """A changed description replaces the version, and Lambda publishes it because the function's own
    description changes too. SAM alone does not detect a changed parameter.
    """
    template = Template(ROOT / "template.yaml", {**TEMPLATE.parameters, "Release": "1.2.3 0a1b2c"})
    published = [version.properties["Description"] for version in template.of_type("AWS::Lambda::Version")]
    assert published == ["1.2.3 0a1b2c"] * len(HOT)
    described = {
        f.logical_id for f in template.of_type("AWS::Lambda::Function") if "Description" in f.properties
    }
    assert described == HOT


def test_changed_layer_is_a_new_version_of_every_hot_function(tmp_path: Path) -> None:
    before = versions(TEMPLATE)
    assert len(before) == len(HOT)
    # `sam deploy` names the content of a layer by its hash.
    text = (ROOT / "template.yaml").read_text()
    changed = tmp_path / "template.yaml"
    changed.write_text(text.replace("ContentUri: layers/patchbay/", "ContentUri: s3://artifacts/0123456789"))
    assert not before & versions(Template(changed, TEMPLATE.parameters))


def test_shared_settings_are_the_environment_of_the_functions() -> None:
    [shared] = [p for p in TEMPLATE.of_type("AWS::SSM::Parameter") if p.logical_id == "SharedSettings"]
    environment = dict(FUNCTIONS["HealthFunction"].environment)
    own = {name: value for name, value in environment.items() if not name.startswith("POWERTOOLS_")}
    assert json.loads(shared.properties["Value"]) == own


# ── queues and tables ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", QUEUES)
def test_queue_retains_messages_and_has_alarmed_dead_letter_queue(name: str) -> None:
    queue = QUEUES[name]
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is True
    if name in SOURCES.values():
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 1000
        dead_letters = TEMPLATE.queue_named(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert dead_letters is not None
        assert "RedrivePolicy" not in QUEUES[dead_letters]
        watched = [
            dimension["Value"]
            for alarm in TEMPLATE.of_type("AWS::CloudWatch::Alarm")
            for dimension in alarm.properties.get("Dimensions", [])
        ]
        assert TEMPLATE.name(dead_letters) in watched


def test_event_source_reports_batch_item_failures() -> None:
    for source in TEMPLATE.of_type("AWS::Lambda::EventSourceMapping"):
        assert source.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


# These tables need no recovery: rate-limit windows, OAuth states and idempotency rows last for at most a day,
# and sessions for a week.
WITHOUT_RECOVERY = {"IdempotencyTable", "RateLimitsTable", "OAuthStatesTable", "SessionsTable"}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_on_demand_and_has_point_in_time_recovery(name: str) -> None:
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


def test_provisioned_tables_and_failure_indexes_scale() -> None:
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


def test_log_level_keeps_metrics() -> None:
    """Metrics are log lines without a level, which Lambda treats as INFO."""
    for function in TEMPLATE.of_type("AWS::Lambda::Function"):
        config = function.properties["LoggingConfig"]
        assert (config["LogFormat"], config["ApplicationLogLevel"]) == ("JSON", "INFO"), function.logical_id


# ── rights: what is granted ──────────────────────────────────────────────────────────────────────────


class Right(NamedTuple):
    """An action on a resource that a statement grants (both may be patterns) or that a call needs.

    `attributes` and `partitions` are the values of `dynamodb:Attributes` and `dynamodb:LeadingKeys`: those to
    which a grant is limited (None: all; partitions may be patterns), or those that a call names.
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
    if allowed is None:
        return True
    return named is not None and all(any(fnmatchcase(name, each) for each in allowed) for name in named)


@dataclass(frozen=True)
class Grants:
    """A function's own rights, and those of its managed policies."""

    own: tuple[Right, ...]
    shared: Mapping[str, tuple[Right, ...]]

    def allow(self, needed: Right) -> bool:
        everything = [*self.own, *(right for rights in self.shared.values() for right in rights)]
        return any(right.covers(needed) for right in everything)


def granted(template: Template) -> dict[str, Grants]:
    """Grants by function, without the AWS managed policy for logs that SAM adds."""
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
        # This test does not evaluate other keys.
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}, statement
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {})
        assert condition.keys() <= {"ForAllValues:StringEquals", "ForAllValues:StringLike"}, condition
        limits = {name: value for names in condition.values() for name, value in names.items()}
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
def test_rights_have_no_wildcard(function: str, grants: Grants) -> None:
    for right in [*grants.own, *(right for rights in grants.shared.values() for right in rights)]:
        assert "*" not in right.action, right
        resource = right.resource
        if resource.startswith("arn:aws:s3:"):
            resource = resource.removesuffix("/*")  # the files of one bucket
        if right.action == "secretsmanager:PutSecretValue":
            resource = resource.removesuffix("/*")  # the secrets for new keys of one stack
            assert ":secret:patchbay/" in resource
        assert "*" not in resource, right


def test_only_key_routes_may_change_key_permissions() -> None:
    """Every function that authenticates a request by a key counts it in the key's row."""
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


def test_public_routes_cannot_read_integrations_of_a_workspace() -> None:
    integrations = _table(TEMPLATE.name("IntegrationsTable"))
    public = {route.function for route in ROUTES if required_scope(route) is PUBLIC}
    assert len(public) == 8
    for function in [*public, "BrowseMarketplaceFunction"]:
        for action in ("GetItem", "Query", "BatchGetItem", "Scan"):
            needed = Right(f"dynamodb:{action}", integrations, frozenset(), frozenset({"acme"}))
            assert not granted(TEMPLATE)[function].allow(needed), function


def test_api_gateway_may_invoke_what_has_a_route_and_nothing_else() -> None:
    """To add a function, name it in one of the policies of ApiRole."""
    roles = {role.logical_id: role.properties for role in TEMPLATE.of_type("AWS::IAM::Role")}
    policies = {
        TEMPLATE.name(policy.logical_id): list(_rights(policy.properties))
        for policy in TEMPLATE.of_type("AWS::IAM::ManagedPolicy")
    }
    rights = [right for name in roles["ApiRole"]["ManagedPolicyArns"] for right in policies[name]]
    assert "Policies" not in roles["ApiRole"]
    integrations = [
        operation["x-amazon-apigateway-integration"]
        for item in API["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert {integration["credentials"] for integration in integrations} == {TEMPLATE.arn("ApiRole")}
    uri = re.compile(r"arn:aws:apigateway:.+/functions/(.+)/invocations")
    invoked = {arn for integration in integrations for arn in uri.findall(integration["uri"])}
    assert sorted(rights) == sorted(Right("lambda:InvokeFunction", arn) for arn in invoked)
    # If a function has an alias, its latest code gets no requests.
    assert {arn for arn in invoked if arn.endswith(":live")} == {
        f"{FUNCTIONS['PublishEventFunction'].arn}:live"
    }
    assert list(TEMPLATE.of_type("AWS::Lambda::Permission")) == []


# ── rights: what is used ─────────────────────────────────────────────────────────────────────────────

_TRANSACTED = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


# HeadObject returns a 404 for a missing file only to callers who may list the bucket.
_S3_ACTIONS = {
    "CreateMultipartUpload": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "ListParts": ("s3:ListMultipartUploadParts",),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "HeadObject": ("s3:GetObject", "s3:ListBucket"),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "DeleteObject": ("s3:DeleteObject",),
}


def needed(service: str, operation: str, call: Mapping[str, Any]) -> Iterator[Right]:
    """The rights that IAM requires for a call, according to the Service Authorization Reference."""
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
        case "secretsmanager", ("GetSecretValue" | "PutSecretValue"):
            yield Right(f"secretsmanager:{operation}", call["SecretId"])
        case "s3", _:
            bucket = f"arn:aws:s3:::{call['Bucket']}"
            for action in _S3_ACTIONS[operation]:
                lists = action in ("s3:ListBucket", "s3:ListBucketMultipartUploads")
                yield Right(action, bucket if lists else f"{bucket}/{call['Key']}")
        case _:
            raise NotImplementedError(f"add the rights that {service}.{operation} needs")


_HASH_NAMES = {
    TEMPLATE.name(name): key["AttributeName"]
    for name, table in TABLES.items()
    for key in table["KeySchema"]
    if key["KeyType"] == "HASH"
}
_WORD = re.compile(r"[#:]?[A-Za-z_]\w*")
_SYNTAX = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"}
_SYNTAX |= {"attribute_exists", "attribute_not_exists", "begins_with", "contains", "size", "if_not_exists"}


def _named(call: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str] | None]:
    """The attributes in a call's key, item and expressions, and its partition (None for a scan, or where the
    call does not name it).
    """
    expressions = [text for name, text in call.items() if name.endswith("Expression")]
    words = {word for text in expressions for word in _WORD.findall(text)} - _SYNTAX
    names = call.get("ExpressionAttributeNames", {})
    attributes = {names.get(word, word) for word in words if not word.startswith(":")}
    row = {**call.get("Key", {}), **call.get("Item", {})}
    hash_name = _HASH_NAMES[call["TableName"]]
    if condition := call.get("KeyConditionExpression"):
        name, value = re.findall(r"(#?\w+) = (:\w+)", condition)[0]
        hash_name = names.get(name, name)
        row[hash_name] = call["ExpressionAttributeValues"][value]
    partition = row.get(hash_name, {}).get("S")
    return frozenset(attributes | row.keys()), frozenset([partition]) if partition else None


def _table(name: str, index: str | None = None) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}" + (f"/index/{index}" if index else "")


class CallRecorder(Driver):
    """Records the rights that each function needs for its AWS calls, and which functions encrypt."""

    def __init__(self, backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(backend, api)
        self.used: dict[str, set[Right]] = defaultdict(set)
        self.encrypted: set[str] = set()
        encryptor = vault.encryptor

        def recording_encryptor(workspace_id: str) -> Callable[[str, str], str]:
            self.encrypted.add(self.function)
            return encryptor(workspace_id)

        monkeypatch.setattr(vault, "encryptor", recording_encryptor)

    def record(
        self, service: str, operation: str, params: Params, call: Callable[[Params], Params]
    ) -> Params:
        self.used[self.function].update(needed(service, operation, params))
        return call(params)


def test_unknown_route_counts_a_key_with_the_rights_of_every_endpoint() -> None:
    """The function may count the request of a key. It may not read sessions or the JWT key, and may not write
    the audit log, which does not record requests to unknown routes.
    """
    grants = granted(TEMPLATE)
    endpoint = set(grants["GetApiKeyFunction"].shared["AuthenticatePolicy"])
    assert set(grants["NotFoundFunction"].own) == {
        right
        for right in endpoint
        if not right.action.startswith("secretsmanager:")
        and right.partitions != frozenset({"audit#*"})
        and right.resource != _table(TEMPLATE.name("SessionsTable"))
    }


# Rights that the tour does not use: (function or managed policy, action) → the reason.
UNUSED: dict[tuple[str, str], str] = {
    ("RunWorkspaceTasksFunction", "s3:GetObject"): "for a file that was completed just before a crash",
}


def used_by_lambda(template: Template) -> Iterator[tuple[str, Right]]:
    """The rights that Lambda itself uses with a function's role: to poll a queue or report a failed run."""
    for source in template.of_type("AWS::Lambda::EventSourceMapping"):
        function = template.function_named(source.properties["FunctionName"])
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            yield str(function), Right(f"sqs:{action}", source.properties["EventSourceArn"])
    for config in template.of_type("AWS::Lambda::EventInvokeConfig"):
        function = template.function_named(config.properties["FunctionName"])
        destination = config.properties["DestinationConfig"]["OnFailure"]["Destination"]
        yield str(function), Right("sqs:SendMessage", destination)


@pytest.mark.parameters(MaxVisibilityWaitSeconds=1000)
def test_tour_uses_every_right_and_no_other_and_tables_with_a_ttl_enable_it(
    backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """One test checks both, because the tour of the whole system takes a long time."""
    one_at_a_time(monkeypatch)
    recorder = CallRecorder(backend, api, monkeypatch)
    with around_calls(recorder.record):
        tour(recorder)
    with subtests.test("rights"):
        check_rights(recorder, backend)
    with subtests.test("TTL"):
        check_ttl(backend)


def check_rights(recorder: CallRecorder, backend: Backend) -> None:
    """Fail unless functions have exactly the rights that they use."""
    grants = granted(backend.template)
    assert recorder.untried == set(), "add a request for it to tests/tour.py"
    for function, right in used_by_lambda(backend.template):
        recorder.used[function].add(right)

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
    # Other functions only decrypt, and cannot create data keys.
    assert {function for function, g in grants.items() if "VaultPolicy" in g.shared} == recorder.encrypted


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, {"PublishPolicy"}),
        ({"idempotency_key": "once"}, {"PublishPolicy"}),
        ({"caused_by": EventId.new(1)}, {"PublishPolicy", "FanOutPolicy"}),
    ],
)
def test_function_of_another_stack_publishes_with_the_exported_policies(
    backend: Backend, given: dict[str, Any], names: set[str]
) -> None:
    """It needs the second policy only for `caused_by`, as docs/guides/publish/in-process.md says."""
    used: set[Right] = set()

    def record(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        used.update(needed(service, operation, params))
        return call(params)

    publication = PublishEvent(
        type="POST_PUBLISHED", data={"postId": "post_42", "network": "instagram"}, **given
    )
    batch = PublishEvents(events=[publication])
    with around_calls(record):
        events.publish(in_process("acme"), publication)
        events.publish_batch(in_process("acme"), batch)
        events.publish_batch(in_process("acme"), batch, idempotency_key="batch")
    exported = granted(backend.template)["PublishEventFunction"].shared
    sufficient = [
        chosen
        for chosen in ({"PublishPolicy"}, {"PublishPolicy", "FanOutPolicy"})
        if all(Grants((), {name: exported[name] for name in chosen}).allow(right) for right in used)
    ]
    assert sufficient[:1] == [names]


def check_ttl(backend: Backend) -> None:
    """Fail unless exactly the tables whose rows have a TTL enable it."""
    ending = {name for name in TABLES if any("ttl" in row for row in backend.rows(name))}
    expiring = {
        name
        for name, table in TABLES.items()
        if table.get("TimeToLiveSpecification") == {"AttributeName": "ttl", "Enabled": True}
    }
    assert ending == expiring
