"""The environment variables, typed. `template.yaml` sets them, and only this module reads them.

A function of another stack has all of them in one variable, PATCHBAY_SETTINGS: the JSON object in the stack's
SSM parameter `/<stack>/settings`. Its own variables take precedence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import get_type_hints


class ConfigurationError(RuntimeError):
    """The deployment is misconfigured. The text names the variable to correct."""


@dataclass(frozen=True)
class Settings:
    """One field per variable, with its name in lowercase. Times are in seconds, sizes in bytes."""

    platform_workspace_id: str
    api_keys_table: str
    webhooks_table: str
    integrations_table: str
    connections_table: str
    oauth_states_table: str
    activity_table: str
    events_table: str
    deliveries_table: str
    health_table: str
    automations_table: str
    idempotency_table: str
    rate_limits_table: str
    data_keys_table: str
    tasks_table: str
    feeds_table: str
    flows_table: str
    sessions_table: str
    exports_bucket: str
    events_queue_url: str
    deliveries_queue_url: str
    slow_deliveries_queue_url: str
    flows_queue_url: str
    events_dlq_url: str
    deliveries_dlq_url: str
    flows_dlq_url: str
    kms_key_id: str
    environment: str = "dev"
    metrics_namespace: str = "Patchbay"

    jwks_url: str = ""
    jwt_secret_arn: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_workspace_claim: str = "workspace_id"
    jwt_role_claim: str = "role"
    jwt_scope_claim: str = "scope"
    api_key_prefix: str = "sk_live"

    max_api_keys: int = 100
    max_webhooks: int = 500
    max_integrations: int = 200
    max_connections: int = 1000
    max_requests_per_minute: int = 6000
    max_events_per_minute: int = 6000
    max_feed_waits: int = 10

    # Comma-separated lists.
    allowed_redirect_uris: str = ""
    allowed_return_origins: str = ""
    console_frame_ancestors: str = ""

    https_only: bool = True
    attempt_timeout_seconds: int = 15
    delivery_lease_seconds: int = 45
    max_visibility_wait_seconds: int = 3600
    max_waiting_per_webhook: int = 500
    max_hold_seconds: int = 86_400
    probe_seconds: int = 60
    retention_days: int = 30
    success_log_percent: int = 100
    data_key_cache_seconds: int = 3600
    # The concurrency of the slow lane's function.
    slow_delivery_concurrency: int = 20

    # Set only by the local runner; the template does not have this variable.
    patchbay_allow_loopback_targets: bool = False

    @property
    def retention_ms(self) -> int:
        """How long events and deliveries are stored, in milliseconds."""
        return self.retention_days * 86_400_000

    @property
    def secret_arn_prefix(self) -> str:
        """The start, up to the workspace, of the ARNs of secrets that may store new API keys. They are in the
        account and region of the stack, whose name is the end of the metrics' namespace.
        """
        partition, _, region, account = self.kms_key_id.split(":")[1:5]
        stack = self.metrics_namespace.rpartition("/")[2]
        return f"arn:{partition}:secretsmanager:{region}:{account}:secret:patchbay/{stack}/"

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The redirect URIs for integrations that register none."""
        return _split(self.allowed_redirect_uris)

    @property
    def return_origins(self) -> tuple[str, ...]:
        """The origins of the platform's pages that our callback route may redirect a browser to."""
        return _split(self.allowed_return_origins)

    @property
    def frame_ancestors(self) -> tuple[str, ...]:
        """The origins whose pages can show the console in a frame."""
        return _split(self.console_frame_ancestors)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_READERS: dict[type, Callable[[str], object]] = {
    str: str,
    int: int,
    bool: lambda text: {"true": True, "1": True, "false": False, "0": False}[text],
}


@cache
def settings() -> Settings:
    """The settings of this process, read at first use. Raises ConfigurationError."""
    reject_encryption_key()
    values: dict[str, object] = {}
    hints = get_type_hints(Settings)
    shared = _shared_settings()
    for field in fields(Settings):
        name = field.name.upper()
        text = os.environ.get(name, shared.get(name))
        if text is None:
            continue
        try:
            values[field.name] = _READERS[hints[field.name]](text)
        except (ValueError, KeyError):
            raise ConfigurationError(f"{name} must be {hints[field.name].__name__}, not {text!r}") from None
    _complete_queue_urls(values)
    try:
        return Settings(**values)  # type: ignore[arg-type]  # read by each field's own type, above
    except TypeError as error:
        missing = str(error).partition(": ")[2]
        raise ConfigurationError(f"environment variables are missing: {missing.upper()}") from None


def _complete_queue_urls(values: dict[str, object]) -> None:
    """Set the URLs of queues that are given by name: the URLs in a stack differ only in the name. Lambda
    limits all variables to 4 KB, so the template has one URL in full.
    """
    account = str(values.get("events_queue_url", "")).rpartition("/")[0]
    for name, value in values.items():
        if name.endswith(("_queue_url", "_dlq_url")) and "/" not in str(value):
            values[name] = f"{account}/{value}"


def _shared_settings() -> dict[str, str]:
    """The variables in PATCHBAY_SETTINGS, if it is set."""
    try:
        shared = json.loads(os.environ.get("PATCHBAY_SETTINGS", "{}"))
    except ValueError:
        shared = None
    if not isinstance(shared, dict) or not all(isinstance(value, str) for value in shared.values()):
        raise ConfigurationError(
            "PATCHBAY_SETTINGS must be the JSON object of the SSM parameter /<stack>/settings: "
            "its values are strings"
        )
    return shared


def reject_encryption_key() -> None:
    """Raises ConfigurationError if ENCRYPTION_KEY is set. An earlier design had its key there, so an operator
    who sets it believes that it protects something.
    """
    if "ENCRYPTION_KEY" in os.environ:
        raise ConfigurationError(
            "ENCRYPTION_KEY is set, but Patchbay encrypts with the KMS key of its stack. "
            "Remove the variable; nothing was encrypted with it."
        )
