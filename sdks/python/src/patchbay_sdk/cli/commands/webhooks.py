"""`webhooks`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from patchbay_sdk import models
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import advise, ago, confirm, done, show, table
from patchbay_sdk.cli.parse import equals_filter
from patchbay_sdk.models import Webhook, WebhookDetail, WebhookWithSecret

app = typer.Typer(name="webhooks", help="Manage webhooks.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The ID, whk_…")]


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="ACTIVE, PAUSED, INACTIVE or DISABLED.")] = None,
    type: Annotated[str | None, typer.Option("--type", "-t", help="Only those subscribed to this event type.")] = None,
) -> None:
    """List webhooks, newest first."""
    filters: dict[str, Any] = {}
    if status:
        filters["status"] = status.upper()
    if type:
        filters["event_type"] = type
    with connect() as client:
        table(
            client.webhooks.list(limit=100, **filters),
            {
                "ID": lambda webhook: webhook.id,
                "NAME": lambda webhook: webhook.name,
                "STATUS": lambda webhook: webhook.status,
                "EVENT TYPES": lambda webhook: webhook.event_types,
                "RECEIVER": lambda webhook: webhook.url or "reads its feed",
                "CREATED": lambda webhook: webhook.created_at,
            },
            empty="No webhooks. Create one: patchbay webhooks create NAME URL --type POST_PUBLISHED",
            spare=("CREATED", "RECEIVER"),
        )


@app.command("show")
def show_(id: Id) -> None:
    """Show a webhook, the state of its receiver, and its deliveries of the last 24 hours."""
    with connect() as client:
        webhook = client.webhooks.get(id)
        show(webhook, {**_fields(webhook), **_traffic(webhook)})


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A display name.")],
    type: Annotated[
        list[str],
        typer.Option("--type", "-t", help="An event type of `patchbay events types`, or '*' for all. Repeatable."),
    ],
    url: Annotated[str | None, typer.Argument(metavar="URL", help="The receiver's URL.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Without a URL: the receiver reads the webhook's feed.")] = False,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="PATH=VALUE", help="Only events with this value. Repeatable."),
    ] = None,
) -> None:
    """Create a webhook. Prints the signing secret, which is shown only once."""
    if pull == bool(url):
        raise ValueError("Pass either the receiver's URL or --pull.")
    body: dict[str, Any] = {"name": name, "event_types": type}
    body |= {"kind": "pull"} if pull else {"url": url}
    if filter:
        body["filters"] = [equals_filter(text) for text in filter]
    with connect() as client:
        _show_secret(client.webhooks.create(**body))


@app.command()
def delete(id: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False) -> None:
    """Delete a webhook and cancel its waiting deliveries."""
    with connect() as client:
        webhook = client.webhooks.get(id)
        confirm(f"Delete {webhook.name} ({webhook.url or 'its feed'})?", yes=yes)
        client.webhooks.delete(id)
        done(f"Deleted {id}.")


@app.command()
def pause(id: Id) -> None:
    """Pause a webhook: Patchbay keeps its events until you resume it."""
    _set_status(id, "PAUSED", "Paused. Its events are kept: `patchbay webhooks resume` sends them, oldest first.")


@app.command()
def resume(id: Id) -> None:
    """Resume a webhook: send new events, and those that were kept during the pause."""
    _set_status(id, "ACTIVE", "Active.")


@app.command()
def rotate(
    id: Id,
    overlap: Annotated[int, typer.Option(help="Seconds for which the old secret also signs.")] = 86_400,
) -> None:
    """Rotate the signing secret. Prints the new one, which is shown only once."""
    with connect() as client:
        _show_secret(client.webhooks.rotate_secret(id, overlap_seconds=overlap))


@app.command("test")
def send_test(id: Id, type: Annotated[str | None, typer.Option("--type", "-t", help="The event type.")] = None) -> None:
    """Send a test event to the receiver now, and show its response."""
    with connect() as client:
        attempt = client.webhooks.test(id, **({"event_type": type} if type else {}))
        show(
            attempt,
            {
                "Answer": attempt.status_code and f"HTTP {attempt.status_code}",
                "Error": attempt.error and f"{attempt.error.code}: {attempt.error.detail}",
                "Took": f"{attempt.duration_ms} ms",
                "Body": attempt.response_body,
            },
        )
        if attempt.status_code is None or not 200 <= attempt.status_code < 300:
            raise typer.Exit(1)


def _set_status(id: str, status: Any, text: str) -> None:
    with connect() as client:
        webhook = client.webhooks.set_status(id, status=status)
        show(webhook, _fields(webhook))
        done(text)


def _show_secret(webhook: WebhookWithSecret) -> None:
    show(webhook, {**_fields(webhook), "Secret": webhook.secret})
    advise("Store the secret now: it is not shown again.")


def _traffic(webhook: WebhookDetail) -> dict[str, object]:
    fields: dict[str, object] = {}
    if receiver := webhook.receiver:
        is_open = receiver.breaker == "OPEN"
        next_probe = ago(receiver.next_probe_at) if receiver.next_probe_at else "soon"
        fields["Breaker"] = f"OPEN, {receiver.held} held, next probe {next_probe}" if is_open else "CLOSED"
        fields["Lane"] = receiver.lane + (f" ({receiver.lane_reason})" if receiver.lane_reason else "")
    if stats := webhook.stats:
        fields["Last 24 h"] = f"{stats.delivered} delivered, {stats.failed} failed, {stats.pending} pending"
        fields["p95"] = f"{stats.latency_ms.p95} ms" if stats.latency_ms.p95 is not None else None
        fields["Last error"] = stats.last_error and f"{stats.last_error.code}: {stats.last_error.detail}"
    return fields


def _fields(webhook: Webhook | WebhookDetail | WebhookWithSecret) -> dict[str, object]:
    return {
        "ID": webhook.id,
        "Name": webhook.name,
        "Receiver": webhook.url or "reads its feed",
        "Status": webhook.status,
        "Reason": webhook.status_reason,
        "Event types": webhook.event_types,
        "Filters": [_filter_text(filter) for filter in webhook.filters],
        "Created": webhook.created_at,
    }


def _filter_text(filter: models.EqualsFilter | models.InFilter | models.ExistsFilter) -> str:
    match filter:
        case models.EqualsFilter():
            return f"{filter.path} = {filter.value}"
        case models.InFilter():
            return f"{filter.path} in ({', '.join(map(str, filter.value))})"
        case models.ExistsFilter():
            return f"{filter.path} exists"
    return str(filter)  # a filter of a later release
