"""The state of a webhook, a connection, an integration, an automation platform, and a flow. Pure.

A webhook's state depends on what the delivery engine knows about its receiver now, and on the last two hours
that were rolled up. docs/reference/health.md has these rules as tables; change both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from patchbay.clock import to_ms
from patchbay.flows.models import Flow, FlowRun
from patchbay.health.models import HealthReason, HealthState
from patchbay.integrations.models import Integration, IntegrationStatus
from patchbay.oauth.models import Connection, ConnectionStatus
from patchbay.receivers.health import Health
from patchbay.stats.counters import Tally, histogram_of
from patchbay.webhooks.models import Webhook

# With fewer ended deliveries or attempts in the last two hours, rates are meaningless.
MIN_COUNT = 10
FAILING_BELOW = 0.5
DEGRADED_BELOW = 0.95
MANY_RETRIES = 0.2
# A webhook that is this close to `disableAfter` is failing.
NEAR_DISABLING = 0.5

# Thresholds for the failed runs among a flow's latest ones: in a row, and in total.
FAILING_RUNS_IN_A_ROW = 3
FAILED_RUNS = 3

SICK = frozenset({HealthState.DEGRADED, HealthState.FAILING, HealthState.DISABLED})
_STOPPED = frozenset({HealthState.FAILING, HealthState.DISABLED})
_LIVE = SICK | {HealthState.HEALTHY}


class Verdict(NamedTuple):
    """A state, its reason, what to do about it, and since when (Unix milliseconds)."""

    state: HealthState
    reason: HealthReason | None = None
    detail: str | None = None
    since: int | None = None


_HEALTHY = Verdict(HealthState.HEALTHY)


def of_webhook(webhook: Webhook, health: Health, recent: Tally) -> Verdict:
    """`recent` is the tally of the last two hours that were rolled up."""
    return (
        _stopped(webhook)
        or _receiver_fails(webhook, health, recent)
        or _receiver_degraded(webhook, health, recent)
        or _unproven(health, recent)
    )


def _stopped(webhook: Webhook) -> Verdict | None:
    why = f" ({webhook.status_reason})" if webhook.status_reason else ""
    match webhook.status:
        case "DISABLED":
            return Verdict(
                HealthState.DISABLED,
                HealthReason.DISABLED,
                f"Patchbay disabled the webhook{why}. Fix its receiver, then set its status to ACTIVE. To "
                "send what failed, and the events published while it was disabled: POST "
                '/api/integrations/webhooks/{id}/replay with "statuses": ["FAILED", "CANCELLED"] and '
                '"missing": true.',
                None if webhook.disabled_at is None else to_ms(webhook.disabled_at),
            )
        case "PAUSED":
            return Verdict(
                HealthState.PAUSED,
                HealthReason.PAUSED,
                f"A user paused the webhook{why}. Its deliveries are kept until its status is ACTIVE.",
            )
        case "INACTIVE":
            return Verdict(
                HealthState.INACTIVE,
                HealthReason.INACTIVE,
                f"A user deactivated the webhook{why}. It gets no events until its status is ACTIVE.",
            )
    if webhook.kind == "pull":
        return Verdict(
            HealthState.UNKNOWN,
            HealthReason.PULL,
            "The receiver decides when to read the feed. To see how far behind it is: GET "
            "/api/integrations/webhooks/{id}/feed/consumers.",
        )
    return None


def _receiver_fails(webhook: Webhook, health: Health, recent: Tally) -> Verdict | None:
    resumed_at = to_ms(webhook.resumed_at) if webhook.resumed_at else 0
    if health.is_open(resumed_at):
        return Verdict(
            HealthState.FAILING,
            HealthReason.BREAKER_OPEN,
            "The receiver does not respond, so its deliveries are postponed until it does. Check that its "
            "server is running and responds in time.",
            health.opened_at,
        )
    failures = health.consecutive_failures(resumed_at)
    if failures and failures >= webhook.disable_after * NEAR_DISABLING:
        return Verdict(
            HealthState.FAILING,
            HealthReason.CONSECUTIVE_FAILURES,
            f"{_many(failures, 'delivery', 'deliveries')} in a row failed. At {webhook.disable_after}, "
            "Patchbay disables the webhook. Check the failed deliveries: GET "
            "/api/deliveries?status=FAILED&webhookId=….",
            _first_failure(health, resumed_at),
        )
    rate = _success_rate(recent)
    if rate is not None and rate < FAILING_BELOW:
        return Verdict(HealthState.FAILING, HealthReason.SUCCESS_RATE, _rate_detail(rate))
    return None


def _receiver_degraded(webhook: Webhook, health: Health, recent: Tally) -> Verdict | None:
    resumed_at = to_ms(webhook.resumed_at) if webhook.resumed_at else 0
    rate, failures = _success_rate(recent), health.consecutive_failures(resumed_at)
    if failures:
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.CONSECUTIVE_FAILURES,
            f"{_latest(failures, 'delivery', 'deliveries')} failed after all retries. Check the "
            "failed deliveries: GET /api/deliveries?status=FAILED&webhookId=….",
            _first_failure(health, resumed_at),
        )
    if health.has_backlog(resumed_at):
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.BACKLOG,
            "Too many retries are waiting, so new deliveries are postponed until the receiver accepts the "
            "retries.",
            health.backlog_at,
        )
    if rate is not None and rate < DEGRADED_BELOW:
        return Verdict(HealthState.DEGRADED, HealthReason.SUCCESS_RATE, _rate_detail(rate))
    attempts = sum(histogram_of(recent))
    retried = attempts - recent.get("d", 0)
    if attempts >= MIN_COUNT and retried > attempts * MANY_RETRIES:
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.RETRIES,
            f"{retried} of {attempts} attempts failed in the last two hours, so deliveries arrive late. "
            "lastError says why.",
        )
    if health.slow_at and not health.is_fast:
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.SLOW,
            "The receiver took more than two seconds to respond, so its deliveries use the slow lane. "
            "Respond first, then process the event.",
            health.slow_at,
        )
    return None


def _unproven(health: Health, recent: Tally) -> Verdict:
    if health.fast_at or recent.get("d"):
        return _HEALTHY
    return Verdict(
        HealthState.UNKNOWN,
        HealthReason.NO_ATTEMPTS,
        "Nothing was delivered yet. To test the webhook: POST /api/integrations/webhooks/{id}/test.",
    )


def _first_failure(health: Health, resumed_at: int) -> int | None:
    current = health.failures - health.stale_failures(resumed_at)
    return min((int(entry.partition("#")[0]) for entry in current), default=None)


def _success_rate(recent: Tally) -> float | None:
    """The share of ended deliveries that succeeded; None if there are too few."""
    succeeded, failed = recent.get("d", 0), recent.get("f", 0)
    return succeeded / (succeeded + failed) if succeeded + failed >= MIN_COUNT else None


def _rate_detail(rate: float) -> str:
    return (
        f"Only {rate:.1%} of the deliveries that ended in the last two hours succeeded. lastError says why; "
        "the failed ones are in GET /api/deliveries?status=FAILED&webhookId=…."
    )


def of_connection(connection: Connection) -> Verdict:
    error = connection.last_error
    why = "" if error is None else f" ({error.code})"
    since = None if error is None else to_ms(error.at)
    match connection.status:
        case ConnectionStatus.EXPIRED:
            return Verdict(
                HealthState.FAILING,
                HealthReason.EXPIRED,
                f"The connection has expired{why}. Ask the user to connect again: POST "
                "/api/integrations/{id}/oauth/initiate with the same connectionId.",
                since,
            )
        case ConnectionStatus.ERROR:
            return Verdict(
                HealthState.FAILING,
                HealthReason.REFRESH_FAILS,
                f"The provider does not refresh the token{why}. Patchbay keeps retrying. Check the "
                "integration's OAuth client and the provider's status page.",
                since,
            )
        case ConnectionStatus.REVOKED:
            return Verdict(HealthState.INACTIVE, HealthReason.REVOKED, "The connection is being removed.")
    if error is not None and (
        connection.last_refreshed_at is None or error.at > connection.last_refreshed_at
    ):
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.REFRESH_FAILS,
            f"The latest refresh failed{why}. The current token works until it expires, and Patchbay keeps "
            "retrying.",
            since,
        )
    return _HEALTHY


def of_integration(
    integration: Integration, webhooks: Iterable[Verdict], connections: Iterable[Verdict]
) -> Verdict:
    """The integration's own status decides; if it is ACTIVE, its webhooks and connections do."""
    why = f" ({integration.status_reason})" if integration.status_reason else ""
    match integration.status:
        case IntegrationStatus.ERROR:
            return Verdict(
                HealthState.FAILING,
                HealthReason.ERROR,
                f"The integration has the status ERROR{why}. Fix the cause, then set its status to ACTIVE.",
            )
        case IntegrationStatus.INACTIVE:
            return Verdict(
                HealthState.INACTIVE,
                HealthReason.INACTIVE,
                f"A user deactivated the integration{why}. It issues no tokens until its status is ACTIVE.",
            )
        case IntegrationStatus.PENDING_SETUP:
            return Verdict(
                HealthState.UNKNOWN,
                HealthReason.PENDING_SETUP,
                f"The integration is not set up{why}. Add the missing fields to its config.",
            )
    return of_parts(
        {"webhook": list(webhooks), "connection": list(connections)}, f"integrationId={integration.id}"
    )


