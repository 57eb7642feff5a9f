"""Names and values of request headers that callers choose."""

from __future__ import annotations

import re

NAME_PATTERN = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"  # RFC 9110, 5.6.2
_NAME = re.compile(NAME_PATTERN)
_VALUE = re.compile(r"[\x20-\x7e]*")  # RFC 9110, 5.5, without obs-text
# Patchbay's own, hop-by-hop headers (RFC 9110, 7.6.1), and headers that frame or route the request.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
# The last word of a header that usually has a credential: X-Api-Key, X-Shopify-Access-Token, Cookie.
_CREDENTIALS = re.compile(
    r"(.*[-_.])?(api-?key|apikey|auth|authentication|authorization|cookie2?|credentials?|jwt|key|passw(or)?d|pat"
    r"|secret|session|signature|token)",
    re.IGNORECASE,
)


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    """Whether Patchbay sets the header itself, or never sends it."""
    return name.lower() in _RESERVED


def is_value(value: str) -> bool:
    """Whether a header can have that value: printable ASCII."""
    return _VALUE.fullmatch(value) is not None


def may_have_credentials(name: str) -> bool:
    """Whether a header of that name usually has a credential."""
    return _CREDENTIALS.fullmatch(name) is not None
