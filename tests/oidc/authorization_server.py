"""A certified OAuth 2.0 and OpenID Connect server, oidc-provider, on loopback, and a browser for it.

with running(tmp_path) as server:
    parameters = server.authorize(f"{server.authorization_url}?response_type=code&…")
    server.set(fault="drop_after")  # the next response of the token endpoint is lost
    …
    assert server.requests() == [{"grant_type": "authorization_code", "status": 200, "fault": "drop_after"}]

Every client must send a PKCE challenge (S256) and gets a refresh token, which works once: the server refuses
a second use and ends the whole grant. Scopes: openid, offline_access, posts:read, posts:write.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urljoin

import httpx

from local.services import child
from local.settings import HOST, ROOT

SERVER = Path(__file__).with_name("server.mjs")
PACKAGES = ROOT / ".tools/node/oidc"
REDIRECT_URI = "https://app.example/callback"
TIMEOUT = 30
MAX_PAGES = 12  # from the authorization request to the redirect back; login and consent take 8


@dataclass(frozen=True)
class Client:
    """A registered client. It must authenticate by `auth_method`; the server refuses the other method."""

    client_id: str
    client_secret: str
    auth_method: str

    def authentication(self) -> dict[str, Any]:
        """Arguments for httpx: `httpx.post(url, **client.authentication())`. Merge the form into `data`."""
        if self.auth_method == "client_secret_basic":
            # RFC 6749, 2.3.1: both are form-encoded first.
            return {"auth": (quote_plus(self.client_id), quote_plus(self.client_secret))}
        return {"data": {"client_id": self.client_id, "client_secret": self.client_secret}}


# One secret has characters that Basic authentication must encode.
CLIENTS = (
    Client("patchbay-basic", "basic secret/with+some:%special&characters", "client_secret_basic"),
    Client("patchbay-post", "post-secret-of-no-special-characters", "client_secret_post"),
)


class AuthorizationServer:
    """The running server: its URLs, its clients, a browser for it, and its controls for tests."""

    def __init__(self, issuer: str, redirect_uris: Sequence[str]) -> None:
        self.issuer = issuer
        self.redirect_uris = list(redirect_uris)
        self.redirect_uri = self.redirect_uris[0]
        self.clients = {client.auth_method: client for client in CLIENTS}
        self.metadata: dict[str, Any] = self._ask("GET", "/.well-known/openid-configuration").json()
        self.authorization_url: str = self.metadata["authorization_endpoint"]
        self.token_url: str = self.metadata["token_endpoint"]
        self.revocation_url: str = self.metadata["revocation_endpoint"]
        self.introspection_url: str = self.metadata["introspection_endpoint"]

    # ── a person with a browser ──────────────────────────────────────────────────────────────────────

    def authorize(self, url: str, login: str = "alice") -> dict[str, str]:
        """Log in as anyone and consent. Returns the parameters of the redirect back: code, state and iss, or
        error. Raises AssertionError if there is no redirect back.
        """
        return self._browse(url, lambda page: page.submit({"login": login, "password": "any"}))

    def deny(self, url: str) -> dict[str, str]:
        """Press Cancel on the first page: the redirect back has error=access_denied."""
        return self._browse(url, lambda page: (page.cancel_url, None))

    # ── controls for tests ───────────────────────────────────────────────────────────────────────────

    def requests(self) -> list[dict[str, Any]]:
        """The requests to the token endpoint so far: grant_type, status (None: dropped unprocessed), and, if
        any, error and fault. Each is recorded after its processing and before its response.
        """
        requests: list[dict[str, Any]] = self._ask("GET", "/_control/requests").json()
        return requests

    def clear(self) -> None:
        """Forget the requests so far."""
        self._ask("DELETE", "/_control/requests")

    def set(self, **settings: Any) -> None:
        """Change some settings:

        accessTokenSeconds  lifetime of access tokens from now on
        fault               of the token endpoint's next `times` (1) requests: "drop_before" and "html_500"
                            before processing, "drop_after" and "slow" after it; None for none
        delaySeconds        the delay of "slow"
        iss                 sent in authorization responses instead of the issuer; "" omits it
        """
        self._ask("PUT", "/_control/settings", json=settings)

    def reset(self) -> None:
        """Restore the initial settings, and forget the requests. Tokens and grants stay."""
        self._ask("DELETE", "/_control/settings")
        self.clear()

    def introspect(self, token: str, client: Client | None = None) -> dict[str, Any]:
        """Introspect a token (RFC 7662); `active` is False for one that no longer works."""
        arguments = (client or CLIENTS[0]).authentication()
        arguments["data"] = {"token": token, **arguments.get("data", {})}
        answer = httpx.post(self.introspection_url, timeout=TIMEOUT, trust_env=False, **arguments)
        answer.raise_for_status()
        introspection: dict[str, Any] = answer.json()
        return introspection

    def _browse(self, url: str, act: Callable[[_Page], tuple[str, dict[str, str] | None]]) -> dict[str, str]:
        """Follow redirects and act on each page, until a redirect leaves the server."""
        form: dict[str, str] | None = None
        with httpx.Client(timeout=TIMEOUT, trust_env=False, headers={"accept": "text/html"}) as browser:
            for _ in range(MAX_PAGES):
                answer = browser.request("GET" if form is None else "POST", url, data=form)
                if answer.is_success:
                    url, form = act(_Page(answer.text))
                else:
                    assert answer.is_redirect, f"{url}: {answer.status_code} {answer.text}"
                    url, form = answer.headers["location"], None
                url = urljoin(str(answer.url), url)
                if not url.startswith(f"{self.issuer}/"):
                    address, _, query = url.partition("?")
                    assert address in self.redirect_uris, url
                    return dict(parse_qsl(query, keep_blank_values=True))
        raise AssertionError(f"more than {MAX_PAGES} pages; the last one is {url}")

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = httpx.request(method, self.issuer + path, timeout=TIMEOUT, trust_env=False, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


class _Page(HTMLParser):
    """The form of a login or consent page, and its Cancel link."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = self.cancel_url = ""
        self.inputs: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input":
            self.inputs[attributes["name"]] = attributes.get("value", "")
        elif tag == "a" and attributes["href"].endswith("/abort"):
            self.cancel_url = attributes["href"]

    def submit(self, values: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The form's URL and its fields, filled with those `values` that it has fields for."""
        return self.action, {name: values.get(name, value) for name, value in self.inputs.items()}


@contextlib.contextmanager
def running(folder: Path, redirect_uris: Sequence[str] = (REDIRECT_URI,)) -> Iterator[AuthorizationServer]:
    """Run the server on a free port until the block ends. Its log is `folder/oidc.log`."""
    if not PACKAGES.is_dir():
        raise RuntimeError("oidc-provider is not installed: `make need-oidc` installs it")
    clients = [
        {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "token_endpoint_auth_method": client.auth_method,
        }
        for client in CLIENTS
    ]
    environment = {"CLIENTS": json.dumps(clients), "REDIRECT_URIS": json.dumps(list(redirect_uris))}
    log = folder / "oidc.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            child(signal.SIGTERM, "node", str(SERVER)),
            cwd=PACKAGES,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise RuntimeError("oidc-provider did not start:\n" + log.read_text()[-2000:])
            yield AuthorizationServer(f"http://{HOST}:{json.loads(line)['port']}", redirect_uris)
        finally:
            process.terminate()
