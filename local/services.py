"""The data services: a ministack process with the resources of the template.

Existing resources keep their data, and their settings are updated where possible.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import ClientError

from local.settings import (
    ACCOUNT,
    CREDENTIALS,
    HOST,
    JWT_SECRET_NAME,
    REGION,
    ROOT,
    STACK_NAME,
    Problem,
    client,
)
from local.template import Resource, Template

START_SECONDS = 30
STOP_SECONDS = 15  # ministack writes its state before it exits
SERVICES = "dynamodb,sqs,kms,secretsmanager,events,s3"


def child(number: int, *command: str) -> list[str]:
    """The command line of a program that ends with the runner (see child.py)."""
    launcher = str(Path(__file__).with_name("child.py"))
    return [sys.executable, "-I", "-S", launcher, str(number), str(os.getpid()), *command]


class Ministack:
    """The emulator of the data services, one process on a free port of the loopback interface."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log
        self.saves = True  # its data when it stops

    @classmethod
    async def start(cls, state: Path) -> Ministack:
        wanted = os.environ.get("MINISTACK") or str(ROOT / ".tools/ministack/bin/ministack")
        executable = shutil.which(wanted)
        if not executable:
            raise Problem(f"ministack not found at {wanted}: run `make setup`")
        home = state / "ministack"
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "BIND_HOST": HOST,  # the default is every interface
            "GATEWAY_PORT": str(port),
            "SERVICES": SERVICES,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(home / "data"),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "LOG_LEVEL": "WARNING",
            **CREDENTIALS,  # those that sign links to files
        }
        log = home / "log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                # SIGTERM, also from the kernel: ministack saves its state only on this signal.
                *child(signal.SIGTERM, executable),
                env=environment,
                cwd=home,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches only the runner, which stops ministack
            )
        self = cls(process, f"http://{HOST}:{port}", log)
        try:
            await self._ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def _ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.url, timeout=2, trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get("/_ministack/health")).is_success:
                        return
                if self.process.returncode is not None or time.monotonic() > deadline:
                    lines = self.log.read_text().strip().splitlines() or ["no output"]
                    raise Problem(f"ministack did not start ({lines[-1]}); its log is {self.log}")
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate() if self.saves else self.process.kill()
            try:
                await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


def jwt_secret_arn(endpoints: dict[str, str], value: str) -> str:
    """The ARN of the secret with the development key for JWTs."""
    return _secret(client("secretsmanager", endpoints), JWT_SECRET_NAME, lambda: value, value)


def identify(template: Template, endpoints: dict[str, str]) -> dict[str, str]:
    """Create the KMS keys and secrets, whose services assign IDs. Returns IDs or ARNs by logical ID."""
    found = {}
    for key in template.of_type("AWS::KMS::Key"):
        found[key.logical_id] = _key(client("kms", endpoints), key)
    for secret in template.of_type("AWS::SecretsManager::Secret"):
        properties = secret.properties
        found[secret.logical_id] = _secret(
            client("secretsmanager", endpoints),
            template.name(secret.logical_id),
            partial(_secret_value, properties),
            properties.get("SecretString"),
        )
    return found


def create(template: Template, endpoints: dict[str, str]) -> None:
    """Create the missing resources of the template, and update the settings of the others."""
    _aliases(template, endpoints)
    dynamodb = client("dynamodb", endpoints)
    for table in template.of_type("AWS::DynamoDB::Table"):
        _table(dynamodb, template.name(table.logical_id), table.properties)
    _buckets(template, endpoints)
    _queues(template, endpoints)
    _buses(template, endpoints)


def _key(kms: Any, key: Resource) -> str:
    alias = f"alias/local/{STACK_NAME}/{key.logical_id}"  # finds the key after a restart
    try:
        return str(kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
    settings = {k: v for k, v in key.properties.items() if k in ("Description", "KeySpec", "KeyUsage")}
    key_id = str(kms.create_key(**settings)["KeyMetadata"]["KeyId"])
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    if key.properties.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key_id)
    return key_id