def ended_runs(flow: Flow, latest: Sequence[FlowRun]) -> list[FlowRun]:
    """The runs that determine a flow's state: those that ended on their own since its last change."""
    return [
        run
        for run in latest
        if run.flow_version == flow.version and run.status in ("SUCCEEDED", "STOPPED", "FAILED")
    ]


def of_flow(flow: Flow, ended: Sequence[FlowRun]) -> Verdict:
    """`ended` are its `ended_runs`, newest event first."""
    if flow.status == "INACTIVE":
        why = f" ({flow.status_reason})" if flow.status_reason else ""
        return Verdict(
            HealthState.INACTIVE,
            HealthReason.INACTIVE,
            f"The flow is inactive{why}. It starts no runs until its status is ACTIVE.",
        )
    if not ended:
        return Verdict(
            HealthState.UNKNOWN, HealthReason.NO_RUNS, "No run has ended since the flow was last changed."
        )
    in_a_row = list(takewhile(lambda run: run.status == "FAILED", ended))
    failed = sum(run.status == "FAILED" for run in ended)
    see = f"Check the failed runs: GET /api/flows/{flow.id}/runs?status=FAILED."
    if in_a_row:
        is_failing = len(in_a_row) >= FAILING_RUNS_IN_A_ROW
        return Verdict(
            HealthState.FAILING if is_failing else HealthState.DEGRADED,
            HealthReason.CONSECUTIVE_FAILURES,
            f"{_latest(len(in_a_row), 'run', 'runs')} failed. {see}",
            min(to_ms(run.updated_at) for run in in_a_row),
        )
    if failed >= FAILED_RUNS:
        return Verdict(
            HealthState.DEGRADED,
            HealthReason.SUCCESS_RATE,
            f"{failed} of the latest {len(ended)} runs failed. {see}",
        )
    return _HEALTHY


