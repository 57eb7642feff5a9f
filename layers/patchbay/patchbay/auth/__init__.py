"""Authentication and authorization: who the caller is, and what they may do.

Entry points: `jwt.authenticate` (a platform token becomes a `principal.Principal`; `api_keys.guard` does the
same for an API key), `Principal.require` (checks a scope), `principal.in_process` (a platform function that
calls a service directly). `scopes` has the roles and their scopes. No table.
"""
