"""For OAuth tests: a provider on loopback, an integration that uses it, and the steps of a flow.

with provider() as crm:
    id = create_integration(api, crm)
    started = start_flow(api, id)                   # POST …/oauth/initiate
    answer = complete_flow(api, started["state"])   # POST …/oauth/callback
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


def json_answer(payload: object, status: int = 200) -> Answer:
    """A response with a JSON body."""
    body = json.dumps(payload).encode()
    return Answer(status, headers={"content-type": "application/json"}, body=body)


def token_answer(number: int, **changes: Any) -> Answer:
    """The n-th token response. A change to None removes the field."""
    fields = {
        "access_token": f"access-{number}-7d1f",
        "token_type": "Bearer",
        "refresh_token": f"refresh-{number}-0a3b",
        "expires_in": 3600,
    } | changes
    return json_answer({name: value for name, value in fields.items() if value is not None})


class Provider:
    """Issues tokens at `/t` and revokes them at `/r`. Each path follows its own script, like a receiver's.
    `script` adds scripts for other paths.
    """

    def __init__(self, token: Sequence[Step], revoke: Sequence[Step]) -> None:
        self.base = ""
        self._server: Receiver | None = None
        self._scripts = {"/t": list(token), "/r": list(revoke)}
        self._request_counts: dict[str, int] = {"/t": 0, "/r": 0}

    def listen(self, server: Receiver) -> None:
        self._server, self.base = server, server.url.removesuffix("/hook")

    def script(self, path: str, steps: Sequence[Step]) -> None:
        """Answer requests to a path from a script, starting at its first step."""
        self._scripts[path], self._request_counts[path] = list(steps), 0

    @property
    def requests(self) -> list[Request]:
        assert self._server is not None
        return list(self._server.requests)

    def forms(self, path: str) -> list[dict[str, str]]:
        """The forms posted to a path."""
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
        script, index = self._scripts[path], self._request_counts[path]
        self._request_counts[path] += 1
        if not script:
            return token_answer(index + 1) if path == "/t" else 200
        step = script[min(index, len(script) - 1)]
        return step(request) if callable(step) else step


@contextlib.contextmanager
def provider(token: Sequence[Step] = (), revoke: Sequence[Step] = ()) -> Iterator[Provider]:
    provider = Provider(token, revoke)
    with receiver([provider.answer]) as server:
        provider.listen(server)
        yield provider


def form(request: Request) -> dict[str, str]:
    """The fields of a posted form. Fails if a parameter is repeated."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), "a parameter is repeated"
    return dict(pairs)


