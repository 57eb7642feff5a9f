"""`verify`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from patchbay_sdk import VerificationError, Verifier
from patchbay_sdk.cli.output import Exit, done, fail, notes, show


def verify(
    body: Annotated[str, typer.Argument(help="The file with the body as it was received, or - for standard input.")],
    header: Annotated[
        list[str],
        typer.Option("--header", "-H", metavar="NAME: VALUE", help="A header of the request. Repeat it."),
    ],
) -> None:
    """Check the signature of a request.

    Pass the headers webhook-id, webhook-timestamp and webhook-signature.

    The secret is read from the environment variable PATCHBAY_SECRET, or from the terminal.
    """
    secret = os.environ.get("PATCHBAY_SECRET") or typer.prompt("Signing secret (whsec_…)", hide_input=True, err=True)
    content = sys.stdin.buffer.read() if body == "-" else Path(body).read_bytes()
    headers = dict(_split(text) for text in header)
    try:
        event = Verifier(secret.strip()).verify(headers, content)
    except VerificationError as error:
        fail(error)
        if content.endswith(b"\n"):
            notes.print("The body ends with a line break. Did an editor or `echo` add it?", style="dim")
        raise typer.Exit(Exit.FAILED) from None
    show(
        event, {"ID": event.id, "Type": event.type, "Published": event.timestamp.astimezone().isoformat(" ", "seconds")}
    )
    done("The signature is valid.")


def _split(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise ValueError(f"--header {text}: write NAME: VALUE.")
    return name.strip(), value.strip()
