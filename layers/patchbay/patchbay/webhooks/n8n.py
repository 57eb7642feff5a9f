"""Recognizes n8n's own messages in an answer. The status alone is not enough: a proxy whose n8n is down also
answers 404, and an n8n that migrates its database answers 200 to everything.
"""

from __future__ import annotations

import json
import re

from patchbay.webhooks.retry import Said

# Both forms of packages/cli/src/errors/response-errors/webhook-not-found.error.ts (n8n 1.0 to 2.40). The path
# and its method stand in the quotes.
_NOT_REGISTERED = re.compile(
    r'The requested webhook ".*" is not registered\.\Z|This webhook is not registered for POST requests\.',
    re.DOTALL,
)
# packages/cli/src/abstract-server.ts
_STARTING = "n8n is starting up. Please wait"


def said(status: int | None, body: str) -> Said | None:
    """n8n's message about the webhook, or None when the answer is not n8n's own. `body` is the start of the
    decoded answer (at most 16 KB), which the receiver controls.
    """
    if status == 200 and body.strip() == _STARTING:
        return Said.STARTING
    if status == 404 and _NOT_REGISTERED.match(_message(body)):
        return Said.NOT_REGISTERED
    return None


def _message(body: str) -> str:
    """The `message` of a JSON object; empty when there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # the latter: nested thousands of levels deep
        return ""
    message = answer.get("message") if isinstance(answer, dict) else None
    return message if isinstance(message, str) else ""
