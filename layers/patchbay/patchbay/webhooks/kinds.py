"""The two kinds of webhooks: `push`, whose events Patchbay sends to a URL, and `pull`, whose receiver reads a
feed.

Pure. Fields that only make sense for requests are rejected for a webhook of kind pull, because they would
have no effect. An update may send such a field, and the kind, with the current value, so the response to a
GET can be sent back.
"""

from __future__ import annotations

from collections.abc import Mapping

from patchbay.errors import FieldError
from patchbay.field_errors import validation_failed
from patchbay.webhooks.models import CreateWebhook, UpdateWebhook
from patchbay.webhooks.stored_webhook import StoredWebhook

# The fields that are about requests, as the API names them.
_PUSH_FIELDS = {
    "url": "url",
    "headers": "headers",
    "retry_config": "retryConfig",
    "rate_limit_per_second": "rateLimitPerSecond",
    "disable_after": "disableAfter",
}
_ONLY_PUSH = "cannot be set for a pull webhook, because Patchbay sends no requests for it; omit it"
_ONLY_PULL = "can be set only for a pull webhook; omit it, or send kind pull"
_NO_URL = "is missing"
_READ_ONLY = "cannot be changed from {kind}; create another webhook"


def check_new(body: CreateWebhook) -> None:
    """Raises ValidationFailed if the fields do not fit the kind."""
    if body.kind == "pull":
        _reject({name: _ONLY_PUSH for field, name in _PUSH_FIELDS.items() if field in body.model_fields_set})
    else:
        _reject(
            ({"url": _NO_URL} if body.url is None else {})
            | ({"expiresInSeconds": _ONLY_PULL} if body.expires_in_seconds is not None else {})
        )


def check_change(webhook: StoredWebhook, body: UpdateWebhook, changes: Mapping[str, object]) -> None:
    """Raises ValidationFailed if an update changes the kind, or does not fit it. `changes` are the attributes
    of the stored webhook that the body sets.
    """
    errors = {}
    if "kind" in changes and body.kind != webhook.kind:
        errors["kind"] = _READ_ONLY.format(kind=webhook.kind)
    elif webhook.is_pull:
        errors = {
            name: _ONLY_PUSH
            for field, name in _PUSH_FIELDS.items()
            if field in changes and changes[field] != getattr(webhook, field)
        }
    elif "url" in changes and body.url is None:
        errors["url"] = _NO_URL
    elif body.expires_in_seconds is not None:
        errors["expiresInSeconds"] = _ONLY_PULL
    _reject(errors)


def _reject(errors: Mapping[str, str]) -> None:
    if errors:
        raise validation_failed([FieldError(name, message) for name, message in errors.items()])
