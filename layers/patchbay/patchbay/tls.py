"""The TLS context of all outgoing connections. Loading the authorities takes 20 ms of CPU, so a process does
it once.
"""

from __future__ import annotations

import ssl
from functools import cache

import certifi


@cache
def client_context(bundle: str | None = None) -> ssl.SSLContext:
    """Verifies a server's certificate and name against certifi's authorities, or against a bundle."""
    context = ssl.create_default_context(cafile=bundle or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
