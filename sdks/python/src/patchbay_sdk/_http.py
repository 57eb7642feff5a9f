"""Sends requests: retries, idempotency keys, problems, pages. The two clients share everything but the waiting."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict, TypeVar, overload, runtime_checkable
from urllib.parse import quote

import httpx

from patchbay_sdk import _retry
from patchbay_sdk._errors import ApiError, ConnectionFailed, PatchbayError, error_for
from patchbay_sdk._pages import AsyncPage, LoadedPage, Page
from patchbay_sdk._version import VERSION

if TYPE_CHECKING:
    from patchbay_sdk._model import parse
else:
    from patchbay_sdk._lazy import parse

T = TypeVar("T")


class _Unset(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


# An argument that is not sent; None is sent as null.
Unset = Literal[_Unset.UNSET]
UNSET: Final = _Unset.UNSET


@dataclass(frozen=True)
class Operation:
    """An operation of the API. `idempotent`: it takes an Idempotency-Key."""

    method: str
    path: str
    idempotent: bool = False


@dataclass(frozen=True)
class Settings:
    """How requests are sent. `max_retries` counts the attempts after the first."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    max_retries: int


class _Content(TypedDict):
    """The arguments of httpx for a request."""

    params: dict[str, str]
    headers: dict[str, str]
    json: object


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    content: _Content = field(repr=False)  # its headers have the token
    repeatable: bool


@runtime_checkable
class _Dumpable(Protocol):
    """A pydantic model, whose module is not imported for requests that have none."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_unset: bool) -> dict[str, Any]: ...


class _Failure:
    """A failed attempt: the error, and how long to wait before the next attempt; None if it is the last."""

    def __init__(self, error: PatchbayError, wait: float | None) -> None:
        self.error = error
        self.wait = wait


class Http:
    """Sends the requests of `Patchbay`."""

    def __init__(self, settings: Settings, client: httpx.Client) -> None:
        self._settings = settings
        self._client = client

    @overload
    def request(self, operation: Operation, type: type[T], **arguments: Any) -> T: ...
    @overload
    def request(self, operation: Operation, type: UnionType, **arguments: Any) -> Any: ...
    @overload
    def request(self, operation: Operation, type: None, **arguments: Any) -> None: ...
    def request(self, operation: Operation, type: Any, **arguments: Any) -> Any:
        """The response as the type. Raises ApiError, ConnectionFailed."""
        request = _build(self._settings, operation, **arguments)
        attempt = 1
        while True:
            try:
                response = self._client.request(request.method, request.url, **request.content)
                outcome = _read(request, response, attempt, self._settings.max_retries)
            except httpx.TransportError as error:
                outcome = _lost(request, error, attempt, self._settings.max_retries)
            if not isinstance(outcome, _Failure):
                return parse(type, outcome) if type is not None else None
            if outcome.wait is None:
                raise outcome.error
            time.sleep(outcome.wait)
            attempt += 1

    def page(self, operation: Operation, type: type[T], *, query: Mapping[str, Any], **arguments: Any) -> Page[T]:
        """A page of a list. Raises as `request` does."""
        content = self.request(operation, dict[str, Any], query=query, **arguments)
        return Page(
            [parse(type, item) for item in content["items"]],
            content.get("nextCursor"),
            lambda cursor: self.page(operation, type, query={**query, "cursor": cursor}, **arguments),
        )


class AsyncHttp:
    """Sends the requests of `AsyncPatchbay`."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    @overload
    async def request(self, operation: Operation, type: type[T], **arguments: Any) -> T: ...
    @overload
    async def request(self, operation: Operation, type: UnionType, **arguments: Any) -> Any: ...
    @overload
    async def request(self, operation: Operation, type: None, **arguments: Any) -> None: ...
    async def request(self, operation: Operation, type: Any, **arguments: Any) -> Any:
        """The response as the type. Raises ApiError, ConnectionFailed."""
        request = _build(self._settings, operation, **arguments)
        attempt = 1
        while True:
            try:
                response = await self._client.request(request.method, request.url, **request.content)
                outcome = _read(request, response, attempt, self._settings.max_retries)
            except httpx.TransportError as error:
                outcome = _lost(request, error, attempt, self._settings.max_retries)
            if not isinstance(outcome, _Failure):
                return parse(type, outcome) if type is not None else None
            if outcome.wait is None:
                raise outcome.error
            await asyncio.sleep(outcome.wait)
            attempt += 1

    def page(self, operation: Operation, type: type[T], *, query: Mapping[str, Any], **arguments: Any) -> AsyncPage[T]:
        """A page of a list, which loads when it is awaited or iterated over."""

        async def load(cursor: str | None) -> LoadedPage[T]:
            at = query if cursor is None else {**query, "cursor": cursor}
            content = await self.request(operation, dict[str, Any], query=at, **arguments)
            return LoadedPage([parse(type, item) for item in content["items"]], content.get("nextCursor"))

        return AsyncPage(load)


