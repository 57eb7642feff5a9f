from patchbay.api_model import ApiModel
from patchbay.http import endpoint
from patchbay.version import VERSION


class Health(ApiModel):
    status: str
    version: str


@endpoint(public=True)
def handler() -> Health:
    """Report that the API is up, and its version."""
    return Health(status="ok", version=VERSION)
