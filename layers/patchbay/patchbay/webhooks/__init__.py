"""Webhooks: registrations of receivers' URLs, and the rules for requests to them.

Entry points: `service` manages webhooks and their secrets, and has the functions that the delivery engine
needs; `matching.match` finds the webhooks that an event goes to; `sender.Sender` makes one HTTP request;
`retry.plan` decides what follows an attempt. `echo`, `n8n` and `signing` are policies.
Table: webhooks (`store`).
"""
