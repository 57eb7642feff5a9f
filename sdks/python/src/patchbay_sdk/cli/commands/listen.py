"""`listen`: forwards events to this machine.

It reads the feed of a pull webhook, so it needs neither a tunnel nor a port that is open to the outside. The webhook is
found by its name when the command starts again after a crash, and the feed goes on where it stopped.
"""

from __future__ import annotations

import getpass
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from patchbay_sdk import ApiError, NotFound, Patchbay, PatchbayError
from patchbay_sdk.cli import profile
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import Format, console, done, emit, notes, warn
from patchbay_sdk.feeds import follow
from patchbay_sdk.models import FeedItem

_LIFETIME_SECONDS = 3600
_CONSUMER = "listen"


def listen(
    url: Annotated[str, typer.Argument(help="Where events go, such as http://localhost:3000/hook.")],
    type: Annotated[list[str] | None, typer.Option("--type", "-t", help="Only this event type. Repeat it.")] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="PATH=VALUE", help="Only events with this value. Repeat it."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep collecting events for an hour after Ctrl-C, for the next start."),
    ] = False,
) -> None:
    """Forward events to a URL on this machine, until you press Ctrl-C.

    Requests are signed as Patchbay signs them, always with the secret of this machine. While your server is down,
    events wait; after an answer other than 2xx, the next event follows.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url} is not a URL. Write http://localhost:3000/hook, for example.")
    with connect() as client, httpx.Client(timeout=15) as receiver:
        webhook_id = _webhook(client, url, type or ["*"], filter or [])
        notes.print(f"Forwarding to [bold]{url}[/]. Ctrl-C ends this.")
        notes.print(f"Signing secret: [bold]{profile.listen_secret()}[/]")
        count = 0
        try:
            with _kept_alive(client, webhook_id):
                for item in follow(client, webhook_id, consumer=_CONSUMER, on_interruption=_report):
                    _forward(receiver, url, item)
                    count += 1
        except KeyboardInterrupt:
            pass
        finally:
            _end(client, webhook_id, keep=keep)
            notes.print(f"{count} {'event' if count == 1 else 'events'} forwarded.")


def _webhook(client: Patchbay, url: str, types: list[str], filters: list[str]) -> str:
    """The pull webhook of this machine and port: the one of an interrupted run, or a new one."""
    place = urlsplit(url)
    name = f"listen {getpass.getuser()}@{socket.gethostname()} {place.hostname}:{place.port or place.scheme}"[:100]
    wanted: dict[str, Any] = {
        "event_types": types,
        "filters": [_filter(text) for text in filters],
        "expires_in_seconds": _LIFETIME_SECONDS,
    }
    for webhook in client.webhooks.list(limit=100):
        if webhook.name == name and webhook.kind == "pull":
            try:
                client.webhooks.update(webhook.id, **wanted)
            except NotFound:
                continue  # it expired just now
            notes.print("Going on where the last run stopped.", style="dim")
            return webhook.id
    return client.webhooks.create(name=name, kind="pull", secret=profile.listen_secret(), **wanted).id


@contextmanager
def _kept_alive(client: Patchbay, webhook_id: str) -> Iterator[None]:
    """Extend the webhook's life while the command runs. After a crash it expires within the hour."""
    ended = threading.Event()

    def extend() -> None:
        while not ended.wait(_LIFETIME_SECONDS / 4):
            try:
                client.webhooks.update(webhook_id, expires_in_seconds=_LIFETIME_SECONDS)
            except PatchbayError as error:
                warn(f"Could not extend the life of the webhook: {error}")

    thread = threading.Thread(target=extend, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _forward(receiver: httpx.Client, url: str, item: FeedItem) -> None:
    """Send one event, as Patchbay would. Waits while nothing listens at the URL."""
    headers = {"content-type": "application/json", **item.headers}
    is_waiting = False
    while True:
        started = time.monotonic()
        try:
            response = receiver.post(url, content=item.payload.encode(), headers=headers)
            result: int | str = response.status_code
        except httpx.ConnectError:
            if not is_waiting:
                warn(f"Nothing listens at {url}. Events wait until it does.")
            is_waiting = True
            time.sleep(1)
            continue
        except httpx.HTTPError as error:
            result = str(error) or error.__class__.__name__
        _print(item, result, round((time.monotonic() - started) * 1000))
        return


def _print(item: FeedItem, result: int | str, ms: int) -> None:
    if Format.json:
        emit(
            {
                "sequence": item.sequence,
                "id": item.id,
                "event": json.loads(item.payload),
                "result": result,
                "ms": ms,
            }
        )
        return
    is_accepted = isinstance(result, int) and 200 <= result < 300
    console.print(
        f"[dim]{time.strftime('%H:%M:%S')}[/]", item.event_type, f"[dim]{item.event_id}[/]", "→",
        f"[{'green' if is_accepted else 'red'}]{result}[/]", f"[dim]{ms} ms[/]", soft_wrap=True,
    )  # fmt: skip


def _report(error: PatchbayError) -> None:
    warn(f"Patchbay cannot be reached; trying again. {str(error).splitlines()[0]}")


def _end(client: Patchbay, webhook_id: str, *, keep: bool) -> None:
    if keep:
        done("Events are kept for an hour. The same command goes on with them.")
        return
    try:
        client.webhooks.delete(webhook_id)
    except (ApiError, PatchbayError) as error:
        warn(f"The webhook {webhook_id} stays until it expires: {error}")


def _filter(text: str) -> dict[str, str]:
    path, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--filter {text}: write PATH=VALUE, such as network=linkedin.")
    return {"path": path, "op": "equals", "value": value}
