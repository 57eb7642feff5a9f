"""Each rule of tools/stack_check.py rejects a template that breaks it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.settings import ROOT
from tools import stack_check

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Handler": "hello.handler",
        "Timeout": 10,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
    },
}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow"}]}},
}
SOURCE = {
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {
        "FunctionName": {"Ref": "Function"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
    },
}
INDEX = {
    "IndexName": "due",
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [INDEX],
    },
}


@pytest.fixture
def template() -> dict[str, Any]:
    """A template that follows every rule."""
    resources = {"Queue": QUEUE, "Function": FUNCTION, "Role": ROLE, "Source": SOURCE, "Table": TABLE}
    return copy.deepcopy({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})


def problems(template: dict[str, Any], folder: Path, base: dict[str, Any] | None = None) -> list[str]:
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump(template))
    return stack_check.problems(path, base)


def statement(characters: int) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": "a" * characters}]}


def test_good_template_has_no_problem(template: dict[str, Any], tmp_path: Path) -> None:
    assert problems(template, tmp_path) == []


def test_own_template_has_no_problem() -> None:
    assert stack_check.problems(ROOT / "template.yaml") == []


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::SQS::Queue", {"QueueName": "events"}),
        ("AWS::Scheduler::Schedule", {"Name": "EveryMinute"}),
        ("AWS::Lambda::LayerVersion", {"LayerName": {"Fn::Sub": "${AWS::Region}-library"}}),
        ("AWS::SSM::Parameter", {"Name": "/patchbay/settings", "Value": "x"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_name_that_two_stacks_would_have_is_rejected(
    template: dict[str, Any], tmp_path: Path, kind: str, properties: dict[str, Any]
) -> None:
    template["Resources"]["Named"] = {"Type": kind, "Properties": properties}
    [problem] = problems(template, tmp_path)
    assert problem.startswith("Named: its name ")
    assert "a second stack cannot be deployed" in problem
    name = next(iter(properties))
    properties[name] = {"Fn::Sub": "${AWS::StackName}-x"}
    assert problems(template, tmp_path) == []


def test_export_that_two_stacks_would_have_is_rejected(template: dict[str, Any], tmp_path: Path) -> None:
    template["Outputs"] = {"Key": {"Value": "x", "Export": {"Name": "key"}}}
    assert problems(template, tmp_path) == [
        'output Key: its export "key" does not contain the stack\'s name',
    ]


def test_template_over_cloudformations_size_is_rejected(template: dict[str, Any], tmp_path: Path) -> None:
    template["Metadata"] = {"Text": "x" * 1024 * 1024}
    [problem] = problems(template, tmp_path)
    assert "CloudFormation's limit is 1048576" in problem


def test_environment_is_measured_with_the_longest_parameters(
    template: dict[str, Any], tmp_path: Path
) -> None:
    serverless = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "hello.handler",
            "CodeUri": "s3://bucket/key",
            "Environment": {"Variables": {"LIST": {"Ref": "List"}, "COUNT": {"Ref": "Count"}}},
        },
    }
    template["Resources"]["Big"] = serverless
    template["Parameters"] = {
        "List": {"Type": "String", "Default": "", "MaxLength": 4060},
        "Count": {"Type": "Number", "Default": 1, "MaxValue": 100},
    }
    assert problems(template, tmp_path) == []  # {"LIST":"…","COUNT":"100"}
    template["Parameters"]["List"]["MaxLength"] = 4072
    assert problems(template, tmp_path) == [
        "Big: with the longest parameters, its environment has 4097 bytes, "
        "and 0 others exceed the limit too; Lambda's limit is 4096"
    ]
    del template["Parameters"]["List"]["MaxLength"]
    assert problems(template, tmp_path) == [
        "parameter List is in the environment of functions, and nothing limits its length"
    ]


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (
            {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": statement(6_144)}},
            "Wide has 6190 characters; IAM's limit is 6144",
        ),
        (
            {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {},
                    "Policies": [{"PolicyName": n, "PolicyDocument": statement(5_120)} for n in "ab"],
                },
            },
            "Wide: its inline policies have 10332 characters; IAM's limit is 10240",
        ),
        (
            {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": statement(2_048)}},
            "Wide: its trust policy has 2094 characters; IAM's limit is 2048",
        ),
        (
            {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {}, "ManagedPolicyArns": ["arn"] * 11},
            },
            "Wide has 11 managed policies; IAM's limit is 10",
        ),
    ],
    ids=["managed", "inline", "trust", "attached"],
)
def test_policies_over_iams_limits_are_rejected(
    template: dict[str, Any], tmp_path: Path, resource: dict[str, Any], text: str
) -> None:
    template["Resources"]["Wide"] = resource
    assert problems(template, tmp_path) == [text]


def test_visibility_below_six_function_timeouts_is_rejected(template: dict[str, Any], tmp_path: Path) -> None:
    template["Resources"]["Queue"]["Properties"]["VisibilityTimeout"] = 59
    assert problems(template, tmp_path) == [
        "Queue: its visibility timeout, 59 s, is less than six times the timeout of Function, 10 s"
    ]


@pytest.mark.parametrize(
    ("names", "projection", "changes"),
    [
        (["due", "new"], "KEYS_ONLY", 0),
        ([], "KEYS_ONLY", 0),
        (["new"], "KEYS_ONLY", 2),
        (["due", "new", "newer"], "KEYS_ONLY", 2),
        (["due"], "ALL", 2),
    ],
    ids=["one new", "one deleted", "replaced", "two new", "changed"],
)
def test_release_changes_one_index_of_a_table_at_most(
    template: dict[str, Any], tmp_path: Path, names: list[str], projection: str, changes: int
) -> None:
    base = copy.deepcopy(template)
    template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"] = [
        {**INDEX, "IndexName": name, "Projection": {"ProjectionType": projection}} for name in names
    ]
    found = problems(template, tmp_path, base)
    assert [problem.partition(" indexes")[0] for problem in found] == [f"Table: {changes}"] * bool(changes)


def test_base_is_the_template_of_a_commit() -> None:
    head = stack_check.template_of("HEAD")
    assert head is not None
    assert "EventsTable" in head["Resources"]
    assert stack_check.template_of("no-such-release") is None
