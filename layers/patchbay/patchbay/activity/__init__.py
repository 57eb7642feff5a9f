"""The activity log of integrations, webhooks and API keys: who changed or used one, when, and the outcome.

Entry points: `log.log_action` and `log.log` write entries; `service.list_entries` reads them. It contains no
secrets: an entry for a change names fields, never values. Table: activity (`log` and `service`).
"""
