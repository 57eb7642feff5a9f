"""The HTTP edge: `@endpoint` makes a Lambda handler of a typed function."""

from patchbay.http.endpoint import Redirect, endpoint
from patchbay.http.request import Request

__all__ = ["Redirect", "Request", "endpoint"]
