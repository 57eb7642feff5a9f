"""Rules that CloudFormation, Lambda and IAM apply to the transformed template, checked without an account.

Each rule is a function that yields its problems, one sentence each. Names, addresses and parameters are as
long as they can be: the deployment with the longest values must fit, too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.settings import REQUIRED_PARAMETERS, ROOT, Problem
from local.template import Template

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_TEMPLATE_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ENVIRONMENT_BYTES = 4096
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (white space does not count)
MAX_INLINE_POLICIES = 10_240
MAX_MANAGED_POLICY = 6_144
MAX_TRUST_POLICY = 2_048
MAX_ATTACHED_POLICIES = 10

# Names of resources contain the stack's name, and the environment of functions contains the names.
MAX_STACK_NAME = 20
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-1", "sa-east-1")
_STACK_NAME = "s" * MAX_STACK_NAME
_SUFFIX = "X" * 13  # CloudFormation's part of a physical name

# The property that names a resource, for types whose names are unique in an account and region.
NAMES = {
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::QueryDefinition": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
}


class LongestTemplate(Template):
    """The template with the longest physical names."""

    def __init__(self, path: Path, given: Mapping[str, str]) -> None:
        super().__init__(path, given)
        self.endpoints["sqs"] = "https://sqs.ap-southeast-1.amazonaws.com"

    def name(self, logical_id: str) -> str:
        return f"{_STACK_NAME}-{logical_id}-{_SUFFIX}"


def longest(path: Path) -> LongestTemplate:
    """The template with the longest values of all parameters that functions get."""
    document = yaml_parse(path.read_text())
    parameters: Mapping[str, Mapping[str, Any]] = document.get("Parameters", {})
    used = _parameters_of_functions(document)
    values = {name: _longest_value(name, rules) for name, rules in parameters.items() if name in used}
    # Only one of the two ways to sign tokens, and an environment to which no rule for prod applies.
    values.pop("JwtSecretArn", None)
    if "Environment" in values:
        values["Environment"] = "dev"
    return LongestTemplate(path, values)


def _parameters_of_functions(document: Mapping[str, Any]) -> set[str]:
    functions = [
        resource.get("Properties", {})
        for resource in document["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    owners = [document.get("Globals", {}).get("Function", {}), *functions]
    variables = [owner.get("Environment", {}).get("Variables", {}) for owner in owners]
    return {ref for value in variables for ref in _refs(value)}


def _refs(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield str(item)
            else:
                yield from _refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)


def _longest_value(name: str, rules: Mapping[str, Any]) -> str:
    """The longest value that the parameter accepts. Raises Problem if nothing limits it."""
    if "AllowedValues" in rules:
        return max(map(str, rules["AllowedValues"]), key=len)
    if "MaxValue" in rules:
        return str(rules["MaxValue"])
    if name in _LONGEST:
        return _LONGEST[name]
    if "MaxLength" in rules:
        start = "https://a.example/" if "https?" in rules.get("AllowedPattern", "https?") else "https://"
        return (start if "http" in rules.get("AllowedPattern", "") else "").ljust(rules["MaxLength"], "x")
    raise Problem(f"parameter {name} is in the environment of functions, and nothing limits its length")


# Parameters whose pattern limits their length.
_LONGEST = {
    "PlatformWorkspaceId": "w" * 64,
    "JwtSecretArn": f"arn:aws-us-gov:secretsmanager:us-gov-west-1:{'1' * 12}:secret:{'s' * 100}",
    "JwtWorkspaceClaim": "c" * 64,
    "JwtRoleClaim": "c" * 64,
    "JwtScopeClaim": "c" * 64,
    "ApiKeyPrefix": f"{'a' * 16}_{'a' * 15}",
    "AllowedReturnOrigins": "https://".ljust(200, "x"),
    "ConsoleFrameAncestors": "https://".ljust(500, "x"),
}


def problems(path: Path, base: Mapping[str, Any] | None = None) -> list[str]:
    """The faults of a template; `base` is the template of the previous release, if there is one."""
    try:
        template = longest(path)
    except Problem as problem:
        return [str(problem)]
    return [
        *shared_names(template),
        *template_too_large(template),
        *environment_too_large(template),
        *policies_too_large(template),
        *visibility_too_short(template),
        *(several_index_changes(base, template.document) if base else ()),
    ]


def shared_names(template: Template) -> Iterator[str]:
    """Names that a second stack in the account and region would have, too."""
    for logical_id, resource in template.document["Resources"].items():
        name = resource.get("Properties", {}).get(NAMES.get(resource["Type"], ""))
        if name is not None and "AWS::StackName" not in json.dumps(name):
            yield (
                f"{logical_id}: its name {json.dumps(name)} does not contain the stack's name, "
                "so a second stack cannot be deployed"
            )
    for output, value in template.document.get("Outputs", {}).items():
        export = value.get("Export", {}).get("Name")
        if export is not None and "AWS::StackName" not in json.dumps(export):
            yield f"output {output}: its export {json.dumps(export)} does not contain the stack's name"


def template_too_large(template: Template) -> Iterator[str]:
    size = len(json.dumps(template.document, separators=(",", ":")).encode())
    if size > MAX_TEMPLATE_BYTES:
        yield f"the transformed template has {size} bytes; CloudFormation's limit is {MAX_TEMPLATE_BYTES}"


def environment_too_large(template: Template) -> Iterator[str]:
    sizes = environment_sizes(template)
    over = [function for function, size in sizes.items() if size > MAX_ENVIRONMENT_BYTES]
    if over:
        largest = max(over, key=lambda function: sizes[function])
        yield (
            f"{largest}: with the longest parameters, its environment has {sizes[largest]} bytes, "
            f"and {len(over) - 1} others exceed the limit too; Lambda's limit is {MAX_ENVIRONMENT_BYTES}"
        )


def environment_sizes(template: Template) -> dict[str, int]:
    """The size of each function's environment, in bytes."""
    return {
        function.logical_id: environment_size(
            {
                name: str(value)
                for name, value in function.properties.get("Environment", {}).get("Variables", {}).items()
            }
        )
        for function in template.of_type("AWS::Lambda::Function")
    }


