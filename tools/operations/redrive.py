"""Moves the messages of a dead-letter queue back to a worker: `make redrive STACK= QUEUE=events [RATE=]`.

An SQS task moves them (StartMessageMoveTask). The command names the destination, because most of these
messages were sent to the dead-letter queue directly, so SQS knows no queue to return them to. If an
emulator has no such tasks, this command moves the messages one by one: it receives, sends, and then
deletes each. If that stops halfway, a message is in both queues, which has no second effect: the fan-out
makes the same deliveries, the slow lane claims each before it sends it, and a flow takes each step once.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from botocore.exceptions import ClientError

from local.settings import Problem
from tools.operations import stack as stacks
from tools.operations.stack import Stack

# Source and destination, as the runbooks in docs/operate/runbooks.md have them.
QUEUES = {
    "events": ("EventsDeadLetterQueue", "EventsQueue"),
    "deliveries": ("DeliveriesDeadLetterQueue", "SlowDeliveriesQueue"),
    "flows": ("FlowsDeadLetterQueue", "FlowsQueue"),
}
MAX_RATE = 500  # of SQS
POLL_SECONDS = 2.0
_MOST_POLLS = 30  # until a new task is listed
_MOST_TASKS = 10  # of ListMessageMoveTasks
_HIDDEN_SECONDS = 60  # how long a message that this command moves itself is hidden from others
_MISSING = {"InvalidAction", "UnknownOperation", "UnknownOperationException", "NotImplemented"}
_ENDED = {"COMPLETED", "CANCELLED", "FAILED"}


def main() -> int:
    queue = stacks.setting("QUEUE")
    if queue not in QUEUES:
        raise Problem("set the queue: QUEUE=events, QUEUE=deliveries or QUEUE=flows")
    return redrive(stacks.find(stacks.setting("STACK")), queue, read_rate(stacks.setting("RATE")))


def read_rate(text: str) -> int | None:
    """The most messages a second, or None for as fast as SQS can. Raises Problem."""
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= MAX_RATE:
        raise Problem(f"RATE must be a number from 1 to {MAX_RATE}")
    return int(text)


def redrive(stack: Stack, queue: str, rate: int | None) -> int:
    """Move all messages, and wait until that ends. Returns the exit status."""
    sqs = stack.client("sqs")
    source, destination = (stack.id(logical_id) for logical_id in QUEUES[queue])
    pace = f", at most {rate} a second" if rate else ""
    way = f"from {QUEUES[queue][0]} to {QUEUES[queue][1]}"
    say(f"stack {stack.name}: about {depth(sqs, source)} messages {way}{pace}")
    try:
        failed = follow(sqs, arn(sqs, source), arn(sqs, destination), rate)
    except ClientError as error:
        if error.response["Error"]["Code"].rpartition("#")[2] not in _MISSING:
            raise
        say("this SQS does not support message move tasks; moving messages one by one")
        moved = move(sqs, source, destination, rate)
        say(f"moved {moved} messages")
        failed = False
    left = depth(sqs, source)
    say(f"about {left} messages are left in {QUEUES[queue][0]}")
    if left:
        say("unreadable messages come back: read one (docs/operate/runbooks.md), and fix its sender")
    return int(failed)


def follow(sqs: Any, source: str, destination: str, rate: int | None) -> bool:
    """Start a task, or find the running one, and show its progress. Returns whether it failed."""
    task = latest(sqs, source, 0)
    since = int(task.get("StartedTimestamp", 0))
    if task.get("Status") == "RUNNING":
        pace = ", at its own rate" if rate else ""
        say(
            f"a task is already moving messages to {task.get('DestinationArn', 'their sources')}; following "
            f"it{pace}"
        )
    else:
        options = {"MaxNumberOfMessagesPerSecond": rate} if rate else {}
        sqs.start_message_move_task(SourceArn=source, DestinationArn=destination, **options)
        say("started; if you stop this command, the task continues. Run the same command to follow it again")
        since += 1
        task = latest(sqs, source, since)
    polls = 0
    while task.get("Status") not in _ENDED:
        polls += not task
        if polls > _MOST_POLLS:
            raise Problem("SQS does not list the task that it started; run the same command in a minute")
        say(progress(task) if task else "SQS does not list the task yet")
        time.sleep(POLL_SECONDS)
        task = latest(sqs, source, since)
    say(f"{task['Status'].lower()}: {progress(task)}")
    if reason := task.get("FailureReason"):
        say(f"the reason: {reason}")
    return bool(task["Status"] != "COMPLETED")


def latest(sqs: Any, source: str, since: int) -> dict[str, Any]:
    """The newest task of a queue that started at `since` (Unix milliseconds) or later; empty without one. SQS
    returns a handle only for a running task, so the start time distinguishes a new task from the last one.
    """
    tasks = sqs.list_message_move_tasks(SourceArn=source, MaxResults=_MOST_TASKS).get("Results", [])
    started = [task for task in tasks if task["StartedTimestamp"] >= since]
    return max(started, key=lambda task: int(task["StartedTimestamp"]), default={})


def progress(task: dict[str, Any]) -> str:
    moved = task.get("ApproximateNumberOfMessagesMoved", 0)
    return f"moved about {moved} of {task.get('ApproximateNumberOfMessagesToMove', moved)}"


def move(sqs: Any, source: str, destination: str, rate: int | None) -> int:
    """Move the messages that are in the queue now, one by one. Returns their number."""
    moved = 0
    for _ in range(depth(sqs, source)):
        answer = sqs.receive_message(
            QueueUrl=source,
            MaxNumberOfMessages=1,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["MessageGroupId"],
            MessageAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            break
        [message] = answer["Messages"]
        # The group keeps the queue fair to workspaces.
        group = message.get("Attributes", {}).get("MessageGroupId")
        sqs.send_message(
            QueueUrl=destination,
            MessageBody=message["Body"],
            MessageAttributes=message.get("MessageAttributes", {}),
            **({"MessageGroupId": group} if group else {}),
        )
        sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        moved += 1
        if moved % 100 == 0:
            say(f"moved {moved}")
        if rate:
            time.sleep(1 / rate)
    return moved


def arn(sqs: Any, url: str) -> str:
    return str(attributes(sqs, url)["QueueArn"])


def depth(sqs: Any, url: str) -> int:
    return int(attributes(sqs, url)["ApproximateNumberOfMessages"])


def attributes(sqs: Any, url: str) -> dict[str, str]:
    names = ["QueueArn", "ApproximateNumberOfMessages"]
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return found


def say(text: str) -> None:
    print(f"redrive: {text}", flush=True)


if __name__ == "__main__":
    try:
        stacks.run("redrive", main)
    except KeyboardInterrupt:
        sys.exit(130)
