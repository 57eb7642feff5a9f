"""Signatures of Standard Webhooks 1.0.0 (symmetric, `v1`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from patchbay.version import USER_AGENT

PREFIX = "whsec_"
SECRET_BYTES = 32
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
_MIN_BYTES, _MAX_BYTES = 24, 64
# Random bytes have far more different values: the chance that 24 of them have fewer than 8 is 1 in 10^24.
_MIN_DIFFERENT = 8


def new_secret() -> str:
    """A new signing secret: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_own_secret(secret: str) -> None:
    """Raises ValueError if a secret from elsewhere is not `whsec_` and the base64 of 24 to 64 bytes, or if
    its bytes cannot be random. The message does not repeat it.
    """
    encoded = secret.removeprefix(PREFIX)
    try:
        if encoded == secret:
            raise ValueError
        key = base64.b64decode(encoded, validate=True)
        # Other libraries must decode the same bytes: no stray bits, and complete padding.
        if base64.b64encode(key).decode() != encoded:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"must be {PREFIX} and the base64 of {_MIN_BYTES} to {_MAX_BYTES} random bytes, with padding; "
            "omit it to get a new one"
        ) from None
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(
            f"has {len(key)} bytes after {PREFIX}; Standard Webhooks requires {_MIN_BYTES} to {_MAX_BYTES}"
        )
    if len(set(key)) < _MIN_DIFFERENT:
        raise ValueError("is too easy to guess, because its bytes repeat; use random bytes, or omit it")


def headers(live_secrets: Sequence[str], message_id: str, sent_ms: int, body: bytes) -> dict[str, str]:
    """The headers of a message with a JSON body, sent at a time in Unix milliseconds. A message without
    secrets, such as a callback, is not signed.
    """
    timestamp = sent_ms // 1000
    message = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if live_secrets:
        message["webhook-signature"] = sign(live_secrets, message_id, timestamp, body)
    return message


def sign(live_secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1,<base64>` per live secret, separated by spaces.

    The signed content is `<message_id>.<timestamp>.<body>`; the timestamp is in Unix seconds. The prefix
    `whsec_` of a secret is optional. Raises ValueError when there is no secret or one is not base64.
    """
    if not live_secrets:
        raise ValueError("a message needs at least one signing secret")
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(secret, content)}" for secret in live_secrets)


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
