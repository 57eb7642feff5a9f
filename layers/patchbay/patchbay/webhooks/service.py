"""Registers, changes and removes a workspace's webhooks, and serves them to the delivery engine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel

from patchbay import catalogue, compact_json, event_filters, vault
from patchbay.activity.log import SYSTEM, log_action
from patchbay.api_model import MASK, Empty, Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, iso, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed, check_version, write_conflict
from patchbay.ids import IntegrationId, RunId, WebhookId, webhook_key
from patchbay.integrations import store as integrations_store
from patchbay.observability import logger
from patchbay.outbound.registration import check_registered_url
from patchbay.receivers import health_store
from patchbay.settings import settings
from patchbay.storage.dynamo import TransactItem
from patchbay.storage.paging import Page
from patchbay.webhooks import kinds, n8n, retry, signing, store
from patchbay.webhooks.models import (
    CreateWebhook,
    Kind,
    RetryConfig,
    RotateSecret,
    SetWebhookStatus,
    UpdateWebhook,
    Webhook,
    WebhookQuery,
    WebhookSettings,
    WebhookWithSecret,
    check_headers,
)
from patchbay.webhooks.stored_webhook import (
    HOOK_DISABLE_AFTER,
    HOOK_RETRY_CONFIG,
    StoredSecret,
    StoredWebhook,
    WebhookStatus,
)

if TYPE_CHECKING:
    from patchbay.activity.models import LogEntry, LogQuery
    from patchbay.idempotency import Once

_FILTERS: TypeAdapter[event_filters.Filters] = TypeAdapter(event_filters.Filters)
_API = "api"
# The attributes of a row that are not fields of an update. All others have the API's names.
_UNLOGGED = {"headerNames", "updatedAt", "version", "filterBytes"}
_N8N = "n8n"
# How long a callback is retried, in addition to the time that it may be held.
_CALLBACK_SECONDS = 2 * 86_400
# A change is conditional on the version that was read. After a concurrent change, it is tried again.
_MAX_TRIES = 3
# Each secret signs every request. Svix's server also rejects a rotation beyond its maximum.
_MAX_LIVE_SECRETS = 5


def create(principal: Principal, body: CreateWebhook, once: Once | None = None) -> WebhookWithSecret:
    """Register a webhook. Only this response has its signing secret.

    Raises ValidationFailed for a URL that Patchbay does not call, an unknown integration, a filter on a path
    that no event type has, or an event type that is reserved for the platform; Conflict at the workspace's
    ceiling.
    """
    kinds.check_new(body)
    if body.url is not None:
        check_registered_url("url", body.url)
    _check_integration(principal, body)
    check_event_types("eventTypes", principal, body.event_types)
    _check_filter_paths(body)
    secret = body.secret or signing.new_secret()
    webhook = _new(principal, body, _API, secret, WebhookId.new())
    response = WebhookWithSecret(**dict(_to_api(webhook)), secret=secret)
    actions = [
        _log_action(webhook, "webhook.created", principal.id),
        *_expiry_actions(None, webhook),
        *([once.complete_action(response)] if once else ()),
    ]
    store.create(webhook, actions)
    return response


def subscribe(
    principal: Principal,
    body: WebhookSettings,
    source: str,
    response_actions: Callable[[WebhookId, str], Sequence[TransactItem]],
    recovery_actions: Callable[[WebhookId], Sequence[TransactItem]],
    release_actions: Callable[[WebhookId], Sequence[TransactItem]],
) -> tuple[WebhookId, str | None]:
    """Register the webhook of an automation that runs at `source`, with the retries of a hook, or find the
    existing one: there is one for each combination of URL, event types and filters. A deleted or disabled
    webhook becomes active under its ID, so it keeps its deliveries; it gets a new signing secret, and the
    old one ends immediately. A paused or inactive webhook becomes active.

    Returns the ID, and the signing secret if it is new. The transaction includes the actions of
    `response_actions(id, secret)` and, for a webhook that was disabled, of `recovery_actions(id)`; for one
    that was paused, it has those of `release_actions(id)`. Raises ValidationFailed for a new hook with a
    filter on a path that its event type does not have, and Conflict at the workspace's ceiling.
    """
    workspace_id, secret = principal.workspace_id, signing.new_secret()
    hook_key = _hook_key(source, body)

    def reactivation_actions(id: WebhookId) -> Sequence[TransactItem]:
        return [*response_actions(id, secret), *recovery_actions(id)]

    for _ in range(_MAX_TRIES):
        hook = store.find_hook(workspace_id, hook_key)
        try:
            if hook is not None and hook.webhook is not None:
                # A row from before `subscribedAt` is rewritten as a whole, with its current retries.
                if hook.webhook.is_active and hook.webhook.subscribed_at:
                    store.record_resubscription(hook.webhook, now_ms())
                    return hook.id, None
                return hook.id, _reactivate(principal, hook.id, secret, reactivation_actions, release_actions)
            if hook is None:
                _check_filter_paths(body)
            id, now = hook.id if hook else WebhookId.new(), now_ms()
            webhook = replace(
                _new(principal, body, source, secret, id),
                retry_config=HOOK_RETRY_CONFIG,
                disable_after=HOOK_DISABLE_AFTER,
                hook_key=hook_key,
                subscribed_at=now,
                resumed_at=now if hook else 0,  # earlier failures no longer count
            )
            was_disabled = hook is not None and hook.was_disabled
            actions = reactivation_actions(id) if was_disabled else response_actions(id, secret)
            logged = _log_action(webhook, "webhook.created", principal.id, f"subscribed by {source}")
            store.create(webhook, [logged, *actions])
        except (store.AlreadySubscribed, store.WebhookChanged, NotFound):
            continue  # a concurrent request subscribed, disabled or deleted it
        return id, secret
    raise write_conflict("hook")


def list_webhooks(principal: Principal, query: WebhookQuery, source: str | None = None) -> Page[Webhook]:
    """Webhooks, newest first; with a `source`, only those of that automation platform."""
    webhooks = store.page(
        principal.workspace_id,
        status=query.status,
        event_type=query.event_type,
        source=source,
        limit=query.limit,
        cursor=query.cursor,
    )
    now = now_ms()
    return webhooks.map(lambda webhook: None if webhook.has_expired(now) else _to_api(webhook))


def get(principal: Principal, id: WebhookId) -> Webhook:
    """Raises NotFound, including for a webhook of another workspace."""
    return _to_api(get_stored(principal.workspace_id, id))


def names(workspace_id: str, ids: Iterable[WebhookId]) -> dict[WebhookId, str]:
    """The names of those webhooks that exist; eventually consistent."""
    return {WebhookId(webhook.id): webhook.name for webhook in store.get_many(workspace_id, ids)}


def update(principal: Principal, id: WebhookId, body: UpdateWebhook, if_match: int | None = None) -> Webhook:
    """Change the fields that `body` sets. Raises NotFound; PreconditionFailed when `if_match` is not the
    current version; Conflict when an automation manages one of the fields; ValidationFailed as `create` does,
    and when the URL would send stored header values to another origin. A stored filter on a path that no type
    has stays valid until the filter changes.
    """
    sent = body.model_fields_set
    if body.url is not None:
        check_registered_url("url", body.url)
    _check_integration(principal, body)
    check_event_types("eventTypes", principal, body.event_types)
    changes = _attributes(principal.workspace_id, id, body, sent - {"headers"})

    def change(webhook: StoredWebhook) -> StoredWebhook:
        body.check_read_only(_to_api(webhook), webhook.version)
        sent_headers = {"headers": body.headers or None} if "headers" in sent else {}
        kinds.check_change(webhook, body, {**changes, **sent_headers})
        changed = {
            name
            for name, value in changes.items()
            if compact_json.canonical(value) != compact_json.canonical(getattr(webhook, name))
        }
        if webhook.source != _API and changed & {"url", "event_types", "filters"}:
            raise Conflict(
                f"An automation in {webhook.source} manages the url, eventTypes and filters of this webhook. "
                "Change them there."
            )
        headers = _changed_headers(webhook, body) if "headers" in sent else None
        has_new_origin = body.url is not None and _origin(body.url) != _origin(webhook.url)
        if has_new_origin and webhook.headers is not None and _keeps_values(body):
            # Header values are write-only, but the caller could read them at their own receiver.
            raise ValidationFailed.for_field(
                "headers",
                "send the header values again, because the URL has a different origin; {} removes them",
            )
        _check_filter_paths(body, webhook)
        if headers is not None:
            webhook = replace(webhook, **_header_attributes(webhook.workspace_id, id, headers))
        return replace(webhook, **changes) if changed else webhook

    return _change(
        principal,
        id,
        change,
        if_match,
        action="webhook.updated",
        detail=_changed_fields,
        extra_actions=_expiry_actions,
    )


def set_status(
    principal: Principal,
    id: WebhookId,
    body: SetWebhookStatus,
    if_match: int | None,
    release_actions: Callable[[], Sequence[TransactItem]],
) -> Webhook:
    """Change a webhook's status; `release_actions()` join the transaction that ends a pause. Activating a
    disabled webhook resets its count of failures. Raises NotFound; ValidationFailed for a reason given for an
    active webhook; Conflict for the pause of a webhook of kind pull; and PreconditionFailed when `if_match`
    is not the current version.
    """
    if body.status == "ACTIVE" and body.status_reason is not None:
        raise ValidationFailed.for_field("statusReason", "an active webhook cannot have a reason; omit it")

    def change(webhook: StoredWebhook) -> StoredWebhook:
        if body.status == "PAUSED" and webhook.is_pull:
            raise Conflict(
                "A pull webhook keeps its events until they are read, so it cannot be paused. To stop it, "
                "set its status to INACTIVE."
            )
        return _with_status(webhook, body.status, body.status_reason)

    return _change(
        principal,
        id,
        change,
        if_match,
        action="webhook.status_changed",
        detail=lambda old, new: f"{old.status} to {new.status}",
        extra_actions=lambda old, new: release_actions() if old.is_paused and not new.is_paused else (),
    )


def rotate_secret(
    principal: Principal,
    id: WebhookId,
    body: RotateSecret,
    if_match: int | None = None,
    once: Once | None = None,
) -> WebhookWithSecret:
    """Give a webhook a new signing secret, shown only in this response. The older secrets sign alongside it
    for `overlapSeconds`, or for their remaining time if that is shorter.

    Stored secrets are not decrypted, so a damaged one can be replaced. Raises PreconditionFailed when
    `if_match` is not the current version, and Conflict when the webhook has the maximum number of live
    secrets.
    """
    secret = body.secret or signing.new_secret()

    def change(webhook: StoredWebhook) -> StoredWebhook:
        now = now_ms()
        ends_at = now + body.overlap_seconds * 1000
        older = webhook.live_secrets(now) if body.overlap_seconds else []
        if len(older) >= _MAX_LIVE_SECRETS:
            next_end = iso(from_ms(min(entry["endsAt"] for entry in older if "endsAt" in entry)))
            raise Conflict(
                f"This webhook has the maximum of {_MAX_LIVE_SECRETS} active secrets. The next one expires "
                f"at {next_end}. Wait until then, or expire all of them now with overlapSeconds 0."
            )
        ending: list[StoredSecret] = [
            {**entry, "endsAt": min(entry.get("endsAt", ends_at), ends_at)} for entry in older
        ]
        return replace(webhook, secrets=[_encrypt_secret(principal.workspace_id, id, secret), *ending])

    def respond(webhook: Webhook) -> WebhookWithSecret:
        return WebhookWithSecret(**dict(webhook), secret=secret)

    def response_actions(old: StoredWebhook, new: StoredWebhook) -> Sequence[TransactItem]:
        return [once.complete_action(respond(_to_api(new)))] if once else ()

    seconds = body.overlap_seconds
    changed = _change(
        principal,
        id,
        change,
        if_match,
        action="webhook.secret_rotated",
        detail=lambda old, new: f"older secrets end {f'after {seconds} s' if seconds else 'immediately'}",
        extra_actions=response_actions,
    )
    return respond(changed)


def delete(principal: Principal, id: WebhookId, if_match: int | None = None) -> Empty:
    """Remove a webhook. The delivery worker and the sweeper later end its waiting deliveries as CANCELLED.
    Raises NotFound, and PreconditionFailed when `if_match` is not the current version.
    """
    _delete(principal.workspace_id, id, if_match, principal.id)
    return Empty()


def list_logs(principal: Principal, id: WebhookId, query: LogQuery) -> Listing[LogEntry]:
    """The activity log of a webhook, even a deleted one, newest first. Raises NotFound."""
    # Imported here so that the delivery worker does not load it.
    from patchbay.activity.service import list_entries

    return list_entries(principal.workspace_id, id, query, lambda: get_stored(principal.workspace_id, id))


def delete_for_integration(workspace_id: str, integration_id: IntegrationId) -> bool:
    """Remove every webhook of a deleted integration. Returns False if a concurrent change prevented that."""
    is_done = True
    for webhook in store.iter_webhooks(workspace_id):
        if webhook.integration_id == integration_id:
            logged = _log_action(webhook, "webhook.deleted", SYSTEM, f"with its integration {integration_id}")
            try:
                store.delete(webhook, [logged])
            except store.WebhookChanged:
                is_done = False
    return is_done


# ── for the delivery engine ──────────────────────────────────────────────────────────────────────────


def disable(
    workspace_id: str,
    id: WebhookId,
    reason: str,
    extra_actions: Callable[[StoredWebhook], Sequence[TransactItem]],
    *,
    requested_at: int,
) -> bool:
    """Disable a webhook because of an attempt that started at `requested_at`; the actions of
    `extra_actions(webhook)` join the transaction. A webhook that is not active, or that was enabled or
    subscribed since then, is unchanged. So only one of several concurrent callers gets True.
    """
    is_disabled = False

    def change(webhook: StoredWebhook) -> StoredWebhook:
        nonlocal is_disabled
        is_disabled = webhook.is_active and not webhook.was_renewed_since(requested_at)
        if not is_disabled:
            return webhook
        return replace(webhook, status="DISABLED", status_reason=reason, disabled_at=now_ms())

    try:
        _change_stored(
            workspace_id,
            id,
            change,
            None,
            lambda old, new: [_log_action(new, "webhook.disabled", SYSTEM, reason), *extra_actions(new)],
        )
    except NotFound:
        return False
    return is_disabled


def callback_action(workspace_id: str, id: RunId, url: str, body: str) -> TransactItem:
    """Store the receiver of a run's callback, in the transaction that ends the run: a webhook for one
    delivery with that body. It has no secret, because the automation never received one. Its URL is the
    credential.
    """
    return store.callback_action(
        StoredWebhook(
            workspace_id=workspace_id,
            id=id,
            source="callback",
            url=url,
            body=body,
            secrets=[],
            retry_config=RetryConfig().model_dump(mode="json", by_alias=True),
            status="ACTIVE",
            ttl=now_ms() // 1000 + _CALLBACK_SECONDS + settings().max_hold_seconds,
        )
    )


def end_subscription(
    workspace_id: str, id: WebhookId, extra_actions: Sequence[TransactItem], *, requested_at: int
) -> bool:
    """Remove an automation's webhook because its receiver responded with 410 to a request made at
    `requested_at`. Idempotent; `extra_actions` join the transaction. Returns False when the webhook does
    not exist, or when the automation has subscribed again since then.
    """
    with suppress(NotFound):
        return _delete(workspace_id, id, None, SYSTEM, "endpoint_gone", extra_actions, requested_at)
    return False


def delete_expired(webhook: StoredWebhook) -> bool:
    """Remove an expired temporary webhook. Returns False if it has changed since it was read."""
    try:
        store.delete(webhook, [_log_action(webhook, "webhook.deleted", SYSTEM, "expired")])
    except store.WebhookChanged:
        return False
    logger.info("temporary webhook removed", webhook_id=webhook.id, workspace=webhook.workspace_id)
    return True


def inactive_reason(webhook: StoredWebhook | None) -> str | None:
    """The reason that a webhook's cancelled deliveries store; None while it is active or paused. Pass None
    for a deleted webhook.
    """
    if webhook is None:
        return "webhook_deleted"
    return None if webhook.is_subscribed else f"webhook_{webhook.status.lower()}"


def get_stored(workspace_id: str, id: WebhookId) -> StoredWebhook:
    """Raises NotFound, including for a webhook of another workspace, and for one that has expired."""
    webhook = store.get(workspace_id, id)
    if webhook is None or webhook.has_expired(now_ms()):
        raise NotFound("No webhook with this ID.")
    return webhook


def check_push(kind: Kind) -> None:
    """Raises Conflict for a webhook of kind pull, which has no deliveries."""
    if kind == "pull":
        raise Conflict(
            "A pull webhook has no deliveries. Publish an event, and read it from the webhook's feed."
        )


def check_event_types(field: str, principal: Principal, event_types: Iterable[str]) -> None:
    """Raises ValidationFailed for a type that only the platform's workspace gets."""
    reserved = catalogue.PLATFORM_ONLY.intersection(event_types)
    if reserved and not principal.is_platform:
        raise ValidationFailed.for_field(
            field, f"only the platform's workspace can subscribe to {', '.join(sorted(reserved))}"
        )


