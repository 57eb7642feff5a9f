"""Debian packages: installed on this machine, or those of Debian 13 unpacked into a folder without root.

Debian 13 has Python 3.13, the version of the Lambda runtime. apt resolves, downloads and verifies the
packages, with its state in a separate folder: it does not touch the packages of this machine. It uses this
machine's mirror.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.environment import say

SUITE = "trixie"
# Lambda's name of an architecture: Debian's, and the folder of its libraries.
NAMES = {"arm64": ("arm64", "aarch64-linux-gnu"), "x86_64": ("amd64", "x86_64-linux-gnu")}
_LOADERS = {"arm64": "usr/lib/ld-linux-aarch64.so.1", "x86_64": "usr/lib64/ld-linux-x86-64.so.2"}
_KEYRINGS = [
    Path("/usr/share/keyrings", name) for name in ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
]


class Unavailable(Exception):
    """This machine cannot get Debian packages. The message says why."""


def native() -> str | None:
    """Lambda's name of this machine's architecture, or None if Lambda does not have it."""
    machine = platform.machine().lower()
    return {"aarch64": "arm64", "arm64": "arm64", "amd64": "x86_64", "x86_64": "x86_64"}.get(machine)


def install(packages: Sequence[str], what: str, seconds: int) -> None:
    """Install packages and their dependencies without prompts. Raises `Unavailable`."""
    if not shutil.which("apt-get") or os.geteuid():
        raise Unavailable(f"install {what}")
    names = " ".join(packages)
    say(f"installing {what} ({names}; once, about {seconds} s)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages]
    for step in (["apt-get", "update", "-qq"], command):
        done = subprocess.run(step, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"apt-get cannot install {names}: {done.stderr.strip()[-300:]}")


def unpack(architecture: str, packages: Sequence[str], folder: Path) -> None:
    """Unpack the packages and their dependencies into a folder. Raises `Unavailable`."""
    mirror, keyring = _mirror(), next((path for path in _KEYRINGS if path.exists()), None)
    if mirror is None or keyring is None or not shutil.which("dpkg-deb"):
        raise Unavailable("only a machine with Debian's apt can get packages of Debian")
    apt = folder.with_name(folder.name + ".apt")
    shutil.rmtree(apt, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "preferences.d", "apt.conf.d"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so that every dependency is downloaded
    (apt / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {SUITE} main\n")
    debian, _ = NAMES[architecture]
    (apt / "apt.conf").write_text(
        f'Dir::Etc "{apt}"; Dir::Etc::sourceparts "-"; Dir::State "{apt}"; Dir::State::status "{apt}/status";'
        f'Dir::Cache "{apt}"; APT::Architecture "{debian}"; APT::Architectures "{debian}";'
        'APT::Install-Recommends "false"; Acquire::Languages "none"; Acquire::Retries "3";'
        'APT::Sandbox::User ""; Debug::NoLocking "true";\n'
    )
    _apt(apt, "update", "-qq")
    _apt(apt, "install", "-qq", "--yes", "--download-only", *packages)
    folder.mkdir(parents=True, exist_ok=True)
    for package in sorted((apt / "archives").glob("*.deb")):
        if subprocess.run(["dpkg-deb", "--extract", package, folder]).returncode:
            raise Unavailable(f"{package.name} cannot be unpacked; see above")
    shutil.rmtree(apt)


def launcher(architecture: str) -> str:
    """A shell script that runs the Python in the folder `root` next to it, with its own libraries."""
    _, libraries = NAMES[architecture]
    # Python starts child processes with argv[0], which must be this script.
    return f"""\
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd -P)
export PYTHONHOME="$here/root/usr"
exec "$here/root/{_LOADERS[architecture]}" --argv0 "$here/$(basename "$0")" \\
    --library-path "$here/root/usr/lib/{libraries}" "$here/root/usr/bin/python3.13" "$@"
"""


def _mirror() -> str | None:
    """The address of Debian's archive in this machine's apt settings."""
    if not shutil.which("apt-get"):
        return None
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    return next((line for line in listed.splitlines() if re.search(r"/debian/?$", line)), None)


def _apt(apt: Path, *arguments: str) -> None:
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"apt-get {arguments[0]} failed: {lines[-1] if lines else 'no output'}")
