"""Statistics of webhooks: successes, failures and latency, by the hour.

- `counters`: the counters of an hour, their histogram and percentiles; pure
- `store`: the rows of the health table that hold them
- `roll_up`: the hourly roll-up (`roll_up`), and what the API reads (`activities`)

Entry points: `store.add_counts` for the delivery worker, `roll_up.roll_up` for the schedule.
"""
