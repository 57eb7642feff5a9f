"""Where Patchbay may send a browser: the platform's pages, by their origins (`AllowedReturnOrigins`)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

from patchbay.errors import ValidationFailed
from patchbay.field_errors import pattern
from patchbay.settings import settings

# Printable ASCII (RFC 3986, 2): parsers disagree about other characters.
Url = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[!-~]{1,2048}$", "a URL of at most 2,048 characters, with non-ASCII characters percent-encoded"
        )
    ),
]
# Not parsed with urlsplit, which is lenient: a browser may see a different origin.
_RETURN_URL = re.compile(r"(?P<origin>https?://[A-Za-z0-9.:\[\]-]+)(?:[/?][!-~]*)?")


def check(url: str | None) -> None:
    """Raises ValidationFailed for a URL that has another origin or a fragment."""
    if url is None:
        return
    parts = _RETURN_URL.fullmatch(url)
    if parts is None or parts["origin"] not in settings().return_origins or "#" in url:
        raise ValidationFailed.for_field(
            "returnUrl", "must have an origin that is in the deployment's parameter AllowedReturnOrigins"
        )