def of_parts(parts: dict[str, list[Verdict]], filter: str) -> Verdict:
    """FAILING if every part that is in use is failing or disabled, and DEGRADED if at least one part is sick.
    `parts` has the verdicts by kind, and `filter` selects the parts in a query of health.
    """
    verdicts = [verdict for of_kind in parts.values() for verdict in of_kind]
    live = [verdict for verdict in verdicts if verdict.state in _LIVE]
    sick = [verdict for verdict in live if verdict.state in SICK]
    if not live:
        return Verdict(
            HealthState.UNKNOWN,
            HealthReason.NO_ATTEMPTS,
            "None of its webhooks or connections is in use yet.",
        )
    if not sick:
        return _HEALTHY
    counts = [
        f"{bad} of {_many(len(of_kind), kind, f'{kind}s')}"
        for kind, of_kind in parts.items()
        if (bad := sum(verdict.state in SICK for verdict in of_kind))
    ]
    return Verdict(
        HealthState.FAILING if all(verdict.state in _STOPPED for verdict in live) else HealthState.DEGRADED,
        HealthReason.PARTS,
        f"Not healthy: {' and '.join(counts)}. List them: GET /api/integrations/health?{filter}"
        "&state=FAILING,DISABLED,DEGRADED.",
        min((verdict.since for verdict in sick if verdict.since), default=None),
    )


def count(verdicts: Iterable[Verdict]) -> dict[HealthState, int]:
    """The number of verdicts of each state that occurs."""
    found = Counter(verdict.state for verdict in verdicts)
    return {state: found[state] for state in HealthState if found[state]}


def _latest(number: int, singular: str, plural: str) -> str:
    return f"The latest {singular if number == 1 else f'{number} {plural}'}"


def _many(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
