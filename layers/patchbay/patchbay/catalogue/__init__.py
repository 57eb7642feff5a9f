"""The catalogue of event types and actions.

See docs/guides/publish/event-types.md and docs/guides/automations/actions.md.

Each is a file named after its key: an event type in the folder of its kind, such as
`events/publishable/POST_PUBLISHED.json`, an action such as `actions/create_post.json`. `entries` loads and
validates the files, and `templates` those of ready-made automations. This module reads only the names, so
importing it costs a function only four directory listings.
"""

from __future__ import annotations

import os

FOLDER = os.path.dirname(__file__)


def keys(folder: str) -> frozenset[str]:
    """The keys of the files in a folder of the catalogue."""
    names = os.listdir(os.path.join(FOLDER, folder))
    return frozenset(name.removesuffix(".json") for name in names if name.endswith(".json"))


PUBLISHABLE = keys("events/publishable")
# Patchbay's own events, which callers cannot publish.
OPERATIONAL = keys("events/operational")
# Delivered in the platform's workspace only.
PLATFORM_ONLY = keys("events/platform")

ALL = PUBLISHABLE | OPERATIONAL | PLATFORM_ONLY

# The event types that can start an automation.
TRIGGERS = PUBLISHABLE | OPERATIONAL

# Subscribes to every type.
ANY = "*"

# What automations can ask the platform to do.
ACTIONS = keys("actions")
