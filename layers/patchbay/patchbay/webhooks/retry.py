"""What follows a delivery attempt: pure, so every rule can be tested without a clock or a queue."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# Waits in seconds after each failed attempt: 8 attempts over 27 h 35 min, as Svix makes them.
SCHEDULES: dict[str, tuple[int, ...]] = {
    "standard": (5, 300, 1800, 7200, 18000, 36000, 36000),
}
JITTER = 0.2
# No step is longer than the longest one of the standard schedule (10 h), before jitter …
MAX_STEP_SECONDS = 36_000
# … so no wait is longer than 12 h, whatever multiplier or Retry-After asks for.
MAX_DELAY_SECONDS = 43_200

# Why a webhook ends: its receiver says that it is gone, or keeps saying that it does not know it.
GONE = "endpoint_gone"
NOT_FOUND = "endpoint_not_found"
# An automation platform does not know its own hooks for some seconds while it starts. So Patchbay believes it
# only after it has said the same for this long, and asks again at least this often until then.
NOT_REGISTERED_SECONDS = 180
NOT_REGISTERED_STEP_SECONDS = 300

_system_random = random.SystemRandom().random


class ErrorKind(StrEnum):
    """Why an attempt has no status code. The value is the reason users see."""

    TIMEOUT = "timeout"
    CONNECTION = "connection_failed"
    DNS = "dns_failed"
    TLS = "tls_failed"
    INVALID_RESPONSE = "invalid_response"  # not HTTP, or broken before the status was complete
    INVALID_REQUEST = "invalid_request"  # the webhook's URL or headers cannot be sent at all
    FORBIDDEN_TARGET = "forbidden_target"


class Said(StrEnum):
    """A receiver's message about itself, beyond its status code. The value is the reason that users see."""

    NOT_REGISTERED = "not_registered"  # it runs, and no automation listens at this URL
    STARTING = "receiver_starting"  # it does not take anything yet, whatever its status code


# A name, a certificate or a server can be mended while retries last; the request itself and a
# target inside the private network cannot.
_NOT_RETRIED = {ErrorKind.INVALID_REQUEST, ErrorKind.FORBIDDEN_TARGET}
_RETRIED_4XX = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt: a status code or an error, `retry_after` in seconds if it was sent, and the
    message that the receiver `said` beyond the code, if it is recognized.
    """

    status_code: int | None = None
    error: ErrorKind | None = None
    retry_after: int | None = None
    said: Said | None = None

    def __post_init__(self) -> None:
        if (self.status_code is None) == (self.error is None):
            raise ValueError("an outcome has either a status code or an error")

    @property
    def reason(self) -> str:
        """A stable code: `http_404`, `redirect_301`, `timeout` …"""
        if self.said is not None:
            return str(self.said)
        status = self.status_code
        if status is None:
            return str(self.error)
        return f"redirect_{status}" if 300 <= status < 400 else f"http_{status}"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A webhook's retry settings; a `schedule` (seconds per step) replaces the three before it. With
    `retries_not_found` a 404 is retried like a 503: it may come from a proxy whose server is down.
    """

    max_retries: int = 3
    backoff_multiplier: float = 2
    initial_delay_seconds: int = 30
    schedule: tuple[int, ...] | None = None
    retries_not_found: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_retries <= 15:
            raise ValueError("max_retries is 0 to 15")
        if not 1 <= self.backoff_multiplier <= 10:
            raise ValueError("backoff_multiplier is 1 to 10")
        if not 1 <= self.initial_delay_seconds <= 3600:
            raise ValueError("initial_delay_seconds is 1 to 3600")
        if self.schedule is not None and not all(1 <= step <= MAX_STEP_SECONDS for step in self.schedule):
            raise ValueError(f"a step of a schedule is 1 to {MAX_STEP_SECONDS} seconds")

    @property
    def max_attempts(self) -> int:
        """The first attempt and all retries."""
        return 1 + (self.max_retries if self.schedule is None else len(self.schedule))

    def step_seconds(self, attempt: int) -> float:
        """The wait after attempt number `attempt`, before jitter."""
        if self.schedule is not None:
            return self.schedule[attempt - 1]
        step = self.initial_delay_seconds * float(self.backoff_multiplier) ** (attempt - 1)
        return min(step, MAX_STEP_SECONDS)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver answered 2xx."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_seconds`; `reason` says what this attempt met."""

    delay_seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The delivery has failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class DisableWebhook:
    """The delivery has failed and the webhook wants no more of them."""

    reason: str


Plan = Delivered | Retry | GiveUp | DisableWebhook


def is_success(outcome: Outcome) -> bool:
    """Whether the receiver has taken the delivery."""
    status = outcome.status_code
    return status is not None and 200 <= status < 300 and outcome.said is not Said.STARTING


def plan(
    outcome: Outcome,
    attempt: int,
    config: RetryPolicy,
    jitter: Callable[[], float] = _system_random,
    *,
    not_registered_seconds: int = 0,
) -> Plan:
    """Decide what follows attempt number `attempt` (from 1). `jitter` returns 0 to 1;
    `not_registered_seconds` is for how long the delivery's attempts have met nothing but NOT_REGISTERED.

    The delay is the step ±20 %. Retry-After is a minimum, spread by up to 20 % upwards so that
    deliveries held back together do not come back together. Nothing waits longer than 12 h.
    """
    if attempt < 1:
        raise ValueError("attempts are counted from 1")
    status = outcome.status_code
    if is_success(outcome):
        return Delivered()
    if status == 410:
        return DisableWebhook(GONE)
    not_registered = outcome.said is Said.NOT_REGISTERED
    if not_registered and not_registered_seconds >= NOT_REGISTERED_SECONDS:
        return DisableWebhook(NOT_FOUND)
    if not _worth_retrying(outcome, config):
        return GiveUp(outcome.reason)
    if attempt >= config.max_attempts:
        return GiveUp(f"retries_exhausted:{outcome.reason}")
    step = config.step_seconds(attempt)
    if not_registered:
        step = min(step, NOT_REGISTERED_STEP_SECONDS)
    draw = jitter()
    wait = step * (1 - JITTER + 2 * JITTER * draw)
    if outcome.retry_after is not None:
        asked = min(outcome.retry_after, MAX_DELAY_SECONDS)
        wait = max(wait, asked * (1 + JITTER * draw))
    return Retry(min(math.ceil(wait), MAX_DELAY_SECONDS), outcome.reason)


def _worth_retrying(outcome: Outcome, config: RetryPolicy) -> bool:
    if outcome.error is not None:
        return outcome.error not in _NOT_RETRIED
    if outcome.said is not None:
        return True
    status = outcome.status_code
    if status == 404:
        return config.retries_not_found
    return status is not None and (status in _RETRIED_4XX or 500 <= status < 600)
