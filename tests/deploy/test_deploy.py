"""`make deploy` and `sam delete` against an emulator's CloudFormation: two stacks in one account and region.

The command, the SAM CLI, the transform, the change sets, and most resources are real. The emulator accepts
more than AWS does, so these tests check the names and counts that AWS would refuse. There is no build: the
functions are the sources. The tests run in the order of this file, because each deployment takes 20 s.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = (
    "PlatformWorkspaceId=platform JwtIssuer=https://platform.example JwksUrl=https://platform.example/jwks"
)
LIMIT = pytest.mark.timeout(600)


@dataclass
class Account:
    """The emulated account, and a copy of the tree that deploys into it."""

    tree: Path
    environment: dict[str, str]
    url: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # the service is a variable
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def deploy(self, environment: str, parameters: str) -> tuple[int, str]:
        """Run `make deploy`'s program in a terminal where no one answers. Returns its status and output."""
        variables = self.environment | {"ENV": environment, "PARAMETERS": parameters}
        terminal, end = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.deploy"],
            cwd=self.tree,
            env=variables,
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        try:
            output = b"".join(read_terminal(terminal))
        except AssertionError:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            os.close(terminal)
        return process.wait(), output.decode()

    def sam(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.tree / ".tools/sam/bin/python", "-m", "samcli", *arguments],
            cwd=cwd or self.tree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def resources(self, stack: str) -> list[dict[str, Any]]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def physical(self, stack: str, logical_id: str) -> str:
        [found] = [r for r in self.resources(stack) if r["LogicalResourceId"] == logical_id]
        return str(found["PhysicalResourceId"])

    def names(self) -> dict[str, set[str]]:
        """Return the names of what is in the account, by kind."""
        functions = self.client("lambda").get_paginator("list_functions").paginate()
        roles = self.client("iam").get_paginator("list_roles").paginate()
        tables = self.client("dynamodb").get_paginator("list_tables").paginate()
        logs = self.client("logs").get_paginator("describe_log_groups").paginate()
        alarms = self.client("cloudwatch").get_paginator("describe_alarms").paginate()
        return {
            "functions": {item["FunctionName"] for page in functions for item in page["Functions"]},
            "roles": {item["RoleName"] for page in roles for item in page["Roles"]},
            "tables": {name for page in tables for name in page["TableNames"]},
            "log groups": {item["logGroupName"] for page in logs for item in page["logGroups"]},
            "alarms": {item["AlarmName"] for page in alarms for item in page["MetricAlarms"]},
            "queues": set(self.client("sqs").list_queues().get("QueueUrls", [])),
            "schedules": {item["Name"] for item in self.client("scheduler").list_schedules()["Schedules"]},
            "layers": {item["LayerName"] for item in self.client("lambda").list_layers()["Layers"]},
            "sources": {
                item["EventSourceArn"]
                for item in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
            },
            "buses": {item["Name"] for item in self.client("events").list_event_buses()["EventBuses"]}
            - {"default"},
            "parameters": {item["Name"] for item in self.client("ssm").describe_parameters()["Parameters"]},
        }


