"""A row, or a service, that takes no more for now answers 429, not 500.

One item takes about 1,000 writes a second, refused ones included; whoever passes that is the
caller whom the row counts. By then the client, or `dynamo`, has tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from patchbay import aws
from patchbay.errors import RateLimited
from patchbay.storage import dynamo

BUSY = "Too many requests at the same moment. Try again in a second."
_CODES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ThrottlingException",
    "TransactionConflictException",
}


def is_throttling(error: Exception) -> bool:
    """Whether it is AWS's way to say: not now."""
    if isinstance(error, dynamo.Throttled):
        return True
    return isinstance(error, aws.ServiceError) and error.code in _CODES


@contextmanager
def throttling_is_429(answer: Callable[[], RateLimited] | None = None) -> Iterator[None]:
    """Turns throttling into what `answer` makes, by default `busy`; other errors pass."""
    try:
        yield
    except Exception as error:
        if is_throttling(error):
            raise (answer or busy)() from None
        raise


def busy() -> RateLimited:
    """The answer when a row could not be written, though it may have room."""
    return RateLimited(BUSY, headers={"retry-after": "1"})