# ── shared by both ───────────────────────────────────────────────────────────────────────────────────


def _build(
    settings: Settings,
    operation: Operation,
    *,
    path: Mapping[str, str],
    query: Mapping[str, Any],
    body: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    if_match: int | str | None = None,
) -> _Request:
    headers = dict(settings.headers)
    if operation.idempotent:
        headers["idempotency-key"] = idempotency_key or str(uuid.uuid4())
    if if_match is not None:
        headers["if-match"] = f'"{if_match}"' if isinstance(if_match, int) else if_match
    url = operation.path
    for name, value in path.items():
        if not value:
            raise ValueError(f"{name} must not be empty")
        if value in (".", ".."):  # HTTP clients resolve them, which would change the path
            raise ValueError(f"{name} must not be {value!r}")
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return _Request(
        method=operation.method,
        url=settings.base_url + url,
        content={
            "params": {name: _text(value) for name, value in query.items() if value not in (UNSET, None)},
            "headers": headers,
            "json": None if body is None else _json({name: item for name, item in body.items() if item is not UNSET}),
        },
        repeatable=operation.idempotent or operation.method != "POST",
    )


def _read(request: _Request, response: httpx.Response, attempt: int, max_retries: int) -> Any:
    """The content of a successful response, or a _Failure."""
    if response.is_success:
        try:
            return response.json()
        except ValueError:
            return _Failure(_not_patchbay(response), None)
    try:
        content = response.json()
    except ValueError:
        content = None
    error = error_for(response.status_code, response.headers, content)
    if attempt > max_retries or not _retry.is_retryable(error.status, response.headers, repeatable=request.repeatable):
        return _Failure(error, None)
    return _Failure(error, _retry.delay(attempt, response.headers, time.time()))


def _lost(request: _Request, error: httpx.TransportError, attempt: int, max_retries: int) -> _Failure:
    """The failure of a request without a response. It is retried if a repeat has no effect, or if it was never sent."""
    failure = ConnectionFailed(f"No response from {request.url}: {str(error) or type(error).__name__}")
    failure.__cause__ = error
    repeat = request.repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    if attempt > max_retries or not repeat or isinstance(error, httpx.UnsupportedProtocol):
        return _Failure(failure, None)
    return _Failure(failure, _retry.delay(attempt, {}, time.time()))


def _not_patchbay(response: httpx.Response) -> ApiError:
    return error_for(
        response.status_code,
        response.headers,
        {
            "title": "Unexpected response",
            "detail": "The response is not JSON. Is base_url the address of Patchbay?",
        },
    )


def _text(value: object) -> str:
    """A query parameter's value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(_text(item) for item in value)
    return str(value)


def _json(value: object) -> Any:
    """A value of a body as JSON."""
    if isinstance(value, _Dumpable):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(item) for item in value]
    return value


def _timestamp(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: use datetime.now(timezone.utc), or .astimezone()")
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def default_headers(token: str) -> dict[str, str]:
    """The headers of every request. The token is an API key or a JWT."""
    return {"authorization": f"Bearer {token}", "user-agent": f"patchbay-sdk-python/{VERSION}"}
