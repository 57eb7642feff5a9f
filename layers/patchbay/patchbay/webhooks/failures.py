"""Describes the codes of failed attempts for people."""

from __future__ import annotations

from patchbay.webhooks.retry import ErrorKind, ReceiverMessage

_DETAILS: dict[str, str] = {
    ErrorKind.TIMEOUT: "The receiver did not respond in time.",
    ErrorKind.CONNECTION: "The connection to the receiver failed.",
    ErrorKind.DNS: "The host name of the receiver could not be resolved.",
    ErrorKind.TLS: "The TLS handshake with the receiver failed; check its certificate.",
    ErrorKind.INVALID_RESPONSE: "The receiver's response is not valid HTTP.",
    ErrorKind.INVALID_REQUEST: "The webhook's URL or headers cannot be sent; change them.",
    ErrorKind.FORBIDDEN_TARGET: "The URL leads to an address that Patchbay does not call.",
    ReceiverMessage.NOT_REGISTERED: "No automation listens at this URL.",
    ReceiverMessage.STARTING: "The receiver is starting and does not accept deliveries yet.",
}


def describe(code: str) -> str:
    """A sentence for a code of `retry.Outcome.reason`."""
    if detail := _DETAILS.get(code):
        return detail
    kind, _, status = code.rpartition("_")
    if kind == "redirect":
        return f"The receiver redirected the request (HTTP {status}); redirects are not followed."
    return f"The receiver responded with HTTP {status}."
