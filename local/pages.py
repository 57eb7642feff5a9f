"""What all pages that this machine serves to its own user share: access checks and headers.

A website that the user visits can send requests to 127.0.0.1, too. So every page checks

    Host            the name must be 127.0.0.1 or localhost. With DNS rebinding, a page of another site
                    reaches this port under its own name
    Sec-Fetch-Site  a browser says which site started the request, and no page can change that. `same-site` is
                    another port of this machine, which is not trusted
    Origin          of requests that are not GET; browsers without Sec-Fetch-Site send it as well

and no page can be framed, unless its policy names who may frame it.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl

from local.asgi import read_body, respond
from local.settings import HOST

MAX_BODY = 64 * 1024
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With no-referrer, a browser sends a form of this page with `Origin: null`.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class Request:
    """A request; header names are in lowercase."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @property
    def origin(self) -> str:
        """This server's origin, under the name that the browser uses."""
        return f"http://{self.headers['host']}"


@dataclass(frozen=True)
class Page:
    """A response. `policy` is added to the Content-Security-Policy, and replaces directives of the same
    name."""

    status: int = 200
    body: bytes = b""
    kind: str = _TYPES[".html"]
    headers: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A response that says why the request was refused."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.page = Page(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


Serve = Callable[[Request], Awaitable[Page]]


def app(serve: Serve) -> Any:
    """The ASGI application of a function that returns pages or raises Refusal."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive, MAX_BODY)
        request = Request(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body or b"",
        )
        try:
            if body is None:
                raise Refusal(413, "The request is too large.")
            page = await serve(request)
        except Refusal as refusal:
            page = refusal.page
        headers = {**_HEADERS, "content-type": page.kind, "content-security-policy": _policy(page.policy)}
        await respond(send, page.status, [*(headers | dict(page.headers)).items()], page.body)

    return application


def _policy(changes: Mapping[str, str]) -> str:
    directives = {
        "default-src": "'none'",
        "base-uri": "'none'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "img-src": "'self' data:",
        "script-src": "'self'",
        "style-src": "'self'",
    }
    return "; ".join(f"{name} {value}" for name, value in {**directives, **changes}.items())


# ── access checks ────────────────────────────────────────────────────────────────────────────────────


def check_host(request: Request, port: int) -> None:
    """Raises Refusal unless the request names this machine."""
    if request.headers.get("host") not in (f"{HOST}:{port}", f"localhost:{port}"):
        raise Refusal(421, f"This server is available only at http://{HOST}:{port}.")


def check_site(request: Request, *, linked: bool = False) -> None:
    """Raises Refusal if a page of another site or another port started the request. With `linked`, such a
    page may navigate its user here, in a whole tab or window, whose content it cannot see.
    """
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin", request.origin)
    is_navigation = (
        request.method == "GET"
        and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        and request.headers.get("sec-fetch-dest", "document") == "document"
    )
    if linked and is_navigation:
        return
    if site not in ("none", "same-origin") or origin != request.origin:
        raise Refusal(403, "The request came from another website. Open the URL directly.")


def key_for(secret: str, purpose: str) -> str:
    """The key in the address of a page, for the user who can read the state directory. Other users of this
    machine can reach the port, but do not have the key.
    """
    return hmac.new(secret.encode(), f"page {purpose}".encode(), hashlib.sha256).hexdigest()[:32]


def check_key(given: str, key: str) -> None:
    """Raises Refusal if the key is wrong."""
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise Refusal(403, "The key in the URL is missing or wrong. Open the URL from your terminal.")


# ── responses ────────────────────────────────────────────────────────────────────────────────────────


def file(path: Path, values: Mapping[str, str] | None = None, **more: Any) -> Page:
    """A file as a page. `values` replace its `$names`, escaped for HTML."""
    content = path.read_bytes()
    if values is not None:
        escaped = {name: html.escape(value) for name, value in values.items()}
        content = Template(content.decode()).substitute(escaped).encode()
    return Page(body=content, kind=_TYPES[path.suffix], **more)


def as_json(value: object, status: int = 200) -> Page:
    return Page(status, json.dumps(value).encode(), "application/json")


def redirect(url: str) -> Page:
    """A redirect to a page, with GET."""
    return Page(303, headers={"location": url})
