"""The machine of someone who follows the documentation: a folder that looks like a clone, and free ports."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from local.settings import ROOT


def link_clone(folder: Path) -> None:
    """Link what a clone contains and what is installed into it, but no files that earlier readers created: a
    command that writes such a file would write through the link.
    """
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = {name.partition("/")[0] for name in listed.splitlines()}
    for name in sorted(tracked | {".tools", ".venv"}):
        (folder / name).symlink_to(ROOT / name)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
