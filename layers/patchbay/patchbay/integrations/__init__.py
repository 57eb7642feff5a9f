"""Integrations: a workspace's configuration of a provider, and the marketplace.

`service` has the use cases of the API, `marketplace` publishes, reviews and installs, `client` finds the
OAuth client that an integration uses. `config` is the policy of the `config` field, `credentials` that of a
connection's credentials, and `provider_catalogue` describes both to callers. An integration's hourly and
daily limits are enforced in `oauth.limits`.
Table: integrations (`store`).
"""
