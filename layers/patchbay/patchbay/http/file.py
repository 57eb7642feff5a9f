"""Responses that are files: the API's description, its reference pages, and the console."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel

from patchbay.http.request import Request
from patchbay.http.response import Response

_MAX_UNCOMPRESSED = 3 * 1024 * 1024
_GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
_NO_WEIGHT = re.compile(r"q=0(\.0{0,3})?")  # RFC 9110, 12.4.2


class File(BaseModel):
    """A file, compressed with gzip. `etag` identifies its content; a browser asks again after five minutes,
    unless `cache_control` says otherwise. A file that is made for one response has no `etag`.
    """

    media_type: ClassVar[str]
    cache_control: ClassVar[str] = "public, max-age=300"

    gzipped: bytes
    etag: str | None = None
    headers: Mapping[str, str] = {}

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The file with this content, which may be compressed already."""
        import gzip  # only these functions need them
        import hashlib

        gzipped = content if content.startswith(_GZIP) else gzip.compress(content, mtime=0)
        # A weak tag: the compressed and the uncompressed response have the same one.
        return cls(gzipped=gzipped, etag=f'W/"{hashlib.sha256(content).hexdigest()[:16]}"')


class JsonFile(File):
    """A JSON document."""

    media_type = "application/json"


class Html(File):
    """An HTML document."""

    media_type = "text/html"


class Page(Html):
    """A page. It loads nothing from other origins, and no other page can show it in a frame. The reference
    sets styles from its script, which is why they are allowed inline.
    """

    headers: Mapping[str, str] = {
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
        "cache-control": file.cache_control,
        "vary": "accept-encoding",
        **file.headers,
    }
    if file.etag is not None:
        headers["etag"] = file.etag
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
    """The uncompressed file, or the same `gzipped` if the file is too large."""
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
