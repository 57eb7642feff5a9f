"""A webhook receiver that prints each request, and whether its signature is valid:
`python -m local receiver`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.settings import HOST, Problem

HINT = "not checked: set SECRET_FILE=… to the file with the signing secret"


def verdict(headers: dict[str, str], body: bytes, secret: str) -> str:
    """The text that says whether the request's signature is valid."""
    if not secret:
        return HINT
    from standardwebhooks import Webhook, WebhookVerificationError

    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        return f"INVALID: {error}"
    return "valid"


class _Receiver(BaseHTTPRequestHandler):
    secret = ""
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        print(describe(headers, body, verdict(headers, body, self.secret)), flush=True)
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: `do_POST` prints the request."""


def describe(headers: dict[str, str], body: bytes, signature: str) -> str:
    """The text for a request on the terminal."""
    try:
        event: Any = json.loads(body)
    except ValueError:
        event = None
    kind = event.get("type", "?") if isinstance(event, dict) else "?"
    text = body.decode(errors="replace") if event is None else json.dumps(event, ensure_ascii=False)
    return "\n".join(
        [
            f"{datetime.now():%H:%M:%S} {kind}",
            f"  webhook-id  {headers.get('webhook-id', '-')}",
            f"  timestamp   {_time(headers.get('webhook-timestamp', ''))}",
            f"  signature   {signature}",
            f"  body        {text}",
        ]
    )


def _time(timestamp: str) -> str:
    if not timestamp.isdecimal():
        return timestamp or "-"
    return f"{timestamp} ({datetime.fromtimestamp(int(timestamp), UTC):%Y-%m-%dT%H:%M:%SZ})"


def main() -> int:
    port, status = os.environ.get("RECEIVER_PORT") or "8788", os.environ.get("STATUS") or "200"
    if not port.isdecimal() or not status.isdecimal() or not 200 <= int(status) <= 599:
        raise Problem("RECEIVER_PORT and STATUS must be numbers, and STATUS from 200 to 599")
    _Receiver.secret = _secret()
    _Receiver.status = int(status)
    try:
        server = ThreadingHTTPServer((HOST, int(port)), _Receiver)
    except OSError:
        raise Problem(f"port {port} is in use: choose another with RECEIVER_PORT=…") from None
    print(f"listening on http://{HOST}:{server.server_port}/  (responds with {status}; press Ctrl-C to stop)")
    if not _Receiver.secret:
        print(f"signatures are {HINT}")
    sys.stdout.flush()
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


def _secret() -> str:
    """The signing secret from the file SECRET_FILE or the variable SECRET; empty if neither is set."""
    path = os.environ.get("SECRET_FILE")
    if not path:
        return _checked("SECRET", os.environ.get("SECRET", ""))
    try:
        return _checked(path, Path(path).read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"cannot read SECRET_FILE: {error}") from None


def _checked(place: str, secret: str) -> str:
    from standardwebhooks import Webhook

    if secret:
        try:
            Webhook(secret)
        except ValueError:
            raise Problem(f"{place} has no signing secret (whsec_ and base64)") from None
    return secret
