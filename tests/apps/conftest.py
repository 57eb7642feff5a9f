"""The automation apps on the local stack, run by the platforms' own packages (Node)."""

from tests.e2e.conftest import running, workspace

__all__ = ["running", "workspace"]
