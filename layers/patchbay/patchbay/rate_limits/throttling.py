"""A row that takes no more writes for now answers 429, not 500.

One item takes about 1,000 writes a second, refused ones included; whoever passes that is the
caller whom the row counts. botocore has retried by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from patchbay.errors import RateLimited

BUSY = "Too many requests at the same moment. Try again in a second."
_CODES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",  # its owner is changing the row; botocore does not retry this
}


@contextmanager
def throttling_is_429(answer: Callable[[], RateLimited] | None = None) -> Iterator[None]:
    """Turns DynamoDB's throttling into what `answer` makes, by default `busy`; other errors pass."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _CODES:
            raise (answer or busy)() from None
        raise


def busy() -> RateLimited:
    """The answer when a row could not be written, though it may have room."""
    return RateLimited(BUSY, headers={"retry-after": "1"})
