"""Throttling by AWS becomes a 429 response, not a 500.

An item accepts about 1,000 writes per second, including refused ones. Only the caller that the row counts can
exceed that rate. By now, the AWS client or `dynamo` has retried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from patchbay import aws
from patchbay.errors import RateLimited
from patchbay.storage import dynamo

THROTTLED_DETAIL = "Too many requests at the same time. Try again in a second."
_CODES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ThrottlingException",
    "TransactionConflictException",
}


def is_throttling(error: Exception) -> bool:
    """Whether AWS refused a call because of its rate."""
    if isinstance(error, dynamo.Throttled):
        return True
    return isinstance(error, aws.ServiceError) and error.code in _CODES


@contextmanager
def throttling_as_429(make_error: Callable[[], RateLimited] | None = None) -> Iterator[None]:
    """Replace a throttling error with the result of `make_error` (default: `throttled`). Others propagate."""
    try:
        yield
    except Exception as error:
        if is_throttling(error):
            raise (make_error or throttled)() from None
        raise


def throttled() -> RateLimited:
    """The error for a row that could not be written, though it may have room."""
    return RateLimited(THROTTLED_DETAIL, headers={"retry-after": "1"})
