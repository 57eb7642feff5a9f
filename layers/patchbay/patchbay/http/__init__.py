"""The HTTP edge: `@endpoint` turns a typed function into a Lambda handler.

- `endpoint`: the pipeline of a request; start here.
- `request`, `arguments`: API Gateway's event as a `Request`, and as the function's arguments.
- `credentials`: who the caller is.
- `response`: results and errors as HTTP responses; the only place that writes problem+json (RFC 9457).
- `routes`, `not_found`: the routes of the template, and the 404 or 405 for requests that match none.
"""

from patchbay.http.endpoint import NoContent, Redirect, endpoint
from patchbay.http.request import Request

__all__ = ["NoContent", "Redirect", "Request", "endpoint"]
