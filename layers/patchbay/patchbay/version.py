"""The version. A test checks that it equals the one in pyproject.toml."""

VERSION = "0.1.0"
USER_AGENT = f"Patchbay/{VERSION}"