def list_ids(workspace_id: str) -> list[WebhookId]:
    """The IDs of all webhooks of a workspace; eventually consistent."""
    return list(store.ids(workspace_id))


def list_all(workspace_id: str) -> list[Webhook]:
    """All webhooks of a workspace, oldest first; its ceiling bounds their number."""
    now = now_ms()
    return [_to_api(stored) for stored in store.iter_webhooks(workspace_id) if not stored.has_expired(now)]


def max_attempts(workspace_id: str, ids: Iterable[WebhookId]) -> dict[WebhookId, int]:
    """The number of attempts of a new delivery, for each of the webhooks that exists."""
    found = store.get_many(workspace_id, ids)
    return {WebhookId(webhook.id): retry_policy(webhook).max_attempts for webhook in found}


def retry_policy(webhook: StoredWebhook) -> retry.RetryPolicy:
    """How the deliveries of a webhook are retried."""
    # Users run n8n behind their own proxies, which respond with 404 while n8n is down.
    return replace(_retry_config(webhook).to_policy(), retries_not_found=webhook.source == _N8N)


def with_receiver_message(webhook: StoredWebhook | None, outcome: retry.Outcome, body: str) -> retry.Outcome:
    """`outcome`, with the receiver's message about itself if the response's body has one."""
    if webhook is None or webhook.source != _N8N:
        return outcome
    return replace(outcome, message=n8n.receiver_message(outcome.status_code, body))


