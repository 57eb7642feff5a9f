from patchbay import reference
from patchbay.http import Request, endpoint
from patchbay.http.file import JsonFile


@endpoint(public=True)
def handler(request: Request) -> JsonFile:
    """Get the OpenAPI document of the API. Its server is this deployment."""
    return reference.document(request.origin)
