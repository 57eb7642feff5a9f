"""The platform's side of actions: it receives ACTION_REQUESTED and answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.testing import RunningStack
from tests.e2e.conftest import WEBHOOKS, Workspace, eventually
from tests.receivers import receiver


class ThePlatform:
    """A webhook of the platform's workspace, and the platform's answers to action requests."""

    def __init__(self, stack: RunningStack, requests: list[Any]) -> None:
        self.workspace = Workspace(stack, "platform")
        self._requests = requests

    def request_with(self, text: str) -> dict[str, Any]:
        """Wait for an action request that contains `text`, a run ID or a workspace, and return its data."""
        matching = eventually(lambda: [r.json()["data"] for r in self._requests if text in r.body.decode()])
        request: dict[str, Any] = matching[0]
        return request

    def request_count(self, run_id: str) -> int:
        return sum(run_id in request.body.decode() for request in self._requests)

    def answer(self, run_id: str, *, output: Any = None, error: str | None = None) -> None:
        self.request_with(run_id)
        result = (
            {"status": "FAILED", "error": {"detail": error}}
            if error
            else {"status": "SUCCEEDED", "output": output or {}}
        )
        self.workspace(f"PUT /api/actions/runs/{run_id}", json=result)

    def offers(self, workspace: Workspace, resource: str, items: list[dict[str, str]]) -> None:
        """Set the choices of a list for a workspace."""
        body = {"workspaceId": workspace.name, "items": items}
        self.workspace(f"PUT /api/actions/choices/{resource}", json=body)


@contextmanager
def the_platform(stack: RunningStack) -> Iterator[ThePlatform]:
    """A platform that listens until the block ends."""
    with receiver() as r:
        platform = ThePlatform(stack, r.requests)
        hook = {"name": "actions", "url": r.url, "eventTypes": ["ACTION_REQUESTED"]}
        id = platform.workspace(f"POST {WEBHOOKS}", json=hook)["id"]
        yield platform
        platform.workspace(f"DELETE {WEBHOOKS}/{id}")
