"""The SDKs, against the local stack."""

from __future__ import annotations

from tests.e2e.conftest import running, workspace

__all__ = ["running", "workspace"]
