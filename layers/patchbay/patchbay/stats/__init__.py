"""Statistics of webhooks: successes, failures and latency, by the hour.

- `counters`: the counters of an hour, their histogram and percentiles; pure
- `summary`: counters as the API returns them; pure
- `store`: the rows of the health table that hold them

Entry points: `store.add_counts` for the delivery worker. `deliveries.roll_up` adds the first-attempt
successes of each hour, and reads the statistics for the API.
"""
