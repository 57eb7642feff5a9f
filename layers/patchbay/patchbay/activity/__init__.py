"""Two logs without secrets; an entry names fields, never values.

- The activity log of integrations, webhooks and API keys: who changed or used one, when, and the outcome.
  `log.log_action` and `log.log` write entries, and `service.list_entries` reads them.
- The audit log of a workspace: the requests for a change or for a secret. `http.auditing` follows a request
  with a `trail`, which makes the first entry of the activity log the request's audit entry too, or writes one
  with `audit.write`. `audit.list_entries` reads them.

Table: activity (`log`, `service` and `audit`).
"""
