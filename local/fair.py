"""Fair queues, and long polls that return as soon as a message arrives.

AWS documents fair queues as follows, as of 2026 (sqs-fair-queues-detailed.html in the SQS Developer Guide,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html):
- MessageGroupId on a standard queue names the tenant. Each message without one counts as its own tenant.
- A tenant is noisy if it has over 10 % of the queue's messages in flight and at least 30 of its own, or over
  10 % of the recent processing time, until its backlog is empty or it has sent nothing for 5 minutes.
- Messages of quiet tenants come first, then those of the noisy tenant with the fewest messages in flight.
- Nothing is dropped, throttled or ordered, and the thresholds are approximate.
- CloudWatch has ApproximateNumberOfNoisyGroups, and the usual metrics with the suffix InQuietGroups.

This module has a queue at the emulator for each group, called a lane. A receive takes from the lane with the
fewest messages in flight. Nothing is prefetched, so no message can be lost or counted as received too early.
This is stricter than AWS, which lets the first 30 messages of a tenant pass. Messages without a group share
one lane, the queue itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]
Upstream = Callable[[str, Payload], Awaitable[Payload]]

LOOK_SECONDS = 0.5  # how often a long poll checks for messages that did not pass through here (event bus)
_LANE = "--group-"  # between a queue's name and its lane's key; also between a receipt and the key
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_SHARED = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "RedrivePolicy",
    "VisibilityTimeout",
)
_TO_EVERY_LANE = ("PurgeQueue", "DeleteQueue", "SetQueueAttributes")
_TO_ONE_LANE = ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")


@dataclass(eq=False)
class _Lane:
    """The messages of one group. `blind` means that messages can arrive without passing through here."""

    url: str
    key: str = ""
    blind: bool = False
    ready: bool = False  # a receive may find something
    arrivals: int = 0
    served: int = 0  # the turn in which it was last received from
    delayed_until: float = 0.0
    in_flight: dict[str, float] = field(default_factory=dict)  # receipt → when it is visible again

    @property
    def occupied(self) -> bool:
        return self.blind or self.ready or bool(self.in_flight) or self.delayed_until > time.time()


class _Queue:
    """The state of one queue."""

    def __init__(self, url: str, attributes: dict[str, str]) -> None:
        self.url = url
        self.attributes = attributes
        self.lanes = {"": _Lane(url, blind=True)}
        self.changed = asyncio.Event()  # set, and replaced, when there may be something to receive
        self._looked = 0.0
        self._turns = itertools.count(1)
        self._due: list[
            tuple[float, int, _Lane, str]
        ] = []  # a heap of (time at which a receipt is visible again, …)

    def note(self, action: str, lane: _Lane, entry: Payload) -> None:
        """Record the effect of a successful call."""
        if action == "DeleteMessage":
            lane.in_flight.pop(entry["ReceiptHandle"], None)
        elif action == "ChangeMessageVisibility":
            self.hide(lane, entry["ReceiptHandle"], entry["VisibilityTimeout"])
        elif delay := int(entry.get("DelaySeconds", self.attributes.get("DelaySeconds", 0))):
            lane.delayed_until = max(lane.delayed_until, time.time() + delay)
            self._schedule(lane, "", time.time() + delay)
        else:
            self._arrived(lane)

    def hide(self, lane: _Lane, receipt: str, seconds: int | str | None) -> None:
        """Mark a message as in flight for `seconds`; None means the queue's visibility timeout."""
        if seconds is None:
            seconds = self.attributes.get("VisibilityTimeout", 30)
        lane.in_flight[receipt] = time.time() + int(seconds)
        self._schedule(lane, receipt, lane.in_flight[receipt])

    def show(self) -> None:
        """Record which messages have become visible."""
        while self._due and self._due[0][0] <= time.time():
            at, _, lane, receipt = heapq.heappop(self._due)
            if not receipt or lane.in_flight.get(receipt) == at:
                lane.in_flight.pop(receipt, None)
                self._arrived(lane)

    def candidates(self, look: bool) -> list[_Lane]:
        """The lanes to receive from: the one with the fewest messages in flight first, equal ones in turn."""
        self.show()
        if look or time.time() >= self._looked + LOOK_SECONDS:
            self._looked = time.time()
            for lane in self.lanes.values():
                lane.ready = lane.ready or lane.blind
        ready = [lane for lane in self.lanes.values() if lane.ready]
        return sorted(ready, key=lambda lane: (len(lane.in_flight), lane.served))

    def serve(self, lane: _Lane) -> None:
        """Move the lane behind those with equally many messages in flight."""
        lane.served = next(self._turns)

    def next_look(self) -> float:
        """The time of the next check, if nothing changes before."""
        return min([self._looked + LOOK_SECONDS, *(due[0] for due in self._due[:1])])

    def _schedule(self, lane: _Lane, receipt: str, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._turns), lane, receipt))
        if at <= time.time() + LOOK_SECONDS:  # earlier than the next check of waiting polls
            self._wake()

    def _arrived(self, lane: _Lane) -> None:
        lane.ready = True
        lane.arrivals += 1
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Fair:
    """SQS calls, with a lane at `upstream` for the messages of each group."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._queues: dict[str, _Queue] = {}
        self._opening = asyncio.Lock()

    async def call(self, action: str, payload: Payload) -> Payload:
        """One SQS call. Calls for FIFO queues, and calls that do not concern messages, pass unchanged."""
        url = payload.get("QueueUrl", "")
        name = url.rpartition("/")[2]
        if action == "ListQueues":
            result = await self._upstream(action, payload)
            urls = [url for url in result.get("QueueUrls", []) if _LANE not in url]
            return {**result, "QueueUrls": urls}
        if not name or name.endswith(".fifo"):
            return await self._upstream(action, payload)
        if action == "ReceiveMessage":
            return await self._receive(await self._queue(name, url), payload)
        if action.removesuffix("Batch") in _TO_ONE_LANE:
            return await self._route(await self._queue(name, url), action, payload)
        if action == "GetQueueAttributes":
            return await self._attributes(await self._queue(name, url), payload)
        if action in _TO_EVERY_LANE:
            return await self._to_every_lane(name, await self._queue(name, url), action, payload)
        return await self._upstream(action, payload)

    async def _queue(self, name: str, url: str) -> _Queue:
        if name not in self._queues:
            async with self._opening:
                if name not in self._queues:
                    self._queues[name] = await self._open(name, url)
        return self._queues[name]

    async def _open(self, name: str, url: str) -> _Queue:
        """Open a queue as an earlier run left it. Lanes without messages are deleted."""
        wanted = {"QueueUrl": url, "AttributeNames": ["All"]}
        queue = _Queue(url, (await self._upstream("GetQueueAttributes", wanted))["Attributes"])
        listed = await self._upstream("ListQueues", {"QueueNamePrefix": name + _LANE})
        for lane_url in listed.get("QueueUrls", []):
            key = lane_url.rpartition(_LANE)[2]
            lane = _Lane(url + _LANE + key, _LANE + key, blind=True)
            found = await self._upstream("GetQueueAttributes", {**wanted, "QueueUrl": lane.url})
            if any(int(found["Attributes"][count]) for count in _COUNTS):
                queue.lanes[lane.key] = lane
            else:
                await self._upstream("DeleteQueue", {"QueueUrl": lane.url})
        return queue

    async def _lane(self, queue: _Queue, group: str) -> _Lane:
        """The lane of a group, created for its first message."""
        key = _LANE + hashlib.sha256(group.encode()).hexdigest()[:20]
        if key not in queue.lanes:
            async with self._opening:
                if key not in queue.lanes:
                    lane = _Lane(queue.url + key, key)
                    shared = {name: queue.attributes[name] for name in _SHARED if name in queue.attributes}
                    await self._upstream("CreateQueue", {"QueueName": lane.url.rpartition("/")[2]})
                    await self._upstream("SetQueueAttributes", {"QueueUrl": lane.url, "Attributes": shared})
                    queue.lanes[key] = lane
        return queue.lanes[key]

    async def _route(self, queue: _Queue, action: str, payload: Payload) -> Payload:
        """Send each entry to its lane. A call that is not a batch is a single entry."""
        entries = payload.get("Entries", [payload])
        ids = {entry.get("Id") for entry in entries}
        if not 1 <= len(entries) <= 10 or len(ids) < len(entries):
            return await self._upstream(action, payload)  # which returns the error
        by_lane: dict[_Lane, list[Payload]] = defaultdict(list)
        for entry in entries:
            if "ReceiptHandle" in entry:
                receipt, mark, key = entry["ReceiptHandle"].partition(_LANE)
                lane = queue.lanes.get(mark + key, queue.lanes[""])
                by_lane[lane].append({**entry, "ReceiptHandle": receipt})
            elif group := entry.get("MessageGroupId"):
                by_lane[await self._lane(queue, group)].append(entry)
            else:
                by_lane[queue.lanes[""]].append(entry)
        if "Entries" not in payload:
            ((lane, (entry,)),) = by_lane.items()
            result = await self._upstream(action, {**entry, "QueueUrl": lane.url})
            queue.note(action, lane, entry)
            return result
        results = await asyncio.gather(
            *(self._batch(queue, action, lane, own) for lane, own in by_lane.items())
        )
        parts = ("Successful", "Failed")
        return {part: [item for result in results for item in result.get(part, [])] for part in parts}

    async def _batch(self, queue: _Queue, action: str, lane: _Lane, entries: list[Payload]) -> Payload:
        result = await self._upstream(action, {"QueueUrl": lane.url, "Entries": entries})
        done = {item["Id"] for item in result.get("Successful", [])}
        for entry in entries:
            if entry["Id"] in done:
                queue.note(action.removesuffix("Batch"), lane, entry)
        return result

    async def _receive(self, queue: _Queue, payload: Payload) -> Payload:
        wait = int(payload.get("WaitTimeSeconds", queue.attributes.get("ReceiveMessageWaitTimeSeconds", 0)))
        if not 1 <= int(payload.get("MaxNumberOfMessages", 1)) <= 10:
            return await self._upstream("ReceiveMessage", payload)  # which returns the error
        end = time.time() + wait
        while True:
            changed = queue.changed
            if messages := await self._take(queue, payload, look=not wait):
                return {"Messages": messages}
            if (left := min(end, queue.next_look()) - time.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), left)
            if time.time() >= end:
                return {}

    async def _take(self, queue: _Queue, payload: Payload, look: bool) -> list[Payload]:
        """Receive the messages that are visible now, those of the quietest groups first."""
        messages: list[Payload] = []
        wanted = int(payload.get("MaxNumberOfMessages", 1))
        for lane in queue.candidates(look):
            queue.serve(lane)
            asked, arrivals = wanted - len(messages), lane.arrivals
            call = {**payload, "QueueUrl": lane.url, "MaxNumberOfMessages": asked, "WaitTimeSeconds": 0}
            received = (await self._upstream("ReceiveMessage", call)).get("Messages", [])
            if len(received) < asked and lane.arrivals == arrivals:
                lane.ready = False
            for message in received:
                queue.hide(lane, message["ReceiptHandle"], payload.get("VisibilityTimeout"))
                message["ReceiptHandle"] += lane.key
            messages += received
            if len(messages) == wanted:
                break
        return messages

    async def _attributes(self, queue: _Queue, payload: Payload) -> Payload:
        queue.show()
        lanes = [lane for lane in queue.lanes.values() if lane.key and lane.occupied]
        result, *others = await asyncio.gather(
            *(
                self._upstream("GetQueueAttributes", {**payload, "QueueUrl": url})
                for url in (payload["QueueUrl"], *(lane.url for lane in lanes))
            )
        )
        attributes = result.get("Attributes", {})
        for count in attributes.keys() & set(_COUNTS):
            attributes[count] = str(sum(int(answer["Attributes"][count]) for answer in (result, *others)))
        return result

    async def _to_every_lane(self, name: str, queue: _Queue, action: str, payload: Payload) -> Payload:
        result = await self._upstream(action, payload)
        changes = payload.get("Attributes", {})
        queue.attributes.update(changes)
        shared = {key: value for key, value in changes.items() if key in _SHARED}
        for lane in queue.lanes.values():
            if action == "PurgeQueue":
                lane.in_flight.clear()
            if lane.key and (shared or action != "SetQueueAttributes"):
                extra = {"Attributes": shared} if shared else {}
                await self._upstream(action, {"QueueUrl": lane.url, **extra})
        if action == "DeleteQueue":
            del self._queues[name]
        return result
