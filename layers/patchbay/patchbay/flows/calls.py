"""Sends the request of a request step, and decides what its response means for the run.

A request is sent at least once: if the worker dies before it records the response, the request is sent again.
Every attempt has the same Idempotency-Key. Otherwise, later turns of the run retry it a few times, and only
after a temporary failure. A request that a provider may have processed without responding is retried only if
its method is idempotent (RFC 9110, 9.2.2).
"""

from __future__ import annotations

import random
from typing import Any

from patchbay import compact_json
from patchbay.api_model import to_label
from patchbay.errors import (
    Conflict,
    ConnectionExpired,
    IntegrationInactive,
    NotFound,
    Problem,
    RateLimited,
    UpstreamFailed,
)
from patchbay.flows import requests
from patchbay.flows.steps import StepFailed
from patchbay.flows.stored import Step, StepResult, StoredRun
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import api_access, api_requests
from patchbay.oauth.api_access import ApiAccess
from patchbay.oauth.api_requests import ApiResponse, NoApiResponse
from patchbay.oauth.provider_calls import ProvidersBusy

MAX_TRIES = 5
_FIRST_WAIT_SECONDS = 5
_WAIT_FACTOR = 4
_LONGEST_WAIT_SECONDS = 3600
_UNAUTHORIZED = 401
# 429: too many requests; the others come from servers that are overloaded or restarting.
_PASSING = frozenset({429, 502, 503, 504})
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_MAX_EXCERPT = 300
_random = random.SystemRandom()


class TryAgain(Exception):
    """A request must be sent again in `seconds`. `tries` is the number of failed attempts so far; `refused`
    is the version of a token that the provider refused.
    """

    def __init__(
        self, code: str, detail: str, seconds: float, *, tries: int, refused: int | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.seconds = seconds
        self.tries = tries
        self.refused = refused


def perform(run: StoredRun, step: Step, given: dict[str, Any], waited: StepResult | None) -> dict[str, Any]:
    """Send a step's request. Returns its output. `waited` is the result of its previous attempt, if any.
    Raises StepFailed, TryAgain.
    """
    tries = 0 if waited is None else waited.get("tries", 0)
    refused = None if waited is None else waited.get("refused")
    try:
        encoded = requests.encode(given, f"{run.id}-{step['id']}")
        access = _open(run, step, tries, refused)
        url = access.location.resolve(encoded.url)
    except (requests.InvalidRequest, api_access.UrlRefused) as invalid:
        raise StepFailed("invalid_input", str(invalid), given) from None
    method: str = given["method"]
    if encoded.query:
        url = f"{url}?{encoded.query}"
    try:
        response = api_requests.send(access, method, url, encoded.headers, encoded.body)
    except api_access.UrlRefused as refusal:
        raise StepFailed("invalid_input", str(refusal), given) from None
    except ProvidersBusy as busy:
        raise _again("providers_busy", busy.detail, tries, _asked_wait(busy)) from None
    except NoApiResponse as failure:
        if failure.was_sent and method not in _REPEATABLE:
            detail = (
                f"{failure.reason}. The provider may have processed the request, so Patchbay does not retry "
                "it."
            )
            raise StepFailed("no_response", detail, given) from None
        raise _try_again("no_response", failure.reason, tries + 1, None, given) from None
    return _output(response, access, given, tries, refused)


def _open(run: StoredRun, step: Step, tries: int, refused: int | None) -> ApiAccess:
    try:
        return api_access.open_access(
            run.workspace_id,
            IntegrationId(step["integrationId"]),
            ConnectionRef(step["connectionId"]),
            run.flow_id,
            refused=refused,
        )
    except NotFound as problem:
        raise StepFailed("connection_deleted", problem.detail) from None
    except ConnectionExpired as problem:
        raise StepFailed("connection_expired", problem.detail) from None
    except (IntegrationInactive, Conflict) as problem:
        raise StepFailed("integration_inactive", problem.detail) from None
    except api_access.ApiUnknown as unknown:
        raise StepFailed("api_unknown", str(unknown)) from None
    except RateLimited as problem:
        # This is the integration's own limit, so it does not count as an attempt.
        raise _again("rate_limited", problem.detail, tries, _asked_wait(problem)) from None
    except ProvidersBusy as problem:
        raise _again("providers_busy", problem.detail, tries, _asked_wait(problem)) from None
    except UpstreamFailed as problem:
        raise _try_again(
            "token_not_refreshed", problem.detail, tries + 1, _asked_wait(problem), None
        ) from None


def _output(
    response: ApiResponse, access: ApiAccess, given: dict[str, Any], tries: int, refused: int | None
) -> dict[str, Any]:
    """The output of a response. Raises StepFailed unless the provider accepted the request, or TryAgain if it
    may accept it later.
    """
    output = {"status": response.status, "body": response.body, "isTruncated": response.is_truncated}
    if 200 <= response.status < 300:
        return output
    detail = _describe(response)
    if response.status in _PASSING:
        raise _try_again("provider_error", detail, tries + 1, response.retry_after_seconds, given, output)
    if response.status == _UNAUTHORIZED and access.can_refresh and refused is None:
        raise TryAgain("provider_error", detail, 0, tries=tries, refused=access.tokens_version)
    raise StepFailed("provider_error", detail, given, output)


def _try_again(
    code: str, detail: str, tries: int, asked_seconds: int | None, given: Any, output: Any = None
) -> TryAgain:
    """The retry after `tries` failed attempts. Raises StepFailed after the last one."""
    if tries >= MAX_TRIES:
        raise StepFailed(code, f"{detail} (attempt {tries} of {MAX_TRIES})", given, output)
    wait = _FIRST_WAIT_SECONDS * _WAIT_FACTOR ** (tries - 1)
    return _again(code, f"{detail} (attempt {tries} of {MAX_TRIES})", tries, max(wait, asked_seconds or 0))


def _again(code: str, detail: str, tries: int, seconds: int) -> TryAgain:
    """Wait at least `seconds`, and up to a fifth longer, so that runs do not all retry at the same time."""
    bounded = min(seconds, _LONGEST_WAIT_SECONDS)
    return TryAgain(code, detail, bounded * (1 + 0.2 * _random.random()), tries=tries)


def _asked_wait(problem: Problem) -> int:
    return int(problem.headers.get("retry-after", _FIRST_WAIT_SECONDS))


def _describe(response: ApiResponse) -> str:
    if 300 <= response.status < 400:
        return (
            f"HTTP {response.status}: the provider redirected the request, and Patchbay does not follow "
            "redirects"
        )
    if response.body is None:
        return f"HTTP {response.status}"
    body = response.body if isinstance(response.body, str) else compact_json.dumps(response.body)
    return f"HTTP {response.status}: {to_label(body[:_MAX_EXCERPT])}"
