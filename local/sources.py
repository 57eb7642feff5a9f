"""SQS event source mappings, with pollers like Lambda's.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from local.runtime import MAX_PAYLOAD, MAX_PROCESSES, Answer, Runtime
from local.settings import REGION, Problem
from local.sqs import Sqs
from local.template import Resource, Template
from local.upstream import Refused

_KNOWN = {
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
    "Tags",
}
_DRAIN_SECONDS = 2
_POLL_SECONDS = 1  # short, because cancelling a poll can hide messages


class Note(Protocol):
    """See `Logs.note`."""

    def __call__(self, function: str, text: str, *, ordinary: bool = False) -> None: ...


@dataclass(frozen=True)
class Source:
    """One event source mapping."""

    function: str
    queue: str
    queue_arn: str
    queue_url: str
    batch_size: int
    window: float
    partial: bool
    concurrency: int


def read(template: Template) -> list[Source]:
    """The enabled mappings of the template."""
    mappings = template.of_type("AWS::Lambda::EventSourceMapping")
    return [_source(template, mapping) for mapping in mappings if _enabled(mapping)]


def _enabled(mapping: Resource) -> bool:
    return str(mapping.properties.get("Enabled", True)).lower() == "true"


def _source(template: Template, mapping: Resource) -> Source:
    properties = mapping.properties
    if unknown := sorted(properties.keys() - _KNOWN):
        raise Problem(f"{mapping.logical_id}: {', '.join(unknown)} is not emulated")
    queue = template.queue_named(properties["EventSourceArn"])
    function = template.function_named(properties["FunctionName"])
    if queue is None or function is None:
        raise Problem(f"{mapping.logical_id}: only queues of this template are emulated as event sources")
    batch_size = int(properties.get("BatchSize", 10))
    window = float(properties.get("MaximumBatchingWindowInSeconds", 0))
    if batch_size > 10 and window < 1:
        raise Problem(f"{mapping.logical_id}: a BatchSize over 10 needs a batching window of 1 s or more")
    concurrency = int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", MAX_PROCESSES))
    if concurrency < 2:
        raise Problem(f"{mapping.logical_id}: MaximumConcurrency must be at least 2")
    return Source(
        function=function,
        queue=queue,
        queue_arn=properties["EventSourceArn"],
        queue_url=template.queue_url(queue),
        batch_size=batch_size,
        window=window,
        partial="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        concurrency=concurrency,
    )


class Sources:
    """The pollers of all mappings."""

    def __init__(self, sqs: Sqs, runtime: Runtime, note: Note) -> None:
        self._sqs = sqs
        self._runtime = runtime
        self._note = note
        self._pollers: dict[Source, _Poller] = {}

    def update(self, sources: Iterable[Source]) -> None:
        """Replace the mappings. A removed mapping ends after its current poll and batches."""
        wanted = set(sources)
        for source in self._pollers.keys() - wanted:
            self._pollers.pop(source).stopping = True
        for source in wanted - self._pollers.keys():
            self._pollers[source] = _Poller(source, self._sqs, self._runtime, self._note)

    async def stop(self) -> None:
        """Stop polling, and give current polls and batches a moment to end: the messages of a cancelled one
        stay invisible until their visibility timeout, even after the next start.
        """
        await asyncio.gather(*(poller.stop() for poller in self._pollers.values()))


class _Poller:
    def __init__(self, source: Source, sqs: Sqs, runtime: Runtime, note: Note) -> None:
        self.source = source
        self.stopping = False
        self._sqs = sqs
        self._runtime = runtime
        self._note = note
        self._busy: set[asyncio.Task[None]] = set()
        self.task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        self.stopping = True
        await asyncio.wait({self.task}, timeout=_POLL_SECONDS + 0.5)
        if self._busy:
            await asyncio.wait(self._busy, timeout=_DRAIN_SECONDS)
        for task in (self.task, *self._busy):
            task.cancel()

    async def _poll(self) -> None:
        capacity = self._runtime.pools[self.source.function].capacity
        slots = asyncio.Semaphore(min(self.source.concurrency, capacity))
        while not self.stopping:
            await slots.acquire()
            try:
                messages = await self._collect()
            except (OSError, Refused) as error:
                self._note(self.source.function, f"polling {self.source.queue} failed: {error!r}")
                await asyncio.sleep(1)
                messages = []
            if messages:
                task = asyncio.create_task(self._work(messages))
                self._busy.add(task)
                task.add_done_callback(self._busy.discard)
                task.add_done_callback(lambda _: slots.release())
            else:
                slots.release()

    async def _collect(self) -> list[dict[str, Any]]:
        """Collect a batch: the messages of one poll, or those that arrive within the batching window after
        the first message.
        """
        messages: list[dict[str, Any]] = []
        end = 0.0
        while len(messages) < self.source.batch_size and not (messages and time.monotonic() >= end):
            left = end - time.monotonic() if messages else _POLL_SECONDS
            if left < _POLL_SECONDS:
                await asyncio.sleep(left)  # SQS waits only whole seconds
            result = await self._sqs.call(
                "ReceiveMessage",
                {
                    "QueueUrl": self.source.queue_url,
                    "MaxNumberOfMessages": min(10, self.source.batch_size - len(messages)),
                    "WaitTimeSeconds": int(left >= _POLL_SECONDS) * _POLL_SECONDS,
                    "MessageSystemAttributeNames": ["All"],
                    "MessageAttributeNames": ["All"],
                },
            )
            received = result.get("Messages", [])
            if not messages:
                if not received:
                    break
                end = time.monotonic() + self.source.window
            messages += received
        return messages

    async def _work(self, messages: list[dict[str, Any]]) -> None:
        try:
            await self._deliver(messages)
        except (OSError, Refused, Problem) as error:
            self._note(self.source.function, f"a batch of {self.source.queue} failed: {error!r}")

    async def _deliver(self, messages: list[dict[str, Any]]) -> None:
        for records in _batches([self._record(message) for message in messages]):
            answer = await self._runtime.invoke(
                self.source.function, json.dumps({"Records": records}).encode()
            )
            failed = failures(answer, [record["messageId"] for record in records], self.source.partial)
            if failed:
                self._note(
                    self.source.function,
                    f"{len(failed)} of {len(records)} messages stay in {self.source.queue}"
                    + (f" ({answer.fault})" if answer.fault else ""),
                    ordinary=answer.fault is None,  # the function asked for a retry
                )
            done = [record for record in records if record["messageId"] not in failed]
            for start in range(0, len(done), 10):
                entries = [
                    {"Id": str(number), "ReceiptHandle": record["receiptHandle"]}
                    for number, record in enumerate(done[start : start + 10])
                ]
                await self._sqs.call(
                    "DeleteMessageBatch", {"QueueUrl": self.source.queue_url, "Entries": entries}
                )

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        attributes = {
            name: {
                key[0].lower() + key[1:]: value
                for key, value in {
                    "StringListValues": [],
                    "BinaryListValues": [],
                    **attribute,
                }.items()
            }
            for name, attribute in message.get("MessageAttributes", {}).items()
        }
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.source.queue_arn,
            "awsRegion": REGION,
        }
        if "MD5OfMessageAttributes" in message:
            record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
        return record


def _batches(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split records into as few invocations as the payload limit allows."""
    batch: list[dict[str, Any]] = []
    size = overhead = len('{"Records": []}')
    for record in records:
        length = len(json.dumps(record)) + 2
        if batch and size + length > MAX_PAYLOAD:
            yield batch
            batch, size = [], overhead
        batch.append(record)
        size += length
    yield batch


def failures(answer: Answer, message_ids: list[str], partial: bool) -> set[str]:
    """The messages of a batch that stay in the queue.

    With ReportBatchItemFailures, an empty list means success, and an invalid list means that all failed.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    everything = set(message_ids)
    if answer.fault:
        return everything
    if not partial:
        return set()
    try:
        response = json.loads(answer.payload)
        listed = (response or {}).get("batchItemFailures") or []
        failed = {item["itemIdentifier"] for item in listed}
    except (ValueError, TypeError, KeyError, AttributeError):
        return everything
    return failed if failed <= everything else everything
