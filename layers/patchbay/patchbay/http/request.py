"""An HTTP request, read from API Gateway's payload 2.0."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from patchbay import strict_json
from patchbay.auth.principal import Principal
from patchbay.errors import MalformedJson, PayloadTooLarge, ValidationFailed
from patchbay.idempotency import Once

MAX_BODY_BYTES = 1024 * 1024


@dataclass
class Request:
    """What a handler may look at besides its typed arguments."""

    route: str
    method: str
    raw_path: str
    request_id: str
    source_ip: str | None
    # Credentials come in the headers, and in the query by mistake or as an OAuth code.
    headers: Mapping[str, str] = field(repr=False)
    path: Mapping[str, str]
    query: Mapping[str, str] = field(repr=False)
    raw_body: bytes = field(repr=False)
    caller: Principal | None = None
    once: Once | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """Header names come in lower case. A query string never carries credentials: it is only read
        through the endpoint's query model. Raises PayloadTooLarge, MalformedJson.
        """
        context = event["requestContext"]
        return cls(
            route=event["routeKey"],
            method=context["http"]["method"],
            raw_path=event["rawPath"],
            request_id=context["requestId"],
            source_ip=context["http"].get("sourceIp"),
            headers=event.get("headers", {}),
            path=event.get("pathParameters", {}),
            query=event.get("queryStringParameters", {}),
            raw_body=_body(event),
        )

    @property
    def principal(self) -> Principal:
        """Who is calling. Public endpoints have none."""
        if self.caller is None:
            raise LookupError("a public endpoint has no principal")
        return self.caller

    @property
    def if_match(self) -> int | None:
        """The version that `If-Match` names, with or without quotes. Raises ValidationFailed."""
        text = self.headers.get("if-match")
        if text is None:
            return None
        text = text.strip().strip('"')
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise ValidationFailed.of("If-Match", "must be a version, a whole number")
        return int(text)

    def json(self, *, optional: bool = False, each: str | None = None) -> Any:
        """The body's value; `{}` for an empty body if it is `optional`. Raises MalformedJson, except for a
        fault in an item of the list `each`: the error takes that item's place, and the others stay.
        """
        if not self.raw_body:
            if optional:
                return {}
            raise MalformedJson("The body is empty; this route takes a JSON object.")
        if each is not None:
            return strict_json.loads_each(self.raw_body, each)
        return strict_json.loads(self.raw_body)


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    try:
        raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8")
    except ValueError:
        raise MalformedJson("The body cannot be decoded.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"The body has {len(raw)} bytes; {MAX_BODY_BYTES} are the most.")
    return raw
