"""Writes the automation apps: `python -m tools.apps`."""

from __future__ import annotations

from tools.apps import derived

if __name__ == "__main__":
    derived.write()
