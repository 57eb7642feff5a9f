"""The event types (API.md, "Webhooks")."""

from __future__ import annotations

from typing import Any

PUBLISHABLE = frozenset(
    {
        "POST_PUBLISHED",
        "POST_SCHEDULED",
        "POST_FAILED",
        "MENTION_RECEIVED",
        "MESSAGE_RECEIVED",
        "CONVERSATION_ASSIGNED",
        "ALERT_TRIGGERED",
        "CAMPAIGN_STARTED",
        "CAMPAIGN_COMPLETED",
        "APPROVAL_REQUESTED",
        "APPROVAL_COMPLETED",
    }
)

# Patchbay's own; nobody publishes them.
OPERATIONAL = frozenset({"WEBHOOK_DISABLED", "CONNECTION_EXPIRED", "API_KEY_EXPIRING"})
# Delivered in the platform's workspace only.
PLATFORM_ONLY = frozenset({"ACTION_REQUESTED"})

ALL = PUBLISHABLE | OPERATIONAL | PLATFORM_ONLY

# Subscribes to every type.
ANY = "*"


def sample(event_type: str) -> dict[str, Any]:
    """What the `data` of such an event may look like."""
    return {
        "id": "9f1c7a52",
        "subject": event_type.lower(),
        "network": "linkedin",
        "account": {"id": "acc_4821", "name": "Northwind Traders"},
        "text": "Our spring collection is here.",
        "url": "https://www.linkedin.com/feed/update/urn:li:share:7290000000000000000",
        "occurredAt": "2026-03-02T09:30:00.000Z",
    }
