"""The receivers of the benchmarks, in another process."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

import httpx

SLOW = "/slow"  # this path answers after half a second


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """Run a receiver that always answers 200, and yield its URL."""
    with receivers(1) as (url,):
        yield url


@contextlib.contextmanager
def receivers(count: int) -> Iterator[list[str]]:
    """Run `count` receivers, each on its own port, and yield their URLs."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, count), daemon=True)
    process.start()
    try:
        yield [f"http://127.0.0.1:{port}/hook" for port in ours.recv()]
    finally:
        process.terminate()
        process.join()


def received(url: str) -> int:
    """The number of requests that the receivers of this URL's process have received."""
    return int(httpx.get(url).text)


def _serve(ports: Connection, servers: int) -> None:
    count = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal count
            self.rfile.read(int(self.headers["content-length"]))
            if self.path == SLOW:
                time.sleep(0.5)
            count += 1
            self._answer(b"ok")

        def do_GET(self) -> None:
            self._answer(str(count).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(servers)]
    threads = [threading.Thread(target=server.serve_forever) for server in listening]
    for thread in threads:
        thread.start()
    ports.send([server.server_port for server in listening])
