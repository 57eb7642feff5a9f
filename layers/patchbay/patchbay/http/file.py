"""Responses that are files, which browsers keep: the API's description and its reference pages."""

from __future__ import annotations

import base64
import re
from typing import ClassVar

from pydantic import BaseModel

from patchbay.http.request import Request
from patchbay.http.response import Response

_MAX_AGE_SECONDS = 300
_MAX_UNCOMPRESSED = 3 * 1024 * 1024
_NO_WEIGHT = re.compile(r"q=0(\.0{0,3})?")  # RFC 9110, 12.4.2


class File(BaseModel):
    """A file, compressed with gzip. `etag` identifies its content; a browser asks again after five
    minutes.
    """

    media_type: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {}

    gzipped: bytes
    etag: str


class JsonFile(File):
    """A JSON document."""

    media_type = "application/json"


class Page(File):
    """A page. It loads nothing from other origins, and no other page can show it in a frame. The reference
    sets styles from its script, which is why they are allowed inline.
    """

    media_type = "text/html"
    headers: ClassVar[dict[str, str]] = {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "referrer-policy": "no-referrer",
    }


class Script(File):
    """A script of a page."""

    media_type = "text/javascript"


class Stylesheet(File):
    """The styles of a page."""

    media_type = "text/css"


def file_response(file: File, request: Request) -> Response:
    """A file; 304 if the client has it (RFC 9110, 13.1.2). API Gateway's HTTP APIs compress nothing.

    A client that does not accept gzip gets the file uncompressed if that fits into a response of Lambda (6
    MB, with a third more for base64). Otherwise it gets gzip, as every browser accepts.
    """
    headers = {
        "cache-control": f"public, max-age={_MAX_AGE_SECONDS}",
        "etag": file.etag,
        "vary": "accept-encoding",
        **file.headers,
    }
    tags = request.headers.get("if-none-match", "").split(",")
    if {_opaque(tag) for tag in tags} & {_opaque(file.etag), "*"}:
        return {"statusCode": 304, "headers": headers, "body": "", "isBase64Encoded": False}
    content = file.gzipped
    if not _accepts_gzip(request.headers.get("accept-encoding", "")):
        content = _uncompressed(content)
    if content is file.gzipped:
        headers["content-encoding"] = "gzip"
    headers["content-type"] = f"{file.media_type}; charset=utf-8"
    body = base64.b64encode(content).decode()
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}


def _opaque(etag: str) -> str:
    """The part of an ETag that a weak comparison compares (RFC 9110, 8.8.3.2)."""
    return etag.strip().removeprefix("W/")


def _uncompressed(gzipped: bytes) -> bytes:
    """The file, or the same `gzipped` if it is too large."""
    import gzip  # only these functions need it

    if int.from_bytes(gzipped[-4:], "little") > _MAX_UNCOMPRESSED:  # RFC 1952, 2.3.1: ISIZE
        return gzipped
    return gzip.decompress(gzipped)


def _accepts_gzip(header: str) -> bool:
    """Whether `Accept-Encoding` accepts gzip, by its name or else by `*`, with a weight that is not 0."""
    weights = {}
    for item in header.lower().split(","):
        coding, _, weight = item.replace(" ", "").partition(";")
        weights[coding] = weight
    accepted = weights.get("gzip", weights.get("*"))
    return accepted is not None and not _NO_WEIGHT.fullmatch(accepted)
