"""Provides the Python 3.13 that compiles the bytecode of a build: `.venv/bin/python -m tools.python313`.

Lambda's Python 3.13 reads only bytecode of Python 3.13. The first of these that runs compiles: the command in
PYTHON313, python3.13 on the PATH, and the one in .tools/python3.13, which this program unpacks from Debian's
packages if the other two do not run. Nothing is installed on the machine, and root is not needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import debian, environment

COMMAND = Path(environment.ROOT, ".tools/python3.13/python3.13")
VARIABLES = {"PYENV_VERSION": "3.13"}  # pyenv's python3.13 needs the version
_SECONDS = 15


def find() -> str | None:
    """The command of a Python 3.13, or None."""
    given = os.environ.get("PYTHON313")
    candidates = [given] if given else ["python3.13", str(COMMAND)]
    return next((command for command in candidates if _runs(command)), None)


def _runs(command: str) -> bool:
    probe = "import sys; sys.exit(sys.version_info[:2] != (3, 13))"
    try:
        return not subprocess.run(
            [command, "-c", probe], env=os.environ | VARIABLES, capture_output=True
        ).returncode
    except OSError:
        return False


def unpack() -> None:
    """Unpack Python into .tools. Raises `debian.Unavailable`."""
    architecture = debian.native()
    if architecture is None or sys.platform != "linux":
        raise debian.Unavailable("Debian's Python runs only on Linux")
    environment.say(f"unpacking Debian's Python 3.13 into {COMMAND.parent} (once, about {_SECONDS} s)")
    shutil.rmtree(COMMAND.parent, ignore_errors=True)
    debian.unpack(architecture, ["python3.13"], COMMAND.parent / "root")
    COMMAND.write_text(debian.launcher(architecture))
    COMMAND.chmod(0o755)


def main() -> None:
    """Make sure that a Python 3.13 exists. If it cannot, say so: the build then has no bytecode."""
    if find() or os.environ.get("PYTHON313"):  # PYTHON313 is never replaced; tools/bytecode says so
        return
    COMMAND.parent.parent.mkdir(parents=True, exist_ok=True)
    with open(COMMAND.parent.parent / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            if not find():
                unpack()
        except debian.Unavailable as reason:
            environment.say(
                f"no Python 3.13 to compile bytecode with ({reason}): install it, or set PYTHON313="
            )


if __name__ == "__main__":
    environment.start(main)
