"""`listen`: forwards events to this machine.

It reads the feed of a pull webhook, so it needs neither a tunnel nor a port that is open to the outside. When the
command restarts after a crash, it finds the webhook by its name, and the feed continues where it stopped.
"""

from __future__ import annotations

import getpass
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from rich.markup import escape
from rich.text import Text

from patchbay_sdk import NotFound, Patchbay, PatchbayError
from patchbay_sdk.cli import profile
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import Format, console, done, emit, notes, warn
from patchbay_sdk.cli.parse import equals_filter
from patchbay_sdk.feeds import follow
from patchbay_sdk.models import FeedItem

_LIFETIME_SECONDS = 3600
_PAUSE_SECONDS = 1.0
_REPORT_SECONDS = 60.0
_MAX_LOST = 3  # connections that end before an answer, for one event
_CONSUMER = "listen"


def listen(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The URL that gets the events, such as http://localhost:3000/hook.")
    ],
    type: Annotated[list[str] | None, typer.Option("--type", "-t", help="Only this event type. Repeatable.")] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="PATH=VALUE", help="Only events with this value. Repeatable."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep events for an hour after Ctrl-C, for the next start."),
    ] = False,
) -> None:
    """Forward events to a URL on this machine until you press Ctrl-C.

    Requests are signed as Patchbay signs them, with a secret that this machine keeps.

    While your server is down, events wait. After a response other than 2xx, the next event follows.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url} is not a URL. Write http://localhost:3000/hook, for example.")
    wanted = {
        "event_types": type or ["*"],
        "filters": [equals_filter(text) for text in filter or ()],
        "expires_in_seconds": _LIFETIME_SECONDS,
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the command as Ctrl-C does
    # Without the environment's proxies, which do not reach this machine.
    with connect() as client, httpx.Client(timeout=15, trust_env=False) as receiver:
        run = _Run(client, receiver, url, _webhook(client, url, wanted))
        notes.print(f"Forwarding to [bold]{escape(url)}[/]. Press Ctrl-C to stop.", soft_wrap=True)
        notes.print(f"Signing secret: [bold]{profile.listen_secret()}[/]", soft_wrap=True)
        try:
            while True:
                with suppress(NotFound):
                    run.forward()
                warn("The webhook expired, for example while this machine slept. Events since then were not kept.")
                run.webhook_id = _webhook(client, url, wanted)
        except KeyboardInterrupt:
            pass
        finally:
            _end(client, run.webhook_id, keep=keep)
            notes.print(f"{run.count} {'event' if run.count == 1 else 'events'} forwarded.")


def _webhook(client: Patchbay, url: str, wanted: dict[str, Any]) -> str:
    """The pull webhook of this machine and port: the one of an interrupted run, or a new one."""
    place = urlsplit(url)
    name = f"listen {getpass.getuser()}@{socket.gethostname()} {place.hostname}:{place.port or place.scheme}"[:100]
    for webhook in client.webhooks.list(limit=100):
        if webhook.name == name and webhook.kind == "pull":
            try:
                client.webhooks.update(webhook.id, **wanted)
            except NotFound:
                continue  # it expired just now
            notes.print("Continuing where the last run stopped.", style="dim")
            return webhook.id
    return client.webhooks.create(name=name, kind="pull", secret=profile.listen_secret(), **wanted).id


@dataclass
class _Run:
    """Forwards the events of a webhook. `count` is how many were forwarded."""

    client: Patchbay
    receiver: httpx.Client
    url: str
    webhook_id: str
    count: int = 0
    reported: float = -_REPORT_SECONDS

    def forward(self) -> None:
        """Forward events without end. Raises NotFound if the webhook is gone."""
        items = follow(self.client, self.webhook_id, consumer=_CONSUMER, on_interruption=self._report)
        with _kept_alive(self.client, self.webhook_id), closing(items):
            for item in items:
                _forward(self.receiver, self.url, item)
                self.count += 1

    def _report(self, error: PatchbayError) -> None:
        """Report that Patchbay cannot be reached, once a minute while that lasts."""
        if time.monotonic() - self.reported >= _REPORT_SECONDS:
            self.reported = time.monotonic()
            warn(f"Patchbay cannot be reached; retrying. {str(error).splitlines()[0]}")


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
    """Send one event, as Patchbay would. Waits while nothing listens at the URL, and sends the event again if the
    connection ends before an answer, as it does when a server reloads.
    """
    headers = {"content-type": "application/json", **item.headers}
    is_waiting, lost = False, 0
    while True:
        started = time.monotonic()
        try:
            response = receiver.post(url, content=item.payload.encode(), headers=headers)
            result: int | str = response.status_code
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if not is_waiting:
                warn(f"Nothing listens at {url}. Events wait until it does.")
            is_waiting = True
            time.sleep(_PAUSE_SECONDS)
            continue
        except httpx.HTTPError as error:
            lost += 1
            if lost < _MAX_LOST and not isinstance(error, httpx.TimeoutException):
                time.sleep(_PAUSE_SECONDS)
                continue
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
        Text(str(result), style="green" if is_accepted else "red"), f"[dim]{ms} ms[/]", soft_wrap=True,
    )  # fmt: skip
    sys.stdout.flush()


def _end(client: Patchbay, webhook_id: str, *, keep: bool) -> None:
    try:
        if keep:
            client.webhooks.update(webhook_id, expires_in_seconds=_LIFETIME_SECONDS)
            done("Events are kept for an hour. To continue with them, run the same command again.")
        else:
            client.webhooks.delete(webhook_id)
    except PatchbayError as error:
        warn(f"The webhook {webhook_id} stays until it expires. {str(error).splitlines()[0]}")
