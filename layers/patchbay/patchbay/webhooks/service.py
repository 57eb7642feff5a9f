"""Webhooks of a workspace: register, change, remove; and what the delivery engine asks of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from patchbay import catalogue, vault
from patchbay.api_model import MASK, Empty
from patchbay.auth.principal import Principal
from patchbay.clock import at_ms, iso, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed, check_version, contended
from patchbay.ids import IntegrationId, RunId, WebhookId
from patchbay.integrations import store as integrations_store
from patchbay.outbound.registration import check_registered_url
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.webhooks import filters, n8n, retry, signing, store
from patchbay.webhooks.models import (
    CreateWebhook,
    RetryConfig,
    RotateSecret,
    SetWebhookStatus,
    UpdateWebhook,
    Webhook,
    WebhookQuery,
    WebhookWithSecret,
)

if TYPE_CHECKING:
    from patchbay.idempotency import Once

HOOK_RETRIES = store.HOOK_RETRIES
_FILTERS: TypeAdapter[Any] = TypeAdapter(filters.Filters)
_API = "api"
_N8N = "n8n"
# How long a callback is tried, besides the time that it may be held.
_CALLBACK_SECONDS = 2 * 86_400
# A change is written under the version that was read; one that comes between is met by reading again.
_TRIES = 3
# Each signs every request. Svix's server, too, refuses a rotation that would be one too many.
_MAX_LIVE_SECRETS = 5


def create(principal: Principal, body: CreateWebhook, once: Once | None = None) -> WebhookWithSecret:
    """Register a webhook. Its signing secret is in this answer only.

    Raises ValidationFailed for a URL that is not called, Conflict at the workspace's ceiling.
    """
    check_registered_url("url", body.url)
    _check_integration(principal, body)
    _check_events(principal, body)
    secret = signing.new_secret()
    row = _new(principal, body, _API, secret, WebhookId.new())
    answer = WebhookWithSecret(**dict(_shown(row)), secret=secret)
    store.create(row, once.completing(answer) if once else ())
    return answer


def subscribe(
    principal: Principal,
    body: CreateWebhook,
    source: str,
    recording: Callable[[WebhookId, str], Sequence[dynamo.TransactItem]],
    recovering: Callable[[WebhookId], Sequence[dynamo.TransactItem]],
) -> tuple[WebhookId, str | None]:
    """Register the webhook of an automation that runs at `source`, or find the one that asks for the same:
    there is one for each combination of URL, events and filters. One that was deleted or disabled comes back
    under its id, and so with its deliveries, and gets a new signing secret; the old secret ends at once. One
    that was paused delivers again.

    Returns its id, and the signing secret if there is a new one. The same transaction writes the items of
    `recording(id, secret)` and, for a webhook that was disabled, the items of `recovering(id)`. Raises
    Conflict at the workspace's ceiling.
    """
    workspace_id, secret = principal.workspace_id, signing.new_secret()
    fields = body.model_dump(mode="json", by_alias=True, include={"url", "events", "filters"})
    asked = json.dumps([source, fields["url"], fields["events"], fields["filters"]], sort_keys=True)
    hook_key = hashlib.sha256(asked.encode()).hexdigest()

    def reviving(id: WebhookId) -> Sequence[dynamo.TransactItem]:
        return [*recording(id, secret), *recovering(id)]

    for _ in range(_TRIES):
        known = store.hook(workspace_id, hook_key)
        try:
            if known is not None and known.webhook is not None:
                # One whose row is older than `subscribedAt` is written as a whole, with its present retries.
                if known.webhook["status"] == "ACTIVE" and known.webhook["subscribedAt"]:
                    store.subscribed_again(known.webhook, now_ms())
                    return known.id, None
                return known.id, _bring_back(workspace_id, known.id, secret, reviving)
            id = known.id if known else WebhookId.new()
            row = _new(principal, body, source, secret, id) | {"hookKey": hook_key, "subscribedAt": now_ms()}
            if known is not None:
                row["resumedAt"] = row["subscribedAt"]  # earlier failures no longer count
            was_disabled = known is not None and known.was_disabled
            store.create(row, reviving(id) if was_disabled else recording(id, secret))
        except (store.Subscribed, store.WebhookChanged, NotFound):
            continue  # another request subscribed, disabled or deleted it just now
        return id, secret
    raise contended("hook")


def page(principal: Principal, query: WebhookQuery, source: str | None = None) -> Page[Webhook]:
    """Newest first; with a `source` those of an automation platform."""
    found = store.page(
        principal.workspace_id,
        status=query.status,
        event_type=query.event_type,
        source=source,
        limit=query.limit,
        cursor=query.cursor,
    )
    return found.map(_shown)


def get(principal: Principal, id: WebhookId) -> Webhook:
    """Raises NotFound, also for another workspace's."""
    return _shown(read(principal.workspace_id, id))


