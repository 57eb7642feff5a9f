"""The event types (API.md, "Webhooks").

Each is a file, in the folder of its kind, by the name of its key: `publishable/POST_PUBLISHED.json`. What is
in it, `entries.py` reads and checks. Which ones there are the names alone tell, so importing this costs every
function three listings of a folder and nothing more.
"""

from __future__ import annotations

import os

FOLDER = os.path.dirname(__file__)


def _keys(kind: str) -> frozenset[str]:
    names = os.listdir(os.path.join(FOLDER, kind))
    return frozenset(name.removesuffix(".json") for name in names if name.endswith(".json"))


PUBLISHABLE = _keys("publishable")
# Patchbay's own; nobody publishes them.
OPERATIONAL = _keys("operational")
# Delivered in the platform's workspace only.
PLATFORM_ONLY = _keys("platform")

ALL = PUBLISHABLE | OPERATIONAL | PLATFORM_ONLY

# Subscribes to every type.
ANY = "*"
