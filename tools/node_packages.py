"""Installs the Node packages of the tests and checks: `.venv/bin/python -m tools.node_packages NAME…`

A name is a folder with a package.json and its lock file. The packages are installed into .tools/node/NAME
once, and again when the lock changes. As in environment.py, an interrupted installation is repeated, and
concurrent `make` runs wait for each other. A set that this machine cannot run is skipped with a message, and
so are its tests.
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
# n8n needs this version, and Zapier's CLI at least 22. If the Node is older, the set "node" installs one.
NEWER_NODE = 24
N8N_SERVER = ROOT / ".tools/node/n8n-server"


class Packages(NamedTuple):
    """`source` has the package.json and its lock; `native` packages are compiled on this machine."""

    source: str
    seconds: int
    description: str
    native: Sequence[str] = ()


PACKAGES = {
    "oidc": Packages("tests/oidc", 10, "the authorization server of the OAuth tests"),
    "openapi": Packages("tools/openapi", 15, "the linter of openapi.json"),
    "sdk": Packages("sdks/typescript", 15, "the tools of the TypeScript SDK"),
    "docs": Packages("tools/docs", 15, "the fonts and the renderer of diagrams of the documentation"),
    "console": Packages("console", 20, "the packages of the console"),
    "make": Packages("tests/apps/make", 5, "the schema checker of Make's own editor"),
    "node": Packages("tests/apps/node", 10, "a newer Node"),
    "zapier": Packages("tests/apps/zapier", 10, "Zapier's schema and runner"),
    "zapier-cli": Packages("tests/apps/zapier-cli", 30, "Zapier's CLI"),
    "n8n": Packages("tests/apps/n8n", 60, "n8n's CLI and core"),
    "n8n-server": Packages("tests/apps/n8n-server", 300, "a complete n8n, 2.3 GB", native=["sqlite3"]),
}


def main(names: Sequence[str]) -> None:
    os.chdir(ROOT)
    for name in names:
        packages = PACKAGES[name]
        refuse_unusable_node(packages.description)
        if name == "node" and node_version() >= NEWER_NODE:
            continue
        if packages.native and (reason := unmet_n8n_requirement()):
            environment.say(f"skipped {packages.description}: {reason}")
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
                    f"installing {packages.description} into {folder} (once, about {packages.seconds} s)"
                )
                install(folder, lock, packages.native)


def refuse_unusable_node(purpose: str) -> None:
    """Exit with advice unless this machine has npm and a sufficiently new Node."""
    advice = f"install Node {OLDEST_NODE} or later, with npm, for {purpose}"
    if not shutil.which("node"):
        sys.exit(f"patchbay: node not found; {advice}")
    if node_version() < OLDEST_NODE:
        sys.exit(f"patchbay: {shutil.which('node')} is too old or broken; {advice}")
    if not shutil.which("npm"):
        sys.exit(f"patchbay: npm not found; {advice}")


def node_version() -> int:
    """The major version of this machine's Node; 0 if none runs."""
    if not shutil.which("node"):
        return 0
    output = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    version = re.match(r"v(\d+)\.", output)
    return int(version[1]) if version else 0


def newer_node() -> Path | None:
    """The path of a Node of at least NEWER_NODE: this machine's, or the set "node"'s. None if that set has no
    Node for this platform, or is not installed.
    """
    if node_version() >= NEWER_NODE:
        return Path(shutil.which("node") or "node").resolve()
    return next((ROOT / ".tools/node/node/node_modules").glob("node-*/bin/node"), None)


def unmet_n8n_requirement() -> str | None:
    """Why this machine cannot run a complete n8n, or None if it can."""
    if newer_node() is None:
        return f"it needs Node {NEWER_NODE} or later"
    if not (shutil.which("make") and shutil.which("c++")):
        return "it needs make and a C++ compiler"
    return None


def complete(folder: Path, lock: Path) -> bool:
    """Whether the packages were installed completely, from this lock."""
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
    """Compile a package for the Node that runs it. Uses the headers next to that Node if it has them, because
    node-gyp would download them.
    """
    node = newer_node()
    prefix = node.parent.parent if node else Path()
    headers = [f"--nodedir={prefix}"] if (prefix / "include/node").is_dir() else []
    gyp = folder.resolve() / "node_modules/node-gyp/bin/node-gyp.js"
    run([str(node), str(gyp), "rebuild", *headers], folder / "node_modules" / name)


def run(command: Sequence[str], folder: Path) -> None:
    """Run a command; exit with its output if it fails."""
    returncode, output = environment.finish(command, cwd=folder, stderr=subprocess.STDOUT)
    if returncode:
        sys.stderr.buffer.write(output)
        sys.exit(f"patchbay: {' '.join(command)} failed; see above, then run make again")


if __name__ == "__main__":
    environment.start(main, sys.argv[1:])
