"""Delivers a new key to the target of its policy: in a signed request to a webhook, or as a new version of a
secret.

A repeat is the same message to the receiver: a webhook gets the same `webhook-id` and body, and Secrets
Manager the same token and value, which makes no second version. Neither the request nor any part of the
response is stored, because a receiver may echo what it got.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from patchbay import aws, compact_json
from patchbay.api_keys import policies
from patchbay.api_keys.rotation import RotationState, Target
from patchbay.clock import from_ms, iso, now_ms
from patchbay.errors import NotFound
from patchbay.ids import ApiKeyId, WebhookId
from patchbay.settings import settings
from patchbay.webhooks import failures, signing
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.sender import Sender
from patchbay.webhooks.stored_webhook import StoredWebhook

# The errors of Secrets Manager that only the owner of the secret can resolve. Others are failures of AWS.
_SECRET_PROBLEMS = {
    "ResourceNotFoundException": "The secret does not exist, or is in another region.",
    "AccessDeniedException": (
        "Patchbay is not allowed to write the secret: check its policy and its KMS key's policy."
    ),
    "InvalidRequestException": "The secret is scheduled for deletion, or another service manages it.",
    "LimitExceededException": "The secret has too many versions.",
    "InvalidParameterException": "Secrets Manager rejects the secret's name.",
    "ValidationException": "Secrets Manager rejects the secret's name.",
    "EncryptionFailure": "The secret's KMS key cannot be used.",
    "ResourceExistsException": "The secret has another value under the token of this rotation.",
    "DecryptionFailure": "The secret's KMS key cannot be used.",
}


class Refused(Exception):
    """The target refuses the key, for now or permanently. The code is stable, the detail is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Handover:
    """A new key on its way to its target, for the old key of `state`. `webhook` is None for a secret."""

    state: RotationState
    successor: ApiKeyId
    text: str = field(repr=False)
    target: Target
    webhook: StoredWebhook | None


def check(workspace_id: str, target: Target) -> StoredWebhook | None:
    """The webhook of a target, if it may receive a key now. Raises Refused."""
    if target.is_secret:
        return None
    try:
        webhook = webhooks.get_stored(workspace_id, WebhookId(target.id))
    except NotFound:
        raise Refused("webhook_deleted", "The webhook is deleted. Set another target.") from None
    if policies.pin_of(webhook) != target.pin:
        raise Refused(
            "webhook_changed",
            "The URL or the headers of the webhook were changed after the policy was set. To confirm them, "
            "send the policy again without pin.",
        )
    if not webhook.is_active:
        state = webhook.status.lower()
        raise Refused(f"webhook_{state}", f"The webhook is {state}. Set its status to ACTIVE.")
    return webhook


async def send_all(handovers: list[Handover]) -> list[BaseException | None]:
    """Deliver keys concurrently. Returns for each one None if its target accepted it, or else Refused or a
    failure of AWS.
    """
    config = settings()
    sender = Sender(https_only=config.https_only, allow_loopback=config.patchbay_allow_loopback_targets)
    try:
        sends = (_send(sender, handover) for handover in handovers)
        return list(await asyncio.gather(*sends, return_exceptions=True))
    finally:
        await sender.aclose()


async def _send(sender: Sender, handover: Handover) -> None:
    if handover.webhook is None:
        await asyncio.to_thread(_put_secret, handover)
        return
    started_at, webhook = now_ms(), handover.webhook
    secrets, headers = await asyncio.to_thread(_decrypted, webhook)
    body = _body(handover)
    result = await sender.send(
        webhook.url,
        [*signing.headers(secrets, handover.successor, started_at, body).items(), *headers.items()],
        body,
        workspace_id=webhook.workspace_id,
        total_timeout=settings().attempt_timeout_seconds,
    )
    outcome = result.outcome(from_ms(now_ms()))
    if outcome.status_code is None or not 200 <= outcome.status_code < 300:
        raise Refused(outcome.reason, failures.describe(outcome.reason))


def _decrypted(webhook: StoredWebhook) -> tuple[list[str], Mapping[str, str]]:
    return webhooks.decrypt_secrets(webhook), webhooks.decrypt_headers(webhook)


def _body(handover: Handover) -> bytes:
    """The request's body, in the envelope of an event. It is the same in every repeat."""
    successor = handover.successor
    envelope = {
        "id": successor,
        "type": "API_KEY_SUCCESSOR",
        "timestamp": iso(from_ms(successor.time_ms)),
        "data": {"keyId": successor, "key": handover.text, "replaces": handover.state.key_id},
    }
    return compact_json.dumps(envelope).encode()


def _put_secret(handover: Handover) -> None:
    params = {
        "SecretId": handover.target.id,
        "SecretString": compact_json.dumps({"keyId": handover.successor, "key": handover.text}),
        "ClientRequestToken": hashlib.sha256(handover.successor.encode()).hexdigest(),
    }
    try:
        # A workspace chooses the secret, so its mistakes are not failures of AWS.
        with aws.expecting(*_SECRET_PROBLEMS):
            aws.call("secretsmanager", "PutSecretValue", params)
    except aws.ServiceError as error:
        detail = _SECRET_PROBLEMS.get(error.code)
        if detail is None:
            raise
        raise Refused("secret_refused", detail) from None
