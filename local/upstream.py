"""Calls the emulator's SQS over persistent connections.

Every message of the stack passes through here several times, and so does every poll of an idle queue. This
client uses at most a fifth of the CPU of a general HTTP client.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

SECONDS = 30  # the longest poll takes 20


class Refused(Exception):
    """An error response of SQS: the name of its shape, and its code if that differs."""

    def __init__(self, kind: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code or kind


class Upstream:
    """Calls in SQS's JSON protocol. They raise `Refused`, or OSError without a response."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._path = parts.path or "/"
        self._tls = parts.scheme == "https"
        self._address = (parts.hostname, parts.port or (443 if self._tls else 80))
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __call__(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(payload).encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with asyncio.timeout(SECONDS):
            status, headers, content = await self._exchange(head.encode() + body)
        result: dict[str, Any] = json.loads(content) if content else {}
        if status >= 400:
            kind = result.get("__type", "InternalError").rpartition("#")[2]
            # ElasticMQ writes `com.amazonaws.sqs#QueueDoesNotExist` and `Message`.
            code = headers.get("x-amzn-query-error", "").partition(";")[0].rpartition("#")[2]
            raise Refused(kind, result.get("message") or result.get("Message", ""), code)
        return result

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await self._connection()
        try:
            writer.write(request)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
            content = await reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as error:
            writer.close()
            raise ConnectionError(f"{self._host} closed the connection") from error
        except BaseException:  # interrupted, so no other call can use the connection
            writer.close()
            raise
        if headers.get("connection", "").lower() == "close":  # ministack closes it after 1,000 requests
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(lines[0].split(" ")[1]), headers, content

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """An idle connection that the server has not closed, or a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*self._address, ssl=self._tls or None)
