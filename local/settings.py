"""The paths of the runner, and the constants of the emulated account."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK_NAME = "patchbay"
HOST = "127.0.0.1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
# boto3's variables for the endpoints of services; `*` applies to every service without its own.
ENDPOINT_VARIABLES = {
    "*": "AWS_ENDPOINT_URL",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "events": "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "kms": "AWS_ENDPOINT_URL_KMS",
    "lambda": "AWS_ENDPOINT_URL_LAMBDA",
    "s3": "AWS_ENDPOINT_URL_S3",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "sqs": "AWS_ENDPOINT_URL_SQS",
}
_STACKS = ROOT / ".tools/stacks"  # a file for each running stack of this checkout, named by its runner's ID
JWT_SECRET_NAME = "local/jwt-secret"
# Sample values of the parameters that a deployment must set, for tools and tests that read the template.
REQUIRED_PARAMETERS = {
    "PlatformWorkspaceId": "platform",
    "JwksUrl": "https://platform.example/jwks",
    "JwtIssuer": "https://platform.example",
}


class Problem(Exception):
    """An error that the user can fix. It is shown as one line, without a traceback."""


def state_dir() -> Path:
    """`STATE_DIR`, by default `.patchbay/` next to the template."""
    return Path(os.environ.get("STATE_DIR") or ROOT / ".patchbay").resolve()


def port_of(variable: str, default: str) -> int:
    """The port in this environment variable. Raises `Problem`."""
    port = os.environ.get(variable) or default
    if not port.isdecimal() or int(port) > 65535:
        raise Problem(f"{variable} must be a number from 1 to 65535, not {port!r}")
    return int(port)


def create(state: Path) -> None:
    """Create the state directory if it does not exist. Raises `Problem` if it cannot be used."""
    try:
        state.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise Problem(f"STATE_DIR must be a folder, and {state} is not one: set another STATE_DIR") from None
    except OSError as error:
        raise Problem(f"cannot create STATE_DIR {state} ({error.strerror}): set another one") from None
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        raise Problem(f"cannot write to STATE_DIR {state} (Permission denied): set another one")


def jwt_secret(state: Path) -> str:
    """The HS256 key of this state directory, created on first use. Only its owner can read it."""
    path = state / "jwt-secret"
    create(state)
    if not path.exists():
        fresh = path.with_name(f"jwt-secret.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            os.link(fresh, path)  # unlike a rename, never replaces a key that another process just created
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


def stack_file(state: Path) -> Path:
    """The running stack's description: endpoints, names, process IDs. Absent if no stack is running."""
    return state / "stack.json"


def running_stack(state: Path) -> dict[str, Any] | None:
    """The running stack's description, or None."""
    try:
        stack: dict[str, Any] = json.loads(stack_file(state).read_text())
        os.kill(stack["pids"]["runner"], 0)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError, PermissionError):
        return None
    return stack


@contextlib.contextmanager
def announced(state: Path, url: str) -> Iterator[None]:
    """Let `running_elsewhere` find this process's stack during the block."""
    path = _STACKS / str(os.getpid())
    with contextlib.suppress(OSError):
        _STACKS.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"state": str(state), "url": url}))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def running_elsewhere(state: Path) -> dict[Path, str]:
    """The URLs of the running stacks with another state directory, by that directory."""
    found = {}
    for path in _STACKS.glob("[0-9]*"):
        try:
            stack = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        other = Path(stack["state"])
        described = running_stack(other)
        if described and described["pids"]["runner"] == int(path.name) and other != state:
            found[other] = stack["url"]
    return found


def for_make(state: Path) -> str:
    """The setting that a `make` command needs to use this state directory; empty for the default one."""
    return "" if state == ROOT / ".patchbay" else f" STATE_DIR={shlex.quote(str(state))}"


def client(service: str, endpoints: dict[str, str]) -> Any:
    """A boto3 client for the running services. `endpoints` has the keys of ENDPOINT_VARIABLES."""
    import boto3
    from botocore.config import Config

    return boto3.client(  # type: ignore[call-overload]  # the service is a variable
        service,
        endpoint_url=endpoints.get(service, endpoints["*"]),
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=65),
    )
