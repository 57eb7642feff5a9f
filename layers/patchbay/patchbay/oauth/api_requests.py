"""One request to a provider's API with a connection's token: under the SSRF guard, 10 s in total, without
redirects, and at most 64 KB of the response. The token never appears in a result or an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from patchbay import compact_json, strict_json
from patchbay.activity import log as activity
from patchbay.api_model import MASK
from patchbay.clock import from_ms, now_ms
from patchbay.errors import MalformedJson
from patchbay.oauth import provider_calls
from patchbay.oauth.api_access import ApiAccess, UrlRefused
from patchbay.oauth.token_response import mask
from patchbay.outbound.retry_after import parse_retry_after
from patchbay.settings import settings
from patchbay.version import USER_AGENT
from patchbay.webhooks import echo

if TYPE_CHECKING:
    from patchbay.outbound.single_request import RawResponse

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 5.0
MAX_BODY_BYTES = 64 * 1024
# The most that is kept of a body that is larger or that is not JSON.
MAX_TEXT_LENGTH = 16 * 1024
# Fields of a response that contain tokens, in any spelling: access_token, refreshToken, client-secret.
_TOKEN_FIELDS = frozenset({"accesstoken", "refreshtoken", "idtoken", "clientsecret"})
_TOKEN_IN_TEXT = re.compile(
    r"((?:access|refresh|id)[._ -]?token|client[._ -]?secret)"
    r"(\\*[\"']?\s*[=:>]\s*\\*[\"']?)[^\s\"'\\&,;<>]+",
    re.IGNORECASE,
)


class ApiResponse(NamedTuple):
    """A response. `body` is JSON if the whole body is JSON, or else the beginning of its text; `is_truncated`
    then says whether there was more. A body that repeats an encoded secret is replaced by a mask.
    """

    status: int
    body: Any
    is_truncated: bool
    retry_after_seconds: int | None


class NoApiResponse(Exception):
    """There is no response. `was_sent` says whether the API may have got the request."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_sent = was_sent


def send(access: ApiAccess, method: str, url: str, headers: Mapping[str, str], body: bytes) -> ApiResponse:
    """Send a request to a URL that `ApiLocation.resolve` returned. Its authentication headers replace any
    others with the same names. Raises NoApiResponse, UrlRefused, and ProvidersBusy before anything is sent.
    """
    sent = {"user-agent": USER_AGENT, "accept": "application/json"}
    for extra in (headers, access.headers):
        sent |= {name.lower(): value for name, value in extra.items()}
    with provider_calls.permit(access.call_state), provider_calls.track(access.workspace_id, "requests"):
        # Only the host of the URL, because paths can contain personal data.
        detail = f"{access.name}: {method} {urlsplit(url).netloc}"
        activity.log(access.workspace_id, access.integration_id, "request.sent", access.actor, detail)
        response = asyncio.run(_send(method, url, sent, body))
    asked_wait = next((value for name, value in response.headers if name == b"retry-after"), b"")
    content, is_truncated = _read(response, access.secrets)
    if _repeats(content, access.secrets, is_truncated=is_truncated):
        content, is_truncated = MASK, True
    retry_after = parse_retry_after(asked_wait.decode("latin-1"), from_ms(now_ms()))
    return ApiResponse(response.status, content, is_truncated, retry_after)


async def _send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> RawResponse:
    from patchbay.outbound import single_request
    from patchbay.outbound.dialer import GuardedDialer
    from patchbay.outbound.ssrf_guard import TargetError, check_url
    from patchbay.outbound.transport import FAULTS

    config = settings()
    allow_loopback = config.patchbay_allow_loopback_targets
    was_sent = False
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            target = check_url(url, https_only=config.https_only, allow_loopback=allow_loopback)
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            exchange = single_request.prepare(target, method, raw, body)
            dialer = GuardedDialer(allow_loopback=allow_loopback)
            connection = await dialer.dial(target.scheme, target.host, target.port, CONNECT_SECONDS)
            was_sent = True
            return await single_request.run(exchange, connection, max_bytes=MAX_BODY_BYTES)
    except TimeoutError:
        reason = f"no response within {TOTAL_SECONDS:.0f} s" if was_sent else "the connection timed out"
        raise NoApiResponse(reason, was_sent=was_sent) from None
    except TargetError as refusal:
        raise UrlRefused(str(refusal)) from None
    except FAULTS as fault:
        reason = f"the connection failed ({type(fault).__name__})"
        raise NoApiResponse(reason, was_sent=was_sent) from None


def _read(response: RawResponse, secrets: Sequence[str]) -> tuple[Any, bool]:
    """The JSON or the text of a body, without secrets, and whether it is truncated."""
    if response.is_whole and not response.body:
        return None, False
    if response.is_whole:
        # Not JSON, not UTF-8, NaN, lone surrogates, or too deep.
        with suppress(ValueError, RecursionError, MalformedJson):
            content = compact_json.loads(response.body.decode("utf-8-sig"))
            strict_json.check_depth(content)
            compact_json.size(content)
            return _without_secrets(content, secrets), False
    # Mask before truncating, so that no part of a secret is left.
    text = _without_secrets(response.body.decode("utf-8", "replace").replace("\0", "\ufffd"), secrets)
    return text[:MAX_TEXT_LENGTH], not response.is_whole or len(text) > MAX_TEXT_LENGTH


def _repeats(content: Any, secrets: Sequence[str], *, is_truncated: bool) -> bool:
    """Whether content with masked secrets still contains one that is encoded or truncated."""
    text = content if isinstance(content, str) else compact_json.dumps(content)
    values = {f"secret-{number}": secret for number, secret in enumerate(secrets)}
    return echo.contains_header_value(values, text, truncated=is_truncated)


def _without_secrets(value: Any, secrets: Sequence[str]) -> Any:
    """A response's content without the connection's secrets and without tokens."""
    if isinstance(value, str):
        return mask(_TOKEN_IN_TEXT.sub(rf"\1\2{MASK}", value), secrets)
    if isinstance(value, list):
        return [_without_secrets(inner, secrets) for inner in value]
    if isinstance(value, dict):
        return {
            mask(name, secrets): MASK
            if inner and not isinstance(inner, bool | int | float) and _is_token_field(name)
            else _without_secrets(inner, secrets)
            for name, inner in value.items()
        }
    return value


def _is_token_field(name: str) -> bool:
    return re.sub(r"[._ -]", "", name).lower() in _TOKEN_FIELDS
