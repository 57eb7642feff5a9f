"""The request of a request step: what a definition may contain, and how its values are filled in. Pure.

Values never decide which host a request goes to. They cannot add a path segment, a header, or a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from patchbay import compact_json
from patchbay.flows import values
from patchbay.outbound import api_paths, header_fields

MAX_URL_LENGTH = 2048
_MAX_HEADERS = 20
_MAX_HEADER_LENGTH = 1024
_IDEMPOTENCY_KEY = "idempotency-key"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?(?=/)")
_FORM = "application/x-www-form-urlencoded"


class InvalidRequest(ValueError):
    """A request that cannot be sent with these values. The message says why, for people."""


class Encoded(NamedTuple):
    """A request without its origin and its credentials."""

    url: str
    query: str
    headers: dict[str, str]
    body: bytes


def check_url(url: str) -> str:
    """Return the `url` of a step. Raises ValueError unless it is a path, or a whole URL whose origin has no
    values.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"must have at most {MAX_URL_LENGTH} characters")
    path = values.without_values(url)
    if not url.startswith("/"):
        origin = _ORIGIN.match(values.before_values(url))
        if origin is None:
            raise ValueError(
                "must start with / or with https://, a lowercase host, and /. The host cannot contain values"
            )
        path = path[origin.end() :]
    if "?" in path or "#" in path:
        raise ValueError("must not contain ? or #; use `query` for parameters")
    if not api_paths.is_plain_path(path):
        raise ValueError(f"must have a path {api_paths.RULE}")
    return url


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return the `headers` of a step. Raises ValueError for a header that cannot be sent, or that may contain
    credentials: everyone who can read flows sees it.
    """
    if len(headers) > _MAX_HEADERS:
        raise ValueError(f"must have at most {_MAX_HEADERS} headers")
    if len({name.lower() for name in headers}) != len(headers):
        raise ValueError("must not contain the same header twice")
    for name, value in headers.items():
        if not header_fields.is_name(name):
            raise ValueError(f"{name!r} is not a valid header name")
        if header_fields.is_reserved(name) or name.lower() == _IDEMPOTENCY_KEY:
            raise ValueError(f"{name} is set by Patchbay; remove it")
        if header_fields.may_have_credentials(name):
            raise ValueError(
                f"{name} usually carries credentials, which the flow would expose; Patchbay adds the "
                "connection's credentials"
            )
        if not header_fields.is_value(value) or len(value) > _MAX_HEADER_LENGTH:
            raise ValueError(
                f"the value of {name} must be at most {_MAX_HEADER_LENGTH} characters of printable ASCII"
            )
    return headers


def fill(
    step: Mapping[str, Any], content: Mapping[str, Any], max_bytes: int
) -> tuple[dict[str, Any], list[str]]:
    """The request of a step as a run shows it, with its values filled in, and the paths of values that do not
    exist. Raises InvalidRequest, and values.TooLarge.
    """
    try:
        url = values.fill_path(step["url"], content)
    except values.NotInPath as error:
        raise InvalidRequest(f"url: {error}") from None
    parts = {name: step[name] for name in ("query", "headers", "body") if step.get(name) not in (None, {})}
    filled, missing = values.fill(parts, content, max_bytes)
    if "headers" in filled:
        filled["headers"] = {
            name: _header(name, value) for name, value in filled["headers"].items() if value is not None
        }
    return {"method": step["method"], "url": url, **filled}, missing


def encode(request: Mapping[str, Any], key: str) -> Encoded:
    """Encode a request. `key` identifies it, and is the same for all its attempts. Raises InvalidRequest."""
    headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
    content_type, body = _body(request.get("body"), headers.get("content-type"))
    if content_type is not None:
        headers["content-type"] = content_type
    if request["method"] != "GET":
        headers[_IDEMPOTENCY_KEY] = key
        headers["content-length"] = str(len(body))
    query = _form(request.get("query", {}))
    if len(request["url"]) + len(query) > MAX_URL_LENGTH:
        raise InvalidRequest(f"The URL and its query have more than {MAX_URL_LENGTH} characters.")
    return Encoded(request["url"], query, headers, body)


def _header(name: str, value: object) -> str:
    text = _text(value)
    if not header_fields.is_value(text) or len(text) > _MAX_HEADER_LENGTH:
        raise InvalidRequest(
            f"headers.{name}: with its values, it must be at most {_MAX_HEADER_LENGTH} characters of "
            "printable ASCII, without line breaks"
        )
    return text


def _body(body: Any, content_type: str | None) -> tuple[str | None, bytes]:
    if body is None:
        return None, b""
    if isinstance(body, dict) and content_type is not None and content_type.lower().startswith(_FORM):
        return content_type, _form(body).encode()
    if isinstance(body, str):
        return content_type or "text/plain; charset=utf-8", body.encode()
    return content_type or "application/json", compact_json.dumps(body).encode()


def _form(fields: Mapping[str, Any]) -> str:
    """Encode fields as `a=1&b=2`. A list repeats its name for each entry; null is left out."""
    pairs = [
        (name, _text(entry))
        for name, value in fields.items()
        for entry in (value if isinstance(value, list) else [value])
        if entry is not None
    ]
    return urlencode(pairs, quote_via=quote, safe="")


def _text(value: object) -> str:
    return value if isinstance(value, str) else compact_json.dumps(value)
