"""The settings of a load test. Both environments import this module, so it uses only the standard library."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"
# From the catalogue. A test refuses to run if other webhooks of the workspace would get this event type.
EVENT_TYPE = "POST_PUBLISHED"
NAME = "Load test"
DEFAULTS = {"USERS": 10, "RATE": 10, "MINUTES": 1, "WEBHOOKS": 2}


class Refused(Exception):
    """The test cannot start. The text says what to change."""


@dataclass(frozen=True)
class Options:
    """`rate` is in events per second, for all users together. Each event goes to each of `webhooks`.
    `receiver` is the URL that deliveries go to; None for one on this machine. `receiver_port` is where they
    arrive here; None if they do not, 0 for a free port.
    """

    url: str
    users: int
    rate: float
    minutes: float
    webhooks: int
    receiver: str | None
    receiver_port: int | None

    @property
    def publishers(self) -> int:
        return max(self.users - self.users // 2, 1)

    @property
    def readers(self) -> int:
        return self.users // 2


def read(environment: Mapping[str, str], default_url: str | None) -> Options:
    """The options from the variables URL, USERS, RATE, MINUTES, WEBHOOKS, RECEIVER, RECEIVER_PORT and REMOTE.
    Raises Refused.
    """
    url = (environment.get("URL") or default_url or "").rstrip("/")
    if not url:
        raise Refused("no stack is running on this machine: start `make run`, or set URL=… and TOKEN")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"URL must be an http or https address, not {url!r}")
    local = is_local(parts.hostname)
    if not local and environment.get("REMOTE") != parts.hostname:
        raise Refused(
            f"{parts.hostname} is not this machine. A load test there costs money, and uses the limits of "
            f"the workspace and the AWS account. To run it anyway, add REMOTE={parts.hostname}"
        )
    receiver = environment.get("RECEIVER") or None
    port = environment.get("RECEIVER_PORT")
    if not local and not receiver:
        raise Refused(
            f"{parts.hostname} cannot reach a receiver on {HOST}: set RECEIVER=https://… to a reachable "
            "URL. If that URL is forwarded to this machine, also set RECEIVER_PORT=… to the local port"
        )
    if port and not port.isdecimal():
        raise Refused(f"RECEIVER_PORT must be a number, not {port!r}")
    return Options(
        url=url,
        users=int(_number(environment, "USERS", 1, 10_000)),
        rate=_number(environment, "RATE", 0.1, 10_000),
        minutes=_number(environment, "MINUTES", 0.05, 24 * 60),
        webhooks=int(_number(environment, "WEBHOOKS", 1, 50)),
        receiver=receiver,
        receiver_port=int(port) if port else None if receiver else 0,
    )


def is_local(host: str) -> bool:
    """Whether requests to this host stay on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _number(environment: Mapping[str, str], name: str, low: float, high: float) -> float:
    text = environment.get(name) or str(DEFAULTS[name])
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise Refused(f"{name} must be a number from {low:g} to {high:,g}, not {text!r}")
    return value


def other_subscribers(webhooks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of a workspace's webhooks that would get the events of the test."""
    return [webhook["name"] for webhook in webhooks if {EVENT_TYPE, "*"} & set(webhook["eventTypes"])]


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The value that `percent` % of the values do not exceed (nearest rank); None without values."""
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]
