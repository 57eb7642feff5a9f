"""The receivers in the documentation, and the change with which readers make them store events.

`python -m tests.docs.receivers FOLDER` writes the Python receiver with this change.
"""

from __future__ import annotations

import os
import re
import sys
from itertools import pairwise
from pathlib import Path

from local.settings import ROOT
from tests.docs.blocks import Block, of

RECEIVE = of(ROOT / "docs/guides/webhooks/receive.md")
# Each receiver is a file and the command that starts it.
RECEIVERS = [
    (file, command)
    for file, command in pairwise(RECEIVE)
    if file.title.lower().startswith("receiver.") and command.port
]
RETRIES = of(ROOT / "docs/guides/webhooks/retries.md")
INBOXES = {
    file.language: (file, command)
    for file, command in pairwise(RETRIES)
    if file.title.lower().startswith("inbox.")
}
CREATE_TABLE = next(block for block in RETRIES if "CREATE TABLE" in block.code)
# Patterns of the function `handle`, and what the page replaces it with.
HANDLES = {
    "python": (r"^def handle.*?\n\n\n", "from inbox import handle\n\n\n"),
    "js": (r"^function handle.*?^}\n", 'import { handle } from "./inbox.mjs";\n'),
    "go": (r"^func handle.*?^}\n", ""),
    "java": (r"^    static void handle.*?^    }\n", ""),
    "ruby": (r"^def handle.*?^end\n", 'require_relative "inbox"\n'),
    "php": (r"^function handle.*?^}\n", "require 'inbox.php';\n"),
}


def storing(file: Block) -> str:
    """Return the code of a receiver that calls the inbox's `handle` instead of its own."""
    pattern, replacement = HANDLES[file.language]
    code, count = re.subn(pattern, replacement, file.code, flags=re.MULTILINE | re.DOTALL)
    assert count == 1, f"{file.where}: {count} functions `handle`"
    return code.replace(" handle(", " Inbox.handle(") if file.language == "java" else code


if __name__ == "__main__":
    receiver = next(file for file, _ in RECEIVERS if file.language == "python")
    code = storing(receiver).replace("8788", os.environ["RECEIVER_PORT"])
    (Path(sys.argv[1]) / receiver.title).write_text(code)
