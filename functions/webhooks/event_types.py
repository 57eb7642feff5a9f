from patchbay.api_model import Listing
from patchbay.catalogue.entries import EventTypeInfo, all_entries
from patchbay.http import Request, endpoint


@endpoint(scope="webhooks:read")
def handler(request: Request) -> Listing[EventTypeInfo]:
    """Every event type: what it means, the JSON Schema of its data, and a sample."""
    return Listing(items=[entry.info() for entry in all_entries()])
