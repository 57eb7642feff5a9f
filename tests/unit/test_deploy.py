"""tools/deploy.py: parameters are checked before anything is built."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoRegionError
from samtranslator.yaml_helper import yaml_parse

from local.settings import REQUIRED_PARAMETERS, ROOT, Problem
from tools import deploy

TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:jwt-AbCdEf"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
WEB_ACL = f"arn:aws:wafv2:us-east-1:123456789012:global/webacl/web/{'0' * 8}-0000-0000-0000-{'0' * 12}"


def check(environment: str = "dev", region: str = "us-east-1", **values: str) -> dict[str, str]:
    given = {"Environment": environment, **REQUIRED_PARAMETERS, **values}
    return deploy.checked_values(TEMPLATE, given, f"patchbay-{environment}", environment, region)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"Environment": "prod"},
        {"JwksUrl": "", "JwtSecretArn": SECRET, "JwtSecretKmsKeyArn": KEY},
        {"DeliverFunctionTimeoutSeconds": "40", "DeliveryVisibilitySeconds": "240", "Environment": "prod"},
        {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE, "HostedZoneId": "Z0123456789"},
        {"WebAclArn": WEB_ACL, "PublishReservedConcurrency": "50", "FeedReservedConcurrency": "20"},
        {"SnapStart": "PublishedVersions", "DeploymentType": "Linear10PercentEvery1Minute"},
        {"FanOutConcurrency": "2", "DeliveryConcurrency": "2", "SlowDeliveryConcurrency": "2"},
    ],
)
def test_good_values_are_accepted(values: dict[str, str]) -> None:
    environment = values.pop("Environment", "dev")
    checked = check(environment, **values)
    assert checked.items() >= values.items()
    assert checked.keys() == TEMPLATE["Parameters"].keys()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"MaxWebhook": "7"}, "the template has no parameter MaxWebhook"),
        ({"JwksUrl": "http://platform.example"}, "parameter JwksUrl does not match"),
        ({"JwksUrl": "https://platform.example/" + "x" * 200}, "parameter JwksUrl is longer than 200"),
        ({"JwtSecretArn": SECRET}, "Set JwksUrl or JwtSecretArn, not both"),
        ({"JwksUrl": "", "JwtSecretArn": "jwt"}, "parameter JwtSecretArn does not match"),
        ({"JwtSecretKmsKeyArn": KEY}, "Set JwtSecretArn, or remove it"),
        ({"LogRetentionDays": "45"}, "parameter LogRetentionDays does not allow '45'"),
        ({"DeliveryConcurrency": "1001"}, "parameter DeliveryConcurrency is out of range"),
        ({"FanOutConcurrency": "1"}, "parameter FanOutConcurrency is out of range"),
        ({"MinTableCapacity": "101"}, "parameter MinTableCapacity is out of range"),
        ({"BatchWindowSeconds": "61"}, "parameter BatchWindowSeconds is out of range"),
        (
            {"AllowedRedirectUris": ",".join(["https://a.example/callback"] * 28)},
            "longer than 320 characters",
        ),
        ({"DeliveryLeaseSeconds": "30"}, "must ascend, and they are 15, 30, 30, 180"),
        ({"DeliverFunctionTimeoutSeconds": "35"}, "DeliveryVisibilitySeconds must be at least 210"),
        ({"DomainName": "api.example.com"}, "DomainName needs a certificate"),
        ({"CertificateArn": CERTIFICATE}, "Set DomainName, or remove them"),
        ({"WebAclArn": WEB_ACL.replace("global", "regional")}, "parameter WebAclArn does not match"),
    ],
)
def test_wrong_values_are_rejected(values: dict[str, str], text: str) -> None:
    with pytest.raises(Problem) as rejected:
        check(**values)
    assert text in str(rejected.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("MaxWebhook=7", "the template has no parameter MaxWebhook"),
        ("JwksUrl=http://platform.example", "parameter JwksUrl does not match"),
        (
            "DeliverFunctionTimeoutSeconds=40 DeliveryLeaseSeconds=40",
            "DeliverFunctionTimeoutSeconds and DeliveryLeaseSeconds must ascend, and they are 40, 40",
        ),
    ],
)
def test_given_values_are_checked_before_aws_is_called(
    text: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy.boto3, "client", lambda service: pytest.fail("AWS is called"))
    monkeypatch.setattr(deploy, "yaml_parse", lambda text: TEMPLATE)
    with pytest.raises(Problem, match=problem):
        deploy.deploy("dev", deploy.read_pairs(text))


def test_missing_region_is_one_sentence_and_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(service: str) -> None:
        raise NoRegionError

    monkeypatch.setattr(deploy.boto3, "client", client)
    with pytest.raises(Problem, match=r"called: You must specify a region\. Set AWS_PROFILE, and AWS_REGION"):
        deploy.deployed_values("patchbay-dev")


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({}, "unset"),
    ],
)
def test_make_passes_the_region_to_boto3(variables: dict[str, str], region: str) -> None:
    probe = "probe:\n\t@echo $${AWS_DEFAULT_REGION-unset}"
    environment = {"PATH": os.environ["PATH"], **variables}
    result = subprocess.run(
        ["make", "--eval", probe, "probe"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.stdout == f"{region}\n", result.stderr


def test_delivery_times_of_prod_are_a_rule_of_the_template() -> None:
    """A deployment without this tool also checks it."""
    with pytest.raises(Problem, match="In prod, DeliveryVisibilitySeconds must be 180, 240"):
        check("prod", DeliveryVisibilitySeconds="179")


def test_alarm_on_the_bill_needs_the_region_that_has_the_bill() -> None:
    assert check("prod", MonthlyBillUsd="300")["MonthlyBillUsd"] == "300"
    with pytest.raises(Problem, match="only in us-east-1"):
        check("prod", region="eu-central-1", MonthlyBillUsd="300")


def test_missing_values_are_named_with_their_meaning() -> None:
    with pytest.raises(Problem) as rejected:
        deploy.checked_values(TEMPLATE, {"Environment": "dev"}, "patchbay-dev", "dev", "us-east-1")
    text = str(rejected.value)
    assert "PlatformWorkspaceId: ID of the platform's own workspace" in text
    assert "or JwtSecretArn: ARN of the Secrets Manager secret" in text
    assert text.endswith('make deploy ENV=dev PARAMETERS="PlatformWorkspaceId=… JwtIssuer=… JwksUrl=…"')


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("A=1  B=2", {"A": "1", "B": "2"}),
        ("A='x y' B=", {"A": "x y", "B": ""}),
        ("A=https://a.example/?b=c", {"A": "https://a.example/?b=c"}),
    ],
)
def test_parameters_are_pairs(text: str, values: dict[str, str]) -> None:
    assert deploy.read_pairs(text) == values


@pytest.mark.parametrize("text", ["A", "=1", "A='x"])
def test_other_parameters_are_rejected(text: str) -> None:
    with pytest.raises(Problem, match="PARAMETERS"):
        deploy.read_pairs(text)


@pytest.mark.parametrize("name", ["", "staging"])
def test_environment_is_dev_or_prod(name: str) -> None:
    with pytest.raises(Problem, match="make deploy ENV=dev, or ENV=prod"):
        deploy.read_environment(name)


@pytest.mark.parametrize(
    ("status", "deployed"), [("REVIEW_IN_PROGRESS", {}), ("UPDATE_ROLLBACK_COMPLETE", {"MaxWebhooks": "7"})]
)
def test_values_of_the_stack_are_those_of_its_last_deployment(
    status: str, deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_with_status(status, monkeypatch)
    assert deploy.deployed_values("patchbay-dev") == deployed


def test_stack_whose_first_deployment_failed_must_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    stack_with_status("ROLLBACK_COMPLETE", monkeypatch)
    with pytest.raises(Problem, match="sam delete --stack-name patchbay-dev`, and deploy again"):
        deploy.deployed_values("patchbay-dev")


def stack_with_status(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = {"StackStatus": status, "Parameters": [{"ParameterKey": "MaxWebhooks", "ParameterValue": "7"}]}
    client = SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [stack]})
    monkeypatch.setattr(deploy.boto3, "client", lambda service: client)


def test_release_changes_with_each_value_and_not_with_itself() -> None:
    values = check()
    first = deploy.release_text(values)
    assert deploy.release_text({**values, "Release": "anything"}) == first
    assert deploy.release_text({**values, "MaxWebhooks": "7"}) != first
    assert check(Release=first)["Release"] == first
