"""The event types (API.md, "Webhooks")."""

from __future__ import annotations

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
