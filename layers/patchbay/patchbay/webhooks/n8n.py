"""Recognizes n8n's own messages in a response. The status code alone is not enough: a proxy whose n8n is down
also responds with 404, and an n8n that is migrating its database responds to every request with 200.
"""

from __future__ import annotations

import json
import re

from patchbay.webhooks.retry import ReceiverMessage

# Both forms of packages/cli/src/errors/response-errors/webhook-not-found.error.ts (n8n 1.0 to 2.40). The
# quotes contain the method and the path.
_NOT_REGISTERED = re.compile(
    r'The requested webhook ".*" is not registered\.\Z|This webhook is not registered for POST requests\.',
    re.DOTALL,
)
# packages/cli/src/abstract-server.ts
_STARTING = "n8n is starting up. Please wait"


def receiver_message(status: int | None, body: str) -> ReceiverMessage | None:
    """n8n's message about the webhook, or None when the response is not n8n's own. `body` is the start of the
    decoded response (at most 16 KB), which the receiver controls.
    """
    if status == 200 and body.strip() == _STARTING:
        return ReceiverMessage.STARTING
    if status == 404 and _NOT_REGISTERED.match(_message(body)):
        return ReceiverMessage.NOT_REGISTERED
    return None


def _message(body: str) -> str:
    """The `message` of a JSON object, or an empty string."""
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: thousands of nested levels
        return ""
    message = response.get("message") if isinstance(response, dict) else None
    return message if isinstance(message, str) else ""
