"""Writes the automation apps: a part of `make derived`."""

from __future__ import annotations

from tools import generated_files
from tools.apps import derived

if __name__ == "__main__":
    generated_files.write(derived.files())
