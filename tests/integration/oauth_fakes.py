"""A provider on loopback, an integration that uses it, and the steps of a flow, for tests of OAuth.

with provider() as crm:
    id = integrate(api, crm)
    begun = begin(api, id)                          # POST …/oauth/initiate
    answer = bring_back(api, begun["state"])        # POST …/oauth/callback
    assert crm.token_requests[0]["code"] == CODE
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.conftest import OWNER, REDIRECT_URI, Api, Backend
from tests.conftest import Answer as ApiAnswer
from tests.receivers import Answer, Receiver, Request, Step, receiver

INTEGRATIONS = "/api/integrations"
CALLBACK = f"POST {INTEGRATIONS}/oauth/callback"
CLIENT_ID = "client-4711"
SECRET = "client-secret-c0ffee-5f2c"
CODE = "code-of-the-user-91d0"


def says(payload: Any, status: int = 200, **more: Any) -> Answer:
    """An answer in JSON."""
    return Answer(
        status, headers={"content-type": "application/json"}, body=json.dumps(payload).encode(), **more
    )


def tokens(number: int, **changes: Any) -> Answer:
    """The n-th token response; None takes a field away."""
    answer = {
        "access_token": f"access-{number}-7d1f",
        "token_type": "Bearer",
        "refresh_token": f"refresh-{number}-0a3b",
        "expires_in": 3600,
    } | changes
    return says({name: value for name, value in answer.items() if value is not None})


class Provider:
    """Hands out tokens at `/t` and revokes at `/r`, each by a script of its own like a receiver's."""

    def __init__(self, token: Sequence[Step], revoke: Sequence[Step]) -> None:
        self.base = ""
        self._server: Receiver | None = None
        self._scripts = {"/t": list(token), "/r": list(revoke)}
        self._came: dict[str, int] = {"/t": 0, "/r": 0}

    def listen(self, server: Receiver) -> None:
        self._server, self.base = server, server.url.removesuffix("/hook")

    @property
    def requests(self) -> list[Request]:
        assert self._server is not None
        return list(self._server.requests)

    def forms(self, path: str) -> list[dict[str, str]]:
        """The forms that were posted to a path."""
        return [form(request) for request in self.requests if urlsplit(request.path).path == path]

    @property
    def token_requests(self) -> list[dict[str, str]]:
        return self.forms("/t")

    @property
    def revocations(self) -> list[dict[str, str]]:
        return self.forms("/r")

    def answer(self, request: Request) -> int | Answer:
        path = urlsplit(request.path).path
        if path not in self._scripts:
            return 404
        script, number = self._scripts[path], self._came[path]
        self._came[path] += 1
        if not script:
            return tokens(number + 1) if path == "/t" else 200
        step = script[min(number, len(script) - 1)]
        return step(request) if callable(step) else step


@contextlib.contextmanager
def provider(token: Sequence[Step] = (), revoke: Sequence[Step] = ()) -> Iterator[Provider]:
    made = Provider(token, revoke)
    with receiver([made.answer]) as server:
        made.listen(server)
        yield made