def update(principal: Principal, id: WebhookId, body: UpdateWebhook, if_match: int | None = None) -> Webhook:
    """Change what `body` sets. Raises Conflict when `if_match` is not the present version, ValidationFailed
    when the URL would take stored header values to another origin.
    """
    sent = body.model_fields_set
    if "url" in sent:
        check_registered_url("url", body.url)
    _check_integration(principal, body)
    _check_events(principal, body)
    changes = _fields(principal.workspace_id, id, body, sent)

    def change(row: dynamo.Row) -> dynamo.Row:
        if row["source"] != _API and sent & {"url", "events", "filters"}:
            raise Conflict(
                f"An automation in {row['source']} subscribed this. Change there what it listens to; "
                "url, events and filters are its own."
            )
        moves = "url" in sent and _origin(body.url) != _origin(row["url"])
        if moves and "headers" not in sent and "headers" in row:
            # They are write-only: whoever may change the URL could read them at a receiver of their own.
            raise ValidationFailed.of("headers", "send them anew with a URL of another origin; {} for none")
        return changes

    return _change(principal.workspace_id, id, change, if_match)


def set_status(
    principal: Principal, id: WebhookId, body: SetWebhookStatus, if_match: int | None = None
) -> Webhook:
    """Pause, or resume; resuming a disabled webhook starts its count of failures anew."""
    return _change(principal.workspace_id, id, lambda row: _status(body.status), if_match)


def rotate_secret(
    principal: Principal,
    id: WebhookId,
    body: RotateSecret,
    if_match: int | None = None,
    once: Once | None = None,
) -> WebhookWithSecret:
    """Give a webhook a new signing secret, shown in this answer only. The older ones sign beside it for
    `overlapSeconds`, or as long as they had left, if that is less.

    What is stored is not opened, so a secret that was damaged can be replaced. Raises Conflict when
    `if_match` is not the present version, or while as many secrets as may be are live.
    """
    secret = signing.new_secret()

    def change(row: dynamo.Row) -> dynamo.Row:
        now = now_ms()
        ends_at = now + body.overlap_seconds * 1000
        older = _live(row["secrets"], now) if body.overlap_seconds else []
        if len(older) >= _MAX_LIVE_SECRETS:
            next_end = iso(at_ms(min(entry["endsAt"] for entry in older if "endsAt" in entry)))
            raise Conflict(
                f"This webhook has {_MAX_LIVE_SECRETS} live secrets, the most there may be; the next one "
                f"ends at {next_end}. Wait for that, or end all of them now with overlapSeconds 0."
            )
        ending = [{**entry, "endsAt": min(entry.get("endsAt", ends_at), ends_at)} for entry in older]
        return {"secrets": [_sealed(principal.workspace_id, id, secret), *ending]}

    def answer(webhook: Webhook) -> WebhookWithSecret:
        return WebhookWithSecret(**dict(webhook), secret=secret)

    def also(new: dynamo.Row) -> Sequence[dynamo.TransactItem]:
        return once.completing(answer(_shown(new))) if once else ()

    return answer(_change(principal.workspace_id, id, change, if_match, also=also))


def delete(principal: Principal, id: WebhookId, if_match: int | None = None) -> Empty:
    """Remove a webhook. What still waits for it ends CANCELLED."""
    _delete(principal.workspace_id, id, if_match)
    return Empty()


def delete_of_integration(workspace_id: str, integration_id: IntegrationId) -> bool:
    """Remove every webhook of an integration that is gone; False while others change one of them."""
    done = True
    for row in store.all_of(workspace_id):
        if row.get("integrationId") == integration_id:
            try:
                store.delete(row)
            except store.WebhookChanged:
                done = False
    return done


# ── for the delivery engine ──────────────────────────────────────────────────────────────────────────


def disable(
    workspace_id: str,
    id: WebhookId,
    reason: str,
    also: Callable[[dynamo.Row], Sequence[dynamo.TransactItem]] = lambda webhook: (),
    *,
    asked_at: int | None = None,
) -> bool:
    """Stop deliveries because of the receiver's answer to a request of `asked_at`. A webhook that is not
    active, or was enabled since then, stays as it is; so only one of many callers disables it and gets True.
    The items of `also(row)` are written in the same transaction.
    """
    was_active = False

    def change(row: dynamo.Row) -> dynamo.Row:
        nonlocal was_active
        was_active = row["status"] == "ACTIVE" and not _wanted_since(row, asked_at)
        return {"status": "DISABLED", "disabledReason": reason, "disabledAt": now_ms()} if was_active else {}

    try:
        _change(workspace_id, id, change, None, also=also)
    except NotFound:
        return False
    return was_active


