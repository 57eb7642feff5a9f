"""Copies the n8n package into a separate folder, and runs n8n's tool there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from local.settings import ROOT

PACKAGES = ROOT / ".tools/node/n8n/node_modules"
SOURCE = ROOT / "apps/n8n"


def n8n_tool(command: str, folder: Path) -> str:
    """Run n8n's own tool on the package, and return its output."""
    completed = subprocess.run(
        ["node", str(PACKAGES / "@n8n/node-cli/bin/n8n-node.mjs"), command],
        cwd=folder,
        env={**os.environ, "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert completed.returncode == 0, completed.stdout
    return completed.stdout


def copy_package(folder: Path) -> Path:
    """Copy the package into a separate folder, with the packages that build it."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("dist", "node_modules"))
    (folder / "node_modules").symlink_to(PACKAGES)
    return folder
