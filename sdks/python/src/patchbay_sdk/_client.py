"""The clients: `Patchbay` is synchronous, `AsyncPatchbay` is for asyncio."""

from __future__ import annotations

import os

import httpx

from patchbay_sdk._http import AsyncHttp, Http, Settings, default_headers
from patchbay_sdk.resources import AsyncResources, Resources

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)  # API Gateway ends a request after 30 s
_MAX_RETRIES = 2


class Patchbay(Resources):
    """A client for the Patchbay API. It is thread-safe.

    Args:
        api_key: An API key (`sk_…`) or a JWT. Default: the environment variable PATCHBAY_API_KEY.
        base_url: The URL of the deployment. Default: the environment variable PATCHBAY_URL.
        max_retries: The maximum number of retries after temporary errors.
        timeout: The timeout in seconds, or an httpx.Timeout. Default: 30 s, and 5 s to connect.
        http_client: Your own httpx.Client, for proxies or certificates. You close it.

    Each method raises a subclass of `ApiError` for a problem that the API reports, and `ConnectionFailed` if the
    API does not answer.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        max_retries: int = _MAX_RETRIES,
        timeout: float | httpx.Timeout = _TIMEOUT,
        http_client: httpx.Client | None = None,
    ) -> None:
        settings = _settings(api_key, base_url, max_retries)
        self._is_own = http_client is None
        self._client = http_client or httpx.Client(timeout=timeout)
        self._http = Http(settings, self._client)

    def close(self) -> None:
        """Close the connections."""
        if self._is_own:
            self._client.close()

    def __enter__(self) -> Patchbay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncPatchbay(AsyncResources):
    """A client for the Patchbay API for asyncio. It has the arguments and errors of `Patchbay`."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        max_retries: int = _MAX_RETRIES,
        timeout: float | httpx.Timeout = _TIMEOUT,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        settings = _settings(api_key, base_url, max_retries)
        self._is_own = http_client is None
        self._client = http_client or httpx.AsyncClient(timeout=timeout)
        self._http = AsyncHttp(settings, self._client)

    async def close(self) -> None:
        """Close the connections."""
        if self._is_own:
            await self._client.aclose()

    async def __aenter__(self) -> AsyncPatchbay:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _settings(api_key: str | None, base_url: str | None, max_retries: int) -> Settings:
    token = (api_key or os.environ.get("PATCHBAY_API_KEY") or "").strip()
    address = base_url or os.environ.get("PATCHBAY_URL")
    if not token:
        raise ValueError("No API key: pass api_key, or set PATCHBAY_API_KEY.")
    if not token.isascii() or not token.isprintable() or " " in token:
        # Otherwise, the error for the invalid header would show it.
        raise ValueError("The API key has invalid characters. Copy it again.")
    if not address:
        raise ValueError("No URL: pass base_url (the ApiUrl of your deployment), or set PATCHBAY_URL.")
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{address} is not a valid URL: it must start with https:// or, on this machine, http://.")
    return Settings(address.rstrip("/"), default_headers(token), max_retries)
