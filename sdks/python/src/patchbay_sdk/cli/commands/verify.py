"""`verify`."""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from standardwebhooks import Webhook

from patchbay_sdk import VerificationError, Verifier, parse_event
from patchbay_sdk.cli.output import Exit, ago, done, fail, notes, show

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def verify(
    body: Annotated[
        str, typer.Argument(metavar="BODY", help="A file with the raw request body, or - for standard input.")
    ],
    header: Annotated[
        list[str],
        typer.Option("--header", "-H", metavar="NAME: VALUE", help="A header of the request. Repeatable."),
    ],
) -> None:
    """Verify the signature of a request of any age.

    Pass the headers webhook-id, webhook-timestamp and webhook-signature.

    The secret is read from the environment variable PATCHBAY_SECRET, or from the terminal.
    """
    secret = _secret()
    content = sys.stdin.buffer.read() if body == "-" else Path(body).read_bytes()
    headers = {name.lower(): value for name, value in map(_split, header)}
    if missing := [name for name in _HEADERS if name not in headers]:
        raise ValueError(f"Pass the request's {' and '.join(missing)}: -H '{missing[0]}: …'.")
    try:
        event = Verifier(secret).verify(headers, content)
        note = "The signature is valid."
    except VerificationError:
        signed_at = _signed_at(secret, headers, content)
        if signed_at is None:
            fail(VerificationError("Not signed with this secret, or changed since."))
            if content.endswith(b"\n"):
                notes.print("The body ends with a line break. Did an editor or `echo` add it?", style="dim")
            raise typer.Exit(Exit.FAILED) from None
        event = parse_event(content)
        note = f"The signature is valid. It was made {ago(signed_at)}: receivers refuse it after five minutes."
    show(
        event,
        {
            "ID": event.id,
            "Type": event.event_type if event.type == "UNKNOWN" else event.type,
            "Published": event.timestamp.astimezone().isoformat(" ", "seconds"),
        },
    )
    done(note)


def _secret() -> str:
    secret = os.environ.get("PATCHBAY_SECRET", "")
    if not secret and (sys.stdin.isatty() or sys.stderr.isatty()):
        secret = typer.prompt("Signing secret (whsec_…)", hide_input=True, err=True)
    if not secret.strip():
        raise ValueError("No signing secret: set PATCHBAY_SECRET to the webhook's secret (whsec_…).")
    return secret.strip()


def _signed_at(secret: str, headers: Mapping[str, str], content: bytes) -> datetime | None:
    """When a request was signed with the secret, however long ago that is; None if it was not."""
    try:
        time = datetime.fromtimestamp(int(headers["webhook-timestamp"]), timezone.utc)
        expected = Webhook(secret).sign(headers["webhook-id"], time, content.decode())
    except (ValueError, OverflowError, OSError):
        return None
    signatures = headers["webhook-signature"].split()
    return time if any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures) else None


def _split(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise ValueError(f"--header {text}: write NAME: VALUE.")
    return name.strip(), value.strip()