def read_terminal(terminal: int) -> Iterator[bytes]:
    """Yields what a program writes until it ends. Raises AssertionError after two silent minutes."""
    while select.select([terminal], [], [], 120)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the program has ended
            return
        if not chunk:
            return
        yield chunk
    raise AssertionError("the program waits")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("deploy")
    tree = folder / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("functions", "layers", "tools", "local"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tree)
    (tree / ".tools").symlink_to(ROOT / ".tools")
    # The build folder is the sources, and `make` has nothing to do.
    (tree / ".aws-sam").mkdir()
    (tree / ".aws-sam/build").symlink_to("..")
    make = folder / "bin/make"
    make.parent.mkdir()
    make.write_text("#!/bin/sh\necho make $@\n")
    make.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    base = {"HOME": str(home), "TMPDIR": str(home), "AWS_DEFAULT_REGION": "us-east-1"}
    emulator = subprocess.Popen(
        [ROOT / ".tools/deploy/bin/python", Path(__file__).with_name("emulator.py")],
        env=base
        | {
            "PATH": os.environ["PATH"],
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": "us-east-1",
            "MINISTACK_ACCOUNT_ID": "000000000000",
            "LOG_LEVEL": "ERROR",
        },
        stdin=subprocess.DEVNULL,
        cwd=home,
    )
    environment = base | {
        "PATH": f"{make.parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{tree / 'layers/patchbay'}:{tree}",
        "TERM": "xterm",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "SAM_CLI_TELEMETRY": "0",
    }
    try:
        wait_for(url, emulator)
        yield Account(tree, environment, url)
    finally:
        emulator.kill()  # its state ends with it
        emulator.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the emulator ended"
        try:
            httpx.get(f"{url}/_ministack/health", trust_env=False, timeout=2)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the emulator did not start")


@LIMIT
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_stack_is_deployed_without_a_question(account: Account, environment: str) -> None:
    status, output = account.deploy(environment, REQUIRED)
    assert status == 0, output[-3000:]
    assert not re.search(r"\[y/n\]|\[Y/n\]|\[y/N\]", output)
    assert f"Successfully created/updated stack - patchbay-{environment}" in output
    assert output.index("make build") < output.index("make release-check") < output.index("Successfully")
    tags = account.client("cloudformation").describe_stacks(StackName=f"patchbay-{environment}")["Stacks"][0][
        "Tags"
    ]
    assert {"Key": "Environment", "Value": environment} in tags


def test_missing_parameters_are_named_and_nothing_is_built(account: Account) -> None:
    (account.tree / "samconfig.toml").write_text(
        (ROOT / "samconfig.toml").read_text().replace('"patchbay-dev"', '"another"')
    )
    status, output = account.deploy("dev", "MaxWebhooks=7")
    shutil.copy(ROOT / "samconfig.toml", account.tree)
    assert status == 1
    assert "make build" not in output
    assert "PlatformWorkspaceId: ID of the platform's own workspace" in output
    assert 'make deploy ENV=dev PARAMETERS="PlatformWorkspaceId=… JwtIssuer=… JwksUrl=…"' in output


def test_two_stacks_share_no_physical_resource(account: Account) -> None:
    stacks = {stack: account.resources(stack) for stack in ("patchbay-dev", "patchbay-prod")}
    for stack, resources in stacks.items():
        kinds = Counter(resource["ResourceType"] for resource in resources)
        assert len(resources) < 450, "a stack can have 500 resources"
        assert kinds["AWS::Scheduler::Schedule"] == 7
        assert kinds["AWS::Lambda::EventInvokeConfig"] == 7
        assert kinds["AWS::Lambda::LayerVersion"] == 4
        assert kinds["AWS::Lambda::EventSourceMapping"] == 4
        for resource in resources:
            if resource["ResourceType"] in (
                "AWS::Scheduler::Schedule",
                "AWS::Lambda::LayerVersion",
                "AWS::Lambda::Function",
                "AWS::DynamoDB::Table",
                "AWS::IAM::Role",
                "AWS::SSM::Parameter",
                "AWS::Events::EventBus",
            ):
                assert stack in resource["PhysicalResourceId"], resource
    dev, prod = ({r["PhysicalResourceId"] for r in resources} for resources in stacks.values())
    assert dev & prod == {"$default"}, "only the names of stages are those of their API"
    assert len(account.names()["schedules"]) == 14
    assert len(account.names()["layers"]) == 8


def test_queue_invokes_the_alias_of_its_function(account: Account) -> None:
    sources = account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert len(sources) == 8
    assert all(source["FunctionArn"].endswith(":live") for source in sources)


