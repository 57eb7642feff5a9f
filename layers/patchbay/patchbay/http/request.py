"""An HTTP request, parsed from API Gateway's payload 2.0."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from patchbay import strict_json
from patchbay.auth.principal import Principal
from patchbay.errors import MalformedJson, PayloadTooLarge, PreconditionFailed, ValidationFailed
from patchbay.idempotency import Once
from patchbay.rate_limits.sliding_window import QuotaStatus

Event = Mapping[str, Any]  # API Gateway's payload 2.0

MAX_BODY_BYTES = 1024 * 1024
_EMPTY_BODIES = (b"", b"{}", b"[]", b"null", b'""')
_VERSION = re.compile(r'(?P<quote>"?)(?P<version>[0-9]{1,15})(?P=quote)')


@dataclass
class Request:
    """The request, for a handler that needs more than its typed arguments."""

    route: str
    method: str
    raw_path: str
    origin: str
    request_id: str
    source_ip: str | None
    # Not in the repr: headers have credentials, and a query may have an OAuth code or misplaced credentials.
    headers: Mapping[str, str] = field(repr=False)
    path: Mapping[str, str]
    query: Mapping[str, str] = field(repr=False)
    raw_query: str = field(repr=False)
    raw_body: bytes = field(repr=False)
    caller: Principal | None = None
    once: Once | None = None
    # The quotas that the request used besides those of its API key, by their names in the rate-limit headers.
    used_quotas: dict[str, QuotaStatus] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: Event) -> Request:
        """Header names are in lowercase. Credentials in the query string are never used: only the endpoint's
        query model reads it. Raises PayloadTooLarge, MalformedJson.
        """
        context = event["requestContext"]
        return cls(
            route=event["routeKey"],
            method=context["http"]["method"],
            raw_path=path_of(event),
            origin=origin_of(event),
            request_id=context["requestId"],
            source_ip=context["http"].get("sourceIp"),
            headers=event.get("headers", {}),
            path=event.get("pathParameters", {}),
            query=event.get("queryStringParameters", {}),
            raw_query=event.get("rawQueryString", ""),
            raw_body=_body(event),
        )

    @property
    def principal(self) -> Principal:
        """The caller. Raises LookupError in a public endpoint."""
        if self.caller is None:
            raise LookupError("a public endpoint has no principal")
        return self.caller

    @property
    def if_match(self) -> int | None:
        """The version in `If-Match`: the `ETag` of a response (`"3"`), or the version itself (`3`). None if
        there is no such header, and for `*`, which matches every version.

        Raises ValidationFailed, and PreconditionFailed for a weak tag: the comparison is strong, so it never
        matches (RFC 9110, 13.1.1).
        """
        text = self.headers.get("if-match", "*").strip()
        if text == "*":
            return None
        if text.startswith("W/"):
            raise PreconditionFailed(
                "If-Match contains a weak entity tag, which never matches (RFC 9110). Send the version in "
                "quotes, without W/."
            )
        match = _VERSION.fullmatch(text)
        if match is None:
            raise ValidationFailed.for_field(
                "If-Match", 'must be the version of the resource in quotes, such as "3", or *'
            )
        return int(match["version"])

    @property
    def has_empty_body(self) -> bool:
        """Whether the body is empty, or is an empty value such as `{}`, which some clients always send."""
        return b"".join(self.raw_body[:100].split()) in _EMPTY_BODIES and len(self.raw_body) <= 100

    def json(self, *, optional: bool = False, per_item: str | None = None) -> Any:
        """The parsed body; `{}` for an empty body if it is `optional`. Raises MalformedJson, except for an
        error in an item of the list `per_item`: the error then replaces that item.
        """
        if not self.raw_body:
            if optional:
                return {}
            raise MalformedJson("The request body is empty. Send a JSON object.")
        if per_item is not None:
            return strict_json.loads_each(self.raw_body, per_item)
        return strict_json.loads(self.raw_body)


def path_of(event: Event) -> str:
    """The decoded path. No response can hold its lone surrogates, so they are replaced."""
    path: str = event["rawPath"]
    return path.encode(errors="replace").decode()


def origin_of(event: Event) -> str:
    """The origin that serves the API, such as https://api.example.com. API Gateway has only https; the local
    stack has only http.
    """
    is_http = event.get("headers", {}).get("x-forwarded-proto") == "http"
    return f"{'http' if is_http else 'https'}://{event['requestContext']['domainName']}"


def _body(event: Event) -> bytes:
    body: str = event.get("body") or ""
    try:
        raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8")
    except ValueError:
        raise MalformedJson("The request body is not valid base64 or UTF-8.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"The request body has {len(raw)} bytes; the maximum is {MAX_BODY_BYTES}.")
    return raw
