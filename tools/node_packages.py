"""Installs Node packages that tests need: `python -m tools.node_packages NAME…`

A name stands for a folder with a package.json and its lock file. The packages go into .tools/node/NAME,
once, and again when the lock changes; as in environment.py, an interrupted installation is made again,
and two `make` at once wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import environment

ROOT = Path(environment.ROOT)
OLDEST_NODE = 20
# n8n takes no older one, and Zapier's CLI none before 22. Where this machine's is older, the package "node"
# brings one.
NEWER_NODE = 24
# name: (folder, seconds it takes, what it is)
PACKAGES = {
    "oidc": ("tests/oidc", 10, "the authorization server of the OAuth tests"),
    "make": ("tests/apps/make", 5, "the schema checker of Make's own editor"),
    "node": ("tests/apps/node", 10, "a newer Node"),
    "zapier": ("tests/apps/zapier", 10, "Zapier's schema and runner"),
    "zapier-cli": ("tests/apps/zapier-cli", 30, "Zapier's CLI"),
    "n8n": ("tests/apps/n8n", 60, "n8n's own tool and core"),
}


def main(names: Sequence[str]) -> None:
    os.chdir(ROOT)
    for name in names:
        source, seconds, what = PACKAGES[name]
        refuse_unusable_node(what)
        if name == "node" and machines_node() >= NEWER_NODE:
            continue
        folder, lock = Path(".tools/node", name), Path(source, "package-lock.json")
        if complete(folder, lock):
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(".tools/.lock", "w") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                environment.say("another make is installing; waiting for it")
                fcntl.flock(guard, fcntl.LOCK_EX)
            if not complete(folder, lock):
                environment.say(f"installing {what} into {folder} (once, about {seconds} s)")
                install(folder, lock)


def refuse_unusable_node(what: str) -> None:
    """Exits, saying what to do, unless this machine has Node, new enough, and npm."""
    advice = f"install Node {OLDEST_NODE} or later, with npm: {what} runs on it"
    if not shutil.which("node"):
        sys.exit(f"patchbay: there is no node; {advice}")
    if machines_node() < OLDEST_NODE:
        sys.exit(f"patchbay: {shutil.which('node')} is too old; {advice}")
    if not shutil.which("npm"):
        sys.exit(f"patchbay: there is no npm; {advice}")


def machines_node() -> int:
    """The major version of this machine's Node; 0 when it does not say."""
    shown = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)\.", shown)
    return int(version[1]) if version else 0


def newer_node() -> Path | None:
    """A Node that is NEWER_NODE or later: this machine's, or the one that the package "node" brought. None
    where that package has none for this kind of machine.
    """
    if machines_node() >= NEWER_NODE:
        return Path(shutil.which("node") or "node")
    return next((ROOT / ".tools/node/node/node_modules").glob("node-*/bin/node"), None)


def complete(folder: Path, lock: Path) -> bool:
    """Whether the packages were installed to the end, from this lock."""
    try:
        return Path(environment.stamp_of(folder)).read_text() == environment.digest(lock)
    except OSError:
        return False


def install(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (lock, lock.with_name("package.json"), lock.with_name(".npmrc")):
        if file.exists():
            shutil.copy(file, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    npm = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if npm.returncode:
        sys.stderr.buffer.write(npm.stdout)
        sys.exit(f"patchbay: {' '.join(command)} failed; see above, then run make again")
    Path(environment.stamp_of(folder)).write_text(environment.digest(lock))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
