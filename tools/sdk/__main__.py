"""Writes the generated modules of the SDKs: a part of `make derived`."""

from __future__ import annotations

from tools import generated_files
from tools.sdk import python, typescript

if __name__ == "__main__":
    generated_files.write(python.files() | typescript.files())
