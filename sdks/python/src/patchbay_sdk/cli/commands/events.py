"""`events` and `trigger`."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from patchbay_sdk import Patchbay
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import done, show, table
from patchbay_sdk.cli.parse import json_or_text, parse_time
from patchbay_sdk.models import PublishedEvent

app = typer.Typer(name="events", help="Publish and list events.", no_args_is_help=True)

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of items.")]


@app.command()
def publish(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The event type, such as POST_PUBLISHED.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="The data as JSON, @FILE, or - for standard input.")
    ] = "{}",
    key: Annotated[str | None, typer.Option("--idempotency-key", help="Publish at most once with this key.")] = None,
) -> None:
    """Publish an event."""
    with connect() as client:
        _show(client.events.publish(type=type, data=_read_data(data), idempotency_key=key))


@app.command("list")
def list_(
    type: Annotated[str | None, typer.Option("--type", "-t", help="Only this type.")] = None,
    since: Annotated[str | None, typer.Option(help="Start of the time range: 30m, 2h, 7d, or a time.")] = None,
    limit: Limit = 20,
) -> None:
    """List events, newest first."""
    with connect() as client:
        filters: dict[str, Any] = {}
        if type:
            filters["type"] = type
        if since:
            filters["since"] = parse_time(since)
        items = islice(client.events.list(limit=min(limit, 100), **filters), limit)
        table(
            items,
            {
                "ID": lambda event: event.id,
                "TYPE": lambda event: event.type,
                "STATUS": lambda event: event.status,
                "SOURCE": lambda event: event.source,
                "PUBLISHED": lambda event: event.timestamp,
                "REASON": lambda event: event.status_reason or "",
            },
            empty="No events. Publish one: patchbay trigger POST_PUBLISHED",
            spare=("SOURCE", "REASON"),
        )


@app.command()
def types() -> None:
    """List the event types."""
    with connect() as client:
        table(
            client.webhooks.event_types(),
            {
                "TYPE": lambda entry: entry.type,
                "KIND": lambda entry: entry.kind,
                "DESCRIPTION": lambda entry: entry.description,
            },
            empty="No event types.",
        )


def trigger(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The event type, such as POST_PUBLISHED.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a field: --set post.network=linkedin."),
    ] = None,
) -> None:
    """Publish the sample of an event type, to see what happens."""
    with connect() as client:
        data = _sample(client, type)
        for assignment in set_ or ():
            _assign(data, assignment)
        _show(client.events.publish(type=type, data=data))


def _sample(client: Patchbay, type: str) -> dict[str, Any]:
    known = {entry.type: entry for entry in client.webhooks.event_types()}
    if type not in known:
        near = get_close_matches(type.upper(), known, 1)
        raise ValueError(
            f"No event type {type}; did you mean {near[0]}?"
            if near
            else f"No event type {type}. `patchbay events types` lists them."
        )
    return dict(known[type].sample)


def _assign(data: dict[str, Any], assignment: str) -> None:
    """Set the field at `a.b=value`. A value that is JSON counts as JSON, other text as a string."""
    path, separator, text = assignment.partition("=")
    if not separator or not all(names := path.split(".")):
        raise ValueError(f"--set {assignment}: write PATH=VALUE, such as network=linkedin.")
    value = json_or_text(text)
    for name in names[:-1]:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise ValueError(f"--set {assignment}: {name} is not an object.")
    data[names[-1]] = value


def _read_data(text: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text()
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError(f"The data is not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ValueError("The data must be a JSON object.")
    return data


def _show(event: PublishedEvent) -> None:
    show(
        event, {"ID": event.id, "Type": event.type, "Published": event.timestamp.astimezone().isoformat(" ", "seconds")}
    )
    done(f"Published. Follow its deliveries: patchbay deliveries tail --event {event.id}")
