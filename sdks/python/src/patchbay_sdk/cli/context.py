"""The client of a command."""

from __future__ import annotations

import os

from patchbay_sdk import Patchbay, PatchbayError
from patchbay_sdk.cli import profile

# The option --url.
url = ""


class NotLoggedIn(PatchbayError):
    """There are no credentials."""


def client() -> Patchbay:
    """A client with the credentials of the environment or of `patchbay login`. Raises NotLoggedIn."""
    stored = profile.load()
    address, key = address_of(stored), os.environ.get("PATCHBAY_API_KEY") or stored.api_key
    if not address or not key:
        raise NotLoggedIn("Not logged in. Run `patchbay login`, or set PATCHBAY_URL and PATCHBAY_API_KEY.")
    return Patchbay(key, base_url=address)


def address_of(stored: profile.Profile) -> str:
    """The address of the deployment; empty if it is not known."""
    return url or os.environ.get("PATCHBAY_URL") or stored.url
