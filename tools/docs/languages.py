"""Provides the programs that run the documentation's examples: `make need-languages`.

As root on Debian, it installs missing ones.
"""

from __future__ import annotations

import shutil
import sys

from tools import debian

# Each program that the examples need, with the Debian package that contains it.
PACKAGES = {"jq": "jq", "go": "golang-go", "javac": "default-jdk-headless", "ruby": "ruby", "php": "php-cli"}


def main() -> None:
    missing = {name: package for name, package in PACKAGES.items() if not shutil.which(name)}
    if missing:
        try:
            debian.install([*missing.values()], ", ".join(missing), seconds=20 * len(missing))
        except debian.Unavailable as reason:
            sys.exit(f"patchbay: {reason}; the examples of the documentation need it")


if __name__ == "__main__":
    main()
