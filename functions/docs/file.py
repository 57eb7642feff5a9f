from patchbay import reference
from patchbay.http import endpoint
from patchbay.http.file import Page, Script, Stylesheet
from patchbay.reference import ReferenceFile


@endpoint(public=True)
def handler(file: ReferenceFile) -> Page | Script | Stylesheet:
    """Show the page of errors, or get a file of the reference."""
    return reference.file(file)
