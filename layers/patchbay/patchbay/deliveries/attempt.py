"""One attempt: a signed request to a webhook's receiver, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from patchbay.api_model import MASK
from patchbay.clock import now_ms
from patchbay.deliveries.models import Trigger
from patchbay.ids import DeliveryId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.version import USER_AGENT
from patchbay.webhooks import echo, signing
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.sender import Sender, SendResult
from patchbay.webhooks.stored_webhook import StoredWebhook

# A batch of 10: its AWS calls and its name look-ups.
_THREADS = 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a webhook's attempts go: its secrets and headers in the clear."""

    workspace_id: str
    url: str
    secrets: Sequence[str]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, webhook: StoredWebhook) -> Receiver:
        """Raises vault.DecryptionFailed when what is stored does not open."""
        return cls(webhook.workspace_id, webhook.url, webhooks.secrets(webhook), webhooks.headers(webhook))


@dataclass(frozen=True, slots=True)
class CompletedAttempt:
    """One request that was made, and what it met; `started_at` in Unix milliseconds."""

    number: int
    trigger: Trigger
    started_at: int
    request_headers: Mapping[str, str]
    result: SendResult

    def row(self, own_headers: Mapping[str, str]) -> dynamo.Row:
        """What is stored. The values of the webhook's own headers are masked; an answer that repeats part of
        one is withheld as a whole.
        """
        received: dict[str, str] = {}
        for name, value in self.result.response_headers:
            received[name] = f"{received[name]}, {value}" if name in received else value
        answer = echo.searchable_text(received, self.result.response_body)
        withheld = echo.contains_header_value(own_headers, answer, truncated=self.result.truncated)
        return {
            "number": self.number,
            "trigger": self.trigger,
            "startedAt": self.started_at,
            "durationMs": self.result.duration_ms,
            "statusCode": self.result.status_code,
            "error": self.result.error,
            "requestHeaders": {**self.request_headers, **dict.fromkeys(own_headers, MASK)},
            "responseHeaders": {} if withheld else received,
            "responseBody": "" if withheld else self.result.response_body,
            "truncated": self.result.truncated,
            **({"withheld": True} if withheld else {}),
        }


async def make(
    receiver: Receiver, id: DeliveryId, body: bytes, *, number: int, trigger: Trigger = "AUTO"
) -> CompletedAttempt:
    """Send one signed request. The id stays the same over all attempts, time and signature are fresh."""
    started_at = now_ms()
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": id,
        "webhook-timestamp": str(started_at // 1000),
    }
    if receiver.secrets:  # a callback has none
        headers["webhook-signature"] = signing.sign(receiver.secrets, id, started_at // 1000, body)
    result = await sender().send(
        receiver.url,
        [*headers.items(), *receiver.headers.items()],
        body,
        workspace_id=receiver.workspace_id,
        total_timeout=settings().attempt_timeout_seconds,
    )
    return CompletedAttempt(number, trigger, started_at, headers, result)


@cache
def runner() -> asyncio.Runner:
    """One event loop per process: connections to receivers are kept between invocations."""
    return asyncio.Runner()


@cache
def sender() -> Sender:
    """The process's sender. To be called inside the loop that it belongs to."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    config = settings()
    return Sender(https_only=config.https_only, allow_loopback=config.patchbay_allow_loopback_targets)
