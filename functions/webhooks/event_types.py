from patchbay.api_model import Listing
from patchbay.catalogue.entries import EventTypeInfo, all_entries
from patchbay.http import Request, endpoint


@endpoint(scope="webhooks:read")
def handler(request: Request) -> Listing[EventTypeInfo]:
    """List the event types, with their descriptions, JSON Schemas and samples."""
    return Listing(items=[entry.to_api() for entry in all_entries()])
