"""`deliveries`."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from patchbay_sdk import Conflict, ConnectionFailed, Patchbay, RateLimited, ServerError
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import Exit, Format, advise, cell, console, done, emit, fail, notes, show, table, warn
from patchbay_sdk.cli.parse import parse_time
from patchbay_sdk.models import Delivery, ReplayPreview, Task

app = typer.Typer(name="deliveries", help="List, follow, inspect, and resend deliveries.", no_args_is_help=True)

_POLL_SECONDS = 2.0
_COLUMNS = {
    "ID": lambda delivery: delivery.id,
    "EVENT TYPE": lambda delivery: delivery.event_type,
    "STATUS": lambda delivery: delivery.status,
    "ATTEMPTS": lambda delivery: f"{delivery.attempt_count}/{delivery.max_attempts}",
    "WEBHOOK": lambda delivery: delivery.webhook_id,
    "UPDATED": lambda delivery: delivery.updated_at,
    "REASON": lambda delivery: delivery.status_reason or "",
}

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's ID, whk_…")]
WebhookOption = Annotated[str | None, typer.Option("--webhook", "-w", help="Only this webhook.")]
Since = Annotated[str | None, typer.Option(help="Only events since 30m, 2h or 7d ago, or since a time.")]


@app.command("list")
def list_(
    status: Annotated[
        str | None, typer.Option("--status", "-s", help="PENDING, RETRYING, HELD, DELIVERED, FAILED …")
    ] = None,
    type: Annotated[str | None, typer.Option("--type", "-t", help="Only this event type.")] = None,
    webhook: WebhookOption = None,
    event: Annotated[str | None, typer.Option("--event", "-e", help="Only this event.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The most items to list.")] = 20,
) -> None:
    """List deliveries, newest first."""
    with connect() as client:
        found = client.deliveries.list(limit=min(limit, 100), **_filters(status, type, webhook, event, since))
        table(
            islice(found, limit),
            _COLUMNS,
            empty="No deliveries. Publish an event: patchbay trigger POST_PUBLISHED",
            spare=("UPDATED", "ATTEMPTS", "REASON"),
        )


@app.command()
def tail(
    status: Annotated[str | None, typer.Option("--status", "-s", help="Only with this status.")] = None,
    type: Annotated[str | None, typer.Option("--type", "-t", help="Only this event type.")] = None,
    webhook: WebhookOption = None,
    event: Annotated[str | None, typer.Option("--event", "-e", help="Only this event.")] = None,
) -> None:
    """Follow deliveries as they change, until you press Ctrl-C.

    Starts with the events of the last minute.

    Shows retries of events that are older than 15 minutes only with --event.
    """
    filters = _filters(status, type, webhook, event, None)
    started = datetime.now(timezone.utc) - timedelta(minutes=1)
    seen: dict[str, int] = {}
    notes.print("Waiting for deliveries. Press Ctrl-C to stop.", style="dim")
    with connect() as client, suppress(KeyboardInterrupt):
        while True:
            try:
                _print_changes(client, filters if event else filters | {"since": _recent(started)}, seen)
            except (ConnectionFailed, RateLimited, ServerError) as error:
                warn(f"Trying again. {str(error).splitlines()[0]}")
            time.sleep(_POLL_SECONDS)


@app.command("show")
def show_(
    webhook: WebhookArgument,
    id: Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's ID, dlv_…")],
) -> None:
    """Show a delivery with its attempts."""
    with connect() as client:
        delivery = client.webhooks.get_delivery(webhook, id)
        show(
            delivery,
            {
                "ID": delivery.id,
                "Event": f"{delivery.event_id} ({delivery.event_type})",
                "Status": delivery.status,
                "Reason": delivery.status_reason,
                "Next attempt": delivery.next_attempt_at,
                "Delivered": delivery.delivered_at,
            },
        )
        if not Format.json:
            console.print()
            table(
                delivery.attempts,
                {
                    "#": lambda attempt: attempt.number,
                    "STARTED": lambda attempt: attempt.started_at,
                    "TRIGGER": lambda attempt: attempt.trigger,
                    "ANSWER": lambda attempt: attempt.status_code or (attempt.error and attempt.error.code),
                    "TOOK": lambda attempt: f"{attempt.duration_ms} ms",
                    "BODY": lambda attempt: " ".join((attempt.response_body or "").split())[:80],
                },
                empty="No attempts yet.",
            )


@app.command()
def retry(
    webhook: WebhookArgument,
    id: Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's ID, dlv_…")],
    force: Annotated[bool, typer.Option("--force", help="Resend it even if it was delivered.")] = False,
) -> None:
    """Resend a delivery now."""
    with connect() as client:
        try:
            delivery = client.webhooks.retry_delivery(webhook, id, force=force)
        except Conflict as error:
            fail(error)
            if not force:
                advise("If it was delivered, pass --force to send it again.")
            raise typer.Exit(Exit.FAILED) from None
        _print_change(delivery)
        done(f"Queued. Its attempts: patchbay deliveries show {webhook} {id}")


@app.command()
def replay(
    webhook: WebhookArgument,
    since: Annotated[str, typer.Option(help="Events since 30m, 2h or 7d ago, or since a time.")],
    until: Annotated[str | None, typer.Option(help="Events until this time.")] = None,
    type: Annotated[list[str] | None, typer.Option("--type", "-t", help="Only this event type. Repeatable.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", help="Deliveries with this status; default FAILED and CANCELLED."),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Events that have no delivery, as while the webhook was inactive."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start the replay.")] = False,
) -> None:
    """Resend the deliveries of a time range, and show the progress.

    A replay is a task. It starts within a minute, and continues after Ctrl-C.
    """
    body: dict[str, Any] = {"since": parse_time(since)}
    if until:
        body["until"] = parse_time(until)
    if type:
        body["event_types"] = type
    if status:
        body["statuses"] = [one.upper() for one in status]
    if missing:
        body["missing"] = True
    with connect() as client:
        result = client.webhooks.replay(webhook, dry_run=dry_run, **body)
        if isinstance(result, ReplayPreview):
            show(result, {"Would send": f"{result.total}{'' if result.is_complete else ' or more'}"})
            return
        task = result if no_wait else _follow(client, result)
        show(
            task,
            {
                "Task": task.id,
                "Status": task.status,
                "Sent": task.done,
                "Error": task.error and task.error.detail,
            },
        )
        if task.status in ("FAILED", "CANCELLED"):
            raise typer.Exit(Exit.FAILED)


def _follow(client: Patchbay, task: Task) -> Task:
    """Wait for the end of a task, with a progress bar."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    hidden = not notes.is_terminal
    with Progress(*columns, console=notes, transient=True, disable=hidden) as progress:
        bar = progress.add_task("Starts within a minute", total=task.total)
        while task.status == "RUNNING":
            time.sleep(_POLL_SECONDS)
            task = client.tasks.get(task.id)
            text = "Queuing" if task.done else "Starts within a minute"
            progress.update(bar, total=task.total, completed=task.done, description=text)
    return task


