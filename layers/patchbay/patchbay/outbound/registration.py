"""The SSRF guard for URLs that callers register, with this deployment's rules."""

from __future__ import annotations

from pydantic import JsonValue

from patchbay.errors import ValidationFailed
from patchbay.outbound import ssrf_guard
from patchbay.settings import settings

# Printable ASCII without # and \, as the guard requires, and without braces, which are for variables.
_REST = r'([/?][!-"$-\[\]-z|~]*)?$'


def url_schema() -> dict[str, JsonValue]:
    """The JSON Schema of a URL that `check_registered_url` accepts and that has no braces. Only the guard
    itself knows which hosts and ports are private.
    """
    schemes = "[Hh][Tt][Tt][Pp]" + ("[Ss]" if settings().https_only else "[Ss]?")
    return {
        "type": "string",
        "format": "uri",
        "maxLength": ssrf_guard.MAX_URL_LENGTH,
        "pattern": f"^{schemes}://[^/?#@{{}}\\\\\\s]+{_REST}",
    }


def check_registered_url(field: str, url: str) -> None:
    """Raises ValidationFailed with the field for a URL that Patchbay does not call."""
    config = settings()
    try:
        ssrf_guard.check_url(
            url,
            https_only=config.https_only,
            allow_loopback=config.patchbay_allow_loopback_targets,
        )
    except ssrf_guard.TargetError as error:
        raise ValidationFailed.for_field(field, str(error)) from None
