"""The receivers behind webhooks: how healthy each one is, and how much traffic it gets.

- `health` and `health_store`: failures, circuit breaker, backlog and recovery of each webhook
- `lanes`: the choice between the fast and the slow lane, and a workspace's share of the slow lane
- `slots`: the schedule of `rateLimitPerSecond`

Table: health. Entry points: `health_store`, for the delivery worker and the sweeper; the rest is pure.
"""