def _recent(started: datetime) -> datetime:
    return max(started, datetime.now(timezone.utc) - timedelta(minutes=15))


def _print_changes(client: Patchbay, filters: dict[str, Any], seen: dict[str, int]) -> None:
    """Print the deliveries whose version differs from the one that was seen, oldest first."""
    for delivery in reversed(list(client.deliveries.list(limit=100, **filters))):
        if seen.get(delivery.id) != delivery.version:
            seen[delivery.id] = delivery.version
            _print_change(delivery)


def _print_change(delivery: Delivery) -> None:
    if Format.json:
        emit(delivery)
        return
    status = cell(delivery.status)
    status.pad_right(10 - len(delivery.status))
    console.print(
        f"[dim]{delivery.updated_at.astimezone():%H:%M:%S}[/]", status, delivery.event_type, delivery.id,
        f"[dim]{delivery.webhook_id}[/]", delivery.status_reason or "", soft_wrap=True,
    )  # fmt: skip


def _filters(
    status: str | None, type: str | None, webhook: str | None, event: str | None, since: str | None
) -> dict[str, Any]:
    given = {
        "status": status and status.upper(),
        "event_type": type,
        "webhook_id": webhook,
        "event_id": event,
        "since": parse_time(since) if since else None,
    }
    return {name: value for name, value in given.items() if value}
