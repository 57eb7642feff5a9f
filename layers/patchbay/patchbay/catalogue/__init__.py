"""The catalogue: which event types and actions there are (API.md, "Webhooks" and "Automations").

Each is a file by the name of its key: an event type in the folder of its kind, as
`events/publishable/POST_PUBLISHED.json`, an action as `actions/create_post.json`. What is in them,
`entries.py` reads and checks. Which ones there are the names alone tell, so importing this costs every
function four listings of a folder and nothing more.
"""

from __future__ import annotations

import os

FOLDER = os.path.dirname(__file__)


def _keys(folder: str) -> frozenset[str]:
    names = os.listdir(os.path.join(FOLDER, folder))
    return frozenset(name.removesuffix(".json") for name in names if name.endswith(".json"))


PUBLISHABLE = _keys("events/publishable")
# Patchbay's own; nobody publishes them.
OPERATIONAL = _keys("events/operational")
# Delivered in the platform's workspace only.
PLATFORM_ONLY = _keys("events/platform")

ALL = PUBLISHABLE | OPERATIONAL | PLATFORM_ONLY

# What automations may begin with.
TRIGGERS = PUBLISHABLE | OPERATIONAL

# Subscribes to every type.
ANY = "*"

# What automations may ask the platform to do.
ACTIONS = _keys("actions")
