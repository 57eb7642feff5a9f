"""Fan-out: from an event to a queued delivery for each webhook that it matches.

- `publish`: `POST /api/events`, which fans out an event to ten webhooks or fewer within its request
- `fan_out`: the worker of the events queue (`fan_out_batch`), and the steps that both share

It writes the table events (`events.store`) and sends to the deliveries queue.
"""
