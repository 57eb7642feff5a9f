"""The demo's OAuth provider, for tests that connect an account."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from local.asgi import Server, listen
from local.demo.provider import Provider, direct_code
from tests.e2e.conftest import Workspace

SCOPES = ["posts:read", "posts:write"]


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve the provider until the block ends. Yields its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = listen(0)
    app = Provider(listener.getsockname()[1]).app()
    server = asyncio.run_coroutine_threadsafe(Server.start(app, listener), loop).result()
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def integration(workspace: Workspace, url: str, name: str = "Chirrup") -> str:
    """Create an integration of the provider that is ready to connect. Returns its ID."""
    config = {
        "clientId": "postloom",
        "clientSecret": "correct-horse-battery",
        "authorizationUrl": f"{url}/chirrup/authorize",
        "tokenUrl": f"{url}/chirrup/token",
        "revocationUrl": f"{url}/chirrup/revoke",
    }
    body = {"name": name, "type": "SOCIAL", "provider": "chirrup", "config": config, "scopes": SCOPES}
    return str(workspace("POST /api/integrations", json=body)["id"])


def connect(workspace: Workspace, integration: str, name: str) -> None:
    """Connect the account Juniper & Rye to an integration, without a browser."""
    api = workspace.stack.url
    start = {
        "connectionId": name,
        "redirectUri": f"{api}/api/integrations/{integration}/oauth/callback",
        "returnUrl": f"{api}/connect/return",
    }
    state = workspace(f"POST /api/integrations/{integration}/oauth/initiate", json=start)["state"]
    done = {"state": state, "code": direct_code("acct_juniper")}
    workspace("POST /api/integrations/oauth/callback", json=done)