def environment_size(variables: Mapping[str, str]) -> int:
    """As Lambda measures it: the variables as compact JSON."""
    return len(json.dumps(dict(variables), separators=(",", ":")).encode())


def policies_too_large(template: Template) -> Iterator[str]:
    for role in template.of_type("AWS::IAM::Role"):
        properties = role.properties
        inline = sum(_policy_size(policy["PolicyDocument"]) for policy in properties.get("Policies", []))
        if inline > MAX_INLINE_POLICIES:
            yield (
                f"{role.logical_id}: its inline policies have {inline} characters; "
                f"IAM's limit is {MAX_INLINE_POLICIES}"
            )
        if (trust := _policy_size(properties["AssumeRolePolicyDocument"])) > MAX_TRUST_POLICY:
            yield (
                f"{role.logical_id}: its trust policy has {trust} characters; "
                f"IAM's limit is {MAX_TRUST_POLICY}"
            )
        if (attached := len(properties.get("ManagedPolicyArns", []))) > MAX_ATTACHED_POLICIES:
            yield f"{role.logical_id} has {attached} managed policies; IAM's limit is {MAX_ATTACHED_POLICIES}"
    for policy in template.of_type("AWS::IAM::ManagedPolicy"):
        if (size := _policy_size(policy.properties["PolicyDocument"])) > MAX_MANAGED_POLICY:
            yield f"{policy.logical_id} has {size} characters; IAM's limit is {MAX_MANAGED_POLICY}"


