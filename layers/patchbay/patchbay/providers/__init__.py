"""The built-in providers, as data.

Each TOML file describes one provider. `provider.load` returns it as a `Provider`, and `provider.names` lists
all of them. `error_codes` has the meaning of OAuth error codes that all providers share. The package has no
table.
"""
