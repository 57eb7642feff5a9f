from patchbay.api_model import ApiModel
from patchbay.http import endpoint
from patchbay.version import VERSION


class Health(ApiModel):
    status: str
    version: str


@endpoint(public=True)
def handler() -> Health:
    """Get the status and version of the API."""
    return Health(status="ok", version=VERSION)
