"""Reads template.yaml: the SAM transform, the parameters, and the resources that this runner emulates.

Everything that the runner serves comes from here. A resource type that is neither emulated nor listed as safe
to leave out is a `Problem`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.intrinsics import Resolver, parameter_values
from local.settings import ACCOUNT, REGION, STACK_NAME, Problem
from local.transform import transformed

# Types without a function on one machine: permissions, logs, alarms and deployment.
LEFT_OUT = {
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::ApplicationInsights::Application",
    "AWS::CloudFront::Distribution",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::Logs::ResourcePolicy",
    "AWS::ResourceGroups::Group",
    "AWS::Route53::RecordSet",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
}

# Emulated types: the property that names the resource, and the resource part of its ARN.
EMULATED = {
    "AWS::ApiGatewayV2::Api": ("", "apigateway", "/apis/{}"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "table/{}"),
    "AWS::Events::EventBus": ("Name", "events", "event-bus/{}"),
    "AWS::Events::Rule": ("Name", "events", "rule/{}"),
    "AWS::KMS::Alias": ("AliasName", "kms", "{}"),
    "AWS::KMS::Key": ("", "kms", "key/{}"),
    "AWS::Lambda::EventSourceMapping": ("", "lambda", "event-source-mapping:{}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "function:{}"),
    "AWS::Lambda::LayerVersion": ("", "lambda", "layer:{}:1"),
    "AWS::Scheduler::Schedule": ("Name", "scheduler", "schedule/default/{}"),
    "AWS::SecretsManager::Secret": ("Name", "secretsmanager", "secret:{}"),
    "AWS::S3::Bucket": ("BucketName", "s3", "{}"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "{}"),
}


@dataclass(frozen=True)
class Function:
    """One Lambda function: how to start it, and its limits."""

    logical_id: str
    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    timeout: int
    memory: int
    environment: tuple[tuple[str, str], ...]
    reserved_concurrency: int  # 0 for none

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True)
class Resource:
    logical_id: str
    properties: dict[str, Any]


class Template:
    """A transformed template with its parameters. `identities` are the IDs that services assign (KMS keys,
    secrets) by logical ID, and `endpoints` are the URLs by service."""

    def __init__(self, path: Path, given: Mapping[str, str]) -> None:
        self.path = path
        declared, self.document = transformed(path, given)
        self.declared = set(declared)
        known = {name: value for name, value in given.items() if name in self.declared}
        self.parameters = parameter_values(declared, known)
        self.identities: dict[str, str] = {}
        self.endpoints: dict[str, str] = {"*": "", "sqs": "", "http": ""}
        self.resolve = Resolver(self.document, self.parameters, _PSEUDO, self._attribute)
        self.resolve.check_rules()
        self._resources = {
            logical_id: resource
            for logical_id, resource in self.document.get("Resources", {}).items()
            if "Condition" not in resource or self.resolve.condition(resource["Condition"])
        }
        for logical_id, resource in self._resources.items():
            if resource["Type"] not in EMULATED and resource["Type"] not in LEFT_OUT:
                raise Problem(f"{logical_id}: {resource['Type']} is not emulated")

    def of_type(self, kind: str) -> Iterator[Resource]:
        """The resources of one type, with resolved properties."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == kind:
                try:
                    properties = self.resolve(resource.get("Properties", {}))
                except Problem as problem:
                    raise Problem(f"{logical_id}: {problem}") from None
                yield Resource(logical_id, properties)

    def name(self, logical_id: str) -> str:
        """The physical name: the template's, or one from the stack's name and the logical ID."""
        resource = self._resources[logical_id]
        kind = resource["Type"]
        given = resource.get("Properties", {}).get(EMULATED[kind][0]) if kind in EMULATED else None
        if given:
            return str(self.resolve(given))
        fifo = kind == "AWS::SQS::Queue" and resource.get("Properties", {}).get("FifoQueue")
        name = f"{STACK_NAME}-{logical_id}{'.fifo' if fifo else ''}"
        return name.lower() if kind == "AWS::S3::Bucket" else name  # names of buckets have no capitals

    def arn(self, logical_id: str) -> str:
        kind = self._resources[logical_id]["Type"]
        identity = self.identities.get(logical_id) or self.name(logical_id)
        if identity.startswith("arn:"):
            return identity
        _, service, resource = EMULATED.get(kind, ("", "local", "{}"))
        if service == "s3":
            return f"arn:aws:s3:::{identity}"
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource.format(identity)}"

    def queue_url(self, logical_id: str) -> str:
        return f"{self.endpoints['sqs']}/{ACCOUNT}/{self.name(logical_id)}"

    def functions(self) -> dict[str, Function]:
        """The functions by logical ID."""
        layers = {
            self.arn(layer.logical_id): self._folder(layer.logical_id, layer.properties["Content"])
            for layer in self.of_type("AWS::Lambda::LayerVersion")
        }
        found = {}
        for resource in self.of_type("AWS::Lambda::Function"):
            properties = resource.properties
            if not str(properties.get("Runtime", "")).startswith("python"):
                raise Problem(f"{resource.logical_id}: only Python runtimes are emulated")
            variables = properties.get("Environment", {}).get("Variables", {})
            found[resource.logical_id] = Function(
                logical_id=resource.logical_id,
                name=self.name(resource.logical_id),
                handler=properties["Handler"],
                code=self._folder(resource.logical_id, properties["Code"]),
                # A layer of another template is published; its packages are installed here.
                layers=tuple(layers[arn] for arn in properties.get("Layers", []) if arn in layers),
                timeout=int(properties.get("Timeout", 3)),
                memory=int(properties.get("MemorySize", 128)),
                environment=tuple((key, _text(value)) for key, value in variables.items()),
                reserved_concurrency=int(properties.get("ReservedConcurrentExecutions", 0)),
            )
        return found

    def function_named(self, reference: str) -> str | None:
        """The logical ID of the function with this name, ARN or integration URI."""
        match = re.search(r"function:([\w-]+)", reference)
        name = match[1] if match else reference
        for logical_id, resource in self._resources.items():
            if resource["Type"] == "AWS::Lambda::Function" and self.name(logical_id) == name:
                return logical_id
        return None

    def queue_named(self, arn: str) -> str | None:
        """The logical ID of the queue with this ARN."""
        for logical_id, resource in self._resources.items():
            if resource["Type"] == "AWS::SQS::Queue" and self.arn(logical_id) == arn:
                return logical_id
        return None

    def _folder(self, logical_id: str, content: Mapping[str, Any]) -> Path:
        if content.get("S3Bucket") != "local":
            raise Problem(f"{logical_id}: its code is not a folder of this project")
        folder = (self.path.parent / content["S3Key"]).resolve()
        if not folder.is_dir():
            raise Problem(f"{logical_id}: folder {content['S3Key']} not found")
        return folder

    def _attribute(self, logical_id: str, name: str | None) -> str:
        if logical_id not in self._resources:
            raise Problem(f"unknown parameter or resource: {logical_id}")
        kind = self._resources[logical_id]["Type"]
        match kind, name:
            case "AWS::SQS::Queue", (None | "QueueUrl"):
                return self.queue_url(logical_id)
            case (("AWS::SecretsManager::Secret" | "AWS::Lambda::LayerVersion"), (None | "Id")):
                return self.arn(logical_id)
            case "AWS::Lambda::Alias", None:
                function = self.resolve(self._resources[logical_id]["Properties"]["FunctionName"])
                return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}:live"
            case "AWS::KMS::Key", (None | "KeyId"):
                return self.identities.get(logical_id, logical_id)
            case "AWS::ApiGatewayV2::Api", "ApiEndpoint":
                return self.endpoints["http"]
            case _, "Arn":
                return self.arn(logical_id)
            case _, (None | "Name" | "QueueName" | "ApiId"):
                return self.name(logical_id)
            case _ if kind in LEFT_OUT:
                return f"{logical_id}.{name}"
        raise Problem(f"{logical_id}.{name} is not emulated")


_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/local",
    "AWS::StackName": STACK_NAME,
    "AWS::URLSuffix": "amazonaws.com",
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
