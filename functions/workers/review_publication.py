from typing import Any

from patchbay import aws
from patchbay.integrations import reviews
from patchbay.integrations.models import ReviewPublication
from patchbay.observability import worker
from patchbay.settings import reject_encryption_key

reject_encryption_key()
aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> reviews.ReviewQueue | reviews.ReviewResult:
    """List the integrations that wait for review, or decide on one. Invoked by the platform's operators."""
    return reviews.review(ReviewPublication.model_validate(event, by_alias=True, by_name=False))