def decrypt_secrets(webhook: StoredWebhook) -> list[str]:
    """The decrypted live signing secrets, newest first. Raises vault.DecryptionFailed."""
    context = _encryption_context(webhook.id, "secret")
    return [
        vault.decrypt(webhook.workspace_id, secret["sealed"], encryption_context=context)
        for secret in webhook.live_secrets(now_ms())
    ]


def decrypt_headers(webhook: StoredWebhook) -> dict[str, str]:
    """The webhook's own headers, decrypted. Raises vault.DecryptionFailed."""
    if webhook.headers is None:
        return {}
    context = _encryption_context(webhook.id, "headers")
    decrypted: dict[str, str] = json.loads(
        vault.decrypt(webhook.workspace_id, webhook.headers, encryption_context=context)
    )
    return decrypted


def ciphertexts(webhook: StoredWebhook) -> list[str]:
    """The ciphertexts that `decrypt_secrets` and `decrypt_headers` decrypt."""
    encrypted = [secret["sealed"] for secret in webhook.live_secrets(now_ms())]
    return encrypted if webhook.headers is None else [*encrypted, webhook.headers]


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _new(
    principal: Principal, body: WebhookSettings, source: str, secret: str, id: WebhookId
) -> StoredWebhook:
    now = now_ms()
    return StoredWebhook(
        workspace_id=principal.workspace_id,
        id=id,
        source=source,
        secrets=[_encrypt_secret(principal.workspace_id, id, secret)],
        status="ACTIVE",
        created_by=principal.id,
        created_at=now,
        updated_at=now,
        version=1,
        **_attributes(principal.workspace_id, id, body, set(WebhookSettings.model_fields)),
    )