def _aliases(template: Template, endpoints: dict[str, str]) -> None:
    aliases = list(template.of_type("AWS::KMS::Alias"))
    if aliases:
        kms = client("kms", endpoints)
        there = {alias["AliasName"]: alias["TargetKeyId"] for alias in _all_aliases(kms)}
        for alias in aliases:
            name, target = alias.properties["AliasName"], alias.properties["TargetKeyId"]
            target = target.rpartition("key/")[2]
            if name not in there:
                kms.create_alias(AliasName=name, TargetKeyId=target)
            elif there[name] != target:
                kms.update_alias(AliasName=name, TargetKeyId=target)


def _all_aliases(kms: Any) -> Iterator[dict[str, Any]]:
    for page in kms.get_paginator("list_aliases").paginate():
        yield from page["Aliases"]


def _secret(manager: Any, name: str, initial: Callable[[], str], wanted: str | None) -> str:
    """The secret's ARN. `initial` returns its first value; `wanted`, if set, replaces the current one."""
    try:
        stored = manager.get_secret_value(SecretId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return str(manager.create_secret(Name=name, SecretString=initial())["ARN"])
    if wanted is not None and stored["SecretString"] != wanted:
        manager.put_secret_value(SecretId=name, SecretString=wanted)
    return str(stored["ARN"])


def _secret_value(properties: dict[str, Any]) -> str:
    if "SecretString" in properties:
        return str(properties["SecretString"])
    rules = properties.get("GenerateSecretString", {})
    length = int(rules.get("PasswordLength", 32))
    password = secrets.token_urlsafe(length)[:length]
    if "GenerateStringKey" not in rules:
        return password
    return json.dumps(json.loads(rules["SecretStringTemplate"]) | {rules["GenerateStringKey"]: password})


def _table(dynamodb: Any, name: str, properties: dict[str, Any]) -> None:
    for unsupported in (
        "StreamSpecification",
        "KinesisStreamSpecification",
        "ImportSourceSpecification",
    ):
        if unsupported in properties:
            raise Problem(f"table {name}: {unsupported} is not emulated")
    try:
        there = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        kept = (
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
        )
        settings = {key: properties[key] for key in kept if key in properties}
        for index in settings.get("GlobalSecondaryIndexes", []):
            index.pop("ProvisionedThroughput", None)
        dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **settings)
    else:
        _same_keys(name, there, properties)
        _new_indexes(dynamodb, name, there, properties)
    expiry = properties.get("TimeToLiveSpecification", {"Enabled": False})
    now = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    enabled = str(expiry["Enabled"]).lower() == "true"
    if enabled and now.get("AttributeName") != expiry["AttributeName"]:
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry | {"Enabled": True})
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        _recovery(dynamodb, name, recovery)


def _recovery(dynamodb: Any, name: str, wanted: dict[str, Any]) -> None:
    try:
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "UnknownOperationException":  # from DynamoDB Local
            raise


def _same_keys(name: str, there: dict[str, Any], properties: dict[str, Any]) -> None:
    types = {item["AttributeName"]: item["AttributeType"] for item in there["AttributeDefinitions"]}
    changed = there["KeySchema"] != properties["KeySchema"] or any(
        types.get(item["AttributeName"], item["AttributeType"]) != item["AttributeType"]
        for item in properties["AttributeDefinitions"]
    )
    old = {index["IndexName"]: index["KeySchema"] for index in there.get("GlobalSecondaryIndexes", [])}
    for index in properties.get("GlobalSecondaryIndexes", []):
        changed = changed or old.get(index["IndexName"], index["KeySchema"]) != index["KeySchema"]
    if changed:
        raise Problem(
            f"the keys of table {name} differ from the template's, and keys cannot change: "
            "give the table another logical ID, or delete the state directory"
        )


