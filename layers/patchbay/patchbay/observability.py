"""Logs and metrics: Powertools' Logger (JSON lines) and Metrics (EMF: a log line, not an API call).

A correlation ID is the ID of the HTTP request that started everything. Every queue message carries it, so one
search finds the publish, the fan-out and every attempt.
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

# At DEBUG, these log the bytes that they send and receive: tokens, header values, plaintext data keys. At
# INFO, httpx logs whole URLs, which contain tokens for some providers. The function's log level, which Lambda
# sets on the root logger, must not turn that on.
for _name in ("boto3", "botocore", "httpcore", "httpx", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def sampled(correlation_id: str) -> bool:
    """Whether to log successes with this correlation ID. All functions sample the same IDs, so you can follow
    a sampled event from its publication to each delivery.
    """
    return zlib.crc32(correlation_id.encode()) % 100 < settings().success_log_percent


@cache
def metrics() -> Metrics:
    """The metrics of this process. After you add to them, call `flush_metrics` when the invocation ends."""
    from aws_lambda_powertools.metrics import Metrics

    return Metrics()


def flush_metrics() -> None:
    """Log the metrics of an invocation, if there are any."""
    if metrics.cache_info().currsize and metrics().metric_set:
        metrics().flush_metrics()