def config(at: Provider | str, **changes: Any) -> dict[str, Any]:
    base = at if isinstance(at, str) else at.base
    fields = {
        "authorizationUrl": f"{base}/a",
        "tokenUrl": f"{base}/t",
        "revocationUrl": f"{base}/r",
        "clientId": CLIENT_ID,
        "clientSecret": SECRET,
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def create_integration(
    api: Api,
    at: Provider | str,
    *,
    token: str = OWNER,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    """Create an integration with this provider. `settings` override its config. Returns its ID."""
    body = {"name": "CRM", "type": "CUSTOM", "provider": "acme-crm", "config": config(at, **(settings or {}))}
    answer = api(f"POST {INTEGRATIONS}", json=body | more, token=token)
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def initiate(api: Api, id: str, *, token: str | None = OWNER, **body: Any) -> ApiAnswer:
    body = {"redirectUri": REDIRECT_URI} | body
    return api(f"POST {INTEGRATIONS}/{id}/oauth/initiate", json=body, token=token)


def start_flow(api: Api, id: str, **body: Any) -> dict[str, Any]:
    answer = initiate(api, id, **body)
    assert answer.status == 200, answer.text
    started: dict[str, Any] = answer.json()
    return started


def complete_flow(
    api: Api, state: str, code: str | None = CODE, *, token: str = OWNER, **more: Any
) -> ApiAnswer:
    """Do what the platform's page does after the provider's redirect."""
    body = {"state": state} | ({} if code is None else {"code": code}) | more
    return api(CALLBACK, json=body, token=token)


def connect(api: Api, id: str, name: str = "default", *, token: str = OWNER, **more: Any) -> dict[str, Any]:
    """Run a complete flow. Returns the connection."""
    started = start_flow(api, id, connectionId=name, token=token, **more)
    answer = complete_flow(api, started["state"], token=token)
    assert answer.status == 200, answer.text
    connection: dict[str, Any] = answer.json()
    return connection


def authorization_parameters(started: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of an authorization URL. Fails if a parameter is repeated."""
    parameters = parse_qs(urlsplit(started["authorizationUrl"]).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in parameters.values())
    return {name: values[0] for name, values in parameters.items()}


def get_token(api: Api, id: str, ref: str = "default", *, token: str | None = OWNER) -> ApiAnswer:
    return api(f"GET {INTEGRATIONS}/{id}/connections/{ref}/token", token=token)


def activity_log(api: Api, id: str, token: str = OWNER) -> list[tuple[str, str, str]]:
    """(action, outcome, actor) of each entry in an integration's log, newest first."""
    answer = api(f"GET {INTEGRATIONS}/{id}/logs?limit=100", token=token)
    assert answer.status == 200, answer.text
    return [(entry["action"], entry["outcome"], entry["actor"]) for entry in answer.json()["items"]]


def activity_details(api: Api, id: str, action: str) -> list[str]:
    """The details of an action's entries in an integration's log, newest first."""
    entries = api(f"GET {INTEGRATIONS}/{id}/logs?limit=100&action={action}").json()["items"]
    return [entry["detail"] for entry in entries]


def connection_count(api: Api, id: str) -> int:
    return int(api(f"GET {INTEGRATIONS}/{id}").json()["connectionCount"])


def connection_rows(backend: Backend) -> list[dict[str, Any]]:
    return backend.rows("ConnectionsTable")


# ── providers with a file ────────────────────────────────────────────────────────────────────────────

# A placeholder for the loopback address, which a provider's file cannot contain.
PROVIDER_URL = "https://crm.test"
PROVIDER_FILE = f"""
label = "Acme CRM"
type = "CRM"
description = "A customer database."
docs = "https://docs.crm.test/"

[oauth]
authorization_url = "{PROVIDER_URL}/a"
token_url = "{PROVIDER_URL}/t"
refresh = "rotating"
revocation.url = "{PROVIDER_URL}/r"
"""


@contextlib.contextmanager
def known_provider(folder: Path, at: Provider, name: str, text: str) -> Iterator[None]:
    """Replace the built-in providers with one read from `text`. `at` replaces PROVIDER_URL in its URLs."""
    from patchbay.providers import provider as providers

    file = folder / f"{name}.toml"
    file.write_text(text, "utf-8")
    read = providers.read(file)

    def at_loopback(url: str) -> str:
        return url.replace(PROVIDER_URL, at.base)

    if read.oauth is not None:
        urls = {
            "authorization_url": at_loopback(read.oauth.authorization_url),
            "token_url": at_loopback(read.oauth.token_url),
        }
        revocation = read.oauth.revocation
        if revocation is not None:
            revocation = revocation.model_copy(update={"url": at_loopback(revocation.url)})
        oauth = read.oauth.model_copy(update={**urls, "revocation": revocation})
        read = read.model_copy(update={"oauth": oauth})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "names", lambda: (name,))
        patch.setattr(providers, "load", lambda requested: read if requested == name else None)
        yield


def create_known_integration(api: Api, name: str, **settings: Any) -> str:
    """Create an integration with a provider that has a file. Returns its ID."""
    fields = {"clientId": CLIENT_ID, "clientSecret": SECRET} | settings
    answer = api(
        f"POST {INTEGRATIONS}", json={"name": "CRM", "type": "CRM", "provider": name, "config": fields}
    )
    assert (answer.status, answer.json().get("status")) == (201, "ACTIVE"), answer.text
    return str(answer.json()["id"])
