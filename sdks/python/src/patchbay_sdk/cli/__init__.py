"""The command `patchbay`. It needs the extra: `pip install patchbay-sdk[cli]`."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point."""
    try:
        from patchbay_sdk.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "tomli"):
            raise
        sys.exit(f"The command line needs {error.name}. Install it: pip install 'patchbay-sdk[cli]'")
    run()
