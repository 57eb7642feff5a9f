"""`make redrive`, `backup-check` and `restore-drill`: their effects on a stack, and their output."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.settings import Problem
from tests.conftest import ENGINE, Backend
from tests.integration.conftest import Pipeline
from tests.receivers import receiver
from tools.operations import backup_check, redrive, restore_drill, stack
from tools.operations.stack import Stack


def stack_of(backend: Backend, sqs: Any = None) -> Stack:
    """Return the backend as the stack that an operator's command sees."""
    template = backend.template
    tables = {
        table.logical_id: template.name(table.logical_id)
        for table in template.of_type("AWS::DynamoDB::Table")
    }
    queues = {name: backend.queue_url(name) for pair in redrive.QUEUES.values() for name in pair}
    return Stack(
        "patchbay-test",
        {**tables, **queues, **template.identities},
        lambda service: sqs if sqs and service == "sqs" else backend.client(service),
        stack.checkout_resources,
    )


class Tasks:
    """moto's SQS with message move tasks as AWS describes them. A task moves messages when it is listed."""

    def __init__(self, sqs: Any, urls: dict[str, str], running: bool = False) -> None:
        self._sqs, self._urls = sqs, urls
        self.started: list[dict[str, Any]] = []
        self.task: dict[str, Any] = {}
        if running:
            self.start_message_move_task(SourceArn="theirs", DestinationArn="their destination")
            self.started.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def start_message_move_task(self, **options: Any) -> dict[str, str]:
        self.started.append(options)
        started = {"StartedTimestamp": 1_000_000, "ApproximateNumberOfMessagesMoved": 0}
        self.task = {"Status": "RUNNING", **started, **options}
        return {"TaskHandle": "handle"}

    def list_message_move_tasks(self, **_: Any) -> dict[str, Any]:
        if not self.task:
            return {"Results": []}
        task = dict(self.task)
        moved = redrive.move(self._sqs, self._urls["source"], self._urls["destination"], None)
        self.task["ApproximateNumberOfMessagesMoved"] += moved
        if not moved:
            self.task["Status"] = "COMPLETED"
        return {"Results": [task]}


def set_aside(pipeline: Pipeline) -> None:
    """Send the deliveries of the fast lane to their dead-letter queue, as a worker does."""
    sqs = pipeline.backend.client("sqs")
    for record in pipeline.deliveries.receive():
        target = pipeline.backend.queue_url("DeliveriesDeadLetterQueue")
        sqs.send_message(QueueUrl=target, MessageBody=record["body"])
        sqs.delete_message(QueueUrl=pipeline.deliveries.url, ReceiptHandle=record["receiptHandle"])


class NoTasks:
    """An SQS without message move tasks."""

    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def list_message_move_tasks(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InvalidAction", "Message": "no"}}, "ListMessageMoveTasks")


@pytest.mark.parametrize("engine", ["with tasks", "without tasks"])
def test_redriven_delivery_arrives(
    pipeline: Pipeline, engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redrive, "POLL_SECONDS", 0)
    sqs = pipeline.backend.client("sqs")
    urls = {
        "source": pipeline.backend.queue_url("DeliveriesDeadLetterQueue"),
        "destination": pipeline.slow.url,
    }
    client = Tasks(sqs, urls) if engine == "with tasks" else NoTasks(sqs)
    with receiver() as r:
        pipeline.webhook(r.url)
        pipeline.publish()
        pipeline.publish()
        set_aside(pipeline)
        assert pipeline.poll() == 0
        assert redrive.redrive(stack_of(pipeline.backend, client), "deliveries", 500) == 0
        pipeline.run()
        assert len(r.requests) == 2
    assert pipeline.ends() == [("DELIVERED", None)] * 2
    printed = capsys.readouterr().out
    assert (
        "about 2 messages from DeliveriesDeadLetterQueue to SlowDeliveriesQueue, at most 500 a second"
        in printed
    )
    assert "about 0 messages are left" in printed
    if isinstance(client, Tasks):
        [options] = client.started
        assert options["SourceArn"].endswith("DeliveriesDeadLetterQueue")
        assert options["DestinationArn"].endswith("SlowDeliveriesQueue")
        assert options["MaxNumberOfMessagesPerSecond"] == 500
        assert "completed: moved about 2" in printed
    else:
        assert "moved 2 messages" in printed


def test_running_task_is_followed_and_not_started_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redrive, "POLL_SECONDS", 0)
    urls = {"source": pipeline.backend.queue_url("EventsDeadLetterQueue"), "destination": pipeline.events.url}
    client = Tasks(pipeline.backend.client("sqs"), urls, running=True)
    assert redrive.redrive(stack_of(pipeline.backend, client), "events", None) == 0
    assert client.started == []
    assert "a task is already moving messages to" in capsys.readouterr().out


