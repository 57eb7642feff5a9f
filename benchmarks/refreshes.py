"""How a slow token endpoint of one workspace delays the refreshes of another.

A custom integration has hundreds of due connections, and a token endpoint that takes 9.5 s and issues tokens
that expire after a second. A healthy workspace has a few connections that become due later. Each round is one
run of the schedule, first without the attack, then with it. A run with the attack takes most of a minute, and
the next run starts when it has ended, as on the schedule.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from benchmarks.neighbours import percentile
from local.testing import RunningStack, stack

CONNECTIONS = 400  # of the attack
HEALTHY = 10
ROUNDS = 3
SLOW_SECONDS = 9.5
_MAX_SECONDS = 90  # the time that counts for a connection that was not refreshed by then
_REDIRECT_URI = "https://app.example/callback"
_FUNCTION = "RefreshConnectionsFunction"


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as s:
        alone, beside = measure(s)
    print(
        f"{HEALTHY} due connections, alone and beside {CONNECTIONS} of a workspace whose token endpoint "
        f"takes {SLOW_SECONDS:g} s; {ROUNDS} runs of the schedule each"
    )
    for name, seconds in (("alone", alone), ("beside", beside)):
        p50, p95 = (percentile(seconds, share) for share in (0.5, 0.95))
        print(f"  {name:6}  p50 {p50:6.2f}  p95 {p95:6.2f} s until refreshed")
    ratio = percentile(beside, 0.95) / percentile(alone, 0.95)
    print(f"  healthy p95 beside is {ratio:.2f} × alone (at most 1.50)")


def measure(
    s: RunningStack,
    *,
    connections: int = CONNECTIONS,
    healthy: int = HEALTHY,
    rounds: int = ROUNDS,
    slow_seconds: float = SLOW_SECONDS,
) -> tuple[list[float], list[float]]:
    """The seconds until each healthy connection was refreshed, in rounds without and with the attack."""
    with _token_endpoints(slow_seconds) as endpoints:
        healthy_keys = _connect(s, "healthy", f"{endpoints.url}/healthy", healthy)
        attack_keys = _connect(s, "attack", f"{endpoints.url}/slow", connections)
        s.invoke(_FUNCTION)  # warm
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(rounds):
            alone += _round(s, endpoints, healthy_keys)
        for _ in range(rounds):
            _make_due(s, attack_keys, time.time() - 60)
            beside += _round(s, endpoints, healthy_keys)
    return alone, beside


def _round(s: RunningStack, endpoints: Endpoints, keys: list[dict[str, Any]]) -> list[float]:
    endpoints.take()
    _make_due(s, keys, time.time())
    started = time.time()
    run = threading.Thread(target=s.invoke, args=(_FUNCTION,))
    run.start()
    arrivals: list[float] = []
    while len(arrivals) < len(keys) and time.time() < started + _MAX_SECONDS:
        time.sleep(0.02)
        arrivals += endpoints.take()
    run.join()
    seconds = [max(arrival - started, 0.0) for arrival in arrivals]
    return seconds + [float(_MAX_SECONDS)] * (len(keys) - len(seconds))


def _connect(s: RunningStack, workspace: str, url: str, count: int) -> list[dict[str, Any]]:
    """Create a workspace with `count` connections, and return their keys."""
    config = {
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "clientId": "bench",
        "clientSecret": "bench-secret",
        "redirectUris": [_REDIRECT_URI],
    }
    headers = {"authorization": f"Bearer {s.token(workspace)}"}
    with httpx.Client(base_url=s.url, headers=headers, timeout=30) as api:
        body = {"name": workspace, "type": "CUSTOM", "provider": "bench", "config": config}
        id = api.post("/api/integrations", json=body).raise_for_status().json()["id"]
        for number in range(count):
            request = {"redirectUri": _REDIRECT_URI, "connectionId": f"c{number}"}
            flow = api.post(f"/api/integrations/{id}/oauth/initiate", json=request).raise_for_status().json()
            callback = {"state": flow["state"], "code": "code"}
            api.post("/api/integrations/oauth/callback", json=callback).raise_for_status()
    return [
        {"integrationKey": {"S": f"{workspace}#{id}"}, "name": {"S": f"c{number}"}} for number in range(count)
    ]


def _make_due(s: RunningStack, keys: list[dict[str, Any]], at: float) -> None:
    """Make connections due at this time."""
    dynamodb = s.client("dynamodb")
    for key in keys:
        dynamodb.update_item(
            TableName=s.tables["ConnectionsTable"],
            Key=key,
            UpdateExpression="SET dueAt = :at, refreshAt = :at",
            ExpressionAttributeValues={":at": {"N": str(round(at * 1000))}},
        )


# ── the token endpoints, in a separate process ───────────────────────────────────────────────────────


@dataclass
class Endpoints:
    url: str
    _pipe: Connection

    def take(self) -> list[float]:
        """The arrival times of the healthy workspace's refreshes since the last call, in Unix seconds."""
        self._pipe.send("take")
        arrivals: list[float] = self._pipe.recv()
        return arrivals


@contextlib.contextmanager
def _token_endpoints(slow_seconds: float) -> Iterator[Endpoints]:
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_serve, args=(theirs, slow_seconds), daemon=True)
    process.start()
    try:
        yield Endpoints(f"http://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, slow_seconds: float) -> None:
    asyncio.run(_serving(pipe, slow_seconds))


async def _serving(pipe: Connection, slow_seconds: float) -> None:
    arrivals: list[float] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
            slow = head.split(" ")[1].startswith("/slow")
            if b"grant_type=refresh_token" in body:
                if slow:
                    await asyncio.sleep(slow_seconds)
                else:
                    arrivals.append(time.time())
            token = {"access_token": "a", "refresh_token": "r", "expires_in": 1 if slow else 3600}
            answer = json.dumps(token).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(answer), answer)
            )
            await writer.drain()
        writer.close()

    def on_command() -> None:
        pipe.recv()
        pipe.send(list(arrivals))
        arrivals.clear()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(pipe.fileno(), on_command)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
