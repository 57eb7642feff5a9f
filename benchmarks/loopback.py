"""Receivers on loopback, in a separate process. A receiver's URL is `<url>/<group>/<name>`, and each group
has a behavior:

    fast      answers 200 immediately (the default)
    second    answers 200 after a second
    slow      answers 200 after 14 s, just within the attempt's timeout
    drip      answers 200 immediately, then sends one byte of its body per second
    hang      reads the request, and never answers
    refuse    answers 400
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any, Literal, TypeAlias

Behavior: TypeAlias = Literal["fast", "second", "slow", "drip", "hang", "refuse"]
# Arrival times by (name, the `at` of the event's data), so that a duplicate does not count.
Arrivals: TypeAlias = dict[tuple[str, float], float]

_WAITS = {"second": 1.0, "slow": 14.0}
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_DRIPPING = b"HTTP/1.1 200 OK\r\ncontent-length: 3600\r\n\r\n"


@dataclass
class Receivers:
    url: str
    _pipe: Connection
    _lock: Lock = field(default_factory=Lock)

    def behave(self, group: str, behavior: Behavior) -> None:
        self._ask("behave", group, behavior)

    def arrivals(self, group: str) -> Arrivals:
        """The first arrivals of the events that the group received since the last call."""
        arrivals: Arrivals = self._ask("arrivals", group, "")
        return arrivals

    def _ask(self, *command: str) -> Any:
        with self._lock:
            self._pipe.send(command)
            return self._pipe.recv()


@contextlib.contextmanager
def receivers() -> Iterator[Receivers]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # otherwise, recv() would wait for a process that failed to start
    try:
        yield Receivers(f"http://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_serving(pipe))


async def _serving(pipe: Connection) -> None:
    behaviors: dict[str, str] = {}
    arrived: defaultdict[str, Arrivals] = defaultdict(dict)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                event = json.loads(await reader.readexactly(length))
                _, group, name = head.split(" ")[1].split("/")
                arrived[group].setdefault((name, event["data"].get("at", 0)), time.time())
                await answer(behaviors.get(group, "fast"), reader, writer)
        writer.close()

    async def answer(behavior: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match behavior:
            case "hang":
                await reader.read()  # until the client closes the connection
            case "drip":
                writer.write(_DRIPPING)
                while True:
                    await writer.drain()
                    await asyncio.sleep(1)
                    writer.write(b"x")
            case "refuse":
                writer.write(_REFUSED)
            case _:
                await asyncio.sleep(_WAITS.get(behavior, 0))
                writer.write(_OK)

    def on_command() -> None:
        command, group, behavior = pipe.recv()
        if command == "behave":
            behaviors[group] = behavior
            pipe.send(None)
        else:
            pipe.send(arrived.pop(group, {}))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
    asyncio.get_running_loop().add_reader(pipe.fileno(), on_command)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
