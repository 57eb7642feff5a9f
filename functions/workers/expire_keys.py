from typing import Any

from patchbay import aws
from patchbay.api_keys.expire_keys import expire_keys
from patchbay.api_keys.rotate_keys import rotate_keys
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: object, context: Any) -> dict[str, int]:
    """Announce API keys that expire soon, retire those that have expired, and rotate those that are due."""
    remaining = context.get_remaining_time_in_millis
    try:
        expired = expire_keys(remaining)
    finally:  # if AWS failed for some, the others still rotate
        rotated = rotate_keys(remaining)
    return {**expired._asdict(), **rotated._asdict()}
