"""The built-in providers, as data.

Each TOML file describes one provider, in the format that `provider` documents. To add a provider, add its
file here, its recording in tests/providers/recordings, and its guide in docs/guides/providers, whose
add-a-provider.md says how. `make derived` then updates the table of providers.

`provider.load` returns a file as a `Provider`, and `provider.names` lists all of them. `error_codes` has the
meaning of OAuth error codes that all providers share. The package has no table.
"""
