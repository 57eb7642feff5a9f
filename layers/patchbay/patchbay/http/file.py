"""Responses that are files: the API's description, the pages of its reference, and what they load."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel

from patchbay.http.response import Response


class File(BaseModel):
    """A file of the deployment. `etag` identifies its bytes; browsers ask again with it after `max_age`."""

    media_type: ClassVar[str]

    content: bytes
    etag: str
    max_age: int = 300
    headers: dict[str, str] = {}


class JsonFile(File):
    """A JSON document."""

    media_type = "application/json"


class Page(File):
    """A page for people."""

    media_type = "text/html"
