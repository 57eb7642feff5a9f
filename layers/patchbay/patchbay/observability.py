"""Logs and metrics: Powertools' Logger (JSON lines) and EMF Metrics (a log line, no API call).

A correlation id is the id of the HTTP request that caused it all. It goes along in each queue message, so
that one search finds the publish, the fan-out and every attempt.
"""

from __future__ import annotations

import logging
import zlib
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from patchbay.settings import settings

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import Metrics

logger = Logger(utc=True, use_rfc3339=True, serialize_stacktrace=False)

# At DEBUG these log the bytes that they send and receive: tokens, header values, plaintext data keys. At
# INFO, httpx logs whole addresses, and some providers have tokens there. A function's log level, which Lambda
# sets at the root logger, must not turn that on.
for _name in ("boto3", "botocore", "httpcore", "httpx", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def sampled(correlation_id: str) -> bool:
    """Whether to log the successes of this correlation id. All functions choose the same ids, so you can
    follow a sampled event from its publish to each delivery.
    """
    return zlib.crc32(correlation_id.encode()) % 100 < settings().success_log_percent


@cache
def metrics() -> Metrics:
    """The process's metrics; whoever adds to them calls `flush_metrics` at the end of the invocation."""
    from aws_lambda_powertools.metrics import Metrics

    return Metrics()


def flush_metrics() -> None:
    """Print what was counted, at the end of an invocation; nothing if nothing was."""
    if metrics.cache_info().currsize and metrics().metric_set:
        metrics().flush_metrics()