def _hook_key(source: str, body: WebhookSettings) -> str:
    """A key that is the same for all subscriptions to the same events at the same URL."""
    fields = body.model_dump(mode="json", by_alias=True, include={"url", "event_types", "filters"})
    identity = json.dumps([source, fields["url"], fields["eventTypes"], fields["filters"]], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def _reactivate(
    principal: Principal,
    id: WebhookId,
    secret: str,
    reactivation_actions: Callable[[WebhookId], Sequence[TransactItem]],
    release_actions: Callable[[WebhookId], Sequence[TransactItem]],
) -> str | None:
    """Make a hook active. If it was disabled, it gets `secret`, which is returned, and the actions of
    `reactivation_actions(id)` join the transaction; if it was paused, those of `release_actions(id)`.
    """
    was_disabled = False

    def change(webhook: StoredWebhook) -> StoredWebhook:
        nonlocal was_disabled
        was_disabled = webhook.status == "DISABLED"
        secrets = [_encrypt_secret(principal.workspace_id, id, secret)] if was_disabled else webhook.secrets
        return replace(_with_status(webhook, "ACTIVE", None), subscribed_at=now_ms(), secrets=secrets)

    def extra_actions(old: StoredWebhook, new: StoredWebhook) -> Sequence[TransactItem]:
        if old.is_paused:
            return release_actions(id)
        return reactivation_actions(id) if was_disabled else ()

    _change(
        principal,
        id,
        change,
        None,
        action="webhook.status_changed",
        detail=lambda old, new: f"{old.status} to {new.status}: subscribed again",
        extra_actions=extra_actions,
    )
    return secret if was_disabled else None


def _with_status(webhook: StoredWebhook, status: WebhookStatus, reason: str | None) -> StoredWebhook:
    if status == "PAUSED":
        return replace(webhook, status=status, status_reason=reason, disabled_at=None)
    if status != "ACTIVE":
        keeps_reason = reason is None and not webhook.is_paused  # a stored reason says why it was disabled
        return replace(
            webhook, status=status, status_reason=webhook.status_reason if keeps_reason else reason
        )
    # Failures before this moment no longer count (receivers.health).
    return replace(webhook, status=status, status_reason=None, disabled_at=None, resumed_at=now_ms())


def _delete(
    workspace_id: str,
    id: WebhookId,
    if_match: int | None,
    actor: str,
    detail: str | None = None,
    extra_actions: Sequence[TransactItem] = (),
    requested_at: int | None = None,
) -> bool:
    """Returns False, and deletes nothing, if the webhook was subscribed or enabled after `requested_at`."""
    for _ in range(_MAX_TRIES):
        webhook = get_stored(workspace_id, id)
        if webhook.was_renewed_since(requested_at):
            return False
        check_version("webhook", webhook.version, if_match)
        logged = _log_action(webhook, "webhook.deleted", actor, detail)
        try:
            store.delete(webhook, [logged, *extra_actions])
        except store.WebhookChanged:
            continue
        return True
    raise write_conflict("webhook")


def _check_filter_paths(body: WebhookSettings, stored: StoredWebhook | None = None) -> None:
    """Raises ValidationFailed for a filter on a path that no event type of the webhook has, unless `stored`,
    the webhook that `body` updates, already had it.
    """
    sent = body.model_fields_set
    if not sent & ({"filters"} if stored is None else {"event_types", "filters"}):
        return
    # Imported here: it loads the catalogue, and the delivery worker imports this module.
    from patchbay.webhooks import filter_paths

    if stored is None:
        filter_paths.check(body.event_types, [each.path for each in body.filters])
        return
    old_paths = [str(each["path"]) for each in stored.filters]
    filter_paths.check(
        body.event_types if "event_types" in sent else stored.event_types,
        [each.path for each in body.filters] if "filters" in sent else old_paths,
        accepted=filter_paths.undescribed(stored.event_types, old_paths),
    )


def _check_integration(principal: Principal, body: WebhookSettings) -> None:
    if body.integration_id is not None and not integrations_store.exists(
        principal.workspace_id, body.integration_id
    ):
        raise ValidationFailed.for_field("integrationId", "no integration with this ID")


def _expiry_actions(old: StoredWebhook | None, new: StoredWebhook) -> list[TransactItem]:
    """The write that makes the sweeper remove a temporary webhook when it expires, unless it expires at the
    same time as `old`.
    """
    if new.expires_at is None or (old is not None and old.expires_at == new.expires_at):
        return []
    return [health_store.expiry_action(webhook_key(new.workspace_id, new.id), new.expires_at)]


def _origin(url: str) -> tuple[str, str]:
    """Scheme and authority of a URL that was validated when it was stored."""
    scheme, _, rest = url.partition("://")
    return scheme.lower(), re.split(r"[/?]", rest, maxsplit=1)[0].lower()


def _keeps_values(body: UpdateWebhook) -> bool:
    """Whether an update keeps stored header values."""
    return "headers" not in body.model_fields_set or MASK in body.headers.values()


def _changed_headers(webhook: StoredWebhook, body: UpdateWebhook) -> dict[str, str] | None:
    """The headers after an update that sends headers, or None if they do not change. A masked value stands
    for the stored one. Raises ValidationFailed for the mask of a header that is not stored.
    """
    masked = {name for name, value in body.headers.items() if value == MASK}
    if masked == set(webhook.header_names) == body.headers.keys():
        return None
    stored = decrypt_headers(webhook) if masked else {}
    values = {name.lower(): value for name, value in stored.items()}
    headers = {
        name: values.get(name.lower(), value) if name in masked else value
        for name, value in body.headers.items()
    }
    try:
        return check_headers(headers)
    except ValueError as error:
        raise ValidationFailed.for_field("headers", str(error)) from None


def _attributes(workspace_id: str, id: WebhookId, body: WebhookSettings, names: set[str]) -> dict[str, Any]:
    """The attributes of a StoredWebhook that the named fields of `body` set."""
    plain = names - {"headers", "expires_in_seconds"}
    dumped = body.model_dump(mode="json", by_alias=True, include=plain)
    attributes = {name: dumped[to_camel(name)] for name in plain}
    if "url" in names:
        attributes["url"] = body.url or ""
    if "expires_in_seconds" in names:
        seconds = body.expires_in_seconds
        attributes["expires_at"] = None if seconds is None else now_ms() + seconds * 1000
    if "headers" in names:
        attributes |= _header_attributes(workspace_id, id, body.headers)
    return attributes


def _header_attributes(workspace_id: str, id: WebhookId, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "header_names": list(headers),
        "headers": _encrypt_headers(workspace_id, id, headers) if headers else None,
    }


def _encrypt_headers(workspace_id: str, id: WebhookId, headers: dict[str, str]) -> str:
    return vault.encrypt(
        workspace_id, json.dumps(headers), encryption_context=_encryption_context(id, "headers")
    )


def _changed_fields(old: StoredWebhook, new: StoredWebhook) -> str:
    """The fields that differ. Filters are compared as text, because in Python 1 equals True."""
    rows = [
        {name: compact_json.dumps(value) for name, value in webhook.to_row().items() if value is not None}
        for webhook in (old, new)
    ]
    names = rows[0].keys() | rows[1].keys()
    changed = {name for name in names if rows[0].get(name) != rows[1].get(name)}
    return ", ".join(sorted(changed - _UNLOGGED)) or "no field changed"


def _log_action(webhook: StoredWebhook, action: str, actor: str, detail: str | None = None) -> TransactItem:
    """An entry of the webhook's activity log, for the transaction that changes the webhook."""
    return log_action(webhook.workspace_id, WebhookId(webhook.id), action, actor, detail)


def _change(
    principal: Principal,
    id: WebhookId,
    change: Callable[[StoredWebhook], StoredWebhook],
    if_match: int | None,
    *,
    action: str,
    detail: Callable[[StoredWebhook, StoredWebhook], str],
    extra_actions: Callable[[StoredWebhook, StoredWebhook], Sequence[TransactItem]],
) -> Webhook:
    """`_change_stored` by a caller, logged as `action` with `detail(old, new)`. The actions of
    `extra_actions(old, new)` join the transaction.
    """

    def with_log(old: StoredWebhook, new: StoredWebhook) -> Sequence[TransactItem]:
        return [_log_action(new, action, principal.id, detail(old, new)), *extra_actions(old, new)]

    return _change_stored(principal.workspace_id, id, change, if_match, with_log)


def _change_stored(
    workspace_id: str,
    id: WebhookId,
    change: Callable[[StoredWebhook], StoredWebhook],
    if_match: int | None,
    extra_actions: Callable[[StoredWebhook, StoredWebhook], Sequence[TransactItem]],
) -> Webhook:
    """Store `change(webhook)`, with the actions of `extra_actions(old, new)` in the same transaction. Stores
    nothing if `change` returns the webhook that it was given.
    """
    for _ in range(_MAX_TRIES):
        old = get_stored(workspace_id, id)
        check_version("webhook", old.version, if_match)
        changed = change(old)
        if changed is old:
            return _to_api(old)
        new = replace(changed, updated_at=now_ms(), version=old.version + 1)
        try:
            store.replace(old, new, extra_actions(old, new))
        except store.WebhookChanged:
            continue
        return _to_api(new)
    raise write_conflict("webhook")


def _encrypt_secret(workspace_id: str, id: WebhookId, secret: str) -> StoredSecret:
    context = _encryption_context(id, "secret")
    return {"sealed": vault.encrypt(workspace_id, secret, encryption_context=context)}


def _encryption_context(id: str, field: str) -> str:
    return f"webhooks/{id}/{field}"


def _to_api(webhook: StoredWebhook) -> Webhook:
    return Webhook(
        id=WebhookId(webhook.id),
        kind=webhook.kind,
        name=webhook.name,
        url=webhook.url or None,
        event_types=list(webhook.event_types),
        filters=_FILTERS.validate_python(webhook.filters),
        integration_id=webhook.integration_id,
        source=webhook.source,
        headers=dict.fromkeys(webhook.header_names, MASK),
        retry_config=_retry_config(webhook),
        rate_limit_per_second=webhook.rate_limit_per_second,
        disable_after=webhook.disable_after,
        status=webhook.status,
        status_reason=webhook.status_reason,
        disabled_at=from_ms(webhook.disabled_at) if webhook.disabled_at else None,
        resumed_at=from_ms(webhook.resumed_at) if webhook.resumed_at else None,
        created_by=webhook.created_by,
        expires_at=from_ms(webhook.expires_at) if webhook.expires_at else None,
        created_at=from_ms(webhook.created_at),
        updated_at=from_ms(webhook.updated_at),
        version=webhook.version,
    )


def _retry_config(webhook: StoredWebhook) -> RetryConfig:
    return RetryConfig.model_validate(webhook.retry_config, strict=False)


def retain_days(workspace_id: str) -> int | None:
    """How long the workspace keeps its events and deliveries; None for RetentionDays."""
    return store.get_workspace_state(workspace_id).retain_days


def is_erasing(workspace_id: str) -> bool:
    """Whether the workspace is being erased, which means that nothing may be sent for it."""
    return store.get_workspace_state(workspace_id).mark.task is not None
