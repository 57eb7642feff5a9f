"""Logs (Powertools' Logger, JSON lines), and what every invocation does about logs and metrics.

A correlation ID is the ID of the HTTP request that started everything, or the caller's trace ID if the
request has a valid `traceparent`. Every queue message and every waiting delivery keeps it, so one search
finds the publish, the fan-out and every attempt.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar

from aws_lambda_powertools import Logger

from patchbay import metrics
from patchbay.settings import settings

Event = TypeVar("Event")
Result = TypeVar("Result")

logger = Logger(utc=True, use_rfc3339=True, serialize_stacktrace=False)

# At DEBUG, these log the bytes that they send and receive: tokens, header values, plaintext data keys. At
# INFO, httpx logs whole URLs, which contain tokens for some providers. The function's log level, which Lambda
# sets on the root logger, must not turn that on.
for _name in ("boto3", "botocore", "httpcore", "httpx", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# https://www.w3.org/TR/trace-context/#traceparent-header: a later version may append fields.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def correlation_id(headers: Mapping[str, str], request_id: str) -> str:
    """The trace ID of a request with a valid `traceparent`, or else the ID that API Gateway gave it. Nothing
    else of the header is used, so a caller can put only 32 hexadecimal digits into the logs.
    """
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if match is None or (match[0].startswith("00") and match[2]):
        return request_id
    return match[1]


def sampled(correlation_id: str) -> bool:
    """Whether to log successes with this correlation ID. All functions sample the same IDs, so you can follow
    a sampled event from its publication to each delivery.
    """
    return zlib.crc32(correlation_id.encode()) % 100 < settings().success_log_percent


def worker(handler: Callable[[Event, object], Result]) -> Callable[[Event, object], Result]:
    """Decorate a handler without a route: its log lines start without the correlation ID of the previous
    invocation, and its metrics are printed even if it fails.
    """

    @wraps(handler)
    def observed(event: Event, context: object) -> Result:
        logger.set_correlation_id(None)
        try:
            return handler(event, context)
        finally:
            metrics.flush()

    return observed
