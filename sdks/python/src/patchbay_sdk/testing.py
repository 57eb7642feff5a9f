"""A receiver for tests and first steps.

with Receiver() as receiver:
    webhook = client.webhooks.create(name="Test", url=receiver.url, event_types=["POST_PUBLISHED"])
    client.events.publish(type="POST_PUBLISHED", data={"postId": "post_42", "network": "instagram"})
    event = receiver.wait(webhook.secret)
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from patchbay_sdk._verify import Verifier
from patchbay_sdk.events import Event


@dataclass(frozen=True)
class Received:
    """A request that the receiver got."""

    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """An HTTP server on this machine that answers each request with 204 and keeps it."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        received: queue.Queue[Received] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                received.put(Received(dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._received = received
        self.url = f"http://{host}:{self._server.server_address[1]}/"

    def wait(self, *secrets: str, timeout: float = 15.0) -> Event:
        """The next event, verified. Raises VerificationError if it is not signed with a secret, and TimeoutError."""
        request = self.wait_for_request(timeout)
        return Verifier(*secrets).verify(request.headers, request.body)

    def wait_for_request(self, timeout: float = 15.0) -> Received:
        """The next request as it came. Raises TimeoutError."""
        started = time.monotonic()
        try:
            return self._received.get(timeout=timeout)
        except queue.Empty:
            waited = time.monotonic() - started
            raise TimeoutError(f"No event came to {self.url} within {waited:.0f} s.") from None

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
