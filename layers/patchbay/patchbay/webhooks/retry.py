"""Decides what follows a delivery attempt. Pure: every rule can be tested without a clock or a queue."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# Delays in seconds after each failed attempt: 8 attempts over 27 h 35 min, as in Svix.
SCHEDULES: dict[str, tuple[int, ...]] = {
    "standard": (5, 300, 1800, 7200, 18000, 36000, 36000),
}
JITTER = 0.2
# No step is longer than the longest one of the standard schedule (10 h), before jitter …
MAX_STEP_SECONDS = 36_000
# … so no delay is longer than 12 h, whatever the multiplier or Retry-After.
MAX_DELAY_SECONDS = 43_200

# Why a webhook is disabled: its receiver responds with 410, or keeps responding that the hook is not
# registered.
GONE = "endpoint_gone"
NOT_FOUND = "endpoint_not_found"
# An automation platform does not know its own hooks for some seconds while it starts. So Patchbay believes
# NOT_REGISTERED only after receiving it for this long, and retries at least this often until then.
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


class ReceiverMessage(StrEnum):
    """A receiver's message about itself, in the response's body. The value is the reason that users see."""

    NOT_REGISTERED = "not_registered"  # it runs, and no automation listens at this URL
    STARTING = "receiver_starting"  # it does not accept deliveries yet, whatever its status code


# A DNS name, a certificate or a server can be fixed while retries last; an invalid request or a target in a
# private network cannot.
_NOT_RETRIED = {ErrorKind.INVALID_REQUEST, ErrorKind.FORBIDDEN_TARGET}
_RETRIED_4XX = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt: a status code or an error, `retry_after` in seconds if the response had it,
    and the receiver's `message` if its body had a known one.
    """

    status_code: int | None = None
    error: ErrorKind | None = None
    retry_after: int | None = None
    message: ReceiverMessage | None = None

    def __post_init__(self) -> None:
        if (self.status_code is None) == (self.error is None):
            raise ValueError("an outcome has either a status code or an error")

    @property
    def reason(self) -> str:
        """A stable code: `http_404`, `redirect_301`, `timeout` …"""
        if self.message is not None:
            return str(self.message)
        status = self.status_code
        if status is None:
            return str(self.error)
        return f"redirect_{status}" if 300 <= status < 400 else f"http_{status}"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A webhook's retry settings; a `schedule` (seconds per step) replaces the three fields before it. If
    `retries_not_found`, a 404 is retried like a 503: it may come from a proxy whose server is down.
    """

    max_retries: int = 3
    backoff_multiplier: float = 2
    initial_delay_seconds: int = 30
    schedule: tuple[int, ...] | None = None
    retries_not_found: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_retries <= 15:
            raise ValueError("max_retries must be 0 to 15")
        if not 1 <= self.backoff_multiplier <= 10:
            raise ValueError("backoff_multiplier must be 1 to 10")
        if not 1 <= self.initial_delay_seconds <= 3600:
            raise ValueError("initial_delay_seconds must be 1 to 3600")
        if self.schedule is not None and not all(1 <= step <= MAX_STEP_SECONDS for step in self.schedule):
            raise ValueError(f"a step of a schedule must be 1 to {MAX_STEP_SECONDS} seconds")

    @property
    def max_attempts(self) -> int:
        """Includes the first attempt."""
        return 1 + (self.max_retries if self.schedule is None else len(self.schedule))

    def step_seconds(self, attempt: int) -> float:
        """The delay after attempt number `attempt`, before jitter."""
        if self.schedule is not None:
            return self.schedule[attempt - 1]
        step = self.initial_delay_seconds * float(self.backoff_multiplier) ** (attempt - 1)
        return min(step, MAX_STEP_SECONDS)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver accepted the delivery."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry after `delay_seconds`; `reason` is why this attempt failed."""

    delay_seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The delivery has failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class DisableWebhook:
    """The delivery has failed, and its receiver must not get further events."""

    reason: str


Plan = Delivered | Retry | Fail | DisableWebhook


def is_success(outcome: Outcome) -> bool:
    """Whether the receiver accepted the delivery."""
    status = outcome.status_code
    return status is not None and 200 <= status < 300 and outcome.message is not ReceiverMessage.STARTING


def plan(
    outcome: Outcome,
    attempt: int,
    policy: RetryPolicy,
    jitter: Callable[[], float] = _system_random,
    *,
    not_registered_seconds: int = 0,
) -> Plan:
    """Decide what follows attempt number `attempt` (from 1). `jitter` returns 0 to 1;
    `not_registered_seconds` is how long every attempt of the delivery has got NOT_REGISTERED.

    The delay is the step ±20 %. Retry-After is a minimum, plus up to 20 %, so that deliveries that were
    postponed together are not retried together. No delay is longer than 12 h.
    """
    if attempt < 1:
        raise ValueError("attempt numbers start at 1")
    status = outcome.status_code
    if is_success(outcome):
        return Delivered()
    if status == 410:
        return DisableWebhook(GONE)
    not_registered = outcome.message is ReceiverMessage.NOT_REGISTERED
    if not_registered and not_registered_seconds >= NOT_REGISTERED_SECONDS:
        return DisableWebhook(NOT_FOUND)
    if not _is_retryable(outcome, policy):
        return Fail(outcome.reason)
    if attempt >= policy.max_attempts:
        return Fail(f"retries_exhausted:{outcome.reason}")
    step = policy.step_seconds(attempt)
    if not_registered:
        step = min(step, NOT_REGISTERED_STEP_SECONDS)
    random_value = jitter()
    delay = step * (1 - JITTER + 2 * JITTER * random_value)
    if outcome.retry_after is not None:
        minimum = min(outcome.retry_after, MAX_DELAY_SECONDS)
        delay = max(delay, minimum * (1 + JITTER * random_value))
    return Retry(min(math.ceil(delay), MAX_DELAY_SECONDS), outcome.reason)


def _is_retryable(outcome: Outcome, policy: RetryPolicy) -> bool:
    if outcome.error is not None:
        return outcome.error not in _NOT_RETRIED
    if outcome.message is not None:
        return True
    status = outcome.status_code
    if status == 404:
        return policy.retries_not_found
    return status is not None and (status in _RETRIED_4XX or 500 <= status < 600)
