"""Webhooks: registrations of receivers' URLs, and the rules of requests to them.

Entry points: `service` manages webhooks and their secrets, and gives the delivery engine what it needs of
them; `matching.match` finds the webhooks that an event goes to; `sender.Sender` makes one HTTP request;
`retry.plan` decides what follows an attempt. `echo`, `filters`, `n8n` and `signing` are policies.
Table: webhooks (`store`).
"""
