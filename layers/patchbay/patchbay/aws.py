"""Calls to AWS: `aws.call("dynamodb", "GetItem", {…})`.

The four services speak JSON over POST, so a call needs no service descriptions. botocore takes at least five
times the CPU for a call, and its clients take a large part of a cold start. It is imported only for
credentials that are not in the environment.
"""

from __future__ import annotations

import json
import os
import random
import time
from functools import cache
from typing import Any, NamedTuple

from patchbay import aws_http, sigv4, tls
from patchbay.version import USER_AGENT

exchange = aws_http.exchange  # one HTTP exchange; tests replace it

_TRIES = 4
# The longest wait before the second try; each further wait is twice as long. An answer may take 2 s, so four
# tries without one still end within the shortest function timeout (10 s).
_FAULT_SECONDS = 0.1
_THROTTLED_SECONDS = 0.5
_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_PASSING = frozenset({"RequestTimeout", "RequestTimeoutException"})


class CallFailed(Exception):
    """AWS did not do what it was asked to do, or it is unknown whether it did."""


class NoAnswer(CallFailed):
    """No connection, no answer in time, or none that can be read. The call may have taken effect."""


class Refused(CallFailed):
    """AWS answered with an error; `response` is its JSON."""

    def __init__(self, code: str, message: str = "", status: int = 400, response: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.response: dict[str, Any] = response or {}

    @property
    def is_throttling(self) -> bool:
        return self.status == 429 or self.code in _THROTTLING

    @property
    def is_passing(self) -> bool:
        return self.is_throttling or self.status >= 500 or self.code in _PASSING


class _Service(NamedTuple):
    target: str
    content_type: str
    endpoint_variable: str


SERVICES = {
    "dynamodb": _Service("DynamoDB_20120810", "application/x-amz-json-1.0", "AWS_ENDPOINT_URL_DYNAMODB"),
    "kms": _Service("TrentService", "application/x-amz-json-1.1", "AWS_ENDPOINT_URL_KMS"),
    "secretsmanager": _Service(
        "secretsmanager", "application/x-amz-json-1.1", "AWS_ENDPOINT_URL_SECRETS_MANAGER"
    ),
    "sqs": _Service("AmazonSQS", "application/x-amz-json-1.0", "AWS_ENDPOINT_URL_SQS"),
}
# Domains by the region's name without its area and number; all others are amazonaws.com.
_DOMAINS = {
    "cn": "amazonaws.com.cn",
    "eu-isoe": "cloud.adc-e.uk",
    "eusc-de": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
}

_encode = json.JSONEncoder(separators=(",", ":")).encode


def call(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """The answer to an operation of one of the `SERVICES`. Binary values are base64 on both sides. Retries
    after throttling, faults and lost answers. Raises Refused, NoAnswer.
    """
    body = _encode(params).encode()
    attempt = 0
    while True:
        attempt += 1
        try:
            return _try(service, operation, body)
        except Refused as error:
            if attempt == _TRIES or not error.is_passing:
                raise
            pause = _THROTTLED_SECONDS if error.is_throttling else _FAULT_SECONDS
        except OSError as error:
            if attempt == _TRIES:
                raise NoAnswer(f"{service}.{operation}: {type(error).__name__}: {error}") from error
            pause = _FAULT_SECONDS
        _pause(pause * 2 ** (attempt - 1))


def preload() -> None:
    """Read the authorities that TLS trusts. Called while a function is imported: Lambda's init phase has the
    full CPU, the first request only the share that its memory buys.
    """
    tls.trust(os.environ.get("AWS_CA_BUNDLE"))


def clear_cache() -> None:
    """For tests: drop connections and credentials."""
    aws_http.close_kept()
    _chain.cache_clear()


def _try(service: str, operation: str, body: bytes) -> dict[str, Any]:
    kind = SERVICES[service]
    region = _region()
    url = os.environ.get(kind.endpoint_variable) or os.environ.get("AWS_ENDPOINT_URL")
    url = url or f"https://{service}.{region}.{_domain(region)}/"
    endpoint = aws_http.endpoint(url)
    headers = {
        "content-type": kind.content_type,
        "host": endpoint.host,
        "x-amz-target": f"{kind.target}.{operation}",
    }
    headers = sigv4.signed(_credentials(), region, service, endpoint.path, headers, body)
    headers |= {"accept-encoding": "identity", "user-agent": USER_AGENT}  # a proxy may change these
    status, answered, content = exchange(url, headers, body)
    response = _object(content) if content else {}
    if status != 200:
        raise _refusal(status, answered, response or {})
    if response is None:
        raise NoAnswer(f"{service}.{operation}: the answer is not a JSON object")
    return response


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refusal(status: int, headers: dict[str, str], response: dict[str, Any]) -> Refused:
    # SQS can name an error in a header, as its old protocol did. A type can have a namespace before it and
    # an address after it.
    code = headers.get("x-amzn-query-error", "").partition(";")[0] or response.get("__type")
    code = str(code or headers.get("x-amzn-errortype") or status).partition(":")[0].rpartition("#")[2]
    return Refused(code, str(response.get("message") or response.get("Message") or ""), status, response)


def _pause(most: float) -> None:
    """Full jitter."""
    time.sleep(random.uniform(0, most))  # noqa: S311  # a jitter is no secret


def _region() -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise CallFailed("set AWS_REGION: the AWS region to call is not known")
    return region


def _domain(region: str) -> str:
    return _DOMAINS.get(region.rsplit("-", 2)[0], "amazonaws.com")


def _credentials() -> sigv4.Credentials:
    """Those in the environment, read again for each call, or those that botocore finds and renews."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return sigv4.Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    from botocore.exceptions import BotoCoreError

    try:
        found = _chain()
        frozen = found and found.get_frozen_credentials()
    except BotoCoreError as error:
        raise CallFailed(f"AWS credentials could not be read: {error}") from error
    if not frozen:
        raise CallFailed("there are no AWS credentials")
    return sigv4.Credentials(frozen.access_key, frozen.secret_key, frozen.token)


@cache
def _chain() -> Any:
    """Credentials of a profile, of a container (Lambda's SnapStart) or of an instance."""
    from botocore.session import get_session

    return get_session().get_credentials()
