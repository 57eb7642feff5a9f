"""`connections`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import confirm, done, show, table

app = typer.Typer(name="connections", help="List, inspect, refresh and delete connections.", no_args_is_help=True)

IntegrationId = Annotated[str, typer.Argument(metavar="INTEGRATION", help="The integration's ID, int_…")]
Id = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name, or its ID con_…")]


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option("--status", "-s", help="ACTIVE, EXPIRED, ERROR or REVOKED.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Only connections to this provider.")] = None,
) -> None:
    """List the connections of all integrations, newest first."""
    filters: dict[str, Any] = {}
    if status:
        filters["status"] = status.upper()
    if provider:
        filters["provider"] = provider
    with connect() as client:
        table(
            client.connections.list_all(limit=100, **filters),
            {
                "ID": lambda connection: connection.id,
                "NAME": lambda connection: connection.connection_id,
                "PROVIDER": lambda connection: connection.provider,
                "STATUS": lambda connection: connection.status,
                "ACCOUNT": lambda connection: connection.account.label,
                "INTEGRATION": lambda connection: connection.integration_id,
                "ERROR": lambda connection: connection.last_error and connection.last_error.code,
            },
            empty="No connections. Users create them when they authorize an integration.",
            spare=("ACCOUNT", "ERROR", "NAME"),
        )


@app.command("show")
def show_(integration: IntegrationId, id: Id) -> None:
    """Show a connection, without its tokens."""
    with connect() as client:
        connection = client.connections.get(integration, id)
        show(
            connection,
            {
                "ID": connection.id,
                "Name": connection.connection_id,
                "Provider": connection.provider,
                "Status": connection.status,
                "Account": connection.account.label,
                "Scopes": connection.scopes,
                "Expires": connection.expires_at,
                "Refreshed": connection.last_refreshed_at,
                "Error": connection.last_error and f"{connection.last_error.code}: {connection.last_error.detail}",
            },
        )


@app.command()
def refresh(integration: IntegrationId, id: Id) -> None:
    """Refresh the access token now."""
    with connect() as client:
        connection = client.connections.refresh(integration, connection_id=id)
        show(connection, {"Status": connection.status, "Expires": connection.expires_at})


@app.command()
def delete(
    integration: IntegrationId,
    id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
) -> None:
    """Delete a connection, and revoke its grant at the provider."""
    with connect() as client:
        connection = client.connections.get(integration, id)
        account = connection.account.label or connection.connection_id
        confirm(f"Delete the connection of {account}?", yes=yes)
        client.connections.delete(integration, id)
        done(f"Deleted {id}.")
