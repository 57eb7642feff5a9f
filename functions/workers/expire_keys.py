from typing import Any

from patchbay import aws
from patchbay.api_keys.expire_keys import expire_keys
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: object, context: Any) -> dict[str, int]:
    """Announce API keys that expire soon, and retire those that have expired."""
    return expire_keys(context.get_remaining_time_in_millis)._asdict()
