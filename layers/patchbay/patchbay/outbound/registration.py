"""The SSRF guard for URLs that callers register, with this deployment's rules."""

from __future__ import annotations

from patchbay.errors import ValidationFailed
from patchbay.outbound import ssrf_guard
from patchbay.settings import settings


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
