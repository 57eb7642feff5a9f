from patchbay import reference
from patchbay.http import endpoint
from patchbay.http.file import Page


@endpoint(public=True)
def handler() -> Page:
    """Show the API reference."""
    return reference.page()
