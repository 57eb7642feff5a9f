"""Health and analytics: which integrations, webhooks and connections work, and how well over time.

- `states`: the state of each, and what to do about it; pure
- `service`: the health of a workspace
- `analytics`: the hourly counters of a period, by integration, webhook, connection or event type
- `measures`: counters as the API returns them here

Stores nothing: the delivery engine and refreshes write the counters (`stats`), and `deliveries.roll_up` adds
them up by the hour. Entry points: `service.list_health` and `analytics.analyze`.
"""
