"""Calls to AWS: `aws.call("dynamodb", "GetItem", {…})`.

The four services use JSON over POST, so a call needs no service model. botocore takes at least five times the
CPU per call, and its clients take a large part of a cold start. It is imported only if the environment has no
credentials.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

from patchbay import aws_http, metrics, sigv4, tls
from patchbay.version import USER_AGENT

JsonObject = dict[str, Any]

exchange = aws_http.exchange  # one HTTP exchange; tests replace it

_MAX_ATTEMPTS = 4
# The maximum wait before the second attempt. Each later wait is twice as long. A response may take 2 s, so
# four attempts without a response still end within the shortest function timeout (10 s).
_FAULT_SECONDS = 0.1
_THROTTLED_SECONDS = 0.5
# Random numbers from the system: processes restored by SnapStart share the state of the module's generator.
_random = random.SystemRandom()
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
_TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException"})
# These codes mean that a row has changed, which is a result and not a failure.
_CONDITIONS = frozenset(
    {"ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException"}
)
_expected: ContextVar[frozenset[str]] = ContextVar("expected", default=frozenset())


class CallFailed(Exception):
    """The call failed, or it is unknown whether it succeeded."""


class NoResponse(CallFailed):
    """No connection, or no readable response in time. The call may have taken effect."""


class ServiceError(CallFailed):
    """AWS returned an error. `response` is its JSON body."""

    def __init__(
        self, code: str, message: str = "", status: int = 400, response: JsonObject | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.response = response or {}

    @property
    def is_throttling(self) -> bool:
        return self.status == 429 or self.code in _THROTTLING

    @property
    def is_transient(self) -> bool:
        return self.is_throttling or self.status >= 500 or self.code in _TRANSIENT


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
# Domains by the prefix of the region's name. All others are amazonaws.com.
_DOMAINS = {
    "cn": "amazonaws.com.cn",
    "eu-isoe": "cloud.adc-e.uk",
    "eusc-de": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
}

_encode = json.JSONEncoder(separators=(",", ":")).encode


def call(service: str, operation: str, params: Mapping[str, object]) -> JsonObject:
    """Call an operation of one of the `SERVICES`. Binary values are base64 in both directions. Retries after
    throttling, server errors, and lost responses. Raises ServiceError, NoResponse. S3 does not use JSON, and
    only tasks and their links need it, so botocore calls it, with native parameters and results.
    """
    try:
        return _call(service, operation, params)
    except CallFailed as error:
        if not (isinstance(error, ServiceError) and error.code in _CONDITIONS | _expected.get()):
            metrics.add(metrics.AWS_CALLS_FAILED, by=service)
        raise


@contextmanager
def expecting(*codes: str) -> Iterator[None]:
    """Do not count errors with these codes as failed calls: the caller handles them as results."""
    token = _expected.set(frozenset(codes))
    try:
        yield
    finally:
        _expected.reset(token)


def _call(service: str, operation: str, params: Mapping[str, object]) -> JsonObject:
    if service == "s3":
        return _call_s3(operation, params)
    body = _encode(params).encode()
    attempt = 0
    while True:
        attempt += 1
        try:
            return _attempt(service, operation, body)
        except ServiceError as error:
            if attempt == _MAX_ATTEMPTS or not error.is_transient:
                raise
            pause = _THROTTLED_SECONDS if error.is_throttling else _FAULT_SECONDS
        except OSError as error:
            if attempt == _MAX_ATTEMPTS:
                raise NoResponse(f"{service}.{operation}: {type(error).__name__}: {error}") from error
            pause = _FAULT_SECONDS
        _pause(pause * 2 ** (attempt - 1))


def s3_client() -> Any:
    """A botocore client. Importing botocore takes half a second."""
    return _s3_client(_region(), os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))


def preload() -> None:
    """Load the certificate authorities that TLS trusts. Called at import, because Lambda's init phase has the
    full CPU, but a request has only the share that its memory size gives it.
    """
    tls.client_context(os.environ.get("AWS_CA_BUNDLE"))


def clear_cache() -> None:
    """For tests: close the connections and drop the credentials."""
    aws_http.close_idle_connections()
    _credential_provider.cache_clear()
    _s3_client.cache_clear()


def _call_s3(operation: str, params: Mapping[str, object]) -> JsonObject:
    from botocore.exceptions import BotoCoreError, ClientError

    client = s3_client()
    try:
        result: JsonObject = client._make_api_call(operation, dict(params))
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        details = error.response.get("Error", {})
        code = str(details.get("Code"))
        raise ServiceError(code, str(details.get("Message", "")), status) from error
    except BotoCoreError as error:
        raise NoResponse(f"s3.{operation}: {type(error).__name__}: {error}") from error
    return result


@cache
def _s3_client(region: str, endpoint: str | None) -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(
        signature_version="s3v4",
        # A custom endpoint has no host names for buckets.
        s3={"addressing_style": "path" if endpoint else "virtual"},
        connect_timeout=2,
        read_timeout=20,
        retries={"mode": "standard", "max_attempts": _MAX_ATTEMPTS},
    )
    return get_session().create_client("s3", region_name=region, endpoint_url=endpoint, config=config)


def _attempt(service: str, operation: str, body: bytes) -> JsonObject:
    protocol = SERVICES[service]
    region = _region()
    url = os.environ.get(protocol.endpoint_variable) or os.environ.get("AWS_ENDPOINT_URL")
    url = url or f"https://{service}.{region}.{_domain(region)}/"
    endpoint = aws_http.parse_endpoint(url)
    headers = {
        "content-type": protocol.content_type,
        "host": endpoint.host,
        "x-amz-target": f"{protocol.target}.{operation}",
    }
    headers = sigv4.sign(_credentials(), region, service, endpoint.path, headers, body)
    headers |= {"accept-encoding": "identity", "user-agent": USER_AGENT}  # a proxy may change these
    status, response_headers, content = exchange(url, headers, body)
    response = _parse_object(content) if content else {}
    if status != 200:
        raise _service_error(status, response_headers, response or {})
    if response is None:
        raise NoResponse(f"{service}.{operation}: the response is not a JSON object")
    return response


def _parse_object(content: bytes) -> JsonObject | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _service_error(status: int, headers: dict[str, str], response: JsonObject) -> ServiceError:
    # SQS may put the code in a header, like its old protocol. A type may have a namespace before it and a URL
    # after it.
    code = headers.get("x-amzn-query-error", "").partition(";")[0] or response.get("__type")
    code = str(code or headers.get("x-amzn-errortype") or status).partition(":")[0].rpartition("#")[2]
    return ServiceError(code, str(response.get("message") or response.get("Message") or ""), status, response)


def _pause(max_seconds: float) -> None:
    """Sleep with full jitter."""
    time.sleep(_random.uniform(0, max_seconds))


def _region() -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise CallFailed("the AWS region is not set; set AWS_REGION")
    return region


def _domain(region: str) -> str:
    return _DOMAINS.get(region.rsplit("-", 2)[0], "amazonaws.com")


def _credentials() -> sigv4.Credentials:
    """The credentials in the environment, read for each call, or those that botocore finds and refreshes."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return sigv4.Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    from botocore.exceptions import BotoCoreError

    try:
        credentials = _credential_provider()
        frozen = credentials and credentials.get_frozen_credentials()
    except BotoCoreError as error:
        raise CallFailed(f"AWS credentials cannot be read: {error}") from error
    if not frozen:
        raise CallFailed("no AWS credentials found")
    return sigv4.Credentials(frozen.access_key, frozen.secret_key, frozen.token)


@cache
def _credential_provider() -> Any:
    """The credentials of a profile, of a container (AWS Lambda SnapStart), or of an instance."""
    from botocore.session import get_session

    return get_session().get_credentials()
