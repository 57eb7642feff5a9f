"""Connect links: someone without a login opens one to connect an account. Entry point: `service`.

The link's session is the principal of the flow (`sessions.links`, `oauth.flow`), so that only its holder can
complete what they started.
"""
