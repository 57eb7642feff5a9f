"""Installs Node packages that tests need: `python -m tools.node_packages NAME…`

A name stands for a folder with a package.json and its lock file. The packages go into .tools/node/NAME,
once, and again when the lock changes; as in environment.py, an interrupted installation is made again,
and two `make` at once wait for each other. A set that this machine cannot run is passed over with a line
that says why, and its tests are skipped.
"""

from __future__ import annotations

import fcntl
import os
import platform
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
# A whole n8n needs a newer Node than the rest. On Linux the set brings one along.
NODE_OF_N8N = 24
N8N_SERVER = ROOT / ".tools/node/n8n-server"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Packages(NamedTuple):
    """`source` has the package.json and its lock; `native` are compiled here."""

    source: str
    seconds: int
    what: str
    native: Sequence[str] = ()


PACKAGES = {
    "oidc": Packages("tests/oidc", 10, "the authorization server of the OAuth tests"),
    "make": Packages("tests/apps/make", 5, "the schema checker of Make's own editor"),
    "zapier": Packages("tests/apps/zapier", 10, "Zapier's schema and runner"),
    "n8n": Packages("tests/apps/n8n", 60, "n8n's own tool and core"),
    "n8n-server": Packages("tests/apps/n8n-server", 300, "a whole n8n, 2.3 GB", native=["sqlite3"]),
}


def main(names: Sequence[str]) -> None:
    os.chdir(ROOT)
    for name in names:
        packages = PACKAGES[name]
        refuse_unusable_node(packages.what)
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


def packaged_node() -> Path | None:
    """The folder of the Node that is installed with n8n; None where there is none for the machine."""
    machine = _MACHINES.get(platform.machine().lower())
    if platform.system() != "Linux" or machine is None:
        return None
    return N8N_SERVER / f"node_modules/node-linux-{machine}"


def n8n_node() -> str:
    """The Node that runs n8n."""
    packaged = packaged_node()
    return str(packaged / "bin/node") if packaged else "node"


def missing_for_n8n() -> str | None:
    """What this machine lacks to run a whole n8n."""
    if packaged_node() is None and node_version() < NODE_OF_N8N:
        return f"it needs Node {NODE_OF_N8N} or later, which this machine does not have"
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
        # With the headers that Node's package has; node-gyp would download them.
        packaged = packaged_node()
        headers = [f"--nodedir={packaged}"] if packaged else []
        gyp = folder.resolve() / "node_modules/node-gyp/bin/node-gyp.js"
        run([n8n_node(), str(gyp), "rebuild", *headers], folder / "node_modules" / name)
    Path(environment.stamp_of(folder)).write_text(environment.digest(lock))


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
