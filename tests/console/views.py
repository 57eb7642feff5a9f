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
        return re.sub(r"{(\w+)}", lambda match: first(workspace, match[1]), self.path)


VIEWS = (
    View("overview", "/overview"),
    View("events", "/events"),
    View("event", "/events/{event}"),
    View("tasks", "/tasks"),
    View("webhooks", "/webhooks"),
    View("webhook", "/webhooks/{webhook}"),
    View("automations", "/automations"),
    View("api-keys", "/api-keys"),
    View("api-key", "/api-keys/{key}"),
    View("audit", "/audit"),
    View("settings", "/settings"),
    View("marketplace", "/marketplace"),
    View("integrations", "/integrations"),
    View("integration", "/integrations/{integration}"),
    View("connections", "/connections"),
    View("connect-links", "/connections/links"),
)

_LISTS = {
    "webhook": WEBHOOKS,
    "event": "/api/events",
    "key": API_KEYS,
    "integration": "/api/integrations",
    "connection": "/api/connections",
}


def first(workspace: Workspace, kind: str) -> str:
    """The ID of the first item of a list."""
    return str(workspace(f"GET {_LISTS[kind]}?limit=1")["items"][0]["id"])
