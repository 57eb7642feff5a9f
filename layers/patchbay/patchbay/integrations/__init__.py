"""Integrations: a workspace's configuration of a provider, and the marketplace.

`service` has the use cases of the API, `marketplace` publishes, reviews and installs, `client` finds the
OAuth client that an integration uses. `config` is the policy of the `config` field. An integration's hourly
and daily limits are enforced in `oauth.limits`.
Table: integrations (`store`).
"""
