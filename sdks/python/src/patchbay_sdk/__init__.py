"""The Python SDK of Patchbay.

    from patchbay_sdk import Patchbay

    client = Patchbay("sk_live_…", base_url="https://….execute-api.eu-central-1.amazonaws.com")
    webhook = client.webhooks.create(name="Posts", url="https://example.com/hook", event_types=["POST_PUBLISHED"])

`Patchbay` blocks and `AsyncPatchbay` is for asyncio. `Verifier` verifies the events that a receiver gets.
`models` has the types of the API's objects, and `events` those of the events.
"""

from typing import TYPE_CHECKING

from patchbay_sdk._client import AsyncPatchbay, Patchbay
from patchbay_sdk._errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    Conflict,
    ConnectionFailed,
    FieldError,
    Forbidden,
    NotFound,
    PatchbayError,
    PayloadTooLarge,
    PreconditionFailed,
    RateLimited,
    ServerError,
    ValidationFailed,
    VerificationError,
)
from patchbay_sdk._http import UNSET, Unset
from patchbay_sdk._pages import AsyncPage, LoadedPage, Page
from patchbay_sdk._version import VERSION as __version__

if TYPE_CHECKING:
    from patchbay_sdk import events, models
    from patchbay_sdk._verify import Verifier, parse_event, verify

__all__ = [
    "UNSET",
    "ApiError",
    "AsyncPage",
    "AsyncPatchbay",
    "AuthenticationFailed",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "FieldError",
    "Forbidden",
    "LoadedPage",
    "NotFound",
    "Page",
    "Patchbay",
    "PatchbayError",
    "PayloadTooLarge",
    "PreconditionFailed",
    "RateLimited",
    "ServerError",
    "Unset",
    "ValidationFailed",
    "VerificationError",
    "Verifier",
    "__version__",
    "events",
    "models",
    "parse_event",
    "verify",
]


def __getattr__(name: str) -> object:
    """The parts of the SDK that need pydantic's models, imported on first use."""
    from importlib import import_module

    if name in ("events", "models"):
        return import_module(f"patchbay_sdk.{name}")
    if name in ("Verifier", "parse_event", "verify"):
        return getattr(import_module("patchbay_sdk._verify"), name)
    raise AttributeError(f"module 'patchbay_sdk' has no attribute {name!r}")
