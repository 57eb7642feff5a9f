"""Provides Chromium for tests and diagrams: `.venv/bin/python -m tools.chromium` prints its path.

The environment variable CHROMIUM names it. Otherwise it is the one in PATH, or, as root on Debian, the
package chromium-headless-shell, which is installed once.
"""

from __future__ import annotations

import os
import shutil
import sys

from tools import debian, environment

# Chromium without the parts that only windows need: a page takes half the processor time.
SHELL = "chromium-headless-shell"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find(*, with_window: bool = False) -> str | None:
    """The path of Chromium, or None."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    names = NAMES if with_window else (SHELL, *NAMES)
    return next((path for name in names if (path := shutil.which(name))), None)


def main() -> None:
    if not find() and not os.environ.get("CHROMIUM"):
        try:
            debian.install([SHELL], "Chromium", seconds=30)
        except debian.Unavailable as reason:
            print(f"patchbay: {reason}", file=sys.stderr)
    path = find()
    if path is None:
        sys.exit("patchbay: Chromium not found; install it, or set CHROMIUM=/path/to/chrome")
    print(path)


if __name__ == "__main__":
    environment.start(main)
