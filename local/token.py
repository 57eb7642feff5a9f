"""A development token, signed with the key of this state directory: `python -m local token`."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from local.parameters import read
from local.settings import jwt_secret, running_stack

HOURS = 12


def mint(
    state: Path,
    workspace: str,
    *,
    role: str | None = None,
    scope: str | None = None,
    subject: str = "developer",
    hours: float = HOURS,
) -> str:
    """A JWT (HS256) as the platform would issue it. `scope`, if given, replaces the role."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    stack = running_stack(state)
    parameters = stack["parameters"] if stack else read()
    now = int(time.time())
    claims = {
        "iss": parameters.get("JwtIssuer", ""),
        "aud": parameters.get("JwtAudience", ""),
        "sub": subject,
        parameters.get("JwtWorkspaceClaim", "workspace_id"): workspace,
        "iat": now,
        "exp": now + int(hours * 3600),
    }
    if scope is not None:
        claims[parameters.get("JwtScopeClaim", "scope")] = scope
    else:
        claims[parameters.get("JwtRoleClaim", "role")] = role or "owner"
    key = OctKey.import_key(jwt_secret(state))
    return str(jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, key))


def main(state: Path) -> int:
    workspace = os.environ.get("WORKSPACE", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", workspace):
        print("error: set WORKSPACE: make token WORKSPACE=acme [SCOPE=… | ROLE=owner]", file=sys.stderr)
        return 2
    print(
        mint(
            state,
            workspace,
            role=os.environ.get("ROLE") or None,
            scope=os.environ.get("SCOPE") or None,
            subject=os.environ.get("SUBJECT") or "developer",
        )
    )
    return 0
