"""`keys`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import advise, confirm, done, show, table
from patchbay_sdk.cli.parse import parse_time
from patchbay_sdk.models import ApiKeyWithSecret

app = typer.Typer(name="keys", help="Manage API keys.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="KEY", help="The ID, key_…")]


@app.command("list")
def list_() -> None:
    """List API keys, newest first."""
    with connect() as client:
        table(
            client.api_keys.list(limit=100),
            {
                "ID": lambda key: key.id,
                "NAME": lambda key: key.name,
                "KEY": lambda key: key.masked_key,
                "STATUS": lambda key: key.status,
                "SCOPES": lambda key: key.scopes,
                "LAST USED": lambda key: key.last_used_at,
                "EXPIRES": lambda key: key.expires_at,
            },
            empty="No API keys. Create one: patchbay keys create NAME --scope events:publish",
            spare=("KEY", "LAST USED", "EXPIRES"),
        )


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A display name.")],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="A scope, such as events:publish. Repeat it.")],
    per_hour: Annotated[int | None, typer.Option(help="The most requests per hour.")] = None,
    per_day: Annotated[int | None, typer.Option(help="The most requests per day.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it expires: 90d from now, or 2027-01-31.")] = None,
) -> None:
    """Create an API key. It is shown only once."""
    given = {
        "rate_limit_per_hour": per_hour,
        "rate_limit_per_day": per_day,
        "expires_at": parse_time(expires, ahead=True) if expires else None,
    }
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with connect() as client:
        _show(client.api_keys.create(name=name, scopes=scope, **body))


@app.command()
def rotate(
    id: Id,
    overlap: Annotated[int, typer.Option(help="Seconds for which the old key stays valid.")] = 86_400,
) -> None:
    """Rotate an API key. The new key is shown only once."""
    with connect() as client:
        _show(client.api_keys.rotate(id, overlap_seconds=overlap))


@app.command()
def revoke(id: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False) -> None:
    """Revoke a key: it is refused from the next request on."""
    with connect() as client:
        key = client.api_keys.get(id)
        confirm(f"Revoke {key.name} ({key.masked_key})?", yes=yes)
        client.api_keys.revoke(id)
        done(f"Revoked {id}.")


def _show(key: ApiKeyWithSecret) -> None:
    show(key, {"ID": key.id, "Name": key.name, "Scopes": key.scopes, "Expires": key.expires_at, "Key": key.key})
    advise("Store the key now: it is not shown again.")
