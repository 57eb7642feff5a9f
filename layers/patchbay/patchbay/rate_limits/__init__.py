"""Rate limits: they count the units used per window, and refuse more (429).

Four modules limit rates, each for its own purpose:

- `rate_limits.ceilings`: requests and events per minute of a workspace. State: a RateLimits row, and a block
  of units that each process reserves from it. Never above the ceiling, but near it, a process may refuse up
  to one block too early.
- `rate_limits.limiter`: uses per minute, hour or day of anything with an ID, such as an integration. State: a
  RateLimits row. Exact.
- `api_keys.guard`: requests per hour and day of an API key. State: the key's own row, so that the same write
  checks that the key is active. Exact.
- `receivers.slots`: attempts per second of a webhook. State: the webhook's health row. Exact, but it delays
  attempts instead of refusing them.

For a new limit, use `limiter.Limiter`, as `deliveries.limits` does. Use `ceilings` only where one row would
get more writes than DynamoDB accepts (about 1,000 per second).

`sliding_window` has the arithmetic of the first three, `headers` has the response headers, and `throttling`
the 429 for a throttled row. `store` is the only reader and writer of the RateLimits table, and `sweeper`
deletes its old rows.
"""
