"""API keys: secrets with scopes and limits for programs that call the API.

Entry points: `service` (create, list, update, rotate and revoke keys, and verify them for the platform's own
APIs), `guard.admit` (authenticates and counts every request with a key), `expire_keys` and `rotate_keys` (the
scheduled run that announces and retires keys, and rotates them), `policies` (who may set how keys rotate).
Policies: `key_format` (the text of a key), `hashing` (its stored form), `expiry` (when to announce its end),
`rotation` (what its rotation does next). Table: ApiKeys, with key schemas in `store` and `rotation_store`.
"""