def _policy_size(document: object) -> int:
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def visibility_too_short(template: Template) -> Iterator[str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    defaults = Template(template.path, _required(template))
    functions = {f.logical_id: f.properties for f in defaults.of_type("AWS::Lambda::Function")}
    queues = {q.logical_id: q.properties for q in defaults.of_type("AWS::SQS::Queue")}
    for source in defaults.of_type("AWS::Lambda::EventSourceMapping"):
        function = str(defaults.function_named(source.properties["FunctionName"]))
        queue = str(defaults.queue_named(source.properties["EventSourceArn"]))
        timeout = int(functions[function].get("Timeout", 3))
        visibility = int(queues[queue].get("VisibilityTimeout", 30))
        if visibility < 6 * timeout:
            yield (
                f"{queue}: its visibility timeout, {visibility} s, is less than six times "
                f"the timeout of {function}, {timeout} s"
            )


def _required(template: Template) -> dict[str, str]:
    """Values for the parameters without a default, and for the rule of JWTs."""
    return {name: value for name, value in template.parameters.items() if name in REQUIRED_PARAMETERS}


def several_index_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """DynamoDB creates or deletes one index in an update of a table."""
    for name, table in after["Resources"].items():
        old = before["Resources"].get(name)
        if table["Type"] != "AWS::DynamoDB::Table" or old is None:
            continue
        was, now = _indexes(old), _indexes(table)
        changes = len(was.keys() ^ now.keys())
        changes += 2 * sum(was[index] != now[index] for index in was.keys() & now.keys())
        if changes > 1:
            yield (
                f"{name}: {changes} indexes are created or deleted since the release before (a changed index "
                "is both), and DynamoDB does one in an update; make several releases"
            )


def _indexes(table: Mapping[str, Any]) -> dict[str, Any]:
    """The keys and the projection of each index: what cannot change."""
    return {
        index["IndexName"]: (index["KeySchema"], index["Projection"])
        for index in table["Properties"].get("GlobalSecondaryIndexes", [])
    }


def template_of(base: str) -> dict[str, Any] | None:
    """The template of a commit, by default the last tag; None if there is none."""
    if not base:
        described = _git("describe", "--tags", "--abbrev=0", "HEAD")
        if described is None:
            return None
        base = described.strip()
    text = _git("show", f"{base}:template.yaml")
    template: dict[str, Any] | None = None if text is None else yaml_parse(text)
    return template


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


# ── linters, each in its own environment ─────────────────────────────────────────────────────────────


def lint_template(path: Path, regions: tuple[str, ...] = REGIONS) -> list[str]:
    """cfn-lint's findings in the template, for several regions. Raises Problem if cfn-lint itself fails."""
    command = [
        str(ROOT / ".tools/sam/bin/cfn-lint"),
        "--format",
        "parseable",
        "--regions",
        *regions,
        "--",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.returncode:
        return []
    if not done.stdout.strip():  # cfn-lint itself failed
        raise Problem(f"cfn-lint failed: {done.stderr.strip()[-500:]}")
    return [f"cfn-lint: {line}" for line in done.stdout.splitlines()]


def lint_policies(template: Template) -> list[str]:
    """parliament's findings in the policies: unknown actions, resources that an action does not have, …
    Raises Problem if parliament itself fails.
    """
    found = {}
    for role in template.of_type("AWS::IAM::Role"):
        for policy in role.properties.get("Policies", []):
            found[f"{role.logical_id}/{policy['PolicyName']}"] = policy["PolicyDocument"]
    for managed in template.of_type("AWS::IAM::ManagedPolicy"):
        found[managed.logical_id] = managed.properties["PolicyDocument"]
    done = subprocess.run(
        [str(ROOT / ".tools/deploy/bin/python"), str(Path(__file__).with_name("parliament_check.py"))],
        input=json.dumps(found),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Problem(f"parliament failed: {done.stderr.strip()[-500:]}")
    return [f"parliament: {line}" for line in done.stdout.splitlines()]
