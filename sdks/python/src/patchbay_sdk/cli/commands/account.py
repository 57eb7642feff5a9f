"""`login`, `logout`, `whoami`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import typer

from patchbay_sdk import Patchbay
from patchbay_sdk.cli import context, profile
from patchbay_sdk.cli.output import done, notes, show, warn


def login() -> None:
    """Check an API key, and store it with the address of the deployment.

    Reads the key from the terminal or from standard input, because other users of a machine can see command lines.
    """
    stored = profile.load()
    address = context.address_of(stored)
    if sys.stdin.isatty():
        if not context.url:
            address = typer.prompt("Address of the deployment (ApiUrl)", default=address or None, err=True)
        key = typer.prompt("API key or token", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
    key = key.strip()
    if not key:
        raise ValueError("No key: write it to standard input.")
    if not address:
        raise ValueError("No URL: pass --url, or set PATCHBAY_URL.")
    with Patchbay(key, base_url=address) as client:
        me = client.me.get()
    profile.save(replace(stored, url=address, api_key=key))
    done(f"Logged in to workspace {me.workspace_id} as {me.id}. Stored in {profile.path()}")
    for name in ("PATCHBAY_URL", "PATCHBAY_API_KEY"):
        if os.environ.get(name):
            warn(f"{name} is set: other commands use it instead of what is stored.")


def logout() -> None:
    """Remove the stored address and key."""
    stored = profile.load()
    if stored.api_key:
        profile.save(replace(stored, url="", api_key=""))
        done("Logged out. The key stays valid until you revoke it.")
    else:
        notes.print("Not logged in.", style="dim")


def whoami() -> None:
    """Show the workspace, the user or key, and the scopes of your credentials."""
    with context.client() as client:
        me = client.me.get()
        show(
            me,
            {
                "Workspace": me.workspace_id,
                "Caller": me.id,
                "Role": me.role,
                "Scopes": me.scopes,
                "Key": me.key and f"{me.key.name} ({me.key.masked_key})",
                "Expires": me.key and me.key.expires_at,
            },
        )
