"""Writes the table of routes that the $default function answers 405 from. `make derived`.

Routes stand in template.yaml; what is written here is derived, and a test fails when it is stale.
"""

from __future__ import annotations

from pathlib import Path

from local import gateway
from local.template import Template

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "layers/patchbay/patchbay/http/routes.py"
_HEADER = '''"""Every route of template.yaml. Made by `make derived`; not edited by hand."""

ROUTES = (
'''


def render() -> str:
    """The module's text."""
    api = gateway.read(
        Template(ROOT / "template.yaml", {"JwtSecretArn": "arn", "PlatformWorkspaceId": "platform"})
    )
    routes = sorted((route.path, route.method) for route in api.routes if route.path)
    return _HEADER + "".join(f'    ("{method}", "{path}"),\n' for path, method in routes) + ")\n"


if __name__ == "__main__":
    TARGET.write_text(render())
