"""The platform's side of actions, played by tests: it hears ACTION_REQUESTED and answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.testing import RunningStack
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.receivers import receiver


class ThePlatform:
    """A webhook of the platform's workspace, and its word on what it hears there."""

    def __init__(self, stack: RunningStack, requests: list[Any]) -> None:
        self.workspace = Workspace(stack, "platform")
        self._requests = requests

    def asked(self, about: str) -> dict[str, Any]:
        """What it was asked with that id of a run, or that workspace, in it, once it has heard of it."""
        heard = eventually(lambda: [r.json()["data"] for r in self._requests if about in r.body.decode()])
        found: dict[str, Any] = heard[0]
        return found

    def times_asked(self, run_id: str) -> int:
        return sum(run_id in request.body.decode() for request in self._requests)

    def answer(self, run_id: str, *, output: Any = None, error: str | None = None) -> None:
        self.asked(run_id)
        said = (
            {"status": "FAILED", "error": error} if error else {"status": "SUCCEEDED", "output": output or {}}
        )
        self.workspace(f"PUT /api/actions/runs/{run_id}", json=said)

    def offers(self, workspace: Workspace, resource: str, items: list[dict[str, str]]) -> None:
        """Fills a list that this workspace may choose from."""
        body = {"workspaceId": workspace.name, "items": items}
        self.workspace(f"PUT /api/actions/choices/{resource}", json=body)


@contextmanager
def the_platform(stack: RunningStack) -> Iterator[ThePlatform]:
    """It listens until the block ends."""
    with receiver() as r:
        platform = ThePlatform(stack, r.requests)
        hook = {"name": "actions", "url": r.url, "events": ["ACTION_REQUESTED"]}
        id = platform.workspace(f"POST {WEBHOOKS}", json=hook)["id"]
        yield platform
        platform.workspace(f"DELETE {WEBHOOKS}/{id}")