@LIMIT
def test_function_of_another_stack_gets_layers_settings_and_rights(account: Account, tmp_path: Path) -> None:
    """The example in docs/guides/publish/in-process.md."""
    page = (ROOT / "docs/guides/publish/in-process.md").read_text()
    [example] = re.findall(r"```yaml\n( *Transform:.*?)```", page, re.DOTALL)
    (tmp_path / "template.yaml").write_text(textwrap.dedent(example))
    (tmp_path / "publisher").mkdir()
    (tmp_path / "publisher/publisher.py").write_text("def handler(event, context): ...\n")
    deploy = ("deploy", "--stack-name", "another", "--resolve-s3", "--capabilities", "CAPABILITY_IAM")
    deployed = account.sam(*deploy, cwd=tmp_path)
    assert deployed.returncode == 0, deployed.stdout[-3000:]
    function = account.client("lambda").get_function_configuration(
        FunctionName=account.physical("another", "PublisherFunction")
    )
    assert [layer["Arn"].split(":")[6] for layer in function["Layers"]] == [
        "patchbay-prod-dependencies",
        "patchbay-prod-patchbay",
    ]
    settings = json.loads(function["Environment"]["Variables"]["PATCHBAY_SETTINGS"])
    assert settings["EVENTS_TABLE"] == account.physical("patchbay-prod", "EventsTable")
    role = account.physical("another", "PublisherFunctionRole")
    attached = account.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert account.physical("patchbay-prod", "PublishPolicy") in {policy["PolicyArn"] for policy in attached}

    # After an update of Patchbay, the same command applies the parameters' new values.
    newer = {"Name": "/patchbay-prod/settings", "Type": "String", "Overwrite": True}
    account.client("ssm").put_parameter(Value=json.dumps(settings | {"RETENTION_DAYS": "7"}), **newer)
    deployed = account.sam(*deploy, cwd=tmp_path)
    assert deployed.returncode == 0, deployed.stdout[-3000:]
    function = account.client("lambda").get_function_configuration(
        FunctionName=account.physical("another", "PublisherFunction")
    )
    assert json.loads(function["Environment"]["Variables"]["PATCHBAY_SETTINGS"])["RETENTION_DAYS"] == "7"
    account.client("ssm").put_parameter(Value=json.dumps(settings), **newer)
    deleted = account.sam("delete", "--no-prompts", "--stack-name", "another", "--region", "us-east-1")
    assert deleted.returncode == 0, deleted.stdout[-3000:]


@LIMIT
def test_changed_parameter_reaches_the_alias_and_keeps_the_others(account: Account) -> None:
    functions = account.client("lambda")
    name = account.physical("patchbay-dev", "PublishEventFunction")
    before = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    status, output = account.deploy(
        "dev", "MaxWebhooks=7 AllowedRedirectUris=https://a.example/x,https://b.example/y"
    )
    assert status == 0, output[-3000:]
    assert "an update" in output
    after = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    assert int(after) > int(before)
    variables = functions.get_function_configuration(FunctionName=f"{name}:live")["Environment"]["Variables"]
    assert variables["MAX_WEBHOOKS"] == "7"
    assert variables["ALLOWED_REDIRECT_URIS"] == "https://a.example/x,https://b.example/y"
    assert variables["PLATFORM_WORKSPACE_ID"] == "platform", "a value that was given once stays"


@LIMIT
def test_nothing_but_data_is_left_of_a_deleted_stack(account: Account) -> None:
    retained = {
        resource["PhysicalResourceId"]
        for resource in account.resources("patchbay-dev")
        if resource["ResourceType"] == "AWS::DynamoDB::Table"
        and not re.search("Idempotency|RateLimits|OAuthStates|Sessions", resource["LogicalResourceId"])
    }
    assert len(retained) == 13
    deleted = account.sam("delete", "--no-prompts", "--stack-name", "patchbay-dev", "--region", "us-east-1")
    assert deleted.returncode == 0, deleted.stdout[-3000:]

    left = {
        kind: {name for name in names if "patchbay-dev" in name} for kind, names in account.names().items()
    }
    assert left.pop("tables") == retained
    assert left.pop("layers") == {"patchbay-dev-dependencies", "patchbay-dev-patchbay"}
    assert {kind: names for kind, names in left.items() if names} == {}
    # The other stack is complete.
    assert len([name for name in account.names()["functions"] if "patchbay-prod" in name]) == len(
        [r for r in account.resources("patchbay-prod") if r["ResourceType"] == "AWS::Lambda::Function"]
    )


