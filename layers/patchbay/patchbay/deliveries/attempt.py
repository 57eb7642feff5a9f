"""One attempt: a signed request to a webhook's receiver, and its record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from patchbay.api_model import MASK
from patchbay.clock import now_ms
from patchbay.deliveries.models import Trigger
from patchbay.deliveries.stored_delivery import StoredAttempt
from patchbay.ids import DeliveryId
from patchbay.settings import settings
from patchbay.webhooks import echo, signing
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.sender import Sender, SendResult
from patchbay.webhooks.stored_webhook import StoredWebhook

# Enough for the AWS calls and DNS lookups of a batch of 10.
_THREADS = 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """The target of a webhook's attempts, with its secrets and headers in plaintext."""

    workspace_id: str
    url: str
    secrets: Sequence[str]
    headers: Mapping[str, str]

    @classmethod
    def from_webhook(cls, webhook: StoredWebhook) -> Receiver:
        """Raises vault.DecryptionFailed if a stored secret or header cannot be decrypted."""
        return cls(
            webhook.workspace_id,
            webhook.url,
            webhooks.decrypt_secrets(webhook),
            webhooks.decrypt_headers(webhook),
        )


@dataclass(frozen=True, slots=True)
class CompletedAttempt:
    """A request and its result; `started_at` in Unix milliseconds."""

    number: int
    trigger: Trigger
    started_at: int
    request_headers: Mapping[str, str]
    result: SendResult

    def to_stored(self, own_headers: Mapping[str, str]) -> StoredAttempt:
        """The attempt as it is stored. The values of the webhook's own headers are masked; a response that
        repeats part of one is withheld entirely.
        """
        received: dict[str, str] = {}
        for name, value in self.result.response_headers:
            received[name] = f"{received[name]}, {value}" if name in received else value
        text = echo.searchable_text(received, self.result.response_body)
        withheld = echo.contains_header_value(own_headers, text, truncated=self.result.truncated)
        return StoredAttempt(
            number=self.number,
            trigger=self.trigger,
            started_at=self.started_at,
            duration_ms=self.result.duration_ms,
            status_code=self.result.status_code,
            error=self.result.error,
            error_code=self.result.error_kind,
            request_headers={**self.request_headers, **dict.fromkeys(own_headers, MASK)},
            response_headers={} if withheld else received,
            response_body="" if withheld else self.result.response_body,
            truncated=self.result.truncated,
            withheld=withheld,
        )


async def send(
    receiver: Receiver, id: DeliveryId, body: bytes, *, number: int, trigger: Trigger
) -> CompletedAttempt:
    """Send one signed request. All attempts have the delivery's ID; each has its own time and signature."""
    started_at = now_ms()
    headers = signing.headers(receiver.secrets, id, started_at, body)
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
    """The process's event loop. It keeps connections to receivers open between invocations."""
    return asyncio.Runner()


@cache
def sender() -> Sender:
    """The process's sender. It belongs to the event loop, so call this inside the loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    config = settings()
    return Sender(https_only=config.https_only, allow_loopback=config.patchbay_allow_loopback_targets)
