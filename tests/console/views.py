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
    View("webhooks", "/webhooks"),
    View("webhook", "/webhooks/{webhook}"),
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