def operation(account: Account, name: str, **variables: str) -> tuple[int, str]:
    """Run one of the operators' commands, and return its status and output."""
    done = subprocess.run(
        [sys.executable, "-m", f"tools.operations.{name}"],
        cwd=account.tree,
        env=account.environment | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def uninstall(account: Account, **variables: str) -> tuple[int, str]:
    return operation(account, "uninstall", **variables)


@LIMIT
def test_deployed_stack_can_be_restored(account: Account) -> None:
    """The check covers the tables of the deployed template, and does not read the tree's template. The
    emulator's CloudFormation omits TTL and recovery, so the test fixes each fault as its line says.
    """
    dynamodb = account.client("dynamodb")
    template = account.tree / "template.yaml"
    aside = template.rename(template.with_suffix(".aside"))
    try:
        _, output = operation(account, "backup_check", STACK="patchbay-prod")
        for table in re.findall(r"update-continuous-backups --table-name (\S+)", output):
            recovery = {"PointInTimeRecoveryEnabled": True}
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
        for table, attribute in re.findall(
            r"update-time-to-live --table-name (\S+) .*AttributeName=(\w+)", output
        ):
            ttl = {"Enabled": True, "AttributeName": attribute}
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
        status, output = operation(account, "backup_check", STACK="patchbay-prod")
        assert status == 0, output
        assert output.count("  ok  ") == 14, "13 tables and the key"
        status, output = operation(account, "restore_drill", STACK="patchbay-prod")
        assert status == 0, output
        assert "every table can be restored" in output
    finally:
        aside.rename(template)
    assert [name for name in account.names()["tables"] if "restore-drill" in name] == []


@LIMIT
@pytest.mark.parametrize("environment", ["dev", "prod"], ids=["after sam delete", "with the stack"])
def test_uninstall_leaves_nothing_but_the_key_that_waits(account: Account, environment: str) -> None:
    stack, other = f"patchbay-{environment}", "patchbay-prod" if environment == "dev" else None
    before = account.names()
    status, output = uninstall(account, STACK=stack)
    assert status == 1
    assert f"make uninstall STACK={stack} CONFIRM={stack}" in output
    assert uninstall(account, STACK=stack, CONFIRM=f"{stack}2")[0] == 1
    assert account.names() == before, "nothing is deleted without CONFIRM"

    status, output = uninstall(account, STACK=stack, CONFIRM=stack, DAYS="7")
    assert status == 0, output[-3000:]
    left = account.names()
    assert {kind: names for kind, names in left.items() if any(stack in name for name in names)} == {}
    buckets = [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
    assert [bucket for bucket in buckets if stack in bucket] == []
    artifacts = account.client("s3").list_object_versions(Bucket=buckets[0]).get("Versions", [])
    assert [item["Key"] for item in artifacts if item["Key"].startswith(f"{stack}/")] == []
    [key] = re.findall(r"cancel-key-deletion --key-id (\S+)", output)
    state = account.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"
    if other:
        assert {kind: {n for n in names if other in n} for kind, names in left.items()} == {
            kind: {n for n in names if other in n} for kind, names in before.items()
        }
    status, output = uninstall(account, STACK=stack, CONFIRM=stack)
    assert status == 0, "to repeat it changes nothing"
    assert "deleted table patchbay" not in output
