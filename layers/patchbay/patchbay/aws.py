"""AWS clients: one session, made at first use, with bounded timeouts and retries.

No client is made at import: a function pays for those it uses, and a SnapStart snapshot holds none.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, overload

from patchbay.version import USER_AGENT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# One call may take 2 s and is tried 4 times with jitter: within the shortest function timeout (10 s).
_CONNECT_TIMEOUT = 1
_READ_TIMEOUT = 2
_ATTEMPTS = 4
# A delivery batch claims and records its 10 messages at once.
_CONNECTIONS = 20

# boto3 sessions are not thread-safe while they make a client.
_lock = Lock()


@cache
def _session() -> Any:
    import boto3

    return boto3.session.Session()


@cache
def _make(service: str) -> Any:
    from botocore.config import Config

    return _session().client(
        service,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            parameter_validation=False,
            # Botocore would otherwise put one together twice a call, a fifth of what a call costs it.
            user_agent=USER_AGENT,
        ),
    )


def preload() -> None:
    """Import boto3 now. Called while a function is imported: Lambda's init phase has the full CPU, the first
    request only the share that its memory buys.
    """
    for module in ("boto3", "botocore.config"):
        import_module(module)


@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["kms"]) -> KMSClient: ...
@overload
def client(service: Literal["secretsmanager"]) -> SecretsManagerClient: ...
def client(service: str) -> Any:
    """The process's client of that service."""
    with _lock:
        return _make(service)


def forget_clients() -> None:
    """For tests that change the backend."""
    _make.cache_clear()
    _session.cache_clear()
