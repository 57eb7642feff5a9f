"""A development token, signed with the key of this state directory: `make token`."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from local.parameters import read
from local.settings import for_make, jwt_secret, running_elsewhere, running_stack

_PLACEHOLDER = re.compile(r"<make token WORKSPACE=(\w+)>")  # see events/README.md
HOURS = 12
ROLES = ("owner", "admin", "member", "viewer")


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


def fill(state: Path, sample: str) -> str:
    """A sample event of events/ with a token that the stack accepts."""
    return _PLACEHOLDER.sub(lambda match: mint(state, match[1]), sample)


def main(state: Path) -> int:
    workspace, role = os.environ.get("WORKSPACE", ""), os.environ.get("ROLE", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", workspace):
        print("error: set WORKSPACE: make token WORKSPACE=acme [SCOPE=… | ROLE=owner]", file=sys.stderr)
        return 2
    if role and role not in ROLES:
        print(f"error: ROLE must be {', '.join(ROLES[:-1])} or {ROLES[-1]}, not {role!r}", file=sys.stderr)
        return 2
    stack = running_stack(state)
    if stack and (jwks := stack["parameters"].get("JwksUrl")):
        print(
            f"error: this stack accepts only tokens of your login, signed with a key in {jwks}",
            file=sys.stderr,
        )
        return 2
    print(
        mint(
            state,
            workspace,
            role=role or None,
            scope=os.environ.get("SCOPE") or None,
            subject=os.environ.get("SUBJECT") or "developer",
        )
    )
    if stack is None:
        print(_not_running(state, workspace), file=sys.stderr)
    return 0


def _not_running(state: Path, workspace: str) -> str:
    lines = [f"warning: no stack is running with STATE_DIR={state}; other stacks reject this token"]
    for other, url in running_elsewhere(state).items():
        lines.append(f"  for {url}: make token WORKSPACE={workspace}{for_make(other)}")
    return "\n".join(lines)
