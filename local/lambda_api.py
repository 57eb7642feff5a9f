"""AWS Lambda's Invoke API, for `aws lambda invoke`, boto3 and tests on the running stack.
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import unquote

from local.asgi import read_body, respond
from local.runtime import MAX_PAYLOAD, Answer, Runtime

PREFIX = "/2015-03-31/functions/"


class LambdaApi:
    """An ASGI application. The caller names a function by its name, ARN or logical ID."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: set[asyncio.Task[Answer]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        match = re.fullmatch(f"{PREFIX}(.+)/invocations", unquote(scope["path"]))
        function = self._find(match[1]) if match and scope["method"] == "POST" else None
        payload = await read_body(receive, MAX_PAYLOAD)
        if function is None:
            await _error(send, 404, "ResourceNotFoundException", f"Function not found: {scope['path']}")
        elif payload is None:
            await _error(send, 413, "RequestTooLargeException", f"More than {MAX_PAYLOAD} bytes")
        else:
            invocation = asyncio.create_task(self._runtime.invoke(function, payload or b"{}"))
            self._running.add(invocation)  # it continues after the caller disconnects
            invocation.add_done_callback(self._running.discard)
            if headers.get("x-amz-invocation-type") == "Event":
                await respond(send, 202, [], b"")
            else:
                answer = await invocation
                fault = [("x-amz-function-error", "Unhandled")] if answer.fault else []
                await respond(send, 200, [("content-type", "application/json"), *fault], answer.payload)

    def _find(self, reference: str) -> str | None:
        name = re.sub(r"^.*function:", "", reference).partition(":")[0]
        for logical_id, pool in self._runtime.pools.items():
            if name in (logical_id, pool.function.name):
                return logical_id
        return None


async def _error(send: Any, status: int, kind: str, message: str) -> None:
    content = json.dumps({"Type": "User", "Message": message}).encode()
    await respond(send, status, [("content-type", "application/json"), ("x-amzn-errortype", kind)], content)
