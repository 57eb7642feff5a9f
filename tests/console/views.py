"""The pages of the console, for the tests and screenshots of every page. Add a new page here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.e2e.conftest import API_KEYS, WEBHOOKS, Workspace

PLATFORM = "platform"  # the workspace of the platform on the local stack


class View(NamedTuple):
    """A page: the name of its screenshots, and its path below /console. In a path, `{webhook}` stands for the
    ID of one of the workspace's webhooks (other kinds likewise), and `{workspace}` for the workspace's ID.
    `is_platforms` means that only the platform's workspace has the page.
    """

    name: str
    path: str
    is_platforms: bool = False

    def workspace_for(self, workspace: Workspace) -> Workspace:
        """The workspace whose session opens the page about this workspace: itself, or the platform's."""
        return Workspace(workspace.stack, PLATFORM) if self.is_platforms else workspace

    def path_for(self, workspace: Workspace) -> str:
        """The path, with the ID of the item of each kind that has the most to show. The items must exist."""
        return _filled_in(self.path, workspace)


VIEWS = (
    View("overview", "/overview"),
    View("events", "/events"),
    View("event", "/events/{event}"),
    View("tasks", "/tasks"),
    View("webhooks", "/webhooks"),
    View("new-webhook", "/webhooks/new"),
    View("webhook", "/webhooks/{webhook}"),
    View("flows", "/flows"),
    View("flow-templates", "/flows/new"),
    View("flow-template", "/flows/templates/negative_mentions"),
    View("flow", "/flows/{flow}"),
    View("flow-run", "/flows/{flow}/runs/{run}"),
    View("automations", "/automations"),
    View("api-keys", "/api-keys"),
    View("api-key", "/api-keys/{key}"),
    View("audit", "/audit"),
    View("settings", "/settings"),
    View("marketplace", "/marketplace"),
    View("reviews", "/reviews", is_platforms=True),
    View("review", "/reviews/{workspace}/{publication}", is_platforms=True),
    View("integrations", "/integrations"),
    View("integration", "/integrations/{integration}"),
    View("connections", "/connections"),
    View("connect-links", "/connections/links"),
)

# Kind → (the path of its list, how much an item's page has to show).
_KINDS: dict[str, tuple[str, Callable[[dict[str, Any]], int]]] = {
    "webhook": (f"{WEBHOOKS}?include=stats", lambda webhook: webhook["stats"]["failed"]),
    "event": ("/api/events", lambda event: 0),
    "flow": ("/api/flows", lambda flow: 0),
    "run": ("/api/flows/{flow}/runs", lambda run: 0),
    "key": (API_KEYS, lambda key: key["usage"]["total"]),
    "integration": ("/api/integrations", lambda integration: integration["connectionCount"]),
    "publication": ("/api/integrations", lambda integration: integration["reviewStatus"] == "PENDING"),
}


def _fullest(workspace: Workspace, kind: str) -> str:
    """The ID of the first item with the most to show, on the first page of the list."""
    path, weight = _KINDS[kind]
    items = workspace(f"GET {_filled_in(path, workspace)}")["items"]
    return str(max(items, key=weight)["id"])


def _filled_in(path: str, workspace: Workspace) -> str:
    def value(match: re.Match[str]) -> str:
        return workspace.name if match[1] == "workspace" else _fullest(workspace, match[1])

    return re.sub(r"{(\w+)}", value, path)
