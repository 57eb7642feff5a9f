"""The fake platform, Postloom: a social media product that embeds the Patchbay console.

It does what a platform's backend does: it identifies its user, requests a portal session from Patchbay with
that user's token, and gives the page the link for its iframe. Every user of this machine can reach the port,
so the page's address has a key in its fragment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import pages, sign_in
from local.demo import world
from local.pages import Page, Refusal, Request
from local.settings import HOST, Problem

ASSETS = Path(__file__).with_name("assets")
NAME = "Postloom"
_FILES = {"/platform.css", "/platform.js", "/favicon.svg"}
_SCHEMES = ("auto", "light", "dark")
_EXPIRES = 3_600


@dataclass
class Platform:
    """The platform on a port, for a workspace of the stack. `stack_url` is known once the stack runs."""

    port: int
    state: Path
    secret: str
    workspace: str
    stack_url: str = ""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def key(self) -> str:
        return pages.key_for(self.secret, "platform")

    @property
    def address(self) -> str:
        """The address that signs a user in."""
        return f"{self.url}/#key={self.key}"

    def app(self) -> Any:
        """The ASGI application."""
        return pages.app(self._serve)

    async def _serve(self, request: Request) -> Page:
        pages.check_host(request, self.port)
        pages.check_site(request, linked=True)
        match request.method, request.path:
            case "GET", "/":
                return self._page()
            case "GET", path if path in _FILES:
                return pages.file(ASSETS / path[1:])
            case "GET", "/callback":
                return pages.file(ASSETS / "callback.html", {"name": NAME})
            case "POST", "/session":
                pages.check_key(request.headers.get("x-key", ""), self.key)
                return await self._session(request)
        raise Refusal(404, f"{NAME} has no such page.")

    def _page(self) -> Page:
        people = {f"person{number}": self._label(person) for number, person in enumerate(world.PEOPLE)}
        ids = {f"id{number}": person.id for number, person in enumerate(world.PEOPLE)}
        values = {"name": NAME, "workspace": world.NAME, "console": self.stack_url, **people, **ids}
        policy = {"frame-src": self.stack_url}
        return pages.file(ASSETS / "platform.html", values, policy=policy)

    @staticmethod
    def _label(person: world.Person) -> str:
        return f"{person.name} · {person.role}"

    async def _session(self, request: Request) -> Page:
        """A portal session for the signed-in user. The page gets only its link."""
        wanted = _read(request.body)
        person = next((each for each in world.PEOPLE if each.id == wanted.get("person")), None)
        scheme = wanted.get("colorScheme", "auto")
        if person is None or scheme not in _SCHEMES:
            raise Refusal(422, "There is no such person or color scheme.")
        options = {
            "label": person.name,
            "theme": {"colorScheme": scheme, "primaryColor": "#0f766e"},
            "returnUrl": f"{self.url}/",
            "expiresIn": _EXPIRES,
            **({"view": wanted["view"]} if wanted.get("view") else {}),
        }
        try:
            session = await sign_in.new_session(
                self.stack_url, self.state, self.workspace, person.role, options, subject=person.id
            )
        except Problem as problem:
            raise Refusal(502, str(problem)) from None
        return pages.as_json({"link": session["link"]})


def _read(body: bytes) -> Mapping[str, str]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise Refusal(400, "The body is not an object of strings.")
    return value
