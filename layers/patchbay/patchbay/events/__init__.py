"""Events: publications of an event type, with their data.

- `service`: publishing one event or a batch, lists, and Patchbay's own events (`announce`)
- `bus`: events from an EventBridge bus, which enter through the events queue
- `models`: the API's shapes, and `EventMessage`, an event in a queue

The package `publishing` sends events to webhooks. Table: events, one row for each event (`store`).
"""
