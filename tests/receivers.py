"""HTTP receivers on loopback that answer from a script and store the requests.

    with receiver([500, 500, 200]) as r:
        …                                   # let something POST to r.url three times
        first, second, third = r.requests
        assert first.headers["webhook-id"] == third.headers["webhook-id"]

Each request takes the next answer of the script, and the last answer repeats. An answer is a status, an
`Answer` (headers, body, delay in seconds, or a hang-up), or a function of the request that returns either.
For requests from another process: `r.wait_for(3)`. Each request has its own thread, so a slow answer does not
delay others.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """A received request, with header names in lowercase, and `at` in Unix seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """`delay` is the time before the status is sent. `hang_up` closes the connection without a response."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0
    hang_up: bool = False


Step = int | Answer | Callable[[Request], "int | Answer"]


class Receiver:
    """`url` is its address, and `requests` the received requests."""

    def __init__(self, script: Sequence[Step]) -> None:
        if not script:
            raise ValueError("a receiver needs at least one answer")
        self.requests: list[Request] = []
        self.url = ""
        self._script = list(script)
        self._changed = threading.Condition()
        self._stopped = threading.Event()

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request."""
        return [request.headers["webhook-id"] for request in self.requests]

    @property
    def event_ids(self) -> list[str]:
        """The ID of each request's event."""
        return [request.json()["id"] for request in self.requests]

    @property
    def last_at(self) -> float:
        """The time of the last request in Unix seconds, or 0 without requests."""
        return self.requests[-1].at if self.requests else 0

    def wait_for(self, count: int, seconds: float = 30) -> list[Request]:
        """Wait for `count` requests in total, and return all of them."""
        with self._changed:
            in_time = self._changed.wait_for(lambda: len(self.requests) >= count, seconds)
            assert in_time, f"{len(self.requests)} of {count} requests within {seconds} s"
            return list(self.requests)

    def take(self, request: Request) -> Answer:
        """Store a request and return its answer. For the server's threads."""
        with self._changed:
            step = self._script[min(len(self.requests), len(self._script) - 1)]
            self.requests.append(request)
            self._changed.notify_all()
        answer = step(request) if callable(step) else step
        answer = Answer(answer) if isinstance(answer, int) else answer
        self._stopped.wait(answer.delay)
        return answer

    def stop(self) -> None:
        self._stopped.set()


@contextlib.contextmanager
def receiver(
    script: Sequence[Step] = (200,), *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Receiver]:
    """A receiver, by default on 127.0.0.1 at a free port."""
    receiver = Receiver(script)
    with _Server(receiver, host, port) as server:
        receiver.url = f"http://{host}:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.stop()
            server.shutdown()
            server.hang_up()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, receiver: Receiver, host: str, port: int) -> None:
        self.receiver = receiver
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: in many tests, the client disconnects during a request."""

    def hang_up(self) -> None:
        """Close idle connections, on which a handler would wait for the next request."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # status, headers and body in one segment
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        request = Request(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        answer = self.server.receiver.take(request)
        if answer.hang_up:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the requests are stored."""
