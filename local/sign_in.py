"""The sign-in of the local stack. Like the platform, it opens the console in a session.

    http://127.0.0.1:8787/_local/console?key=…[&workspace=acme][&role=owner]

The address has a key of this state directory, because all users of this machine can reach the port. It is a
redirect, so the page that it leads to does not see the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from local import pages, token
from local.settings import Problem, jwt_secret

PATH = "/_local/console"
PAGES = ("/console", "/connect")  # of the product
WORKSPACE = "acme"
_SESSIONS = "/api/portal/sessions"
_SECONDS = 12 * 3600
_TIMEOUT = 30  # the function's first request starts its process


def address(url: str, state: Path) -> str:
    """The address that opens the console of the stack at `url`."""
    return f"{url}{PATH}?{urlencode({'key': _key(state)})}"


def app(url: str, state: Path) -> Any:
    """The ASGI application, for requests for `PATH` of the stack at `url`."""

    async def serve(request: pages.Request) -> pages.Page:
        port = urlsplit(url).port
        assert port is not None
        pages.check_host(request, port)
        pages.check_site(request)
        pages.check_key(request.query.get("key", ""), _key(state))
        if request.method != "GET":
            raise pages.Refusal(405, "Open this URL in a browser.")
        workspace = request.query.get("workspace", WORKSPACE)
        role = request.query.get("role", "owner")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", workspace) or role not in token.ROLES:
            raise pages.Refusal(
                422,
                "workspace must have only letters, digits, _ and -, and role must be one of "
                f"{', '.join(token.ROLES)}.",
            )
        try:
            session = await new_session(request.origin, state, workspace, role, {"expiresIn": _SECONDS})
        except Problem as problem:
            raise pages.Refusal(502, str(problem)) from None
        return pages.redirect(session["link"])

    return pages.app(serve)


async def new_session(
    url: str,
    state: Path,
    workspace: str,
    role: str,
    options: Mapping[str, Any],
    subject: str = "developer",
) -> dict[str, Any]:
    """Create a portal session for the platform's user, as it does. Raises Problem with the API's reason."""
    bearer = token.mint(state, workspace, role=role, subject=subject, hours=0.1)
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as http:
        try:
            answer = await http.post(
                _SESSIONS, json=dict(options), headers={"authorization": f"Bearer {bearer}"}
            )
        except httpx.HTTPError as error:
            raise Problem(f"the stack did not respond: {error}") from None
    if not answer.is_success:
        raise Problem(f"the stack did not create a session: {answer.status_code} {answer.text}")
    session: dict[str, Any] = answer.json()
    return session


def _key(state: Path) -> str:
    return pages.key_for(jwt_secret(state), "console")
