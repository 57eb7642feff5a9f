"""The TLS context of all outgoing connections. Loading the certificate authorities takes 20 ms of CPU, so a
process does it once.
"""

from __future__ import annotations

import ssl
from functools import cache

import certifi


@cache
def client_context(bundle: str | None = None) -> ssl.SSLContext:
    """Verifies a server's certificate and host name with certifi's authorities, or with `bundle`."""
    context = ssl.create_default_context(cafile=bundle or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
