from patchbay import reference
from patchbay.http import endpoint
from patchbay.http.file import Page, Script, Stylesheet
from patchbay.reference import ReferenceFile


@endpoint(public=True)
def handler(file: ReferenceFile) -> Page | Script | Stylesheet:
    """Get the error page, or a file of the API reference."""
    return reference.file(file)
