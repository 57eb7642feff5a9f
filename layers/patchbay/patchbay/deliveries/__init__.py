"""Deliveries: each is one event on its way to one webhook.

`worker.deliver_batch` makes the attempts of an SQS batch, and `sweeper.sweep` queues or ends the deliveries
that wait in the table. `service` has the use cases of the API, `workspace_list` lists the deliveries of a
whole workspace, and `test_event.send_test` sends a test event. The decisions are in `admission` (may a
delivery be sent now), `states` (its next state) and `outcome` (the effects on its webhook). `store` is the
only reader and writer of the deliveries table.
docs/architecture/delivery-engine.md explains how they work together.
"""
