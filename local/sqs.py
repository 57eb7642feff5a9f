"""A proxy in front of SQS: the same calls, with the limits of AWS that the emulator lacks, and with the
fairness and the wake-ups of fair.py.

It is the SQS endpoint of functions. The event source pollers call it in process.
"""

from __future__ import annotations

import json
import time
from typing import Any

from local.asgi import read_body, respond
from local.fair import Fair
from local.upstream import Refused, Upstream

MAX_BYTES = 1024 * 1024  # of a message, and of a batch, attributes included
MAX_DELAY = 900
MAX_VISIBILITY = 12 * 3600  # in total, since the message was received
MAX_WAIT = 20
_REMEMBERED = 200_000  # receipts; with more, those older than 12 hours are dropped


class Sqs:
    """An ASGI application in front of the SQS at `upstream`."""

    def __init__(self, upstream: str) -> None:
        self._upstream = Upstream(upstream)
        self._fair = Fair(self._upstream)
        self._received: dict[str, float] = {}  # receipt handle → when its message was received

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One SQS call. Raises `Refused` with the error of SQS."""
        refused = self._refuse(action, payload)
        if not refused or payload["Entries"]:
            result = await self._fair.call(action, payload)
        else:
            result = {"Successful": []}
        if refused:
            result["Failed"] = [*result.get("Failed", []), *refused]
        if action == "ReceiveMessage":
            self._remember(result)
        return result

    async def close(self) -> None:
        self._upstream.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        action = headers.get("x-amz-target", "").removeprefix("AmazonSQS.")
        body = await read_body(receive, 4 * MAX_BYTES)  # JSON can escape each byte of a message
        extra = []
        try:
            if not action:
                raise Refused("InvalidAction", "Only the JSON protocol of SQS is emulated.")
            if body is None:
                raise Refused("InvalidParameterValue", "The request is too large.")
            status, result = 200, await self.call(action, json.loads(body))
        except Refused as error:
            status, result = (
                400,
                {"__type": f"com.amazonaws.sqs#{error.kind}", "message": error.message},
            )
            extra = [("x-amzn-query-error", f"{error.code};Sender")]
        except OSError as error:
            status, result = 503, {"__type": "ServiceUnavailable", "message": repr(error)}
        content = json.dumps(result).encode()
        await respond(send, status, [("content-type", "application/x-amz-json-1.0"), *extra], content)

    def _refuse(self, action: str, payload: dict[str, Any]) -> list[dict[str, Any]]:
        """Raise `Refused` for an invalid call. Removes invalid entries from a batch, and returns their
        failures.
        """
        if action == "ReceiveMessage":
            _within(payload, "WaitTimeSeconds", MAX_WAIT)
            _within(payload, "VisibilityTimeout", MAX_VISIBILITY)
        elif (
            action == "SendMessageBatch" and (size := sum(map(_size, payload.get("Entries", [])))) > MAX_BYTES
        ):
            raise Refused(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {size} bytes.",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            )
        if not action.endswith("Batch"):
            self._refuse_one(action, payload)
            return []
        good, failures = [], []
        for entry in payload.get("Entries", []):
            try:
                self._refuse_one(action.removesuffix("Batch"), entry)
                good.append(entry)
            except Refused as error:
                failures.append(
                    {
                        "Id": entry["Id"],
                        "Code": error.code,
                        "Message": error.message,
                        "SenderFault": True,
                    }
                )
        if failures:
            payload["Entries"] = good
        return failures

    def _refuse_one(self, action: str, entry: dict[str, Any]) -> None:
        if action == "SendMessage":
            _within(entry, "DelaySeconds", MAX_DELAY)
            if _size(entry) > MAX_BYTES:
                raise Refused(
                    "InvalidParameterValue",
                    "One or more parameters are invalid. "
                    f"Reason: Message must be shorter than {MAX_BYTES} bytes.",
                )
        elif action == "ChangeMessageVisibility":
            _within(entry, "VisibilityTimeout", MAX_VISIBILITY)
            wanted = int(entry["VisibilityTimeout"])
            since = self._received.get(entry["ReceiptHandle"])
            if since is not None and time.time() - since + wanted > MAX_VISIBILITY:
                raise Refused(
                    "InvalidParameterValue",
                    f"Value {wanted} for parameter VisibilityTimeout is invalid. Reason: "
                    "Total VisibilityTimeout for the message is beyond the limit "
                    f"[{MAX_VISIBILITY} seconds].",
                )

    def _remember(self, result: dict[str, Any]) -> None:
        now = time.time()
        for message in result.get("Messages", []):
            self._received[message["ReceiptHandle"]] = now
        if len(self._received) > _REMEMBERED:
            oldest = now - MAX_VISIBILITY
            self._received = {handle: at for handle, at in self._received.items() if at > oldest}


def _within(values: dict[str, Any], name: str, limit: int) -> None:
    value = values.get(name)
    if value is not None and not 0 <= int(value) <= limit:
        raise Refused(
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. Reason: Must be between 0 and {limit}.",
        )


def _size(message: dict[str, Any]) -> int:
    """The size of a message: its body, and the names, types and values of its attributes."""
    size = len(message.get("MessageBody", "").encode())
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        binary = attribute.get("BinaryValue") or ""  # base64 in the JSON protocol
        size += len(name.encode()) + len(attribute.get("DataType", "").encode())
        size += len(attribute.get("StringValue", "").encode())
        size += len(binary) * 3 // 4 - binary[-2:].count("=")
    return size
