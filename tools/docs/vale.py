"""Builds Vale, the linter of prose, from its Go module: `.venv/bin/python -m tools.docs.vale`.

No package on PyPI or npm contains Vale's program. `vale/go.sum` has the hashes of all modules.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import environment

ROOT = Path(environment.ROOT)
SOURCE = ROOT / "tools/docs/vale"
TARGET = ROOT / ".tools/vale"
MODULE = "github.com/vale-cli/vale/v3/cmd/vale"


def main() -> None:
    stamp, digest = TARGET / ".complete", environment.digest(str(SOURCE / "go.sum"))
    if stamp.exists() and stamp.read_text() == digest:
        return
    if not shutil.which("go"):
        sys.exit("patchbay: go not found; `make lint-docs` builds Vale with Go: install Go 1.25 or later")
    TARGET.mkdir(parents=True, exist_ok=True)
    with open(ROOT / ".tools/.lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        environment.say("building Vale, the linter of prose, into .tools/vale (once, about 90 s)")
        command = ["go", "build", "-o", str(TARGET / "vale"), MODULE]
        built = subprocess.run(
            command, cwd=SOURCE, stderr=subprocess.PIPE, text=True, env={**os.environ, "GOWORK": "off"}
        )
        if built.returncode:
            sys.exit(f"patchbay: Vale could not be built:\n{built.stderr}")
        stamp.write_text(digest)


if __name__ == "__main__":
    environment.start(main)