def form(request: Request) -> dict[str, str]:
    """A posted form, in which nothing stands twice."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), "a parameter stands twice"
    return dict(pairs)


def config(at: Provider | str, **changes: Any) -> dict[str, Any]:
    base = at if isinstance(at, str) else at.base
    found = {
        "authorizationUrl": f"{base}/a",
        "tokenUrl": f"{base}/t",
        "revocationUrl": f"{base}/r",
        "clientId": CLIENT_ID,
        "clientSecret": SECRET,
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def integrate(
    api: Api,
    at: Provider | str,
    *,
    token: str = OWNER,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """A new integration with that provider; `settings` change its config. Its id."""
    body = {"name": "CRM", "type": "CUSTOM", "provider": "acme-crm", "config": config(at, **(settings or {}))}
    answer = api(f"POST {INTEGRATIONS}", json=body | more, token=token)
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def initiate(api: Api, id: str, *, token: str | None = OWNER, **body: Any) -> ApiAnswer:
    body = {"redirectUri": REDIRECT_URI} | body
    return api(f"POST {INTEGRATIONS}/{id}/oauth/initiate", json=body, token=token)


def begin(api: Api, id: str, **more: Any) -> dict[str, Any]:
    answer = initiate(api, id, **more)
    assert answer.status == 200, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def bring_back(
    api: Api, state: str, code: str | None = CODE, *, token: str = OWNER, **more: Any
) -> ApiAnswer:
    """What the platform's page does after the provider's redirect."""
    body = {"state": state} | ({} if code is None else {"code": code}) | more
    return api(CALLBACK, json=body, token=token)


def connect(api: Api, id: str, name: str = "default", *, token: str = OWNER, **more: Any) -> dict[str, Any]:
    """A whole flow; the connection."""
    begun = begin(api, id, connectionId=name, token=token, **more)
    answer = bring_back(api, begun["state"], token=token)
    assert answer.status == 200, answer.text
    connection: dict[str, Any] = answer.json()
    return connection


def asked(begun: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of an authorization URL, in which nothing stands twice."""
    found = parse_qs(urlsplit(begun["authorizationUrl"]).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def token_of(api: Api, id: str, ref: str = "default", *, token: str | None = OWNER) -> ApiAnswer:
    return api(f"GET {INTEGRATIONS}/{id}/connections/{ref}/token", token=token)


def log(api: Api, id: str, token: str = OWNER) -> list[tuple[str, str, str]]:
    """(action, outcome, actor) of an integration's log, newest first."""
    answer = api(f"GET {INTEGRATIONS}/{id}/logs?limit=100", token=token)
    assert answer.status == 200, answer.text
    return [(entry["action"], entry["outcome"], entry["actor"]) for entry in answer.json()["items"]]


def details(api: Api, id: str, action: str) -> list[str]:
    """What an integration's log says of an action, newest first."""
    found = api(f"GET {INTEGRATIONS}/{id}/logs?limit=100&action={action}").json()["items"]
    return [entry["detail"] for entry in found]


def count(api: Api, id: str) -> int:
    counted: int = api(f"GET {INTEGRATIONS}/{id}").json()["connectionCount"]
    return counted


def rows(backend: Backend) -> list[dict[str, Any]]:
    return backend.rows("ConnectionsTable")


# ── providers with a file ────────────────────────────────────────────────────────────────────────────

# Stands for the address on loopback, which no provider's file may have.
HOME = "https://crm.test"
PROVIDER_FILE = f"""
label = "Acme CRM"
type = "CRM"
description = "A customer database."
docs = "https://docs.crm.test/"

[oauth]
authorization_url = "{HOME}/a"
token_url = "{HOME}/t"
refresh = "rotating"
revocation.url = "{HOME}/r"
"""


@contextlib.contextmanager
def known_provider(folder: Path, at: Provider, name: str, text: str) -> Iterator[None]:
    """There is one built-in provider, whose file this is; HOME in its addresses is `at`."""
    from patchbay.providers import provider as providers

    file = folder / f"{name}.toml"
    file.write_text(text, "utf-8")
    read = providers.read(file)

    def moved(url: str) -> str:
        return url.replace(HOME, at.base)

    if read.oauth is not None:
        urls = {
            "authorization_url": moved(read.oauth.authorization_url),
            "token_url": moved(read.oauth.token_url),
        }
        revocation = read.oauth.revocation
        if revocation is not None:
            revocation = revocation.model_copy(update={"url": moved(revocation.url)})
        oauth = read.oauth.model_copy(update={**urls, "revocation": revocation})
        read = read.model_copy(update={"oauth": oauth})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "names", lambda: (name,))
        patch.setattr(providers, "load", lambda asked: read if asked == name else None)
        yield


def integrate_known(api: Api, name: str, **settings: Any) -> str:
    """A new integration with a provider that has a file."""
    own = {"clientId": CLIENT_ID, "clientSecret": SECRET} | settings
    answer = api(f"POST {INTEGRATIONS}", json={"name": "CRM", "type": "CRM", "provider": name, "config": own})
    assert (answer.status, answer.json().get("status")) == (201, "ACTIVE"), answer.text
    return str(answer.json()["id"])


def refused(answer: ApiAnswer, status: int, code: str, path: str | None = None) -> str:
    """An answer that is this problem, about that field; its detail."""
    assert (answer.status, answer.json().get("code")) == (status, code), answer.text
    if path is not None:
        assert [error["path"] for error in answer.json()["errors"]] == [path], answer.text
    detail: str = answer.json()["detail"]
    return detail