def adding_callback(workspace_id: str, id: RunId, url: str, body: str) -> dynamo.TransactItem:
    """For the transaction in which an automation's run ends: the webhook of one delivery, of that outcome, to
    where the automation waits. It has no secret, for the one who waits knows none; the URL is its own.
    """
    return store.adding_callback(
        {
            "workspaceId": workspace_id,
            "sk": id,
            "source": "callback",
            "url": url,
            "body": body,
            "secrets": [],
            "retryConfig": RetryConfig().model_dump(mode="json", by_alias=True),
            "status": "ACTIVE",
            "ttl": now_ms() // 1000 + _CALLBACK_SECONDS + settings().max_hold_seconds,
        }
    )


def remove(workspace_id: str, id: WebhookId, also: Sequence[dynamo.TransactItem], *, asked_at: int) -> bool:
    """End an automation's subscription because its receiver says, in answer to a request of `asked_at`, that
    it is gone. Safe to repeat; the same transaction writes the items of `also`. False when there is no
    subscription any more, or when the automation has subscribed again since then.
    """
    with suppress(NotFound):
        return _delete(workspace_id, id, None, also, asked_at)
    return False


def inactive_reason(row: dynamo.Row | None) -> str | None:
    """Why nothing is sent to a webhook (None: it is gone), as deliveries have it; None while it is active."""
    if row is None:
        return "webhook_deleted"
    return None if row["status"] == "ACTIVE" else f"webhook_{row['status'].lower()}"


def read(workspace_id: str, id: WebhookId) -> dynamo.Row:
    """A webhook as it is stored. Raises NotFound, also for another workspace's."""
    row = store.get(workspace_id, id)
    if row is None:
        raise NotFound("There is no such webhook.")
    return row


def retry_plan(row: dynamo.Row) -> retry.RetryPolicy:
    """How the deliveries of a stored webhook are retried, as `retry.plan` takes it."""
    # Users run n8n behind their own proxies, which answer 404 while n8n is down.
    return replace(_retry_config(row).plan(), retries_not_found=row["source"] == _N8N)


def understood(row: dynamo.Row | None, outcome: retry.Outcome, body: str) -> retry.Outcome:
    """The outcome of an attempt, with the message of a stored webhook's receiver in the answer's body."""
    if row is None or row["source"] != _N8N:
        return outcome
    return replace(outcome, said=n8n.said(outcome.status_code, body))


def secrets(row: dynamo.Row) -> list[str]:
    """The signing secrets that are live now, newest first."""
    context = _encryption_context(row["sk"], "secret")
    return [
        vault.decrypt(row["workspaceId"], entry["sealed"], encryption_context=context)
        for entry in _live(row["secrets"], now_ms())
    ]


def headers(row: dynamo.Row) -> dict[str, str]:
    """The webhook's own headers, in the clear."""
    if "headers" not in row:
        return {}
    context = _encryption_context(row["sk"], "headers")
    opened: dict[str, str] = json.loads(
        vault.decrypt(row["workspaceId"], row["headers"], encryption_context=context)
    )
    return opened


def sealed(row: dynamo.Row) -> list[str]:
    """The ciphertexts that `secrets` and `headers` open."""
    entries = [entry["sealed"] for entry in _live(row["secrets"], now_ms())]
    return [*entries, row["headers"]] if "headers" in row else entries


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _new(principal: Principal, body: CreateWebhook, source: str, secret: str, id: WebhookId) -> dynamo.Row:
    now = now_ms()
    return {
        "workspaceId": principal.workspace_id,
        "sk": id,
        "source": source,
        "secrets": [_sealed(principal.workspace_id, id, secret)],
        "status": "ACTIVE",
        "createdBy": principal.id,
        "createdAt": now,
        "updatedAt": now,
        "version": 1,
        **_fields(principal.workspace_id, id, body, set(CreateWebhook.model_fields)),
    }


def _bring_back(
    workspace_id: str,
    id: WebhookId,
    secret: str,
    reviving: Callable[[WebhookId], Sequence[dynamo.TransactItem]],
) -> str | None:
    """Make a hook that is not active deliver again. If it was disabled, it gets `secret`, which is returned,
    and the same transaction writes the items of `reviving(id)`.
    """
    was_disabled = False

    def change(row: dynamo.Row) -> dynamo.Row:
        nonlocal was_disabled
        was_disabled = row["status"] == "DISABLED"
        changes = {**_status("ACTIVE"), "subscribedAt": now_ms()}
        return {**changes, "secrets": [_sealed(workspace_id, id, secret)]} if was_disabled else changes

    def also(webhook: dynamo.Row) -> Sequence[dynamo.TransactItem]:
        return reviving(id) if was_disabled else ()

    _change(workspace_id, id, change, None, also=also)
    return secret if was_disabled else None


