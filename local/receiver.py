"""A webhook receiver that prints each request, and whether its signature is valid: `make receiver`."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.settings import HOST, Problem, port_of

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
    # RECEIVER_PORT is for shells whose PORT is the stack's.
    port = port_of("RECEIVER_PORT" if os.environ.get("RECEIVER_PORT") else "PORT", "8788")
    status = os.environ.get("STATUS") or "200"
    if not status.isdecimal() or not 200 <= int(status) <= 599:
        raise Problem(f"STATUS must be a number from 200 to 599, not {status!r}")
    _Receiver.secret = _secret()
    _Receiver.status = int(status)
    try:
        server = ThreadingHTTPServer((HOST, port), _Receiver)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"is not available ({error.strerror})"
        raise Problem(f"port {port} {why}: choose another with PORT=…") from None
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
            raise Problem(f"{place} does not contain a signing secret (whsec_ and base64)") from None
    return secret
