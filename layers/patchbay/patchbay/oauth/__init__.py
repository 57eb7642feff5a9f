"""Connections to providers: authorize them, keep their tokens fresh, hand tokens out, and revoke them.

Entry points: `flow` (the authorization code flow), `connections` (list, get, create, delete, tokens),
`refresh.ensure_fresh` (one connection), and `maintenance.run_due` (the scheduled run). Policies:
`refresh_policy`, `token_body`, and `token_response`. `token_endpoint` sends the requests, and
`provider_calls` limits those of slow workspaces.
Tables: connections (`store`) and OAuth states (`states`).
"""
