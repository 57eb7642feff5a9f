"""Installs Node packages that tests need: `python -m tools.node_packages NAME…`

A name stands for a folder with a package.json and its lock file. The packages go into .tools/node/NAME,
once, and again when the lock changes; as in environment.py, an interrupted installation is made again,
and two `make` at once wait for each other. A set that this machine cannot run is passed over with a line
that says why, and its tests are skipped.
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
from typing import NamedTuple

from tools import environment

ROOT = Path(environment.ROOT)
OLDEST_NODE = 20
# n8n takes no older one, and Zapier's CLI none before 22. Where this machine's is older, the set "node"
# brings one.
NEWER_NODE = 24
N8N_SERVER = ROOT / ".tools/node/n8n-server"


class Packages(NamedTuple):
    """`source` has the package.json and its lock; `native` are compiled here."""

    source: str
    seconds: int
    what: str
    native: Sequence[str] = ()


PACKAGES = {
    "oidc": Packages("tests/oidc", 10, "the authorization server of the OAuth tests"),
    "make": Packages("tests/apps/make", 5, "the schema checker of Make's own editor"),
    "node": Packages("tests/apps/node", 10, "a newer Node"),
    "zapier": Packages("tests/apps/zapier", 10, "Zapier's schema and runner"),
    "zapier-cli": Packages("tests/apps/zapier-cli", 30, "Zapier's CLI"),
    "n8n": Packages("tests/apps/n8n", 60, "n8n's own tool and core"),
    "n8n-server": Packages("tests/apps/n8n-server", 300, "a whole n8n, 2.3 GB", native=["sqlite3"]),
}


def main(names: Sequence[str]) -> None:
    os.chdir(ROOT)
    for name in names:
        packages = PACKAGES[name]
        refuse_unusable_node(packages.what)
        if name == "node" and node_version() >= NEWER_NODE:
            continue
        if packages.native and (missing := missing_for_n8n()):
            environment.say(f"passed over: {packages.what}; {missing}")
            continue
        folder, lock = Path(".tools/node", name), Path(packages.source, "package-lock.json")
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
                environment.say(
                    f"installing {packages.what} into {folder} (once, about {packages.seconds} s)"
                )
                install(folder, lock, packages.native)


def refuse_unusable_node(what: str) -> None:
    """Exits, saying what to do, unless this machine has Node, new enough, and npm."""
    advice = f"install Node {OLDEST_NODE} or later, with npm: {what} runs on it"
    if not shutil.which("node"):
        sys.exit(f"patchbay: there is no node; {advice}")
    if node_version() < OLDEST_NODE:
        sys.exit(f"patchbay: {shutil.which('node')} is too old or broken; {advice}")
    if not shutil.which("npm"):
        sys.exit(f"patchbay: there is no npm; {advice}")


def node_version() -> int:
    """The first number of this machine's Node; 0 if there is none that runs."""
    if not shutil.which("node"):
        return 0
    shown = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)\.", shown)
    return int(version[1]) if version else 0


def newer_node() -> Path | None:
    """A Node that is NEWER_NODE or later: this machine's, or the one of the set "node". None where that set
    has none for this kind of machine, or is not installed.
    """
    if node_version() >= NEWER_NODE:
        return Path(shutil.which("node") or "node").resolve()
    return next((ROOT / ".tools/node/node/node_modules").glob("node-*/bin/node"), None)


def missing_for_n8n() -> str | None:
    """What this machine lacks to run a whole n8n."""
    if newer_node() is None:
        return f"it needs Node {NEWER_NODE} or later, which this machine does not have"
    if not (shutil.which("make") and shutil.which("c++")):
        return "it needs make and a C++ compiler"
    return None


def complete(folder: Path, lock: Path) -> bool:
    """Whether the packages were installed to the end, from this lock."""
    try:
        return Path(environment.stamp_of(folder)).read_text() == environment.digest(lock)
    except OSError:
        return False


def install(folder: Path, lock: Path, native: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (lock, lock.with_name("package.json"), lock.with_name(".npmrc")):
        if file.exists():
            shutil.copy(file, folder)
    run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    for name in native:
        compile_native(folder, name)
    Path(environment.stamp_of(folder)).write_text(environment.digest(lock))


def compile_native(folder: Path, name: str) -> None:
    """Compile a package for the Node that runs it, with the headers beside that Node if it has them: node-gyp
    would download them.
    """
    node = newer_node()
    prefix = node.parent.parent if node else Path()
    headers = [f"--nodedir={prefix}"] if (prefix / "include/node").is_dir() else []
    gyp = folder.resolve() / "node_modules/node-gyp/bin/node-gyp.js"
    run([str(node), str(gyp), "rebuild", *headers], folder / "node_modules" / name)


def run(command: Sequence[str], folder: Path) -> None:
    """Exits with what the command said if it fails."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"patchbay: {' '.join(command)} failed; see above, then run make again")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
