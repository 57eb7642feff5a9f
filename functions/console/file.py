from patchbay import console
from patchbay.console import ConsoleFile
from patchbay.http import Request, endpoint


@endpoint(public=True)
def handler(request: Request) -> ConsoleFile:
    """Get a page or a file of the console, or a page of a connect link."""
    return console.file(request.raw_path)
