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
# name: (folder, seconds it takes, what it is)
PACKAGES = {
    "oidc": ("tests/oidc", 10, "the authorization server of the OAuth tests"),
    "zapier": ("tests/apps/zapier", 10, "Zapier's schema and runner"),
    "n8n": ("tests/apps/n8n", 60, "n8n's own tool and core"),
}


def main(names: Sequence[str]) -> None:
    os.chdir(ROOT)
    for name in names:
        source, seconds, what = PACKAGES[name]
        refuse_unusable_node(what)
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
    shown = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    version = re.match(r"v(\d+)\.", shown)
    if not version or int(version[1]) < OLDEST_NODE:
        sys.exit(f"patchbay: {shutil.which('node')} is {shown or 'broken'}; {advice}")
    if not shutil.which("npm"):
        sys.exit(f"patchbay: there is no npm; {advice}")


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
