"""Connections to providers: authorize them, keep their tokens fresh, hand tokens out, and revoke them.

Entry points: `flow` (the authorization code flow), `connections` (list, get, create, delete, tokens),
`refresh.ensure_fresh` (one connection), and `maintenance.run_due` (the scheduled run). Policies:
`refresh_policy` (when to refresh), `token_body` (bytes → value), and `token_response` (value → TokenSet).
`token_endpoint` sends the requests, `provider_calls` limits those of slow workspaces, and `limits` enforces
an integration's hourly and daily limits.
Tables: connections (`store`) and OAuth states (`states`).
"""