def _new_indexes(dynamodb: Any, name: str, there: dict[str, Any], properties: dict[str, Any]) -> None:
    old = {index["IndexName"] for index in there.get("GlobalSecondaryIndexes", [])}
    for index in properties.get("GlobalSecondaryIndexes", []):
        if index["IndexName"] not in old:
            index.pop("ProvisionedThroughput", None)
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=properties["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )


def _buckets(template: Template, endpoints: dict[str, str]) -> None:
    buckets = list(template.of_type("AWS::S3::Bucket"))
    if not buckets:
        return
    s3 = client("s3", endpoints)
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in buckets:
        name = template.name(bucket.logical_id)
        if name not in there:
            where = {} if REGION == "us-east-1" else {"LocationConstraint": REGION}
            s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": where} if where else {}))
        rules = bucket.properties.get("LifecycleConfiguration", {}).get("Rules", [])
        if rules:
            s3.put_bucket_lifecycle_configuration(
                Bucket=name, LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in rules]}
            )


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule in the format of the S3 API."""
    days = int(rule["ExpirationInDays"])
    return {
        "ID": rule["Id"],
        "Status": rule["Status"],
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": days},
    }


def _queues(template: Template, endpoints: dict[str, str]) -> None:
    queues = list(template.of_type("AWS::SQS::Queue"))
    if not queues:
        return
    sqs = client("sqs", endpoints)
    urls = {}
    for queue in queues:
        name = template.name(queue.logical_id)
        try:
            urls[queue.logical_id] = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            fifo = {"FifoQueue": "true"} if queue.properties.get("FifoQueue") else {}
            urls[queue.logical_id] = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    for queue in queues:  # after all exist, because one can be the dead-letter queue of another
        settings = {
            key: json.dumps(value) if isinstance(value, dict | bool) else str(value)
            for key, value in queue.properties.items()
            if key not in ("QueueName", "Tags", "FifoQueue")
        }
        if settings:
            try:
                _set_attributes(sqs, urls[queue.logical_id], settings)
            except ClientError as error:
                raise Problem(f"queue {queue.logical_id}: {error.response['Error']['Message']}") from None


def _set_attributes(sqs: Any, url: str, settings: dict[str, str]) -> None:
    try:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=settings)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidAttributeName":  # from ElasticMQ
            raise
        known = {name: value for name, value in settings.items() if name != "SqsManagedSseEnabled"}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=known)


def _buses(template: Template, endpoints: dict[str, str]) -> None:
    """Event buses, and the rules that send their events to queues. Functions as targets are not emulated, and
    rules with a schedule are in schedules.py."""
    rules = [r for r in template.of_type("AWS::Events::Rule") if "EventPattern" in r.properties]
    buses = list(template.of_type("AWS::Events::EventBus"))
    if not rules and not buses:
        return
    events = client("events", endpoints)
    there = {bus["Name"] for bus in events.list_event_buses()["EventBuses"]}
    for bus in buses:
        if bus.properties["Name"] not in there:
            events.create_event_bus(Name=bus.properties["Name"])
    for rule in rules:
        targets = rule.properties.get("Targets", [])
        for target in targets:
            if template.queue_named(target["Arn"]) is None:
                raise Problem(
                    f"{rule.logical_id}: only queues of this template are emulated as targets of events"
                )
        where = {"EventBusName": rule.properties.get("EventBusName", "default").rpartition("/")[2]}
        name = template.name(rule.logical_id)
        events.put_rule(
            Name=name,
            EventPattern=json.dumps(rule.properties["EventPattern"]),
            State=rule.properties.get("State", "ENABLED"),
            **where,
        )
        gone = {t["Id"] for t in events.list_targets_by_rule(Rule=name, **where)["Targets"]}
        gone -= {target["Id"] for target in targets}
        if gone:
            events.remove_targets(Rule=name, Ids=sorted(gone), **where)
        wanted = [
            {k: v for k, v in t.items() if k not in ("RoleArn", "DeadLetterConfig", "RetryPolicy")}
            for t in targets
        ]
        events.put_targets(Rule=name, Targets=wanted, **where)
