"""The local stack's fair queues and long polls, on queues in memory."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from local import fair, upstream
from local.fair import Fair

URL = "http://sqs/000000000000/work"


@dataclass
class Message:
    body: str
    visible_at: float
    receipt: str = ""


@dataclass
class Upstream:
    """SQS in memory, without fairness: it returns the oldest message first, and has no long polls."""

    queues: dict[str, list[Message]] = field(default_factory=lambda: {"work": []})
    calls: Counter[str] = field(default_factory=Counter)
    receipts: Iterator[int] = field(default_factory=itertools.count)

    async def __call__(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.calls[action] += 1
        await asyncio.sleep(0)
        name, now = payload.get("QueueUrl", "").rpartition("/")[2], time.time()
        if entries := payload.get("Entries"):
            for entry in entries:
                await self(action.removesuffix("Batch"), {**entry, "QueueUrl": payload["QueueUrl"]})
            return {"Successful": [{"Id": entry["Id"]} for entry in entries]}
        match action:
            case "CreateQueue":
                self.queues[payload["QueueName"]] = []
            case "DeleteQueue":
                del self.queues[name]
            case "PurgeQueue":
                self.queues[name].clear()
            case "ListQueues":
                prefix = payload.get("QueueNamePrefix", "")
                return {
                    "QueueUrls": [f"http://sqs/0/{name}" for name in self.queues if name.startswith(prefix)]
                }
            case "GetQueueAttributes":
                return {"Attributes": self._attributes(name, now)}
            case "SendMessage":
                delay = payload.get("DelaySeconds", 0)
                self.queues[name].append(Message(payload["MessageBody"], now + delay))
            case "DeleteMessage":
                self.queues[name].remove(self._message(name, payload))
            case "ChangeMessageVisibility":
                self._message(name, payload).visible_at = now + payload["VisibilityTimeout"]
            case "ReceiveMessage":
                return {"Messages": self._receive(name, payload, now)}
        return {}

    def _attributes(self, name: str, now: float) -> dict[str, str]:
        visible = sum(message.visible_at <= now for message in self.queues[name])
        return {
            "VisibilityTimeout": "30",
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.queues[name]) - visible),
            "ApproximateNumberOfMessagesDelayed": "0",
        }

    def _receive(self, name: str, payload: dict[str, Any], now: float) -> list[dict[str, str]]:
        assert payload["WaitTimeSeconds"] == 0
        visible = [message for message in self.queues[name] if message.visible_at <= now]
        received = visible[: payload["MaxNumberOfMessages"]]
        for message in received:
            message.visible_at = now + payload.get("VisibilityTimeout", 30)
            message.receipt = f"receipt {next(self.receipts)}"
        return [{"Body": message.body, "ReceiptHandle": message.receipt} for message in received]

    def _message(self, name: str, payload: dict[str, Any]) -> Message:
        (message,) = (m for m in self.queues[name] if m.receipt == payload["ReceiptHandle"])
        return message


@dataclass
class Client:
    """A client of one queue."""

    upstream: Upstream = field(default_factory=Upstream)

    def __post_init__(self) -> None:
        self.fair = Fair(self.upstream)

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        return await self.fair.call(action, {"QueueUrl": URL, **payload})

    async def send(self, group: str | None, *bodies: str, **settings: Any) -> None:
        if group:
            settings["MessageGroupId"] = group
        entries = [{"Id": str(index), "MessageBody": body, **settings} for index, body in enumerate(bodies)]
        for start in range(0, len(entries), 10):
            await self.call("SendMessageBatch", Entries=entries[start : start + 10])

    async def receive(self, wait: int = 0, count: int = 10, **settings: Any) -> dict[str, str]:
        """Receive messages, and return their receipts by body."""
        result = await self.call(
            "ReceiveMessage", MaxNumberOfMessages=count, WaitTimeSeconds=wait, **settings
        )
        return {message["Body"]: message["ReceiptHandle"] for message in result.get("Messages", [])}

    async def receive_all(self) -> list[str]:
        bodies: list[str] = []
        while received := await self.receive():
            bodies += received
        return bodies


def numbered(name: str, count: int) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


def test_quiet_group_is_received_before_a_backlog_of_1000() -> None:
    async def scenario() -> None:
        client = Client()
        await client.send("noisy", *numbered("noisy", 1000))
        assert len(await client.receive()) == 10
        await client.send("quiet", "quiet")
        assert list(await client.receive())[:2] == ["quiet", "noisy 10"], "then the oldest of the others"
        assert len(await client.receive_all()) == 1000 - 10 - 9

    asyncio.run(scenario())


def test_groups_with_backlogs_share_the_messages_in_flight() -> None:
    async def scenario() -> None:
        client = Client()
        await client.send("a", *numbered("a", 50))
        await client.send("b", *numbered("b", 50))
        await client.send(None, *numbered("none", 50))
        bodies = [body for _ in range(6) for body in await client.receive()]
        assert Counter(body.split()[0] for body in bodies) == {"a": 20, "b": 20, "none": 20}
        assert [body for body in bodies if body.startswith("a")] == numbered("a", 20)

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["delete", "show", "expire"])
def test_group_is_quiet_again_when_it_has_no_messages_in_flight(end: str) -> None:
    async def scenario() -> None:
        client = Client()
        await client.send("a", *numbered("a", 40))
        held = await client.receive(VisibilityTimeout=1 if end == "expire" else 30)
        await client.send("b", *numbered("b", 40))
        assert len(await client.receive(count=5)) == 5
        for receipt in held.values():
            if end == "delete":
                await client.call("DeleteMessage", ReceiptHandle=receipt)
            elif end == "show":
                await client.call("ChangeMessageVisibility", ReceiptHandle=receipt, VisibilityTimeout=0)
        if end == "expire":
            await asyncio.sleep(1.01)
        assert {body[0] for body in await client.receive()} == {"a"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "action", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"], ids=["delete", "hide"]
)
def test_batch_can_have_messages_of_several_groups(action: str) -> None:
    async def scenario() -> None:
        client = Client()
        for group in (None, "a", "b"):
            await client.send(group, *numbered(str(group), 3))
        received = await client.receive()
        assert len(received) == 9
        entries = [
            {"Id": body.replace(" ", "-"), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for body, receipt in received.items()
        ]
        result = await client.call(action, Entries=entries)
        assert len(result["Successful"]) == 9
        expected = [] if action.startswith("Delete") else sorted(received)
        assert sorted(await client.receive()) == expected

    asyncio.run(scenario())


def test_restart_neither_loses_nor_repeats_messages() -> None:
    async def scenario() -> None:
        first = Client()
        for group in (None, "a", "b"):
            await first.send(group, *numbered(str(group), 20))
        await first.send("emptied", "done")
        for receipt in (held := await first.receive(count=10)).values():
            await first.call("DeleteMessage", ReceiptHandle=receipt)
        taken = await first.receive()
        second = Client(first.upstream)
        for receipt in taken.values():
            await second.call("ChangeMessageVisibility", ReceiptHandle=receipt, VisibilityTimeout=1)
        bodies = [*held, *await second.receive_all()]
        assert not set(bodies) & set(taken), "messages in flight stay invisible"
        while (received := await second.receive(wait=2)) and len(bodies) < 61:
            bodies += received
        expected = [body for group in ("None", "a", "b") for body in numbered(group, 20)]
        assert sorted(bodies) == sorted([*expected, "done"])

    asyncio.run(scenario())


def test_restart_deletes_empty_lanes_and_list_queues_hides_lanes() -> None:
    async def scenario() -> None:
        first = Client()
        await first.send("a", "one")
        await first.send("b", "two")
        (receipt,) = (await first.receive(count=1)).values()
        await first.call("DeleteMessage", ReceiptHandle=receipt)
        second = Client(first.upstream)
        assert list(await second.receive()) == ["two"]
        assert len(first.upstream.queues) == 2
        assert len((await second.fair.call("ListQueues", {}))["QueueUrls"]) == 1

    asyncio.run(scenario())


def test_counts_and_purges_include_all_groups() -> None:
    async def scenario() -> None:
        client = Client()
        for group in (None, "a", "b"):
            await client.send(group, *numbered(str(group), 20))
        await client.receive()
        wanted = {"AttributeNames": ["All"]}
        attributes = (await client.call("GetQueueAttributes", **wanted))["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "50"
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "10"
        await client.call("PurgeQueue")
        assert await client.receive() == {}

    asyncio.run(scenario())


async def timed_receive(client: Client, wait: int = 3) -> tuple[list[str], float]:
    started = time.monotonic()
    return list(await client.receive(wait=wait)), time.monotonic() - started


@pytest.mark.parametrize("group", [None, "a"])
def test_new_message_ends_a_long_poll(group: str | None) -> None:
    async def scenario() -> None:
        client = Client()
        await client.send(group, "before")
        (receipt,) = (await client.receive()).values()
        poll = asyncio.create_task(timed_receive(client))
        await asyncio.sleep(0.05)
        await client.send(group, "sent")
        bodies, seconds = await poll
        assert (bodies, seconds < 0.3) == (["sent"], True)

        poll = asyncio.create_task(timed_receive(client))
        await asyncio.sleep(0.05)
        await client.call("ChangeMessageVisibility", ReceiptHandle=receipt, VisibilityTimeout=0)
        bodies, seconds = await poll
        assert (bodies, seconds < 0.3) == (["before"], True)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["delayed", "hidden"])
def test_long_poll_receives_messages_when_they_become_visible(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair, "LOOK_SECONDS", 30)

    async def scenario() -> None:
        client = Client()
        await client.send("a", "late", **({"DelaySeconds": 1} if how == "delayed" else {}))
        if how == "hidden":
            await client.receive(VisibilityTimeout=1)
        bodies, seconds = await timed_receive(client)
        assert bodies == ["late"]
        assert 0.9 < seconds < 1.5
        assert client.upstream.calls["ReceiveMessage"] <= 4, "no useless calls"

    asyncio.run(scenario())


def test_long_poll_finds_messages_of_the_bus_and_ends_after_its_wait() -> None:
    async def scenario() -> None:
        client = Client()
        poll = asyncio.create_task(timed_receive(client))
        await asyncio.sleep(0.05)
        client.upstream.queues["work"].append(Message("from the bus", time.time()))
        bodies, seconds = await poll
        assert (bodies, seconds < 2 * fair.LOOK_SECONDS) == (["from the bus"], True)
        client.upstream.calls.clear()
        bodies, seconds = await timed_receive(client, wait=1)
        assert bodies == []
        assert 0.95 < seconds < 1.5
        assert client.upstream.calls["ReceiveMessage"] <= 1 / fair.LOOK_SECONDS + 1

    asyncio.run(scenario())


def test_connection_closed_by_the_emulator_is_not_reused() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for close in ("", "Connection: close\r\n"):
            await reader.readuntil(b"{}")
            writer.write(f"HTTP/1.1 200 OK\r\n{close}Content-Length: 2\r\n\r\n{{}}".encode())
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = upstream.Upstream("http://{}:{}".format(*server.sockets[0].getsockname()))
        for _ in range(4):
            assert await client("ListQueues", {}) == {}
        assert connections == 2
        client.close()
        server.close()

    asyncio.run(scenario())
