"""`make redrive` and `make backup-check`: what they do to a stack, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.settings import Problem
from tests.conftest import ENGINE, Backend
from tests.integration.conftest import Pipeline
from tests.receivers import receiver
from tools.operations import backup_check, redrive, stack
from tools.operations.stack import Stack


def stack_of(backend: Backend, sqs: Any = None) -> Stack:
    """The backend as an operator's command sees it."""
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
    )


class Tasks:
    """moto's SQS, with tasks that move messages as AWS describes. Each look at a task lets it work."""

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
        self.task = {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 0, **options}
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
    """An SQS without tasks that move messages."""

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
    assert "already moves messages to their destination; following it" in capsys.readouterr().out


def test_failed_task_fails_the_command(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Tasks(pipeline.backend.client("sqs"), {})
    states = iter([{}, {"Status": "FAILED", "FailureReason": "AccessDenied"}])
    monkeypatch.setattr(
        client, "list_message_move_tasks", lambda **_: {"Results": [s] if (s := next(states)) else []}
    )
    assert redrive.redrive(stack_of(pipeline.backend, client), "events", None) == 1
    assert "the reason: AccessDenied" in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["0", "501", "-1", "fast"])
def test_wrong_rate_is_refused(rate: str) -> None:
    with pytest.raises(Problem, match="a number from 1 to 500"):
        redrive.read_rate(rate)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "name the queue: QUEUE=events, or QUEUE=deliveries"),
        ({"QUEUE": "schedules"}, "name the queue"),
        ({"QUEUE": "events"}, "name the stack: STACK=patchbay-prod"),
        ({"QUEUE": "events", "STACK": "local"}, "start it with `make run`"),
    ],
    ids=["nothing", "other queue", "no stack", "no local stack"],
)
def test_command_says_what_it_needs(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    for name in ("QUEUE", "STACK", "MAX_PER_SECOND"):
        monkeypatch.setenv(name, variables.get(name, ""))
    with pytest.raises(Problem, match=text):
        redrive.main()


# ── backups ──────────────────────────────────────────────────────────────────────────────────────────


has_backups = pytest.mark.skipif(bool(ENGINE), reason="DynamoDB Local has no backups")


def check(backend: Backend, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit status, and the faults."""
    status = backup_check.check(stack_of(backend))
    lines = capsys.readouterr().out.splitlines()
    return status, [line.partition("FAULT: ")[2] for line in lines if "FAULT: " in line]


@has_backups
def test_stack_as_the_template_makes_it_can_be_restored(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(backend, capsys) == (0, [])
    assert len(backup_check.kept_tables()) == 12
    assert not {"IdempotencyTable", "RateLimitsTable", "OAuthStatesTable"} & backup_check.kept_tables().keys()


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
    assert "FAULT: FeedsTable is not in the stack: deploy this release" in capsys.readouterr().out


def test_names_of_other_stacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem, match="no stack of Patchbay"):
        Stack("other", {}, stack.aws_client).id("EventsQueue")
