"""Verifies events in receivers (Standard Webhooks 1.0.0)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import standardwebhooks

from patchbay_sdk._errors import VerificationError
from patchbay_sdk._model import parse
from patchbay_sdk.events import EVENT_TYPES, Event, UnknownEvent


class Verifier:
    """Verifies requests with a webhook's signing secret (`whsec_…`).

    Pass several secrets while you replace a webhook: one matching secret is enough.
    """

    def __init__(self, *secrets: str) -> None:
        if not secrets or not all(secrets):
            raise ValueError("No signing secret: pass the webhook's secret (whsec_…).")
        self._webhooks = [standardwebhooks.Webhook(secret) for secret in secrets]

    def verify(self, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str) -> Event:
        """Return the event of a request. Raises VerificationError: respond with 400.

        `body` is the raw body, because parsing and serializing it changes it. Requests whose timestamp differs from
        the current time by more than five minutes are rejected, because they could be replays. If your response is
        lost, Patchbay sends the event again with the same `webhook-id` header.
        """
        names = {name.lower(): value for name, value in dict(headers).items()}
        text = _decoded(body)
        failures = []
        for webhook in self._webhooks:
            try:
                webhook.verify(text, names, json_parse=False)
            except (standardwebhooks.WebhookVerificationError, ValueError) as error:
                failures.append(error)
            else:
                return parse_event(text)
        raise VerificationError(f"Not verified: {str(failures[0]).rstrip('.')}.") from failures[0]


def verify(headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str, *, secret: str) -> Event:
    """The event of a request, as `Verifier(secret).verify(headers, body)` returns it."""
    return Verifier(secret).verify(headers, body)


def parse_event(body: bytes | str) -> Event:
    """An event from its JSON, without verification. Raises VerificationError if it is not an event."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise VerificationError(f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("type"), str):
        raise VerificationError("The body is not an event: it has no type.")
    event: Event = parse(EVENT_TYPES.get(content["type"], UnknownEvent), content)
    return event


def _decoded(body: bytes | str) -> str:
    try:
        return body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError as error:
        raise VerificationError("The body is not UTF-8.") from error
