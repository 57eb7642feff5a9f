"""Tries a deployed stack from outside: `TOKEN=… make smoke URL=https://…`.

It checks health, the preflight request, and the refusal of a request without credentials. Then it creates two
webhooks, publishes an event, and waits until it is in the feed of one and was sent to the other. It always
removes both. Without RECEIVER, the second webhook is the API itself, at an address without POST:
its 405 proves that the worker sent the request. Use a workspace for tests: its other webhooks get the event
too.

Environment: URL; TOKEN or TOKEN_FILE (a JWT, or an API key with webhooks:write, webhooks:read, events:publish
and events:read); RECEIVER (an address that answers 2xx); ORIGIN (one of CorsOrigins).
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

WEBHOOKS = "/api/integrations/webhooks"
SECONDS = 60  # for an event to arrive, with cold starts
_UNANSWERABLE = "/api/health"  # there is no POST


class Failure(Exception):
    """A check that failed. The text says what was expected."""


class Smoke:
    """The checks against one deployment. Each prints a line."""

    def __init__(self, url: str, token: str, receiver: str | None, origin: str | None) -> None:
        self.url = url
        self.receiver = receiver
        self.origin = origin
        self._token = token
        self._http = httpx.Client(base_url=url, timeout=35)

    def run(self) -> None:
        self.check("the API is healthy", self.health)
        self.check("a preflight request is answered", self.preflight)
        self.check("a request without credentials is refused", self.unauthenticated)
        self.check("the token is accepted", self.authenticated)
        marker = f"smoke-{secrets.token_hex(8)}"
        own = [{"path": "postId", "op": "equals", "value": marker}]
        with self.webhook(kind="pull", filters=own, expiresInSeconds=600) as feed:
            target = self.receiver or self.url + _UNANSWERABLE
            with self.webhook(url=target, filters=own, retryConfig={"maxRetries": 0}) as push:
                event = self.check("an event is published", lambda: self.publish(marker))
                self.check("the event is in the feed", lambda: self.in_feed(feed, event))
                self.check("the event is sent to the receiver", lambda: self.sent(push, event))

    def check(self, name: str, action: Callable[[], str]) -> str:
        """Run a check, which returns a detail or an ID, and print it."""
        started = time.monotonic()
        try:
            detail = action()
        except (Failure, httpx.HTTPError) as failure:
            raise Failure(f"{name}: {failure}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise Failure(f"{name}: the response is not one of Patchbay ({error!r})") from None
        print(f"  ok  {name} ({detail}, {time.monotonic() - started:.1f} s)", flush=True)
        return detail

    def health(self) -> str:
        status = self.request("GET", "/api/health", 200, authenticate=False).json()["status"]
        if status != "ok":
            raise Failure(f"the status is {status}")
        return str(status)

    def preflight(self) -> str:
        headers = {"origin": self.origin or "https://smoke.example", "access-control-request-method": "POST"}
        answer = self.request("OPTIONS", "/api/events", 204, authenticate=False, headers=headers)
        allowed = answer.headers.get("access-control-allow-origin")
        if self.origin and allowed not in (self.origin, "*"):
            raise Failure(f"{self.origin} is not allowed; add it to CorsOrigins")
        if not self.origin and allowed:
            raise Failure("an unknown origin is allowed; set CorsOrigins to your platform's own")
        return f"{self.origin} is allowed" if self.origin else "no foreign origin is allowed"

    def unauthenticated(self) -> str:
        answer = self.request("GET", "/api/me", 401, authenticate=False)
        if answer.headers.get("content-type") != "application/problem+json" or not answer.json().get("code"):
            raise Failure("the 401 is not a problem+json with a code")
        return f"401 {answer.json()['code']}"

    def authenticated(self) -> str:
        return f"workspace {self.request('GET', '/api/me', 200).json()['workspaceId']}"

    def publish(self, marker: str) -> str:
        data = {"postId": marker, "network": "instagram"}
        answer = self.request("POST", "/api/events", 202, json={"type": "POST_PUBLISHED", "data": data})
        return str(answer.json()["id"])

    def in_feed(self, webhook_id: str, event_id: str) -> str:
        for _ in until_late():
            answer = self.request("GET", f"{WEBHOOKS}/{webhook_id}/feed?wait=5", 200).json()
            if event_id in [item["eventId"] for item in answer["items"]]:
                return "read"
        raise Failure(f"the event {event_id} is not in the feed after {SECONDS} s; see FanOutFunction's log")

    def sent(self, webhook_id: str, event_id: str) -> str:
        wanted = ("DELIVERED", None) if self.receiver else ("FAILED", "http_405")
        found: Any = None
        for _ in until_late():
            items = self.request("GET", f"{WEBHOOKS}/{webhook_id}/deliveries", 200).json()["items"]
            found = next((item for item in items if item["eventId"] == event_id), None)
            if found and found["status"] in ("DELIVERED", "FAILED", "CANCELLED"):
                break
        state = (found["status"], found["statusReason"]) if found else None
        if state != wanted:
            raise Failure(f"the delivery should be {wanted} and is {state}; see the deliver functions' log")
        return "DELIVERED" if self.receiver else "the API answered its own worker with 405, as expected"

    @contextmanager
    def webhook(self, **fields: object) -> Iterator[str]:
        """A webhook that exists during the block. If the block fails, its failure takes precedence."""
        body = {"name": "Smoke test", "eventTypes": ["POST_PUBLISHED"], **fields}
        kind = "pull" if fields.get("kind") == "pull" else "push"
        id = self.check(
            f"a {kind} webhook is created",
            lambda: str(self.request("POST", WEBHOOKS, 201, json=body).json()["id"]),
        )
        name = f"the {kind} webhook is removed"
        try:
            yield id
        except BaseException:
            try:
                self.check(name, lambda: self.remove(id))
            except Failure as failure:
                print(f"  --  {failure}; remove {id} yourself", flush=True)
            raise
        self.check(name, lambda: self.remove(id))

    def remove(self, webhook_id: str) -> str:
        return str(self.request("DELETE", f"{WEBHOOKS}/{webhook_id}", 200).status_code)

    def request(
        self,
        method: str,
        path: str,
        expected: int,
        *,
        authenticate: bool = True,
        headers: dict[str, str] | None = None,
        json: object = None,
    ) -> httpx.Response:
        """The response, whose status must be the expected one. Raises Failure with the response's text."""
        sent = dict(headers or {})
        if authenticate:
            sent["authorization"] = f"Bearer {self._token}"
        answer = self._http.request(method, path, headers=sent, json=json)
        if answer.status_code != expected:
            raise Failure(
                f"{method} {path} answered {answer.status_code}, not {expected}: {answer.text[:300]}"
            )
        return answer


def until_late() -> Iterator[None]:
    """Yield once a second until SECONDS have passed."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(1)


def main() -> None:
    url = os.environ.get("URL", "").rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        sys.exit("smoke: set the deployment: TOKEN=… make smoke URL=https://… (the stack's output ApiUrl)")
    token = os.environ.get("TOKEN", "").strip()
    if file := os.environ.get("TOKEN_FILE"):
        try:
            token = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"smoke: cannot read TOKEN_FILE: {error}")
    if not token:
        sys.exit(
            "smoke: set TOKEN or TOKEN_FILE in the environment: a JWT of your platform, or an API key with "
            "the scopes webhooks:write, webhooks:read, events:publish and events:read"
        )
    print(f"smoke: {url}")
    try:
        Smoke(url, token, os.environ.get("RECEIVER") or None, os.environ.get("ORIGIN") or None).run()
    except Failure as failure:
        sys.exit(f"smoke: FAILED: {failure}")
    print("smoke: the deployment works")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
