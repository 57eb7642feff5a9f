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
    """What n8n's own tool says of the package."""
    done = subprocess.run(
        ["node", str(PACKAGES / "@n8n/node-cli/bin/n8n-node.mjs"), command],
        cwd=folder,
        env={**os.environ, "CI": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def copied(folder: Path) -> Path:
    """The package in a separate folder, with the packages that build it."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("dist", "node_modules"))
    (folder / "node_modules").symlink_to(PACKAGES)
    return folder
