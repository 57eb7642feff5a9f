from typing import Any

from patchbay import aws
from patchbay.oauth import token_endpoint
from patchbay.oauth.maintenance import run_due
from patchbay.observability import worker

aws.preload()
token_endpoint.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Refresh tokens before they expire, finish removals, and clean up after deleted integrations."""
    return run_due(context.get_remaining_time_in_millis)._asdict()
