"""Describes the codes of failed attempts for people."""

from __future__ import annotations

from patchbay.webhooks.retry import ErrorKind, ReceiverMessage

DETAILS: dict[str, str] = {
    ErrorKind.TIMEOUT: "The receiver did not respond in time.",
    ErrorKind.CONNECTION: "The connection was refused, or closed before a response.",
    ErrorKind.DNS: "The host name could not be resolved.",
    ErrorKind.TLS: "The TLS handshake failed; check the receiver's certificate.",
    ErrorKind.INVALID_RESPONSE: "The response was not valid HTTP.",
    ErrorKind.INVALID_REQUEST: "The webhook's URL or headers are not valid in HTTP. Change them.",
    ErrorKind.FORBIDDEN_TARGET: "The URL points to an address that Patchbay does not call.",
    ReceiverMessage.NOT_REGISTERED: "No automation is listening at this URL.",
    ReceiverMessage.STARTING: "The receiver is starting and does not accept deliveries yet.",
}


def describe(code: str) -> str:
    """A sentence for a code of `retry.Outcome.reason`."""
    if detail := DETAILS.get(code):
        return detail
    kind, _, status = code.rpartition("_")
    if kind == "redirect":
        return f"The receiver redirected the request (HTTP {status}); redirects are not followed."
    return f"The receiver responded with HTTP {status}."
