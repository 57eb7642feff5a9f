from patchbay import reference
from patchbay.http import endpoint
from patchbay.http.file import Page


@endpoint(public=True)
def handler() -> Page:
    """Show the reference of the API, for people."""
    return reference.page()