def test_failed_task_fails_the_command(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Tasks(pipeline.backend.client("sqs"), {})
    states = iter([{}, {"Status": "FAILED", "StartedTimestamp": 1, "FailureReason": "AccessDenied"}])
    monkeypatch.setattr(
        client, "list_message_move_tasks", lambda **_: {"Results": [s] if (s := next(states)) else []}
    )
    assert redrive.redrive(stack_of(pipeline.backend, client), "events", None) == 1
    assert "the reason: AccessDenied" in capsys.readouterr().out


def test_older_task_is_not_taken_for_the_one_that_was_started(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQS lists the newest tasks, but may not list one that just started."""
    monkeypatch.setattr(redrive, "POLL_SECONDS", 0)
    old = {"Status": "FAILED", "StartedTimestamp": 1000, "FailureReason": "theirs"}
    new = {"Status": "COMPLETED", "StartedTimestamp": 2000, "ApproximateNumberOfMessagesMoved": 7}
    client = Tasks(pipeline.backend.client("sqs"), {})
    lists = iter([[old], [old], [old], [old, new]])
    monkeypatch.setattr(client, "list_message_move_tasks", lambda **_: {"Results": next(lists)})
    assert redrive.redrive(stack_of(pipeline.backend, client), "events", None) == 0
    printed = capsys.readouterr().out
    assert "SQS does not list the task yet" in printed
    assert "completed: moved about 7" in printed
    assert "theirs" not in printed


@pytest.mark.parametrize("rate", ["0", "501", "-1", "fast"])
def test_wrong_rate_is_refused(rate: str) -> None:
    with pytest.raises(Problem, match="a number from 1 to 500"):
        redrive.read_rate(rate)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "set the queue: QUEUE=events, QUEUE=deliveries or QUEUE=flows"),
        ({"QUEUE": "schedules"}, "set the queue"),
        ({"QUEUE": "events"}, "set the stack: STACK=patchbay-prod"),
        ({"QUEUE": "events", "STACK": "local"}, "start it with `make run`"),
    ],
    ids=["nothing", "other queue", "no stack", "no local stack"],
)
def test_command_says_what_it_needs(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    for name in ("QUEUE", "STACK", "RATE"):
        monkeypatch.setenv(name, variables.get(name, ""))
    with pytest.raises(Problem, match=text):
        redrive.main()


# ── backups ──────────────────────────────────────────────────────────────────────────────────────────


has_backups = pytest.mark.skipif(bool(ENGINE), reason="DynamoDB Local has no backups")


def check(backend: Backend, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Return the exit status and the faults."""
    status = backup_check.check(stack_of(backend))
    lines = capsys.readouterr().out.splitlines()
    return status, [line.partition("FAULT: ")[2] for line in lines if "FAULT: " in line]


@has_backups
def test_stack_as_the_template_makes_it_can_be_restored(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(backend, capsys) == (0, [])
    kept = backup_check.kept_tables(stack_of(backend))
    assert len(kept) == 13
    assert not {"IdempotencyTable", "RateLimitsTable", "OAuthStatesTable"} & kept.keys()


@has_backups
def test_each_fault_has_a_line_with_the_command_that_mends_it(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb, kms = backend.client("dynamodb"), backend.client("kms")
    key = backend.template.identities["CredentialsKey"]
    webhooks, api_keys = (backend.template.name(name) for name in ("WebhooksTable", "ApiKeysTable"))
    recovery, ttl = {"PointInTimeRecoveryEnabled": False}, {"Enabled": False, "AttributeName": "ttl"}
    dynamodb.update_continuous_backups(TableName=webhooks, PointInTimeRecoverySpecification=recovery)
    dynamodb.update_time_to_live(TableName=api_keys, TimeToLiveSpecification=ttl)
    kms.disable_key_rotation(KeyId=key)
    try:
        status, faults = check(backend, capsys)
        assert status == 1
        assert [fault.partition(" (")[0] for fault in faults] == [
            "ApiKeysTable",
            "WebhooksTable",
            "CredentialsKey",
        ]
        assert "Enabled=true,AttributeName=ttl" in faults[0]
        assert f"update-continuous-backups --table-name {webhooks}" in faults[1]
        assert "aws kms enable-key-rotation" in faults[2]
        kms.disable_key(KeyId=key)
        assert "aws kms enable-key " in check(backend, capsys)[1][-1]
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert "aws kms cancel-key-deletion" in check(backend, capsys)[1][-1]
    finally:  # other tests reuse the resources
        kms.cancel_key_deletion(KeyId=key)
        kms.enable_key(KeyId=key)
        kms.enable_key_rotation(KeyId=key)
        recovery["PointInTimeRecoveryEnabled"] = ttl["Enabled"] = True
        dynamodb.update_continuous_backups(TableName=webhooks, PointInTimeRecoverySpecification=recovery)
        dynamodb.update_time_to_live(TableName=api_keys, TimeToLiveSpecification=ttl)


@has_backups
def test_missing_table_is_a_fault(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    found = stack_of(backend)
    del found.resources["FeedsTable"]
    assert backup_check.check(found) == 1
    assert (
        "FAULT: FeedsTable is in the template of the stack, but not in the stack" in capsys.readouterr().out
    )


def test_names_of_other_stacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem, match="not a Patchbay stack"):
        Stack("other", {}, stack.aws_client, dict).id("EventsQueue")


def test_template_is_the_one_that_was_deployed() -> None:
    """The template of the checkout can be of another release. boto3 returns JSON as a dict."""
    resources = {"NewTable": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {}}}
    for body in ({"Resources": resources}, json.dumps({"Resources": resources})):
        cloudformation = SimpleNamespace(get_template=lambda body=body, **_: {"TemplateBody": body})
        declared = partial(stack.deployed_resources, cloudformation, "patchbay-prod")
        found = Stack("patchbay-prod", {}, stack.aws_client, declared)
        assert backup_check.kept_tables(found) == {"NewTable": {}}


# ── restores ─────────────────────────────────────────────────────────────────────────────────────────


class Restores:
    """moto's DynamoDB with restorable times that advance and restores that take a while. `spoil` damages
    a side table before it is ready.
    """

    def __init__(self, dynamodb: Any, spoil: Callable[[Any, str], object] = lambda dynamodb, name: None):
        self._dynamodb, self._spoil = dynamodb, spoil
        self.looks = 2  # status checks until a table is ready
        self.restoring: dict[str, int] = {}
        self.times: set[datetime] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def describe_continuous_backups(self, **_: Any) -> Any:
        latest = {"LatestRestorableDateTime": datetime.now(UTC) + timedelta(seconds=1)}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": latest}}

    def restore_table_to_point_in_time(self, **options: Any) -> Any:
        self.times.add(options.pop("RestoreDateTime"))
        answer = self._dynamodb.restore_table_to_point_in_time(**options)
        self._spoil(self._dynamodb, options["TargetTableName"])
        self.restoring[options["TargetTableName"]] = self.looks
        return answer

    def describe_table(self, TableName: str) -> Any:
        answer = self._dynamodb.describe_table(TableName=TableName)
        if self.restoring.get(TableName):
            self.restoring[TableName] -= 1
            answer["Table"]["TableStatus"] = "CREATING"
        return answer

    def delete_table(self, TableName: str) -> Any:
        if self.restoring.get(TableName):
            raise ClientError({"Error": {"Code": "ResourceInUseException", "Message": "no"}}, "DeleteTable")
        return self._dynamodb.delete_table(TableName=TableName)


@pytest.fixture
def restores(backend: Backend, api: Any, monkeypatch: pytest.MonkeyPatch) -> Restores:
    """Store a few rows, and return a DynamoDB client that can restore their tables."""
    monkeypatch.setattr(restore_drill, "POLL_SECONDS", 0)
    for number in range(3):
        body = {"name": f"w{number}", "url": "https://receiver.example/", "eventTypes": ["POST_PUBLISHED"]}
        assert api("POST /api/integrations/webhooks", json=body).status == 201
    return Restores(backend.client("dynamodb"))


def run_drill(backend: Backend, client: Restores, samples: int = 1000) -> int:
    found = replace(stack_of(backend), client=lambda service: client)
    return restore_drill.drill(found, samples)


def side_tables(backend: Backend) -> list[str]:
    names = backend.client("dynamodb").list_tables()["TableNames"]
    return [name for name in names if name.endswith(restore_drill.SUFFIX)]


@has_backups
def test_drill_restores_all_tables_to_one_time_and_deletes_them(
    backend: Backend, restores: Restores, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_drill(backend, restores) == 0
    printed = capsys.readouterr().out
    assert len(restores.restoring) == 13
    assert len(restores.times) == 1
    assert "0 of 13 restored" in printed
    [webhooks] = [line for line in printed.splitlines() if "WebhooksTable " in line and "result" not in line]
    assert webhooks.split()[-1] == "ok"
    assert int(webhooks.split()[-3]) >= 3
    assert side_tables(backend) == []


def drop_row(dynamodb: Any, name: str) -> None:
    [row] = dynamodb.scan(TableName=name, Limit=1)["Items"]
    dynamodb.delete_item(TableName=name, Key={key: row[key] for key in ("workspaceId", "sk")})


def change_row(dynamodb: Any, name: str) -> None:
    [row] = dynamodb.scan(TableName=name, Limit=1)["Items"]
    dynamodb.put_item(TableName=name, Item=row | {"other": {"S": "x"}})


def add_row(dynamodb: Any, name: str) -> None:
    dynamodb.put_item(TableName=name, Item={"workspaceId": {"S": "other"}, "sk": {"S": "other"}})


def drop_index(dynamodb: Any, name: str) -> None:
    delete = [{"Delete": {"IndexName": "due"}}]
    dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=delete)


@has_backups
@pytest.mark.parametrize(
    ("table", "spoil", "fault"),
    [
        ("WebhooksTable", drop_row, "differ, 1 of them are missing"),
        ("WebhooksTable", change_row, "differ, 0 of them are missing"),
        ("WebhooksTable", add_row, "or more instead of"),
        ("EventsTable", drop_index, "indexes: [] instead of [('G', 'due'"),
    ],
)
def test_drill_finds_what_a_restore_did_not_bring_back(
    backend: Backend,
    restores: Restores,
    table: str,
    spoil: Callable[[Any, str], object],
    fault: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = backend.template.name(table)
    restores._spoil = lambda dynamodb, side: spoil(dynamodb, side) if side.startswith(name) else None
    assert run_drill(backend, restores) == 1
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if "FAULT: " in line]
    assert f"FAULT: {table} ({name}): " in line
    assert fault in line
    assert "open a case with AWS Support" in printed
    assert side_tables(backend) == []


@has_backups
def test_drill_does_not_compare_what_changes_meanwhile(
    backend: Backend, restores: Restores, capsys: pytest.CaptureFixture[str]
) -> None:
    name = backend.template.name("WebhooksTable")

    def meanwhile(dynamodb: Any, side: str) -> None:
        if side.startswith(name):
            change_row(dynamodb, name)

    restores._spoil = meanwhile
    assert run_drill(backend, restores, samples=2) == 0
    printed = capsys.readouterr().out.splitlines()
    line = [line for line in printed if "WebhooksTable " in line][-1]
    assert line.split()[-4:] == ["1", "(sample)", "1", "ok"]


@has_backups
def test_interrupted_drill_deletes_its_tables(
    backend: Backend, restores: Restores, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    restores.looks = 5
    sleeps = iter([KeyboardInterrupt()])

    def sleep(seconds: float) -> None:
        if (interrupt := next(sleeps, None)) is not None:
            raise interrupt

    monkeypatch.setattr(restore_drill.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        run_drill(backend, restores)
    printed = capsys.readouterr().out
    assert "waiting for " in printed, "a table that is being restored cannot be deleted"
    assert "the copies are deleted" in printed
    assert side_tables(backend) == []


@has_backups
def test_drill_refuses_to_use_a_table_of_another_drill(backend: Backend, restores: Restores) -> None:
    name = backend.template.name("WebhooksTable")
    side = name + restore_drill.SUFFIX
    dynamodb = backend.client("dynamodb")
    dynamodb.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=side)
    try:
        with pytest.raises(Problem, match=f"aws dynamodb delete-table --table-name {side}"):
            run_drill(backend, restores)
        assert side_tables(backend) == [side]
    finally:
        dynamodb.delete_table(TableName=side)


@pytest.mark.parametrize("samples", ["0", "100001", "many"])
def test_wrong_number_of_samples_is_refused(samples: str) -> None:
    with pytest.raises(Problem, match="a number from 1 to 100000"):
        restore_drill.read_samples(samples)
