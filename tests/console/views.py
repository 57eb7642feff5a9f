"""The pages of the console, for the tests and screenshots that all have. A new page is a line here."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.e2e.conftest import API_KEYS, WEBHOOKS, Workspace


class View(NamedTuple):
    """A page: the name of its screenshots, and its path below /console. In a path, `{webhook}` stands for the
    ID of the workspace's first webhook in the list of the API, and so on.
    """

    name: str
    path: str

    def path_for(self, workspace: Workspace) -> str:
        """The path for a workspace that has what it names."""
        return _filled_in(self.path, workspace)


VIEWS = (
    View("overview", "/overview"),
    View("events", "/events"),
    View("event", "/events/{event}"),
    View("tasks", "/tasks"),
    View("webhooks", "/webhooks"),
    View("webhook", "/webhooks/{webhook}"),
    View("flows", "/flows"),
    View("flow-templates", "/flows/new"),
    View("flow", "/flows/{flow}"),
    View("flow-run", "/flows/{flow}/runs/{run}"),
    View("automations", "/automations"),
    View("api-keys", "/api-keys"),
    View("api-key", "/api-keys/{key}"),
    View("audit", "/audit"),
    View("settings", "/settings"),
)

_LISTS = {
    "webhook": WEBHOOKS,
    "flow": "/api/flows",
    "run": "/api/flows/{flow}/runs",
    "event": "/api/events",
    "key": API_KEYS,
    "integration": "/api/integrations",
    "connection": "/api/connections",
}


def first(workspace: Workspace, kind: str) -> str:
    """The ID of the first item of a list."""
    path = _filled_in(_LISTS[kind], workspace)
    return str(workspace(f"GET {path}?limit=1")["items"][0]["id"])


def _filled_in(path: str, workspace: Workspace) -> str:
    return re.sub(r"{(\w+)}", lambda match: first(workspace, match[1]), path)