def _status(status: str) -> dynamo.Row:
    if status != "ACTIVE":
        return {"status": status}
    # What failed before this moment counts no more (receivers.health).
    return {"status": status, "disabledReason": None, "disabledAt": None, "resumedAt": now_ms()}


def _delete(
    workspace_id: str,
    id: WebhookId,
    if_match: int | None,
    also: Sequence[dynamo.TransactItem] = (),
    asked_at: int | None = None,
) -> bool:
    """False when it was subscribed or enabled after `asked_at`, and so stays."""
    for _ in range(_TRIES):
        row = read(workspace_id, id)
        if _wanted_since(row, asked_at):
            return False
        check_version("webhook", row["version"], if_match)
        try:
            store.delete(row, also)
        except store.WebhookChanged:
            continue
        return True
    raise contended("webhook")


def _wanted_since(row: dynamo.Row, at: int | None) -> bool:
    """Whether an automation subscribed it, or somebody enabled it, after that moment."""
    return at is not None and max(row.get("subscribedAt", 0), row.get("resumedAt", 0)) > at


def _check_events(principal: Principal, body: CreateWebhook) -> None:
    reserved = catalogue.PLATFORM_ONLY.intersection(body.events)
    if reserved and not principal.is_platform:
        raise ValidationFailed.of(
            "events", f"{', '.join(sorted(reserved))} is for the platform's own workspace"
        )


def _check_integration(principal: Principal, body: CreateWebhook) -> None:
    if body.integration_id is not None and not integrations_store.exists(
        principal.workspace_id, body.integration_id
    ):
        raise ValidationFailed.of("integrationId", "there is no such integration")


def _origin(url: str) -> tuple[str, str]:
    """Scheme and authority. The URL was checked when it was stored."""
    scheme, _, rest = url.partition("://")
    return scheme.lower(), re.split(r"[/?]", rest, maxsplit=1)[0].lower()


def _fields(workspace_id: str, id: WebhookId, body: CreateWebhook, names: set[str]) -> dynamo.Row:
    """The row's attributes that the named fields of `body` make."""
    row: dynamo.Row = body.model_dump(mode="json", by_alias=True, include=names - {"headers"})
    if "headers" in names:
        row["headerNames"] = list(body.headers)
        row["headers"] = (
            vault.encrypt(
                workspace_id, json.dumps(body.headers), encryption_context=_encryption_context(id, "headers")
            )
            if body.headers
            else None
        )
    return row


def _change(
    workspace_id: str,
    id: WebhookId,
    change: Callable[[dynamo.Row], dynamo.Row],
    if_match: int | None,
    *,
    also: Callable[[dynamo.Row], Sequence[dynamo.TransactItem]] = lambda webhook: (),
) -> Webhook:
    """Write what `change` makes of the row as it stands; nothing when that is empty. `also` gives further
    actions of the same transaction.
    """
    for _ in range(_TRIES):
        old = read(workspace_id, id)
        check_version("webhook", old["version"], if_match)
        changes = change(old)
        if not changes:
            return _shown(old)
        new = {**old, **changes, "updatedAt": now_ms(), "version": old["version"] + 1}
        try:
            store.replace(old, new, also(new))
        except store.WebhookChanged:
            continue
        return _shown(new)
    raise contended("webhook")


def _sealed(workspace_id: str, id: WebhookId, secret: str) -> dynamo.Row:
    """A signing secret as the row keeps it; one that was rotated away has also `endsAt`, in Unix ms."""
    return {
        "sealed": vault.encrypt(workspace_id, secret, encryption_context=_encryption_context(id, "secret"))
    }


def _live(entries: Sequence[Mapping[str, Any]], now: int) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if entry.get("endsAt", now + 1) > now]


def _encryption_context(id: str, field: str) -> str:
    return f"webhooks/{id}/{field}"


def _shown(row: dynamo.Row) -> Webhook:
    return Webhook(
        id=WebhookId(row["sk"]),
        name=row["name"],
        url=row["url"],
        events=row["events"],
        filters=_FILTERS.validate_python(row["filters"]),
        integration_id=row.get("integrationId"),
        source=row["source"],
        headers=dict.fromkeys(row["headerNames"], MASK),
        retry_config=_retry_config(row),
        rate_limit_per_second=row.get("rateLimitPerSecond"),
        disable_after=row["disableAfter"],
        status=row["status"],
        disabled_reason=row.get("disabledReason"),
        disabled_at=at_ms(row["disabledAt"]) if row.get("disabledAt") else None,
        resumed_at=at_ms(row["resumedAt"]) if "resumedAt" in row else None,
        created_at=at_ms(row["createdAt"]),
        updated_at=at_ms(row["updatedAt"]),
        version=row["version"],
    )


def _retry_config(row: dynamo.Row) -> RetryConfig:
    return RetryConfig.model_validate(row["retryConfig"], strict=False)
