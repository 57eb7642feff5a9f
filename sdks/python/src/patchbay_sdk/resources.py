"""The methods of the API, for both clients.

Generated from openapi.json by `make derived`: change that, not this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from patchbay_sdk import models
else:
    from patchbay_sdk._lazy import models

from patchbay_sdk._http import UNSET, AsyncHttp, Http, Operation, Unset
from patchbay_sdk._pages import AsyncPage, Page


class Actions:
    """The results and choices that the platform returns for actions; for its own workspace."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def answer_run(
        self,
        id: str,
        *,
        status: Literal["SUCCEEDED"] | Literal["FAILED"],
        output: dict[str, Any] | Unset = UNSET,
        error: models.RunErrorInput | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Run:
        """Complete a run of any workspace with the platform's result.

        Args:
            id: The run's ID, `run_…`.
            output: The result. It must match the action's schema.
            error: What went wrong, for the automation's owner.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/actions/runs/{id}"),
            models.Run,
            path={"id": id},
            query={},
            body={"status": status, "output": output, "error": error},
            if_match=if_match,
        )

    def set_choices(self, resource: str, *, workspace_id: str, items: Sequence[models.Choice]) -> None:
        """Replace a workspace's list of choices for fields that take IDs.

        Args:
            resource: A list of choices, such as `accounts`: the `x-choices` of a field.
            workspace_id: The workspace.
            items: The items of this page.
        """
        return self._http.request(
            Operation("PUT", "/api/actions/choices/{resource}"),
            None,
            path={"resource": resource},
            query={},
            body={"workspaceId": workspace_id, "items": items},
        )


class AsyncActions:
    """The results and choices that the platform returns for actions; for its own workspace."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def answer_run(
        self,
        id: str,
        *,
        status: Literal["SUCCEEDED"] | Literal["FAILED"],
        output: dict[str, Any] | Unset = UNSET,
        error: models.RunErrorInput | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Run:
        """Complete a run of any workspace with the platform's result.

        Args:
            id: The run's ID, `run_…`.
            output: The result. It must match the action's schema.
            error: What went wrong, for the automation's owner.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/actions/runs/{id}"),
            models.Run,
            path={"id": id},
            query={},
            body={"status": status, "output": output, "error": error},
            if_match=if_match,
        )

    async def set_choices(self, resource: str, *, workspace_id: str, items: Sequence[models.Choice]) -> None:
        """Replace a workspace's list of choices for fields that take IDs.

        Args:
            resource: A list of choices, such as `accounts`: the `x-choices` of a field.
            workspace_id: The workspace.
            items: The items of this page.
        """
        return await self._http.request(
            Operation("PUT", "/api/actions/choices/{resource}"),
            None,
            path={"resource": resource},
            query={},
            body={"workspaceId": workspace_id, "items": items},
        )


class ApiKeys:
    """API keys."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        rate_limit_per_hour: int | Unset = UNSET,
        rate_limit_per_day: int | Unset = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        rotation: models.KeyRotationInput | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.ApiKeyWithSecret:
        """Create an API key.

        Only this response contains `key`.

        Args:
            name: The display name.
            scopes: The scopes of the key. You can grant only scopes that you have.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            expires_at: When the key expires. By default, it never expires.
            rotation: The rotation policy of the key. By default, the policy of the workspace applies,
                if it has one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/api-keys", idempotent=True),
            models.ApiKeyWithSecret,
            path={},
            query={},
            body={
                "name": name,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "expiresAt": expires_at,
                "rotation": rotation,
            },
            idempotency_key=idempotency_key,
        )

    def get(self, id: str) -> models.ApiKey:
        """Get an API key with its usage.

        Args:
            id: The key's ID, `key_…`: not the secret.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/api-keys/{id}"),
            models.ApiKey,
            path={"id": id},
            query={},
        )

    def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset = UNSET,
        rate_limit_per_day: int | Unset = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        rotation: models.KeyRotationInput | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.ApiKey:
        """Update an API key.

        Only the fields that you send change, from the next request on.

        Args:
            id: The key's ID, `key_…`: not the secret.
            name: The display name.
            scopes: The scopes of the key. You can grant only scopes that you have.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            expires_at: When the key expires. By default, it never expires.
            rotation: The key's complete rotation policy. Null removes it, so that the workspace's
                policy applies.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/integrations/api-keys/{id}"),
            models.ApiKey,
            path={"id": id},
            query={},
            body={
                "name": name,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "expiresAt": expires_at,
                "rotation": rotation,
            },
            if_match=if_match,
        )

    def revoke(self, id: str, *, if_match: int | str | None = None) -> None:
        """Revoke an API key.

        Patchbay rejects its next request.

        Args:
            id: The key's ID, `key_…`: not the secret.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/integrations/api-keys/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> Page[models.LogEntry]:
        """List the activity log of an API key, newest first.

        Args:
            id: The key's ID, `key_…`: not the secret.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/api-keys/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    def rotate(
        self,
        id: str,
        *,
        overlap_seconds: int | Unset = UNSET,
        idempotency_key: str | None = None,
        if_match: int | str | None = None,
    ) -> models.ApiKeyWithSecret:
        """Rotate an API key.

        The new key has the same settings; the old key keeps working for `overlapSeconds`. Only this
        response contains `key`.

        Args:
            id: The key's ID, `key_…`: not the secret.
            overlap_seconds: How long the old key keeps working alongside the new one. 0 ends it
                immediately.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/api-keys/{id}/rotate", idempotent=True),
            models.ApiKeyWithSecret,
            path={"id": id},
            query={},
            body={"overlapSeconds": overlap_seconds},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def verify(
        self, *, key: str, scopes: Sequence[str] | Unset = UNSET, cost: int | Unset = UNSET
    ) -> models.Verification:
        """Verify an API key for a request to one of the platform's own APIs, and count the request if the
        key is valid.

        Args:
            key: The key to check.
            scopes: The scopes that the request needs.
            cost: The number of units that the request uses.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/api-keys/verify"),
            models.Verification,
            path={},
            query={},
            body={"key": key, "scopes": scopes, "cost": cost},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> Page[models.ApiKey]:
        """List the workspace's API keys, newest first, without their daily usage. Ended keys stay listed
        for 30 days.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/api-keys"),
            models.ApiKey,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class AsyncApiKeys:
    """API keys."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        rate_limit_per_hour: int | Unset = UNSET,
        rate_limit_per_day: int | Unset = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        rotation: models.KeyRotationInput | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.ApiKeyWithSecret:
        """Create an API key.

        Only this response contains `key`.

        Args:
            name: The display name.
            scopes: The scopes of the key. You can grant only scopes that you have.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            expires_at: When the key expires. By default, it never expires.
            rotation: The rotation policy of the key. By default, the policy of the workspace applies,
                if it has one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/api-keys", idempotent=True),
            models.ApiKeyWithSecret,
            path={},
            query={},
            body={
                "name": name,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "expiresAt": expires_at,
                "rotation": rotation,
            },
            idempotency_key=idempotency_key,
        )

    async def get(self, id: str) -> models.ApiKey:
        """Get an API key with its usage.

        Args:
            id: The key's ID, `key_…`: not the secret.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/api-keys/{id}"),
            models.ApiKey,
            path={"id": id},
            query={},
        )

    async def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset = UNSET,
        rate_limit_per_day: int | Unset = UNSET,
        expires_at: datetime | Unset | None = UNSET,
        rotation: models.KeyRotationInput | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.ApiKey:
        """Update an API key.

        Only the fields that you send change, from the next request on.

        Args:
            id: The key's ID, `key_…`: not the secret.
            name: The display name.
            scopes: The scopes of the key. You can grant only scopes that you have.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            expires_at: When the key expires. By default, it never expires.
            rotation: The key's complete rotation policy. Null removes it, so that the workspace's
                policy applies.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/integrations/api-keys/{id}"),
            models.ApiKey,
            path={"id": id},
            query={},
            body={
                "name": name,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "expiresAt": expires_at,
                "rotation": rotation,
            },
            if_match=if_match,
        )

    async def revoke(self, id: str, *, if_match: int | str | None = None) -> None:
        """Revoke an API key.

        Patchbay rejects its next request.

        Args:
            id: The key's ID, `key_…`: not the secret.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/integrations/api-keys/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> AsyncPage[models.LogEntry]:
        """List the activity log of an API key, newest first.

        Args:
            id: The key's ID, `key_…`: not the secret.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/api-keys/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    async def rotate(
        self,
        id: str,
        *,
        overlap_seconds: int | Unset = UNSET,
        idempotency_key: str | None = None,
        if_match: int | str | None = None,
    ) -> models.ApiKeyWithSecret:
        """Rotate an API key.

        The new key has the same settings; the old key keeps working for `overlapSeconds`. Only this
        response contains `key`.

        Args:
            id: The key's ID, `key_…`: not the secret.
            overlap_seconds: How long the old key keeps working alongside the new one. 0 ends it
                immediately.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/api-keys/{id}/rotate", idempotent=True),
            models.ApiKeyWithSecret,
            path={"id": id},
            query={},
            body={"overlapSeconds": overlap_seconds},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def verify(
        self, *, key: str, scopes: Sequence[str] | Unset = UNSET, cost: int | Unset = UNSET
    ) -> models.Verification:
        """Verify an API key for a request to one of the platform's own APIs, and count the request if the
        key is valid.

        Args:
            key: The key to check.
            scopes: The scopes that the request needs.
            cost: The number of units that the request uses.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/api-keys/verify"),
            models.Verification,
            path={},
            query={},
            body={"key": key, "scopes": scopes, "cost": cost},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> AsyncPage[models.ApiKey]:
        """List the workspace's API keys, newest first, without their daily usage. Ended keys stay listed
        for 30 days.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/api-keys"),
            models.ApiKey,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class Audit:
    """The audit log."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        actor: str | Unset = UNSET,
        action: str | Unset = UNSET,
        target: str | Unset = UNSET,
        outcome: Literal["SUCCEEDED", "REFUSED", "FAILED"] | Unset = UNSET,
    ) -> Page[models.AuditEntry]:
        """List the workspace's requests for changes and for secrets, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            actor: Only entries of this actor: `user:…`, `key_…`, `session:…` or `connect:…`.
            action: Only entries of this action, such as `webhooks.update`.
            target: Only entries of this target and of its sub-resources.
            outcome: Only entries with this outcome.
        """
        return self._http.page(
            Operation("GET", "/api/audit"),
            models.AuditEntry,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "actor": actor,
                "action": action,
                "target": target,
                "outcome": outcome,
            },
        )


class AsyncAudit:
    """The audit log."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        actor: str | Unset = UNSET,
        action: str | Unset = UNSET,
        target: str | Unset = UNSET,
        outcome: Literal["SUCCEEDED", "REFUSED", "FAILED"] | Unset = UNSET,
    ) -> AsyncPage[models.AuditEntry]:
        """List the workspace's requests for changes and for secrets, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            actor: Only entries of this actor: `user:…`, `key_…`, `session:…` or `connect:…`.
            action: Only entries of this action, such as `webhooks.update`.
            target: Only entries of this target and of its sub-resources.
            outcome: Only entries with this outcome.
        """
        return self._http.page(
            Operation("GET", "/api/audit"),
            models.AuditEntry,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "actor": actor,
                "action": action,
                "target": target,
                "outcome": outcome,
            },
        )


class Automations:
    """Triggers, hooks, actions and runs of Zapier, Make and n8n."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def me(self, platform: Literal["zapier", "make", "n8n"]) -> models.Me:
        """Get the workspace that the credentials belong to.

        Args:
            platform: The platform that the automation runs on.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/me"),
            models.Me,
            path={"platform": platform},
            query={},
        )

    def list_triggers(self, platform: Literal["zapier", "make", "n8n"]) -> list[models.Trigger]:
        """List the event types that can start an automation.

        Args:
            platform: The platform that the automation runs on.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/triggers"),
            list[models.Trigger],
            path={"platform": platform},
            query={},
        )

    def list_samples(
        self, platform: Literal["zapier", "make", "n8n"], event_type: str, *, limit: int | Unset = UNSET
    ) -> list[models.Sample]:
        """List the newest events of a type, in the format that hooks receive.

        Args:
            platform: The platform that the automation runs on.
            event_type: An event type, such as `POST_PUBLISHED`.
            limit: The maximum number of events in the response.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/triggers/{eventType}/samples"),
            list[models.Sample],
            path={"platform": platform, "eventType": event_type},
            query={"limit": limit},
        )

    def list_hooks(
        self, platform: Literal["zapier", "make", "n8n"], *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET
    ) -> Page[models.Hook]:
        """List the hooks of one automation platform, newest first.

        Args:
            platform: The platform that the automation runs on.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/automations/{platform}/hooks"),
            models.Hook,
            path={"platform": platform},
            query={"limit": limit, "cursor": cursor},
        )

    def subscribe(
        self,
        platform: Literal["zapier", "make", "n8n"],
        *,
        url: str,
        event_type: str,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.KnownHook | models.SubscribedHook:
        """Subscribe an automation to events.

        Only this response contains the signing secret.

        Args:
            platform: The platform that the automation runs on.
            url: The receiver's URL.
            event_type: The type of the event.
            filters: Conditions on an event's data. All must be true.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        result: models.KnownHook | models.SubscribedHook = self._http.request(
            Operation("POST", "/api/automations/{platform}/hooks", idempotent=True),
            models.KnownHook | models.SubscribedHook,
            path={"platform": platform},
            query={},
            body={"url": url, "eventType": event_type, "filters": filters},
            idempotency_key=idempotency_key,
        )
        return result

    def get_hook(self, platform: Literal["zapier", "make", "n8n"], id: str) -> models.Hook:
        """Get a hook.

        Args:
            platform: The platform that the automation runs on.
            id: The webhook's ID, `whk_…`.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/hooks/{id}"),
            models.Hook,
            path={"platform": platform, "id": id},
            query={},
        )

    def unsubscribe(
        self, platform: Literal["zapier", "make", "n8n"], id: str, *, if_match: int | str | None = None
    ) -> None:
        """Remove a hook.

        Args:
            platform: The platform that the automation runs on.
            id: The webhook's ID, `whk_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/automations/{platform}/hooks/{id}"),
            None,
            path={"platform": platform, "id": id},
            query={},
            if_match=if_match,
        )

    def list_actions(self, platform: Literal["zapier", "make", "n8n"]) -> list[models.ActionInfo]:
        """List the actions that an automation can start.

        Args:
            platform: The platform that the automation runs on.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/actions"),
            list[models.ActionInfo],
            path={"platform": platform},
            query={},
        )

    def list_choices(
        self,
        platform: Literal["zapier", "make", "n8n"],
        resource: str,
        *,
        search: str | Unset = UNSET,
        cursor: str | Unset = UNSET,
    ) -> list[models.Choice]:
        """List the IDs that a field accepts, for dropdowns.

        Args:
            platform: The platform that the automation runs on.
            resource: A list of choices, such as `accounts`: the `x-choices` of a field.
            search: Part of a label, or the start of an ID.
            cursor: The ID of the last item that you received.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/choices/{resource}"),
            list[models.Choice],
            path={"platform": platform, "resource": resource},
            query={"search": search, "cursor": cursor},
        )

    def start_run(
        self,
        platform: Literal["zapier", "make", "n8n"],
        key: str,
        *,
        input: dict[str, Any] | Unset = UNSET,
        callback_url: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Run:
        """Start a run of an action.

        The platform completes it within 15 minutes.

        Args:
            platform: The platform that the automation runs on.
            key: The key of an action: its `id` in `GET …/actions`.
            input: The input. It must match the action's schema.
            callback_url: A URL that gets `{runId, status, output, error}` when the run ends.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/automations/{platform}/actions/{key}", idempotent=True),
            models.Run,
            path={"platform": platform, "key": key},
            query={},
            body={"input": input, "callbackUrl": callback_url},
            idempotency_key=idempotency_key,
        )

    def list_runs(
        self,
        platform: Literal["zapier", "make", "n8n"],
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SUCCEEDED", "FAILED"] | Unset = UNSET,
    ) -> Page[models.Run]:
        """List the runs of one automation platform, newest first.

        Args:
            platform: The platform that the automation runs on.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/automations/{platform}/runs"),
            models.Run,
            path={"platform": platform},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "status": status},
        )

    def list_all_runs(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SUCCEEDED", "FAILED"] | Unset = UNSET,
        platform: Literal["zapier", "make", "n8n"] | Unset = UNSET,
    ) -> Page[models.Run]:
        """List the runs of all automation platforms, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            platform: The automation platform.
        """
        return self._http.page(
            Operation("GET", "/api/automations/runs"),
            models.Run,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "platform": platform,
            },
        )

    def get_run(self, platform: Literal["zapier", "make", "n8n"], id: str) -> models.Run:
        """Get a run with its status and result.

        Args:
            platform: The platform that the automation runs on.
            id: The run's ID, `run_…`.
        """
        return self._http.request(
            Operation("GET", "/api/automations/{platform}/runs/{id}"),
            models.Run,
            path={"platform": platform, "id": id},
            query={},
        )


class AsyncAutomations:
    """Triggers, hooks, actions and runs of Zapier, Make and n8n."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def me(self, platform: Literal["zapier", "make", "n8n"]) -> models.Me:
        """Get the workspace that the credentials belong to.

        Args:
            platform: The platform that the automation runs on.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/me"),
            models.Me,
            path={"platform": platform},
            query={},
        )

    async def list_triggers(self, platform: Literal["zapier", "make", "n8n"]) -> list[models.Trigger]:
        """List the event types that can start an automation.

        Args:
            platform: The platform that the automation runs on.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/triggers"),
            list[models.Trigger],
            path={"platform": platform},
            query={},
        )

    async def list_samples(
        self, platform: Literal["zapier", "make", "n8n"], event_type: str, *, limit: int | Unset = UNSET
    ) -> list[models.Sample]:
        """List the newest events of a type, in the format that hooks receive.

        Args:
            platform: The platform that the automation runs on.
            event_type: An event type, such as `POST_PUBLISHED`.
            limit: The maximum number of events in the response.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/triggers/{eventType}/samples"),
            list[models.Sample],
            path={"platform": platform, "eventType": event_type},
            query={"limit": limit},
        )

    def list_hooks(
        self, platform: Literal["zapier", "make", "n8n"], *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET
    ) -> AsyncPage[models.Hook]:
        """List the hooks of one automation platform, newest first.

        Args:
            platform: The platform that the automation runs on.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/automations/{platform}/hooks"),
            models.Hook,
            path={"platform": platform},
            query={"limit": limit, "cursor": cursor},
        )

    async def subscribe(
        self,
        platform: Literal["zapier", "make", "n8n"],
        *,
        url: str,
        event_type: str,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.KnownHook | models.SubscribedHook:
        """Subscribe an automation to events.

        Only this response contains the signing secret.

        Args:
            platform: The platform that the automation runs on.
            url: The receiver's URL.
            event_type: The type of the event.
            filters: Conditions on an event's data. All must be true.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        result: models.KnownHook | models.SubscribedHook = await self._http.request(
            Operation("POST", "/api/automations/{platform}/hooks", idempotent=True),
            models.KnownHook | models.SubscribedHook,
            path={"platform": platform},
            query={},
            body={"url": url, "eventType": event_type, "filters": filters},
            idempotency_key=idempotency_key,
        )
        return result

    async def get_hook(self, platform: Literal["zapier", "make", "n8n"], id: str) -> models.Hook:
        """Get a hook.

        Args:
            platform: The platform that the automation runs on.
            id: The webhook's ID, `whk_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/hooks/{id}"),
            models.Hook,
            path={"platform": platform, "id": id},
            query={},
        )

    async def unsubscribe(
        self, platform: Literal["zapier", "make", "n8n"], id: str, *, if_match: int | str | None = None
    ) -> None:
        """Remove a hook.

        Args:
            platform: The platform that the automation runs on.
            id: The webhook's ID, `whk_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/automations/{platform}/hooks/{id}"),
            None,
            path={"platform": platform, "id": id},
            query={},
            if_match=if_match,
        )

    async def list_actions(self, platform: Literal["zapier", "make", "n8n"]) -> list[models.ActionInfo]:
        """List the actions that an automation can start.

        Args:
            platform: The platform that the automation runs on.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/actions"),
            list[models.ActionInfo],
            path={"platform": platform},
            query={},
        )

    async def list_choices(
        self,
        platform: Literal["zapier", "make", "n8n"],
        resource: str,
        *,
        search: str | Unset = UNSET,
        cursor: str | Unset = UNSET,
    ) -> list[models.Choice]:
        """List the IDs that a field accepts, for dropdowns.

        Args:
            platform: The platform that the automation runs on.
            resource: A list of choices, such as `accounts`: the `x-choices` of a field.
            search: Part of a label, or the start of an ID.
            cursor: The ID of the last item that you received.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/choices/{resource}"),
            list[models.Choice],
            path={"platform": platform, "resource": resource},
            query={"search": search, "cursor": cursor},
        )

    async def start_run(
        self,
        platform: Literal["zapier", "make", "n8n"],
        key: str,
        *,
        input: dict[str, Any] | Unset = UNSET,
        callback_url: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Run:
        """Start a run of an action.

        The platform completes it within 15 minutes.

        Args:
            platform: The platform that the automation runs on.
            key: The key of an action: its `id` in `GET …/actions`.
            input: The input. It must match the action's schema.
            callback_url: A URL that gets `{runId, status, output, error}` when the run ends.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/automations/{platform}/actions/{key}", idempotent=True),
            models.Run,
            path={"platform": platform, "key": key},
            query={},
            body={"input": input, "callbackUrl": callback_url},
            idempotency_key=idempotency_key,
        )

    def list_runs(
        self,
        platform: Literal["zapier", "make", "n8n"],
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SUCCEEDED", "FAILED"] | Unset = UNSET,
    ) -> AsyncPage[models.Run]:
        """List the runs of one automation platform, newest first.

        Args:
            platform: The platform that the automation runs on.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/automations/{platform}/runs"),
            models.Run,
            path={"platform": platform},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "status": status},
        )

    def list_all_runs(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SUCCEEDED", "FAILED"] | Unset = UNSET,
        platform: Literal["zapier", "make", "n8n"] | Unset = UNSET,
    ) -> AsyncPage[models.Run]:
        """List the runs of all automation platforms, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            platform: The automation platform.
        """
        return self._http.page(
            Operation("GET", "/api/automations/runs"),
            models.Run,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "platform": platform,
            },
        )

    async def get_run(self, platform: Literal["zapier", "make", "n8n"], id: str) -> models.Run:
        """Get a run with its status and result.

        Args:
            platform: The platform that the automation runs on.
            id: The run's ID, `run_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/automations/{platform}/runs/{id}"),
            models.Run,
            path={"platform": platform, "id": id},
            query={},
        )


class ConnectSessions:
    """Connect links, on whose page your users connect their accounts."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        integrations: Sequence[str],
        connection_id: str | Unset | None = UNSET,
        scopes: Sequence[str] | Unset | None = UNSET,
        workspace_name: str | Unset | None = UNSET,
        requested_by: str | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        expires_in: int | Unset = UNSET,
    ) -> models.ConnectSessionLink:
        """Create a link that connects one account.

        Only this response contains the link.

        Args:
            integrations: The integrations that the user can choose from. They must be active.
            connection_id: The name of the connection. An existing connection with this name is
                replaced. By default, the ID of the session.
            scopes: The scopes to request, if there is only one integration. By default, those of the
                integration.
            workspace_name: The workspace's name, shown on the page.
            requested_by: Who requests access, shown on the page: a person or a team.
            return_url: The page of the platform to return to. Its origin must be in
                AllowedReturnOrigins.
            expires_in: The lifetime of the link in seconds, at most 7 days.
        """
        return self._http.request(
            Operation("POST", "/api/connect/sessions"),
            models.ConnectSessionLink,
            path={},
            query={},
            body={
                "integrations": integrations,
                "connectionId": connection_id,
                "scopes": scopes,
                "workspaceName": workspace_name,
                "requestedBy": requested_by,
                "returnUrl": return_url,
                "expiresIn": expires_in,
            },
        )

    def revoke(self, id: str) -> None:
        """Revoke a connect link.

        Patchbay rejects its next request.

        Args:
            id: The connect session's ID, `cse_…`.
        """
        return self._http.request(
            Operation("DELETE", "/api/connect/sessions/{id}"),
            None,
            path={"id": id},
            query={},
        )

    def get_page(
        self,
    ) -> models.ConnectPage:
        """Get the contents of a connect link's page.

        Needs the token of a connect link.
        """
        return self._http.request(
            Operation("GET", "/api/connect/session"),
            models.ConnectPage,
            path={},
            query={},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> Page[models.ConnectSession]:
        """List connect sessions, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/connect/sessions"),
            models.ConnectSession,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class AsyncConnectSessions:
    """Connect links, on whose page your users connect their accounts."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        integrations: Sequence[str],
        connection_id: str | Unset | None = UNSET,
        scopes: Sequence[str] | Unset | None = UNSET,
        workspace_name: str | Unset | None = UNSET,
        requested_by: str | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        expires_in: int | Unset = UNSET,
    ) -> models.ConnectSessionLink:
        """Create a link that connects one account.

        Only this response contains the link.

        Args:
            integrations: The integrations that the user can choose from. They must be active.
            connection_id: The name of the connection. An existing connection with this name is
                replaced. By default, the ID of the session.
            scopes: The scopes to request, if there is only one integration. By default, those of the
                integration.
            workspace_name: The workspace's name, shown on the page.
            requested_by: Who requests access, shown on the page: a person or a team.
            return_url: The page of the platform to return to. Its origin must be in
                AllowedReturnOrigins.
            expires_in: The lifetime of the link in seconds, at most 7 days.
        """
        return await self._http.request(
            Operation("POST", "/api/connect/sessions"),
            models.ConnectSessionLink,
            path={},
            query={},
            body={
                "integrations": integrations,
                "connectionId": connection_id,
                "scopes": scopes,
                "workspaceName": workspace_name,
                "requestedBy": requested_by,
                "returnUrl": return_url,
                "expiresIn": expires_in,
            },
        )

    async def revoke(self, id: str) -> None:
        """Revoke a connect link.

        Patchbay rejects its next request.

        Args:
            id: The connect session's ID, `cse_…`.
        """
        return await self._http.request(
            Operation("DELETE", "/api/connect/sessions/{id}"),
            None,
            path={"id": id},
            query={},
        )

    async def get_page(
        self,
    ) -> models.ConnectPage:
        """Get the contents of a connect link's page.

        Needs the token of a connect link.
        """
        return await self._http.request(
            Operation("GET", "/api/connect/session"),
            models.ConnectPage,
            path={},
            query={},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> AsyncPage[models.ConnectSession]:
        """List connect sessions, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/connect/sessions"),
            models.ConnectSession,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class Connections:
    """Connections to providers."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def initiate(
        self,
        id: str,
        *,
        redirect_uri: str,
        connection_id: str | Unset = UNSET,
        scopes: Sequence[str] | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Authorization:
        """Start an authorization code flow.

        Returns the URL to send the user to.

        Args:
            id: The integration's ID, `int_…`.
            redirect_uri: Where the provider sends the browser back to. It must exactly match a
                registered redirect URI.
            connection_id: The name of the connection, chosen by its creator.
            scopes: The scopes.
            return_url: The page of the platform that Patchbay's callback route redirects the browser
                to.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/{id}/oauth/initiate", idempotent=True),
            models.Authorization,
            path={"id": id},
            query={},
            body={
                "redirectUri": redirect_uri,
                "connectionId": connection_id,
                "scopes": scopes,
                "returnUrl": return_url,
            },
            idempotency_key=idempotency_key,
        )

    def complete(
        self,
        *,
        state: str,
        code: str | Unset | None = UNSET,
        iss: str | Unset | None = UNSET,
        error: str | Unset | None = UNSET,
        error_description: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Connection:
        """Complete an authorization code flow with the parameters of the provider's redirect.

        Args:
            state: The `state` of the flow.
            code: The authorization code.
            iss: The issuer that the provider names (RFC 9207).
            error: The error code, if the user or the provider refused.
            error_description: The provider's explanation of the error.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/oauth/callback", idempotent=True),
            models.Connection,
            path={},
            query={},
            body={"state": state, "code": code, "iss": iss, "error": error, "error_description": error_description},
            idempotency_key=idempotency_key,
        )

    def refresh(self, id: str, *, connection_id: str | Unset = UNSET) -> models.Connection:
        """Refresh a connection's token now.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name or its ID, `con_…`.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/{id}/oauth/refresh"),
            models.Connection,
            path={"id": id},
            query={},
            body={"connectionId": connection_id},
        )

    def create(
        self,
        id: str,
        *,
        credentials: dict[str, str],
        connection_id: str | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Connection:
        """Connect with an API key or basic credentials.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The name of the connection, chosen by its creator.
            credentials: The credentials by name, such as `apiKey`.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/{id}/connections", idempotent=True),
            models.Connection,
            path={"id": id},
            query={},
            body={"connectionId": connection_id, "credentials": credentials},
            idempotency_key=idempotency_key,
        )

    def list_all(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"] | Unset = UNSET,
        integration_id: str | Unset = UNSET,
        provider: str | Unset = UNSET,
        connection_id: str | Unset = UNSET,
        account_id: str | Unset = UNSET,
    ) -> Page[models.Connection]:
        """List the connections of all integrations of the workspace, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            integration_id: The integration that it belongs to.
            provider: The provider, such as `hubspot`.
            connection_id: The name of the connection, chosen by its creator.
            account_id: The account's ID at the provider.
        """
        return self._http.page(
            Operation("GET", "/api/connections"),
            models.Connection,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "status": status,
                "integrationId": integration_id,
                "provider": provider,
                "connectionId": connection_id,
                "accountId": account_id,
            },
        )

    def get(self, id: str, connection_id: str) -> models.Connection:
        """Get a connection by its name or ID.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/{id}/connections/{connectionId}"),
            models.Connection,
            path={"id": id, "connectionId": connection_id},
            query={},
        )

    def delete(self, id: str, connection_id: str, *, if_match: int | str | None = None) -> None:
        """Delete a connection, here and at the provider.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/integrations/{id}/connections/{connectionId}"),
            None,
            path={"id": id, "connectionId": connection_id},
            query={},
            if_match=if_match,
        )

    def token(self, id: str, connection_id: str) -> models.AccessToken | models.ConnectionCredentials:
        """Get the access token, refreshed if necessary, or the credentials.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
        """
        result: models.AccessToken | models.ConnectionCredentials = self._http.request(
            Operation("GET", "/api/integrations/{id}/connections/{connectionId}/token"),
            models.AccessToken | models.ConnectionCredentials,
            path={"id": id, "connectionId": connection_id},
            query={},
        )
        return result

    def list(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"] | Unset = UNSET,
    ) -> Page[models.Connection]:
        """List an integration's connections, newest first.

        Args:
            id: The integration's ID, `int_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/{id}/connections"),
            models.Connection,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "status": status},
        )


class AsyncConnections:
    """Connections to providers."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def initiate(
        self,
        id: str,
        *,
        redirect_uri: str,
        connection_id: str | Unset = UNSET,
        scopes: Sequence[str] | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Authorization:
        """Start an authorization code flow.

        Returns the URL to send the user to.

        Args:
            id: The integration's ID, `int_…`.
            redirect_uri: Where the provider sends the browser back to. It must exactly match a
                registered redirect URI.
            connection_id: The name of the connection, chosen by its creator.
            scopes: The scopes.
            return_url: The page of the platform that Patchbay's callback route redirects the browser
                to.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/{id}/oauth/initiate", idempotent=True),
            models.Authorization,
            path={"id": id},
            query={},
            body={
                "redirectUri": redirect_uri,
                "connectionId": connection_id,
                "scopes": scopes,
                "returnUrl": return_url,
            },
            idempotency_key=idempotency_key,
        )

    async def complete(
        self,
        *,
        state: str,
        code: str | Unset | None = UNSET,
        iss: str | Unset | None = UNSET,
        error: str | Unset | None = UNSET,
        error_description: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Connection:
        """Complete an authorization code flow with the parameters of the provider's redirect.

        Args:
            state: The `state` of the flow.
            code: The authorization code.
            iss: The issuer that the provider names (RFC 9207).
            error: The error code, if the user or the provider refused.
            error_description: The provider's explanation of the error.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/oauth/callback", idempotent=True),
            models.Connection,
            path={},
            query={},
            body={"state": state, "code": code, "iss": iss, "error": error, "error_description": error_description},
            idempotency_key=idempotency_key,
        )

    async def refresh(self, id: str, *, connection_id: str | Unset = UNSET) -> models.Connection:
        """Refresh a connection's token now.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name or its ID, `con_…`.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/{id}/oauth/refresh"),
            models.Connection,
            path={"id": id},
            query={},
            body={"connectionId": connection_id},
        )

    async def create(
        self,
        id: str,
        *,
        credentials: dict[str, str],
        connection_id: str | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Connection:
        """Connect with an API key or basic credentials.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The name of the connection, chosen by its creator.
            credentials: The credentials by name, such as `apiKey`.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/{id}/connections", idempotent=True),
            models.Connection,
            path={"id": id},
            query={},
            body={"connectionId": connection_id, "credentials": credentials},
            idempotency_key=idempotency_key,
        )

    def list_all(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"] | Unset = UNSET,
        integration_id: str | Unset = UNSET,
        provider: str | Unset = UNSET,
        connection_id: str | Unset = UNSET,
        account_id: str | Unset = UNSET,
    ) -> AsyncPage[models.Connection]:
        """List the connections of all integrations of the workspace, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            integration_id: The integration that it belongs to.
            provider: The provider, such as `hubspot`.
            connection_id: The name of the connection, chosen by its creator.
            account_id: The account's ID at the provider.
        """
        return self._http.page(
            Operation("GET", "/api/connections"),
            models.Connection,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "status": status,
                "integrationId": integration_id,
                "provider": provider,
                "connectionId": connection_id,
                "accountId": account_id,
            },
        )

    async def get(self, id: str, connection_id: str) -> models.Connection:
        """Get a connection by its name or ID.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/{id}/connections/{connectionId}"),
            models.Connection,
            path={"id": id, "connectionId": connection_id},
            query={},
        )

    async def delete(self, id: str, connection_id: str, *, if_match: int | str | None = None) -> None:
        """Delete a connection, here and at the provider.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/integrations/{id}/connections/{connectionId}"),
            None,
            path={"id": id, "connectionId": connection_id},
            query={},
            if_match=if_match,
        )

    async def token(self, id: str, connection_id: str) -> models.AccessToken | models.ConnectionCredentials:
        """Get the access token, refreshed if necessary, or the credentials.

        Args:
            id: The integration's ID, `int_…`.
            connection_id: The connection's name (`connectionId`) or its ID, `con_…`.
        """
        result: models.AccessToken | models.ConnectionCredentials = await self._http.request(
            Operation("GET", "/api/integrations/{id}/connections/{connectionId}/token"),
            models.AccessToken | models.ConnectionCredentials,
            path={"id": id, "connectionId": connection_id},
            query={},
        )
        return result

    def list(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"] | Unset = UNSET,
    ) -> AsyncPage[models.Connection]:
        """List an integration's connections, newest first.

        Args:
            id: The integration's ID, `int_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/{id}/connections"),
            models.Connection,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "status": status},
        )


class Deliveries:
    """Deliveries of all webhooks."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
        event_id: str | Unset = UNSET,
    ) -> Page[models.Delivery]:
        """List the deliveries of the workspace's webhooks, newest event first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            event_type: Only items of this event type.
            webhook_id: The webhook.
            event_id: The event.
        """
        return self._http.page(
            Operation("GET", "/api/deliveries"),
            models.Delivery,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "eventType": event_type,
                "webhookId": webhook_id,
                "eventId": event_id,
            },
        )


class AsyncDeliveries:
    """Deliveries of all webhooks."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
        event_id: str | Unset = UNSET,
    ) -> AsyncPage[models.Delivery]:
        """List the deliveries of the workspace's webhooks, newest event first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            event_type: Only items of this event type.
            webhook_id: The webhook.
            event_id: The event.
        """
        return self._http.page(
            Operation("GET", "/api/deliveries"),
            models.Delivery,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "eventType": event_type,
                "webhookId": webhook_id,
                "eventId": event_id,
            },
        )


class Events:
    """Events."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def publish(
        self,
        *,
        type: str,
        data: dict[str, Any],
        workspace_id: str | Unset | None = UNSET,
        caused_by: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.PublishedEvent:
        """Publish an event.

        Patchbay delivers it to every matching webhook.

        Args:
            type: The event type, such as `POST_PUBLISHED`.
            data: The content: an object of at most 256 KiB that matches the type's schema.
            workspace_id: The workspace to publish for. Only the platform's workspace can set it.
            caused_by: The event that caused this one, if any.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/events", idempotent=True),
            models.PublishedEvent,
            path={},
            query={},
            body={"type": type, "data": data, "workspaceId": workspace_id, "causedBy": caused_by},
            idempotency_key=idempotency_key,
        )

    def get(self, id: str) -> models.Event:
        """Get an event with its deliveries, and the webhooks that did not get it, with the reasons.

        Args:
            id: The event's ID, `evt_…`.
        """
        return self._http.request(
            Operation("GET", "/api/events/{id}"),
            models.Event,
            path={"id": id},
            query={},
        )

    def erase_data(self, id: str) -> None:
        """Erase the data of an event, with the responses of receivers and flows. The event cannot be
        resent.

        Args:
            id: The event's ID, `evt_…`.
        """
        return self._http.request(
            Operation("DELETE", "/api/events/{id}/data"),
            None,
            path={"id": id},
            query={},
        )

    def publish_batch(
        self, *, events: Sequence[models.PublishEvent], idempotency_key: str | None = None
    ) -> models.PublishedEvents:
        """Publish up to 100 events.

        Each item of the response is a published event, or an error.

        Args:
            events: The events, at most 100.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/events/batch", idempotent=True),
            models.PublishedEvents,
            path={},
            query={},
            body={"events": events},
            idempotency_key=idempotency_key,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        type: str | Unset = UNSET,
        status: Literal["ACCEPTED", "REJECTED"] | Unset = UNSET,
        source: Literal["api", "bus", "patchbay", "flow"] | Unset = UNSET,
    ) -> Page[models.EventSummary]:
        """List the workspace's events, newest first, without their data.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            type: Only items of this type.
            status: Only items with this status.
            source: Only events from this source: `api`, `bus`, `patchbay` or `flow`.
        """
        return self._http.page(
            Operation("GET", "/api/events"),
            models.EventSummary,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "type": type,
                "status": status,
                "source": source,
            },
        )


class AsyncEvents:
    """Events."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def publish(
        self,
        *,
        type: str,
        data: dict[str, Any],
        workspace_id: str | Unset | None = UNSET,
        caused_by: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.PublishedEvent:
        """Publish an event.

        Patchbay delivers it to every matching webhook.

        Args:
            type: The event type, such as `POST_PUBLISHED`.
            data: The content: an object of at most 256 KiB that matches the type's schema.
            workspace_id: The workspace to publish for. Only the platform's workspace can set it.
            caused_by: The event that caused this one, if any.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/events", idempotent=True),
            models.PublishedEvent,
            path={},
            query={},
            body={"type": type, "data": data, "workspaceId": workspace_id, "causedBy": caused_by},
            idempotency_key=idempotency_key,
        )

    async def get(self, id: str) -> models.Event:
        """Get an event with its deliveries, and the webhooks that did not get it, with the reasons.

        Args:
            id: The event's ID, `evt_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/events/{id}"),
            models.Event,
            path={"id": id},
            query={},
        )

    async def erase_data(self, id: str) -> None:
        """Erase the data of an event, with the responses of receivers and flows. The event cannot be
        resent.

        Args:
            id: The event's ID, `evt_…`.
        """
        return await self._http.request(
            Operation("DELETE", "/api/events/{id}/data"),
            None,
            path={"id": id},
            query={},
        )

    async def publish_batch(
        self, *, events: Sequence[models.PublishEvent], idempotency_key: str | None = None
    ) -> models.PublishedEvents:
        """Publish up to 100 events.

        Each item of the response is a published event, or an error.

        Args:
            events: The events, at most 100.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/events/batch", idempotent=True),
            models.PublishedEvents,
            path={},
            query={},
            body={"events": events},
            idempotency_key=idempotency_key,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        type: str | Unset = UNSET,
        status: Literal["ACCEPTED", "REJECTED"] | Unset = UNSET,
        source: Literal["api", "bus", "patchbay", "flow"] | Unset = UNSET,
    ) -> AsyncPage[models.EventSummary]:
        """List the workspace's events, newest first, without their data.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            type: Only items of this type.
            status: Only items with this status.
            source: Only events from this source: `api`, `bus`, `patchbay` or `flow`.
        """
        return self._http.page(
            Operation("GET", "/api/events"),
            models.EventSummary,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "type": type,
                "status": status,
                "source": source,
            },
        )


class Flows:
    """Flows and their runs."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        name: str,
        trigger: models.FlowTriggerInput,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ],
        description: str | Unset = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Flow:
        """Create a flow: steps that run for each event that matches its trigger.

        Args:
            name: The display name.
            description: A description in a sentence or two.
            trigger: What starts the flow.
            steps: What the flow does, in order.
            status: `ACTIVE`, or `INACTIVE` to save the flow without running it.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/flows", idempotent=True),
            models.Flow,
            path={},
            query={},
            body={"name": name, "description": description, "trigger": trigger, "steps": steps, "status": status},
            idempotency_key=idempotency_key,
        )

    def list_templates(
        self,
    ) -> Page[models.FlowTemplate]:
        """List the flow templates, with the choices that each one needs."""
        return self._http.page(
            Operation("GET", "/api/flows/templates"),
            models.FlowTemplate,
            path={},
            query={},
        )

    def install(
        self,
        key: str,
        *,
        choices: dict[str, Any] | Unset = UNSET,
        name: str | Unset | None = UNSET,
        description: str | Unset | None = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Flow:
        """Create a flow from a template and your choices.

        Args:
            key: The key of a flow template, such as `published_posts`.
            choices: The ID for each choice of the template, by key.
            name: The display name. By default, the template's.
            description: A description in a sentence or two. By default, the template's.
            status: `ACTIVE`, or `INACTIVE` to save the flow without running it.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/flows/templates/{key}/install", idempotent=True),
            models.Flow,
            path={"key": key},
            query={},
            body={"choices": choices, "name": name, "description": description, "status": status},
            idempotency_key=idempotency_key,
        )

    def get(self, id: str) -> models.Flow:
        """Get a flow.

        Args:
            id: The flow's ID, `flw_…`.
        """
        return self._http.request(
            Operation("GET", "/api/flows/{id}"),
            models.Flow,
            path={"id": id},
            query={},
        )

    def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        trigger: models.FlowTriggerInput | Unset = UNSET,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ]
        | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Flow:
        """Update a flow.

        Only the fields that you send change.

        Args:
            id: The flow's ID, `flw_…`.
            name: The display name.
            description: A description in a sentence or two.
            trigger: The complete trigger.
            steps: All steps of the flow, in order.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/flows/{id}"),
            models.Flow,
            path={"id": id},
            query={},
            body={"name": name, "description": description, "trigger": trigger, "steps": steps},
            if_match=if_match,
        )

    def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete a flow.

        You can still get its runs until they expire.

        Args:
            id: The flow's ID, `flw_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/flows/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "INACTIVE"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Flow:
        """Activate or deactivate a flow.

        Args:
            id: The flow's ID, `flw_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/flows/{id}/status"),
            models.Flow,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    def dry_run(
        self,
        *,
        trigger: models.FlowTriggerInput,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ],
        event_type: str | Unset | None = UNSET,
        data: dict[str, Any] | Unset | None = UNSET,
    ) -> models.DryRun:
        """Show what a definition would do with an event.

        Nothing is sent or stored.

        Args:
            trigger: What starts the flow.
            steps: What the flow does, in order.
            event_type: The type of the event. By default, the trigger's first event type.
            data: The event's data. By default, the event type's sample.
        """
        return self._http.request(
            Operation("POST", "/api/flows/dry-run"),
            models.DryRun,
            path={},
            query={},
            body={"trigger": trigger, "steps": steps, "eventType": event_type, "data": data},
        )

    def list_runs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"] | Unset = UNSET,
    ) -> Page[models.FlowRun]:
        """List the runs of a flow, newest event first.

        Args:
            id: The flow's ID, `flw_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/flows/{id}/runs"),
            models.FlowRun,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "status": status},
        )

    def get_run(self, id: str, run_id: str) -> models.FlowRunDetail:
        """Get a run of a flow, step by step.

        Args:
            id: The flow's ID, `flw_…`.
            run_id: The run's ID, `frn_…`.
        """
        return self._http.request(
            Operation("GET", "/api/flows/{id}/runs/{runId}"),
            models.FlowRunDetail,
            path={"id": id, "runId": run_id},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        include: Literal["recentRuns"] | Unset = UNSET,
    ) -> Page[models.Flow]:
        """List the workspace's flows, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            include: What to add to each flow: `recentRuns`, the results of its latest runs.
        """
        return self._http.page(
            Operation("GET", "/api/flows"),
            models.Flow,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "include": include},
        )


class AsyncFlows:
    """Flows and their runs."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        name: str,
        trigger: models.FlowTriggerInput,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ],
        description: str | Unset = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Flow:
        """Create a flow: steps that run for each event that matches its trigger.

        Args:
            name: The display name.
            description: A description in a sentence or two.
            trigger: What starts the flow.
            steps: What the flow does, in order.
            status: `ACTIVE`, or `INACTIVE` to save the flow without running it.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/flows", idempotent=True),
            models.Flow,
            path={},
            query={},
            body={"name": name, "description": description, "trigger": trigger, "steps": steps, "status": status},
            idempotency_key=idempotency_key,
        )

    def list_templates(
        self,
    ) -> AsyncPage[models.FlowTemplate]:
        """List the flow templates, with the choices that each one needs."""
        return self._http.page(
            Operation("GET", "/api/flows/templates"),
            models.FlowTemplate,
            path={},
            query={},
        )

    async def install(
        self,
        key: str,
        *,
        choices: dict[str, Any] | Unset = UNSET,
        name: str | Unset | None = UNSET,
        description: str | Unset | None = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Flow:
        """Create a flow from a template and your choices.

        Args:
            key: The key of a flow template, such as `published_posts`.
            choices: The ID for each choice of the template, by key.
            name: The display name. By default, the template's.
            description: A description in a sentence or two. By default, the template's.
            status: `ACTIVE`, or `INACTIVE` to save the flow without running it.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/flows/templates/{key}/install", idempotent=True),
            models.Flow,
            path={"key": key},
            query={},
            body={"choices": choices, "name": name, "description": description, "status": status},
            idempotency_key=idempotency_key,
        )

    async def get(self, id: str) -> models.Flow:
        """Get a flow.

        Args:
            id: The flow's ID, `flw_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/flows/{id}"),
            models.Flow,
            path={"id": id},
            query={},
        )

    async def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        trigger: models.FlowTriggerInput | Unset = UNSET,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ]
        | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Flow:
        """Update a flow.

        Only the fields that you send change.

        Args:
            id: The flow's ID, `flw_…`.
            name: The display name.
            description: A description in a sentence or two.
            trigger: The complete trigger.
            steps: All steps of the flow, in order.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/flows/{id}"),
            models.Flow,
            path={"id": id},
            query={},
            body={"name": name, "description": description, "trigger": trigger, "steps": steps},
            if_match=if_match,
        )

    async def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete a flow.

        You can still get its runs until they expire.

        Args:
            id: The flow's ID, `flw_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/flows/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    async def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "INACTIVE"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Flow:
        """Activate or deactivate a flow.

        Args:
            id: The flow's ID, `flw_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/flows/{id}/status"),
            models.Flow,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    async def dry_run(
        self,
        *,
        trigger: models.FlowTriggerInput,
        steps: Sequence[
            models.FlowWebhookStepInput
            | models.FlowActionStepInput
            | models.FlowRequestStepInput
            | models.FlowWaitStepInput
            | models.FlowFilterStepInput
            | models.FlowBranchStepInput
        ],
        event_type: str | Unset | None = UNSET,
        data: dict[str, Any] | Unset | None = UNSET,
    ) -> models.DryRun:
        """Show what a definition would do with an event.

        Nothing is sent or stored.

        Args:
            trigger: What starts the flow.
            steps: What the flow does, in order.
            event_type: The type of the event. By default, the trigger's first event type.
            data: The event's data. By default, the event type's sample.
        """
        return await self._http.request(
            Operation("POST", "/api/flows/dry-run"),
            models.DryRun,
            path={},
            query={},
            body={"trigger": trigger, "steps": steps, "eventType": event_type, "data": data},
        )

    def list_runs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"] | Unset = UNSET,
    ) -> AsyncPage[models.FlowRun]:
        """List the runs of a flow, newest event first.

        Args:
            id: The flow's ID, `flw_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
        """
        return self._http.page(
            Operation("GET", "/api/flows/{id}/runs"),
            models.FlowRun,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "status": status},
        )

    async def get_run(self, id: str, run_id: str) -> models.FlowRunDetail:
        """Get a run of a flow, step by step.

        Args:
            id: The flow's ID, `flw_…`.
            run_id: The run's ID, `frn_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/flows/{id}/runs/{runId}"),
            models.FlowRunDetail,
            path={"id": id, "runId": run_id},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "INACTIVE"] | Unset = UNSET,
        include: Literal["recentRuns"] | Unset = UNSET,
    ) -> AsyncPage[models.Flow]:
        """List the workspace's flows, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            include: What to add to each flow: `recentRuns`, the results of its latest runs.
        """
        return self._http.page(
            Operation("GET", "/api/flows"),
            models.Flow,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "include": include},
        )


class Health:
    """The state of the deployment."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(
        self,
    ) -> models.Health:
        """Get the status and version of the API.

        Needs no credentials.
        """
        return self._http.request(
            Operation("GET", "/api/health"),
            models.Health,
            path={},
            query={},
        )


class AsyncHealth:
    """The state of the deployment."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def get(
        self,
    ) -> models.Health:
        """Get the status and version of the API.

        Needs no credentials.
        """
        return await self._http.request(
            Operation("GET", "/api/health"),
            models.Health,
            path={},
            query={},
        )


class Integrations:
    """Integrations, providers and the marketplace."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        name: str,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ],
        provider: str | Unset | None = UNSET,
        description: str | Unset = UNSET,
        logo_url: str | Unset | None = UNSET,
        config: dict[str, Any] | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset | None = UNSET,
        rate_limit_per_day: int | Unset | None = UNSET,
        is_public: bool | Unset = UNSET,
        metadata: dict[str, Any] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Integration:
        """Create an integration.

        Args:
            name: The display name.
            type: The type.
            provider: The provider, such as `hubspot`.
            description: A description in a sentence or two.
            logo_url: The URL of an image (https).
            config: The provider's settings by name, such as the OAuth client. Secrets are masked.
            scopes: The scopes.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            is_public: Whether the marketplace lists it once the platform has approved it.
            metadata: Your own data: any object of at most 8 KiB.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations", idempotent=True),
            models.Integration,
            path={},
            query={},
            body={
                "name": name,
                "type": type,
                "provider": provider,
                "description": description,
                "logoUrl": logo_url,
                "config": config,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "isPublic": is_public,
                "metadata": metadata,
            },
            idempotency_key=idempotency_key,
        )

    def health(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        kind: Sequence[Literal["integration", "automation", "webhook", "connection", "flow"]] | Unset = UNSET,
        state: Sequence[Literal["HEALTHY", "DEGRADED", "FAILING", "DISABLED", "PAUSED", "INACTIVE", "UNKNOWN"]]
        | Unset = UNSET,
        integration_id: str | Unset = UNSET,
    ) -> Page[models.HealthItem]:
        """List the health of integrations, webhooks and connections, and how to fix problems.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            kind: Only items of these kinds, separated by commas.
            state: Only items with these states, separated by commas.
            integration_id: Only this integration, its webhooks and its connections.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/health"),
            models.HealthItem,
            path={},
            query={"limit": limit, "cursor": cursor, "kind": kind, "state": state, "integrationId": integration_id},
        )

    def analytics(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        by: Literal["hour", "day"] | Unset = UNSET,
        group_by: Literal["integration", "automation", "webhook", "connection", "eventType"] | Unset = UNSET,
        integration_id: str | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
        event_type: str | Unset = UNSET,
    ) -> Page[models.Series]:
        """Get analytics for a period: volumes, success rates and latencies, by hour or day.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: The start of the period, at most 7 days before its end; 31 days with `by=day`.
            until: The end of the period.
            by: The interval of a point: an hour or a day (UTC).
            group_by: Return one series per item of this kind, instead of one for all.
            integration_id: Count only this integration's webhooks and connections.
            webhook_id: Count only the deliveries of this webhook.
            event_type: Count only deliveries of this event type.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/analytics"),
            models.Series,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "by": by,
                "groupBy": group_by,
                "integrationId": integration_id,
                "webhookId": webhook_id,
                "eventType": event_type,
            },
        )

    def marketplace(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        provider: str | Unset = UNSET,
        search: str | Unset = UNSET,
    ) -> Page[models.Integration]:
        """List the integrations that can be installed: public integrations, then the built-in templates.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            type: Only integrations of this type.
            provider: The provider, such as `hubspot`.
            search: Words in the name or the description.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/marketplace"),
            models.Integration,
            path={},
            query={"limit": limit, "cursor": cursor, "type": type, "provider": provider, "search": search},
        )

    def get_listing(self, id: str) -> models.Integration:
        """Get a public integration or a built-in template from the marketplace.

        Args:
            id: The integration's ID, `int_…`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/marketplace/{id}"),
            models.Integration,
            path={"id": id},
            query={},
        )

    def list_providers(
        self,
        *,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        auth_type: Literal["OAUTH2", "API_KEY", "BASIC"] | Unset = UNSET,
        search: str | Unset = UNSET,
    ) -> Page[models.ProviderSummary]:
        """List the built-in providers, and the types of custom providers.

        Args:
            type: Only providers for integrations of this type.
            auth_type: How the connection authenticates at the provider.
            search: Part of the key, the name or the description.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/providers"),
            models.ProviderSummary,
            path={},
            query={"type": type, "authType": auth_type, "search": search},
        )

    def get_provider(self, key: str) -> models.Provider:
        """Get what an integration of a provider needs: config, credentials, scopes, hosts.

        Args:
            key: The key of a provider, such as `hubspot`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/providers/{key}"),
            models.Provider,
            path={"key": key},
            query={},
        )

    def get(self, id: str, *, reveal: bool | Unset = UNSET) -> models.Integration:
        """Get an integration.

        Secrets are masked unless revealed.

        Args:
            id: The integration's ID, `int_…`.
            reveal: Whether to show the secrets in `config`. Also requires the scope `credentials:read`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/{id}"),
            models.Integration,
            path={"id": id},
            query={"reveal": reveal},
        )

    def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        provider: str | Unset | None = UNSET,
        description: str | Unset = UNSET,
        logo_url: str | Unset | None = UNSET,
        config: dict[str, Any] | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset | None = UNSET,
        rate_limit_per_day: int | Unset | None = UNSET,
        is_public: bool | Unset = UNSET,
        metadata: dict[str, Any] | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Integration:
        """Update an integration.

        Only the fields that you send change.

        Args:
            id: The integration's ID, `int_…`.
            name: The display name.
            type: The type.
            provider: The provider, such as `hubspot`.
            description: A description in a sentence or two.
            logo_url: The URL of an image (https).
            config: The provider's settings by name, such as the OAuth client. Secrets are masked.
            scopes: The scopes.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            is_public: Whether the marketplace lists it once the platform has approved it.
            metadata: Your own data: any object of at most 8 KiB.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/integrations/{id}"),
            models.Integration,
            path={"id": id},
            query={},
            body={
                "name": name,
                "type": type,
                "provider": provider,
                "description": description,
                "logoUrl": logo_url,
                "config": config,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "isPublic": is_public,
                "metadata": metadata,
            },
            if_match=if_match,
        )

    def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete an integration.

        Its connections are revoked in the background.

        Args:
            id: The integration's ID, `int_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/integrations/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "INACTIVE", "ERROR"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Integration:
        """Set the status of an integration: active, inactive or error.

        Args:
            id: The integration's ID, `int_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/integrations/{id}/status"),
            models.Integration,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> Page[models.LogEntry]:
        """List the activity log of an integration, newest first.

        Args:
            id: The integration's ID, `int_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    def install(self, id: str, *, idempotency_key: str | None = None) -> models.Integration:
        """Install a public integration or a template: copy it into your workspace.

        Args:
            id: The integration's ID, `int_…`.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/{id}/install", idempotent=True),
            models.Integration,
            path={"id": id},
            query={},
            idempotency_key=idempotency_key,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        status: Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"] | Unset = UNSET,
        provider: str | Unset = UNSET,
        include_public: bool | Unset = UNSET,
    ) -> Page[models.Integration]:
        """List the workspace's integrations, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            type: Only integrations of this type.
            status: Only items with this status.
            provider: Only integrations of this provider.
            include_public: Also list other workspaces' integrations from the marketplace, after the
                workspace's own.
        """
        return self._http.page(
            Operation("GET", "/api/integrations"),
            models.Integration,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "type": type,
                "status": status,
                "provider": provider,
                "includePublic": include_public,
            },
        )


class AsyncIntegrations:
    """Integrations, providers and the marketplace."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        name: str,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ],
        provider: str | Unset | None = UNSET,
        description: str | Unset = UNSET,
        logo_url: str | Unset | None = UNSET,
        config: dict[str, Any] | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset | None = UNSET,
        rate_limit_per_day: int | Unset | None = UNSET,
        is_public: bool | Unset = UNSET,
        metadata: dict[str, Any] | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.Integration:
        """Create an integration.

        Args:
            name: The display name.
            type: The type.
            provider: The provider, such as `hubspot`.
            description: A description in a sentence or two.
            logo_url: The URL of an image (https).
            config: The provider's settings by name, such as the OAuth client. Secrets are masked.
            scopes: The scopes.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            is_public: Whether the marketplace lists it once the platform has approved it.
            metadata: Your own data: any object of at most 8 KiB.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations", idempotent=True),
            models.Integration,
            path={},
            query={},
            body={
                "name": name,
                "type": type,
                "provider": provider,
                "description": description,
                "logoUrl": logo_url,
                "config": config,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "isPublic": is_public,
                "metadata": metadata,
            },
            idempotency_key=idempotency_key,
        )

    def health(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        kind: Sequence[Literal["integration", "automation", "webhook", "connection", "flow"]] | Unset = UNSET,
        state: Sequence[Literal["HEALTHY", "DEGRADED", "FAILING", "DISABLED", "PAUSED", "INACTIVE", "UNKNOWN"]]
        | Unset = UNSET,
        integration_id: str | Unset = UNSET,
    ) -> AsyncPage[models.HealthItem]:
        """List the health of integrations, webhooks and connections, and how to fix problems.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            kind: Only items of these kinds, separated by commas.
            state: Only items with these states, separated by commas.
            integration_id: Only this integration, its webhooks and its connections.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/health"),
            models.HealthItem,
            path={},
            query={"limit": limit, "cursor": cursor, "kind": kind, "state": state, "integrationId": integration_id},
        )

    def analytics(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        by: Literal["hour", "day"] | Unset = UNSET,
        group_by: Literal["integration", "automation", "webhook", "connection", "eventType"] | Unset = UNSET,
        integration_id: str | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
        event_type: str | Unset = UNSET,
    ) -> AsyncPage[models.Series]:
        """Get analytics for a period: volumes, success rates and latencies, by hour or day.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: The start of the period, at most 7 days before its end; 31 days with `by=day`.
            until: The end of the period.
            by: The interval of a point: an hour or a day (UTC).
            group_by: Return one series per item of this kind, instead of one for all.
            integration_id: Count only this integration's webhooks and connections.
            webhook_id: Count only the deliveries of this webhook.
            event_type: Count only deliveries of this event type.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/analytics"),
            models.Series,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "by": by,
                "groupBy": group_by,
                "integrationId": integration_id,
                "webhookId": webhook_id,
                "eventType": event_type,
            },
        )

    def marketplace(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        provider: str | Unset = UNSET,
        search: str | Unset = UNSET,
    ) -> AsyncPage[models.Integration]:
        """List the integrations that can be installed: public integrations, then the built-in templates.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            type: Only integrations of this type.
            provider: The provider, such as `hubspot`.
            search: Words in the name or the description.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/marketplace"),
            models.Integration,
            path={},
            query={"limit": limit, "cursor": cursor, "type": type, "provider": provider, "search": search},
        )

    async def get_listing(self, id: str) -> models.Integration:
        """Get a public integration or a built-in template from the marketplace.

        Args:
            id: The integration's ID, `int_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/marketplace/{id}"),
            models.Integration,
            path={"id": id},
            query={},
        )

    def list_providers(
        self,
        *,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        auth_type: Literal["OAUTH2", "API_KEY", "BASIC"] | Unset = UNSET,
        search: str | Unset = UNSET,
    ) -> AsyncPage[models.ProviderSummary]:
        """List the built-in providers, and the types of custom providers.

        Args:
            type: Only providers for integrations of this type.
            auth_type: How the connection authenticates at the provider.
            search: Part of the key, the name or the description.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/providers"),
            models.ProviderSummary,
            path={},
            query={"type": type, "authType": auth_type, "search": search},
        )

    async def get_provider(self, key: str) -> models.Provider:
        """Get what an integration of a provider needs: config, credentials, scopes, hosts.

        Args:
            key: The key of a provider, such as `hubspot`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/providers/{key}"),
            models.Provider,
            path={"key": key},
            query={},
        )

    async def get(self, id: str, *, reveal: bool | Unset = UNSET) -> models.Integration:
        """Get an integration.

        Secrets are masked unless revealed.

        Args:
            id: The integration's ID, `int_…`.
            reveal: Whether to show the secrets in `config`. Also requires the scope `credentials:read`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/{id}"),
            models.Integration,
            path={"id": id},
            query={"reveal": reveal},
        )

    async def update(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        provider: str | Unset | None = UNSET,
        description: str | Unset = UNSET,
        logo_url: str | Unset | None = UNSET,
        config: dict[str, Any] | Unset = UNSET,
        scopes: Sequence[str] | Unset = UNSET,
        rate_limit_per_hour: int | Unset | None = UNSET,
        rate_limit_per_day: int | Unset | None = UNSET,
        is_public: bool | Unset = UNSET,
        metadata: dict[str, Any] | Unset = UNSET,
        if_match: int | str | None = None,
    ) -> models.Integration:
        """Update an integration.

        Only the fields that you send change.

        Args:
            id: The integration's ID, `int_…`.
            name: The display name.
            type: The type.
            provider: The provider, such as `hubspot`.
            description: A description in a sentence or two.
            logo_url: The URL of an image (https).
            config: The provider's settings by name, such as the OAuth client. Secrets are masked.
            scopes: The scopes.
            rate_limit_per_hour: The maximum number of requests in a sliding window of 60 minutes.
            rate_limit_per_day: The maximum number of requests in a sliding window of 24 hours.
            is_public: Whether the marketplace lists it once the platform has approved it.
            metadata: Your own data: any object of at most 8 KiB.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/integrations/{id}"),
            models.Integration,
            path={"id": id},
            query={},
            body={
                "name": name,
                "type": type,
                "provider": provider,
                "description": description,
                "logoUrl": logo_url,
                "config": config,
                "scopes": scopes,
                "rateLimitPerHour": rate_limit_per_hour,
                "rateLimitPerDay": rate_limit_per_day,
                "isPublic": is_public,
                "metadata": metadata,
            },
            if_match=if_match,
        )

    async def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete an integration.

        Its connections are revoked in the background.

        Args:
            id: The integration's ID, `int_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/integrations/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    async def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "INACTIVE", "ERROR"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Integration:
        """Set the status of an integration: active, inactive or error.

        Args:
            id: The integration's ID, `int_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/integrations/{id}/status"),
            models.Integration,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> AsyncPage[models.LogEntry]:
        """List the activity log of an integration, newest first.

        Args:
            id: The integration's ID, `int_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    async def install(self, id: str, *, idempotency_key: str | None = None) -> models.Integration:
        """Install a public integration or a template: copy it into your workspace.

        Args:
            id: The integration's ID, `int_…`.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/{id}/install", idempotent=True),
            models.Integration,
            path={"id": id},
            query={},
            idempotency_key=idempotency_key,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        type: Literal[
            "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
        ]
        | Unset = UNSET,
        status: Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"] | Unset = UNSET,
        provider: str | Unset = UNSET,
        include_public: bool | Unset = UNSET,
    ) -> AsyncPage[models.Integration]:
        """List the workspace's integrations, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            type: Only integrations of this type.
            status: Only items with this status.
            provider: Only integrations of this provider.
            include_public: Also list other workspaces' integrations from the marketplace, after the
                workspace's own.
        """
        return self._http.page(
            Operation("GET", "/api/integrations"),
            models.Integration,
            path={},
            query={
                "limit": limit,
                "cursor": cursor,
                "type": type,
                "status": status,
                "provider": provider,
                "includePublic": include_public,
            },
        )


class Me:
    """The caller."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(
        self,
    ) -> models.Caller:
        """Get the caller: the workspace, the user, API key or session, and the scopes.

        Needs credentials, and no particular scope.
        """
        return self._http.request(
            Operation("GET", "/api/me"),
            models.Caller,
            path={},
            query={},
        )


class AsyncMe:
    """The caller."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def get(
        self,
    ) -> models.Caller:
        """Get the caller: the workspace, the user, API key or session, and the scopes.

        Needs credentials, and no particular scope.
        """
        return await self._http.request(
            Operation("GET", "/api/me"),
            models.Caller,
            path={},
            query={},
        )


class PortalSessions:
    """Portal sessions, which open the console for your users."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        capabilities: Sequence[str] | Unset | None = UNSET,
        read_only: bool | Unset = UNSET,
        theme: models.ThemeInput | Unset = UNSET,
        view: str | Unset | None = UNSET,
        label: str | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        expires_in: int | Unset = UNSET,
    ) -> models.PortalSessionLink:
        """Create a console session.

        Only this response contains its link.

        Needs credentials, and no particular scope.

        Args:
            capabilities: The scopes of the session. You can grant only scopes that you have.
            read_only: Whether the session is read-only.
            theme: The appearance of the console.
            view: The page that the console opens, such as `/webhooks`.
            label: Who uses the session, for the audit log: a name or an email address.
            return_url: Where to send the user when the session ends. Its origin must be in
                AllowedReturnOrigins.
            expires_in: The lifetime of the session in seconds, at most 24 hours.
        """
        return self._http.request(
            Operation("POST", "/api/portal/sessions"),
            models.PortalSessionLink,
            path={},
            query={},
            body={
                "capabilities": capabilities,
                "readOnly": read_only,
                "theme": theme,
                "view": view,
                "label": label,
                "returnUrl": return_url,
                "expiresIn": expires_in,
            },
        )

    def exchange(self, *, code: str) -> models.PortalSessionToken:
        """Exchange the one-time code of a console link for the session's token.

        Needs no credentials.

        Args:
            code: The code in the fragment of the link.
        """
        return self._http.request(
            Operation("POST", "/api/portal/sessions/exchange"),
            models.PortalSessionToken,
            path={},
            query={},
            body={"code": code},
        )

    def end(self, id: str) -> None:
        """End a portal session.

        Patchbay rejects its next request.

        Needs credentials, and no particular scope.

        Args:
            id: The portal session's ID, `pse_…`, or `current` for the session of the caller.
        """
        return self._http.request(
            Operation("DELETE", "/api/portal/sessions/{id}"),
            None,
            path={"id": id},
            query={},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> Page[models.PortalSession]:
        """List portal sessions, newest first.

        Needs credentials, and no particular scope.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/portal/sessions"),
            models.PortalSession,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class AsyncPortalSessions:
    """Portal sessions, which open the console for your users."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        capabilities: Sequence[str] | Unset | None = UNSET,
        read_only: bool | Unset = UNSET,
        theme: models.ThemeInput | Unset = UNSET,
        view: str | Unset | None = UNSET,
        label: str | Unset | None = UNSET,
        return_url: str | Unset | None = UNSET,
        expires_in: int | Unset = UNSET,
    ) -> models.PortalSessionLink:
        """Create a console session.

        Only this response contains its link.

        Needs credentials, and no particular scope.

        Args:
            capabilities: The scopes of the session. You can grant only scopes that you have.
            read_only: Whether the session is read-only.
            theme: The appearance of the console.
            view: The page that the console opens, such as `/webhooks`.
            label: Who uses the session, for the audit log: a name or an email address.
            return_url: Where to send the user when the session ends. Its origin must be in
                AllowedReturnOrigins.
            expires_in: The lifetime of the session in seconds, at most 24 hours.
        """
        return await self._http.request(
            Operation("POST", "/api/portal/sessions"),
            models.PortalSessionLink,
            path={},
            query={},
            body={
                "capabilities": capabilities,
                "readOnly": read_only,
                "theme": theme,
                "view": view,
                "label": label,
                "returnUrl": return_url,
                "expiresIn": expires_in,
            },
        )

    async def exchange(self, *, code: str) -> models.PortalSessionToken:
        """Exchange the one-time code of a console link for the session's token.

        Needs no credentials.

        Args:
            code: The code in the fragment of the link.
        """
        return await self._http.request(
            Operation("POST", "/api/portal/sessions/exchange"),
            models.PortalSessionToken,
            path={},
            query={},
            body={"code": code},
        )

    async def end(self, id: str) -> None:
        """End a portal session.

        Patchbay rejects its next request.

        Needs credentials, and no particular scope.

        Args:
            id: The portal session's ID, `pse_…`, or `current` for the session of the caller.
        """
        return await self._http.request(
            Operation("DELETE", "/api/portal/sessions/{id}"),
            None,
            path={"id": id},
            query={},
        )

    def list(self, *, limit: int | Unset = UNSET, cursor: str | Unset = UNSET) -> AsyncPage[models.PortalSession]:
        """List portal sessions, newest first.

        Needs credentials, and no particular scope.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
        """
        return self._http.page(
            Operation("GET", "/api/portal/sessions"),
            models.PortalSession,
            path={},
            query={"limit": limit, "cursor": cursor},
        )


class Publications:
    """The platform's reviews of public integrations; for its own workspace."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, workspace_id: str, id: str) -> models.PublicationDetail:
        """Get a publication: its submitted and listed versions, its copies, and its decisions.

        Args:
            workspace_id: The publisher's workspace: the publication's `workspaceId`.
            id: The integration's ID, `int_…`.
        """
        return self._http.request(
            Operation("GET", "/api/publications/{workspaceId}/{id}"),
            models.PublicationDetail,
            path={"workspaceId": workspace_id, "id": id},
            query={},
        )

    def decide(
        self,
        workspace_id: str,
        id: str,
        *,
        decision: Literal["APPROVE", "REJECT", "WITHDRAW"],
        version: int | Unset | None = UNSET,
        publisher_name: str | Unset | None = UNSET,
        verified: bool | Unset = UNSET,
        review_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.PublicationDetail:
        """Decide on a publication: approve or reject the reviewed version, or withdraw the publication.

        Args:
            workspace_id: The publisher's workspace: the publication's `workspaceId`.
            id: The integration's ID, `int_…`.
            version: The reviewed version: the publication's `version`. `WITHDRAW` does not need it and
                applies to any version.
            publisher_name: The publisher's name in the marketplace. By default, an approval keeps the
                current name.
            verified: Whether an approval shows the publisher as verified.
            review_reason: The reason, shown to the publisher.
            decision: `APPROVE` lists the submitted version in the marketplace. `REJECT` keeps the
                listed version. `WITHDRAW` removes the publication from the marketplace and stops its
                copies within minutes.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/publications/{workspaceId}/{id}/decision"),
            models.PublicationDetail,
            path={"workspaceId": workspace_id, "id": id},
            query={},
            body={
                "version": version,
                "publisherName": publisher_name,
                "verified": verified,
                "reviewReason": review_reason,
                "decision": decision,
            },
            if_match=if_match,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        review_status: Literal["PENDING", "APPROVED", "REJECTED"] | Unset = UNSET,
    ) -> Page[models.Publication]:
        """List the publications of all workspaces: pending reviews first, then the others.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            review_status: Only publications with this review status. Rejected publications without a
                listed version are never included.
        """
        return self._http.page(
            Operation("GET", "/api/publications"),
            models.Publication,
            path={},
            query={"limit": limit, "cursor": cursor, "reviewStatus": review_status},
        )


class AsyncPublications:
    """The platform's reviews of public integrations; for its own workspace."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def get(self, workspace_id: str, id: str) -> models.PublicationDetail:
        """Get a publication: its submitted and listed versions, its copies, and its decisions.

        Args:
            workspace_id: The publisher's workspace: the publication's `workspaceId`.
            id: The integration's ID, `int_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/publications/{workspaceId}/{id}"),
            models.PublicationDetail,
            path={"workspaceId": workspace_id, "id": id},
            query={},
        )

    async def decide(
        self,
        workspace_id: str,
        id: str,
        *,
        decision: Literal["APPROVE", "REJECT", "WITHDRAW"],
        version: int | Unset | None = UNSET,
        publisher_name: str | Unset | None = UNSET,
        verified: bool | Unset = UNSET,
        review_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.PublicationDetail:
        """Decide on a publication: approve or reject the reviewed version, or withdraw the publication.

        Args:
            workspace_id: The publisher's workspace: the publication's `workspaceId`.
            id: The integration's ID, `int_…`.
            version: The reviewed version: the publication's `version`. `WITHDRAW` does not need it and
                applies to any version.
            publisher_name: The publisher's name in the marketplace. By default, an approval keeps the
                current name.
            verified: Whether an approval shows the publisher as verified.
            review_reason: The reason, shown to the publisher.
            decision: `APPROVE` lists the submitted version in the marketplace. `REJECT` keeps the
                listed version. `WITHDRAW` removes the publication from the marketplace and stops its
                copies within minutes.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/publications/{workspaceId}/{id}/decision"),
            models.PublicationDetail,
            path={"workspaceId": workspace_id, "id": id},
            query={},
            body={
                "version": version,
                "publisherName": publisher_name,
                "verified": verified,
                "reviewReason": review_reason,
                "decision": decision,
            },
            if_match=if_match,
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        review_status: Literal["PENDING", "APPROVED", "REJECTED"] | Unset = UNSET,
    ) -> AsyncPage[models.Publication]:
        """List the publications of all workspaces: pending reviews first, then the others.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            review_status: Only publications with this review status. Rejected publications without a
                listed version are never included.
        """
        return self._http.page(
            Operation("GET", "/api/publications"),
            models.Publication,
            path={},
            query={"limit": limit, "cursor": cursor, "reviewStatus": review_status},
        )


class Tasks:
    """Tasks that run in the background, such as replays."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, id: str) -> models.Task:
        """Get a task and its progress.

        Args:
            id: The task's ID, `tsk_…`.
        """
        return self._http.request(
            Operation("GET", "/api/tasks/{id}"),
            models.Task,
            path={"id": id},
            query={},
        )

    def cancel(self, id: str) -> models.Task:
        """Cancel a running task.

        Deliveries that it already queued are still sent.

        Args:
            id: The task's ID, `tsk_…`.
        """
        return self._http.request(
            Operation("POST", "/api/tasks/{id}/cancel"),
            models.Task,
            path={"id": id},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
    ) -> Page[models.Task]:
        """List the workspace's tasks, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            webhook_id: The webhook.
        """
        return self._http.page(
            Operation("GET", "/api/tasks"),
            models.Task,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "webhookId": webhook_id},
        )


class AsyncTasks:
    """Tasks that run in the background, such as replays."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def get(self, id: str) -> models.Task:
        """Get a task and its progress.

        Args:
            id: The task's ID, `tsk_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/tasks/{id}"),
            models.Task,
            path={"id": id},
            query={},
        )

    async def cancel(self, id: str) -> models.Task:
        """Cancel a running task.

        Deliveries that it already queued are still sent.

        Args:
            id: The task's ID, `tsk_…`.
        """
        return await self._http.request(
            Operation("POST", "/api/tasks/{id}/cancel"),
            models.Task,
            path={"id": id},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"] | Unset = UNSET,
        webhook_id: str | Unset = UNSET,
    ) -> AsyncPage[models.Task]:
        """List the workspace's tasks, newest first.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            webhook_id: The webhook.
        """
        return self._http.page(
            Operation("GET", "/api/tasks"),
            models.Task,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "webhookId": webhook_id},
        )


class Webhooks:
    """Webhooks, their deliveries and their feeds."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        *,
        name: str,
        event_types: Sequence[str | Literal["*"]],
        kind: Literal["push", "pull"] | Unset = UNSET,
        url: str | Unset | None = UNSET,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        integration_id: str | Unset | None = UNSET,
        headers: dict[str, str] | Unset = UNSET,
        retry_config: models.RetryConfig | Unset = UNSET,
        rate_limit_per_second: int | Unset | None = UNSET,
        disable_after: int | Unset = UNSET,
        expires_in_seconds: int | Unset | None = UNSET,
        secret: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """Create a webhook.

        Only this response contains its signing secret.

        Args:
            kind: `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It
                never changes.
            name: The display name.
            url: The receiver's URL.
            event_types: The subscribed event types, or `*` for all.
            filters: Conditions on an event's data. All must be true.
            integration_id: The integration that it belongs to.
            headers: Custom headers of every request to the receiver. Responses mask their values.
            retry_config: The retry policy.
            rate_limit_per_second: The maximum number of requests per second to the receiver; null for
                no limit.
            disable_after: The number of consecutive failures that disables the webhook.
            expires_in_seconds: The number of seconds after which the webhook is deleted; null for
                never.
            secret: Your own signing secret, `whsec_…`. By default, Patchbay generates one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks", idempotent=True),
            models.WebhookWithSecret,
            path={},
            query={},
            body={
                "kind": kind,
                "name": name,
                "url": url,
                "eventTypes": event_types,
                "filters": filters,
                "integrationId": integration_id,
                "headers": headers,
                "retryConfig": retry_config,
                "rateLimitPerSecond": rate_limit_per_second,
                "disableAfter": disable_after,
                "expiresInSeconds": expires_in_seconds,
                "secret": secret,
            },
            idempotency_key=idempotency_key,
        )

    def event_types(
        self,
    ) -> Page[models.EventTypeInfo]:
        """List the event types, with their descriptions, JSON Schemas and samples."""
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/event-types"),
            models.EventTypeInfo,
            path={},
            query={},
        )

    def get(self, id: str) -> models.WebhookDetail:
        """Get a webhook with its stats, its receiver's state and its latest deliveries.

        Args:
            id: The webhook's ID, `whk_…`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}"),
            models.WebhookDetail,
            path={"id": id},
            query={},
        )

    def update(
        self,
        id: str,
        *,
        kind: Literal["push", "pull"] | Unset = UNSET,
        name: str | Unset = UNSET,
        url: str | Unset | None = UNSET,
        event_types: Sequence[str | Literal["*"]] | Unset = UNSET,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        integration_id: str | Unset | None = UNSET,
        headers: dict[str, str] | Unset = UNSET,
        retry_config: models.RetryConfig | Unset = UNSET,
        rate_limit_per_second: int | Unset | None = UNSET,
        disable_after: int | Unset = UNSET,
        expires_in_seconds: int | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Webhook:
        """Update a webhook.

        Only the fields that you send change.

        Args:
            id: The webhook's ID, `whk_…`.
            kind: `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It
                never changes.
            name: The display name.
            url: The receiver's URL.
            event_types: The subscribed event types, or `*` for all.
            filters: Conditions on an event's data. All must be true.
            integration_id: The integration that it belongs to.
            headers: Custom headers of every request to the receiver. Responses mask their values.
            retry_config: The retry policy.
            rate_limit_per_second: The maximum number of requests per second to the receiver; null for
                no limit.
            disable_after: The number of consecutive failures that disables the webhook.
            expires_in_seconds: The number of seconds after which the webhook is deleted; null for
                never.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/integrations/webhooks/{id}"),
            models.Webhook,
            path={"id": id},
            query={},
            body={
                "kind": kind,
                "name": name,
                "url": url,
                "eventTypes": event_types,
                "filters": filters,
                "integrationId": integration_id,
                "headers": headers,
                "retryConfig": retry_config,
                "rateLimitPerSecond": rate_limit_per_second,
                "disableAfter": disable_after,
                "expiresInSeconds": expires_in_seconds,
            },
            if_match=if_match,
        )

    def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete a webhook and cancel its waiting deliveries.

        Args:
            id: The webhook's ID, `whk_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("DELETE", "/api/integrations/webhooks/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> Page[models.LogEntry]:
        """List the activity log of a webhook, newest first.

        Args:
            id: The webhook's ID, `whk_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "PAUSED", "INACTIVE"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Webhook:
        """Set the status of a webhook: active, paused or inactive.

        Args:
            id: The webhook's ID, `whk_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/integrations/webhooks/{id}/status"),
            models.Webhook,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    def rotate_secret(
        self,
        id: str,
        *,
        overlap_seconds: int | Unset = UNSET,
        secret: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
        if_match: int | str | None = None,
    ) -> models.WebhookWithSecret:
        """Rotate the signing secret of a webhook.

        Only this response contains the new secret. Old secrets keep signing for `overlapSeconds`.

        Args:
            id: The webhook's ID, `whk_…`.
            overlap_seconds: How long the old secrets sign alongside the new one. 0 ends them
                immediately.
            secret: Your own signing secret, `whsec_…`. By default, Patchbay generates one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/rotate-secret", idempotent=True),
            models.WebhookWithSecret,
            path={"id": id},
            query={},
            body={"overlapSeconds": overlap_seconds, "secret": secret},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    def test(
        self, id: str, *, event_type: str | Unset | None = UNSET, idempotency_key: str | None = None
    ) -> models.Attempt:
        """Send a test event to the receiver now, and return the attempt.

        Args:
            id: The webhook's ID, `whk_…`.
            event_type: The type of the event.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/test", idempotent=True),
            models.Attempt,
            path={"id": id},
            query={},
            body={"eventType": event_type},
            idempotency_key=idempotency_key,
        )

    def list_deliveries(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
    ) -> Page[models.Delivery]:
        """List a webhook's deliveries, newest event first.

        Args:
            id: The webhook's ID, `whk_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            event_type: Only items of this event type.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/deliveries"),
            models.Delivery,
            path={"id": id},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "eventType": event_type,
            },
        )

    def get_delivery(self, id: str, delivery_id: str) -> models.DeliveryDetail:
        """Get a delivery with its payload and attempts.

        Args:
            id: The webhook's ID, `whk_…`.
            delivery_id: The delivery's ID, `dlv_…`.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}"),
            models.DeliveryDetail,
            path={"id": id, "deliveryId": delivery_id},
            query={},
        )

    def retry_delivery(
        self, id: str, delivery_id: str, *, force: bool | Unset = UNSET, idempotency_key: str | None = None
    ) -> models.Delivery:
        """Resend a delivery now.

        Args:
            id: The webhook's ID, `whk_…`.
            delivery_id: The delivery's ID, `dlv_…`.
            force: Whether to resend a delivery that already succeeded.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry", idempotent=True),
            models.Delivery,
            path={"id": id, "deliveryId": delivery_id},
            query={},
            body={"force": force},
            idempotency_key=idempotency_key,
        )

    def recover(
        self, id: str, *, since: datetime, until: datetime | Unset | None = UNSET, idempotency_key: str | None = None
    ) -> models.Recovering:
        """Resend the failed and canceled deliveries of a time range.

        Args:
            id: The webhook's ID, `whk_…`.
            since: The time of the first event.
            until: The time of the last event. By default, now.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/recover", idempotent=True),
            models.Recovering,
            path={"id": id},
            query={},
            body={"since": since, "until": until},
            idempotency_key=idempotency_key,
        )

    def replay(
        self,
        id: str,
        *,
        since: datetime,
        until: datetime | Unset | None = UNSET,
        event_types: Sequence[str | Literal["*"]] | Unset | None = UNSET,
        statuses: Sequence[Literal["FAILED", "CANCELLED", "DELIVERED"]] | Unset | None = UNSET,
        missing: bool | Unset = UNSET,
        dry_run: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.ReplayPreview | models.Task:
        """Start a task that resends deliveries of a time range, or sends events that the webhook missed.

        Args:
            id: The webhook's ID, `whk_…`.
            since: The time of the first event.
            until: The time of the last event. By default, now.
            event_types: Only events of these types.
            statuses: The statuses of the deliveries to resend.
            missing: Whether to also send events that the webhook missed because it was not active.
            dry_run: Whether to count the deliveries without sending them.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        result: models.ReplayPreview | models.Task = self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/replay", idempotent=True),
            models.ReplayPreview | models.Task,
            path={"id": id},
            query={},
            body={
                "since": since,
                "until": until,
                "eventTypes": event_types,
                "statuses": statuses,
                "missing": missing,
                "dryRun": dry_run,
            },
            idempotency_key=idempotency_key,
        )
        return result

    def read_feed(
        self,
        id: str,
        *,
        consumer: str | Unset = UNSET,
        cursor: str | Unset = UNSET,
        limit: int | Unset = UNSET,
        wait: int | Unset = UNSET,
    ) -> models.Feed:
        """Read the next events of a pull webhook.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The consumer. The read starts after its committed position.
            cursor: Where the read starts. Takes precedence over the consumer's position.
            limit: The maximum number of items per page, from 1 to 100.
            wait: How many seconds to wait for an event if there are none.
        """
        return self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}/feed"),
            models.Feed,
            path={"id": id},
            query={"consumer": consumer, "cursor": cursor, "limit": limit, "wait": wait},
        )

    def commit_feed(
        self, id: str, *, consumer: str, sequence: int, rewind: bool | Unset = UNSET
    ) -> models.FeedConsumer:
        """Commit a consumer's position in the feed of a pull webhook.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The name of the consumer.
            sequence: The number of the entry in the feed.
            rewind: Whether the position can move backward.
        """
        return self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/feed/commit"),
            models.FeedConsumer,
            path={"id": id},
            query={},
            body={"consumer": consumer, "sequence": sequence, "rewind": rewind},
        )

    def list_consumers(self, id: str) -> Page[models.FeedConsumer]:
        """List the consumers of a pull webhook's feed, and how far behind they are.

        Args:
            id: The webhook's ID, `whk_…`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/feed/consumers"),
            models.FeedConsumer,
            path={"id": id},
            query={},
        )

    def delete_consumer(self, id: str, consumer: str) -> None:
        """Delete a consumer of a pull webhook's feed, and its position.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The name of a feed consumer.
        """
        return self._http.request(
            Operation("DELETE", "/api/integrations/webhooks/{id}/feed/consumers/{consumer}"),
            None,
            path={"id": id, "consumer": consumer},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
        include: Sequence[Literal["stats", "receiver"]] | Unset = UNSET,
    ) -> Page[models.Webhook]:
        """List the workspace's webhooks, newest first; `include` adds their stats and receivers.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            event_type: Only items of this event type.
            include: What to add to each item: `stats`, `receiver`, or both, separated by a comma.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks"),
            models.Webhook,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "eventType": event_type, "include": include},
        )


class AsyncWebhooks:
    """Webhooks, their deliveries and their feeds."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def create(
        self,
        *,
        name: str,
        event_types: Sequence[str | Literal["*"]],
        kind: Literal["push", "pull"] | Unset = UNSET,
        url: str | Unset | None = UNSET,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        integration_id: str | Unset | None = UNSET,
        headers: dict[str, str] | Unset = UNSET,
        retry_config: models.RetryConfig | Unset = UNSET,
        rate_limit_per_second: int | Unset | None = UNSET,
        disable_after: int | Unset = UNSET,
        expires_in_seconds: int | Unset | None = UNSET,
        secret: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> models.WebhookWithSecret:
        """Create a webhook.

        Only this response contains its signing secret.

        Args:
            kind: `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It
                never changes.
            name: The display name.
            url: The receiver's URL.
            event_types: The subscribed event types, or `*` for all.
            filters: Conditions on an event's data. All must be true.
            integration_id: The integration that it belongs to.
            headers: Custom headers of every request to the receiver. Responses mask their values.
            retry_config: The retry policy.
            rate_limit_per_second: The maximum number of requests per second to the receiver; null for
                no limit.
            disable_after: The number of consecutive failures that disables the webhook.
            expires_in_seconds: The number of seconds after which the webhook is deleted; null for
                never.
            secret: Your own signing secret, `whsec_…`. By default, Patchbay generates one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks", idempotent=True),
            models.WebhookWithSecret,
            path={},
            query={},
            body={
                "kind": kind,
                "name": name,
                "url": url,
                "eventTypes": event_types,
                "filters": filters,
                "integrationId": integration_id,
                "headers": headers,
                "retryConfig": retry_config,
                "rateLimitPerSecond": rate_limit_per_second,
                "disableAfter": disable_after,
                "expiresInSeconds": expires_in_seconds,
                "secret": secret,
            },
            idempotency_key=idempotency_key,
        )

    def event_types(
        self,
    ) -> AsyncPage[models.EventTypeInfo]:
        """List the event types, with their descriptions, JSON Schemas and samples."""
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/event-types"),
            models.EventTypeInfo,
            path={},
            query={},
        )

    async def get(self, id: str) -> models.WebhookDetail:
        """Get a webhook with its stats, its receiver's state and its latest deliveries.

        Args:
            id: The webhook's ID, `whk_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}"),
            models.WebhookDetail,
            path={"id": id},
            query={},
        )

    async def update(
        self,
        id: str,
        *,
        kind: Literal["push", "pull"] | Unset = UNSET,
        name: str | Unset = UNSET,
        url: str | Unset | None = UNSET,
        event_types: Sequence[str | Literal["*"]] | Unset = UNSET,
        filters: Sequence[models.EqualsFilter | models.InFilter | models.ExistsFilterInput] | Unset = UNSET,
        integration_id: str | Unset | None = UNSET,
        headers: dict[str, str] | Unset = UNSET,
        retry_config: models.RetryConfig | Unset = UNSET,
        rate_limit_per_second: int | Unset | None = UNSET,
        disable_after: int | Unset = UNSET,
        expires_in_seconds: int | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Webhook:
        """Update a webhook.

        Only the fields that you send change.

        Args:
            id: The webhook's ID, `whk_…`.
            kind: `push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It
                never changes.
            name: The display name.
            url: The receiver's URL.
            event_types: The subscribed event types, or `*` for all.
            filters: Conditions on an event's data. All must be true.
            integration_id: The integration that it belongs to.
            headers: Custom headers of every request to the receiver. Responses mask their values.
            retry_config: The retry policy.
            rate_limit_per_second: The maximum number of requests per second to the receiver; null for
                no limit.
            disable_after: The number of consecutive failures that disables the webhook.
            expires_in_seconds: The number of seconds after which the webhook is deleted; null for
                never.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/integrations/webhooks/{id}"),
            models.Webhook,
            path={"id": id},
            query={},
            body={
                "kind": kind,
                "name": name,
                "url": url,
                "eventTypes": event_types,
                "filters": filters,
                "integrationId": integration_id,
                "headers": headers,
                "retryConfig": retry_config,
                "rateLimitPerSecond": rate_limit_per_second,
                "disableAfter": disable_after,
                "expiresInSeconds": expires_in_seconds,
            },
            if_match=if_match,
        )

    async def delete(self, id: str, *, if_match: int | str | None = None) -> None:
        """Delete a webhook and cancel its waiting deliveries.

        Args:
            id: The webhook's ID, `whk_…`.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("DELETE", "/api/integrations/webhooks/{id}"),
            None,
            path={"id": id},
            query={},
            if_match=if_match,
        )

    def list_logs(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        action: str | Unset = UNSET,
    ) -> AsyncPage[models.LogEntry]:
        """List the activity log of a webhook, newest first.

        Args:
            id: The webhook's ID, `whk_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            action: Only entries of this action, such as `integration.updated`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/logs"),
            models.LogEntry,
            path={"id": id},
            query={"limit": limit, "cursor": cursor, "since": since, "until": until, "action": action},
        )

    async def set_status(
        self,
        id: str,
        *,
        status: Literal["ACTIVE", "PAUSED", "INACTIVE"],
        status_reason: str | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Webhook:
        """Set the status of a webhook: active, paused or inactive.

        Args:
            id: The webhook's ID, `whk_…`.
            status: The status.
            status_reason: Why it has this status, or null.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/integrations/webhooks/{id}/status"),
            models.Webhook,
            path={"id": id},
            query={},
            body={"status": status, "statusReason": status_reason},
            if_match=if_match,
        )

    async def rotate_secret(
        self,
        id: str,
        *,
        overlap_seconds: int | Unset = UNSET,
        secret: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
        if_match: int | str | None = None,
    ) -> models.WebhookWithSecret:
        """Rotate the signing secret of a webhook.

        Only this response contains the new secret. Old secrets keep signing for `overlapSeconds`.

        Args:
            id: The webhook's ID, `whk_…`.
            overlap_seconds: How long the old secrets sign alongside the new one. 0 ends them
                immediately.
            secret: Your own signing secret, `whsec_…`. By default, Patchbay generates one.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/rotate-secret", idempotent=True),
            models.WebhookWithSecret,
            path={"id": id},
            query={},
            body={"overlapSeconds": overlap_seconds, "secret": secret},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )

    async def test(
        self, id: str, *, event_type: str | Unset | None = UNSET, idempotency_key: str | None = None
    ) -> models.Attempt:
        """Send a test event to the receiver now, and return the attempt.

        Args:
            id: The webhook's ID, `whk_…`.
            event_type: The type of the event.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/test", idempotent=True),
            models.Attempt,
            path={"id": id},
            query={},
            body={"eventType": event_type},
            idempotency_key=idempotency_key,
        )

    def list_deliveries(
        self,
        id: str,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
        status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
    ) -> AsyncPage[models.Delivery]:
        """List a webhook's deliveries, newest event first.

        Args:
            id: The webhook's ID, `whk_…`.
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            since: Only items from this time on.
            until: Only items up to this time.
            status: Only items with this status.
            event_type: Only items of this event type.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/deliveries"),
            models.Delivery,
            path={"id": id},
            query={
                "limit": limit,
                "cursor": cursor,
                "since": since,
                "until": until,
                "status": status,
                "eventType": event_type,
            },
        )

    async def get_delivery(self, id: str, delivery_id: str) -> models.DeliveryDetail:
        """Get a delivery with its payload and attempts.

        Args:
            id: The webhook's ID, `whk_…`.
            delivery_id: The delivery's ID, `dlv_…`.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}"),
            models.DeliveryDetail,
            path={"id": id, "deliveryId": delivery_id},
            query={},
        )

    async def retry_delivery(
        self, id: str, delivery_id: str, *, force: bool | Unset = UNSET, idempotency_key: str | None = None
    ) -> models.Delivery:
        """Resend a delivery now.

        Args:
            id: The webhook's ID, `whk_…`.
            delivery_id: The delivery's ID, `dlv_…`.
            force: Whether to resend a delivery that already succeeded.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/deliveries/{deliveryId}/retry", idempotent=True),
            models.Delivery,
            path={"id": id, "deliveryId": delivery_id},
            query={},
            body={"force": force},
            idempotency_key=idempotency_key,
        )

    async def recover(
        self, id: str, *, since: datetime, until: datetime | Unset | None = UNSET, idempotency_key: str | None = None
    ) -> models.Recovering:
        """Resend the failed and canceled deliveries of a time range.

        Args:
            id: The webhook's ID, `whk_…`.
            since: The time of the first event.
            until: The time of the last event. By default, now.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/recover", idempotent=True),
            models.Recovering,
            path={"id": id},
            query={},
            body={"since": since, "until": until},
            idempotency_key=idempotency_key,
        )

    async def replay(
        self,
        id: str,
        *,
        since: datetime,
        until: datetime | Unset | None = UNSET,
        event_types: Sequence[str | Literal["*"]] | Unset | None = UNSET,
        statuses: Sequence[Literal["FAILED", "CANCELLED", "DELIVERED"]] | Unset | None = UNSET,
        missing: bool | Unset = UNSET,
        dry_run: bool | Unset = UNSET,
        idempotency_key: str | None = None,
    ) -> models.ReplayPreview | models.Task:
        """Start a task that resends deliveries of a time range, or sends events that the webhook missed.

        Args:
            id: The webhook's ID, `whk_…`.
            since: The time of the first event.
            until: The time of the last event. By default, now.
            event_types: Only events of these types.
            statuses: The statuses of the deliveries to resend.
            missing: Whether to also send events that the webhook missed because it was not active.
            dry_run: Whether to count the deliveries without sending them.
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        result: models.ReplayPreview | models.Task = await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/replay", idempotent=True),
            models.ReplayPreview | models.Task,
            path={"id": id},
            query={},
            body={
                "since": since,
                "until": until,
                "eventTypes": event_types,
                "statuses": statuses,
                "missing": missing,
                "dryRun": dry_run,
            },
            idempotency_key=idempotency_key,
        )
        return result

    async def read_feed(
        self,
        id: str,
        *,
        consumer: str | Unset = UNSET,
        cursor: str | Unset = UNSET,
        limit: int | Unset = UNSET,
        wait: int | Unset = UNSET,
    ) -> models.Feed:
        """Read the next events of a pull webhook.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The consumer. The read starts after its committed position.
            cursor: Where the read starts. Takes precedence over the consumer's position.
            limit: The maximum number of items per page, from 1 to 100.
            wait: How many seconds to wait for an event if there are none.
        """
        return await self._http.request(
            Operation("GET", "/api/integrations/webhooks/{id}/feed"),
            models.Feed,
            path={"id": id},
            query={"consumer": consumer, "cursor": cursor, "limit": limit, "wait": wait},
        )

    async def commit_feed(
        self, id: str, *, consumer: str, sequence: int, rewind: bool | Unset = UNSET
    ) -> models.FeedConsumer:
        """Commit a consumer's position in the feed of a pull webhook.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The name of the consumer.
            sequence: The number of the entry in the feed.
            rewind: Whether the position can move backward.
        """
        return await self._http.request(
            Operation("POST", "/api/integrations/webhooks/{id}/feed/commit"),
            models.FeedConsumer,
            path={"id": id},
            query={},
            body={"consumer": consumer, "sequence": sequence, "rewind": rewind},
        )

    def list_consumers(self, id: str) -> AsyncPage[models.FeedConsumer]:
        """List the consumers of a pull webhook's feed, and how far behind they are.

        Args:
            id: The webhook's ID, `whk_…`.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks/{id}/feed/consumers"),
            models.FeedConsumer,
            path={"id": id},
            query={},
        )

    async def delete_consumer(self, id: str, consumer: str) -> None:
        """Delete a consumer of a pull webhook's feed, and its position.

        Args:
            id: The webhook's ID, `whk_…`.
            consumer: The name of a feed consumer.
        """
        return await self._http.request(
            Operation("DELETE", "/api/integrations/webhooks/{id}/feed/consumers/{consumer}"),
            None,
            path={"id": id, "consumer": consumer},
            query={},
        )

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        cursor: str | Unset = UNSET,
        status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"] | Unset = UNSET,
        event_type: str | Unset = UNSET,
        include: Sequence[Literal["stats", "receiver"]] | Unset = UNSET,
    ) -> AsyncPage[models.Webhook]:
        """List the workspace's webhooks, newest first; `include` adds their stats and receivers.

        Args:
            limit: The maximum number of items per page, from 1 to 100.
            cursor: The `nextCursor` of the previous page.
            status: Only items with this status.
            event_type: Only items of this event type.
            include: What to add to each item: `stats`, `receiver`, or both, separated by a comma.
        """
        return self._http.page(
            Operation("GET", "/api/integrations/webhooks"),
            models.Webhook,
            path={},
            query={"limit": limit, "cursor": cursor, "status": status, "eventType": event_type, "include": include},
        )


class Workspace:
    """The workspace as a whole: its settings, its export and its erasure."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(
        self,
    ) -> models.Workspace:
        """Get the caller's workspace: its settings, and whether it is being erased.

        Needs credentials, and no particular scope.
        """
        return self._http.request(
            Operation("GET", "/api/workspace"),
            models.Workspace,
            path={},
            query={},
        )

    def update(
        self,
        *,
        retain_days: int | Unset | None = UNSET,
        api_key_rotation: models.RotationPolicyInput | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Workspace:
        """Update the settings of the workspace.

        They apply to data stored from now on.

        Args:
            retain_days: From 1 to `maxRetainDays`; null for the default.
            api_key_rotation: The complete rotation policy for API keys without their own policy. Null
                removes it.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return self._http.request(
            Operation("PUT", "/api/workspace"),
            models.Workspace,
            path={},
            query={},
            body={"retainDays": retain_days, "apiKeyRotation": api_key_rotation},
            if_match=if_match,
        )

    def delete(self, *, confirm: str) -> models.Task:
        """Start a task that erases all data of the workspace.

        It cannot be stopped or undone. A workspace can be erased once a day.

        Args:
            confirm: The ID of the workspace.
        """
        return self._http.request(
            Operation("DELETE", "/api/workspace"),
            models.Task,
            path={},
            query={"confirm": confirm},
        )

    def export(self, *, idempotency_key: str | None = None) -> models.Task:
        """Start a task that exports all data of the workspace, except secrets, to a downloadable file.

        Args:
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return self._http.request(
            Operation("POST", "/api/workspace/export", idempotent=True),
            models.Task,
            path={},
            query={},
            idempotency_key=idempotency_key,
        )


class AsyncWorkspace:
    """The workspace as a whole: its settings, its export and its erasure."""

    def __init__(self, http: AsyncHttp) -> None:
        self._http = http

    async def get(
        self,
    ) -> models.Workspace:
        """Get the caller's workspace: its settings, and whether it is being erased.

        Needs credentials, and no particular scope.
        """
        return await self._http.request(
            Operation("GET", "/api/workspace"),
            models.Workspace,
            path={},
            query={},
        )

    async def update(
        self,
        *,
        retain_days: int | Unset | None = UNSET,
        api_key_rotation: models.RotationPolicyInput | Unset | None = UNSET,
        if_match: int | str | None = None,
    ) -> models.Workspace:
        """Update the settings of the workspace.

        They apply to data stored from now on.

        Args:
            retain_days: From 1 to `maxRetainDays`; null for the default.
            api_key_rotation: The complete rotation policy for API keys without their own policy. Null
                removes it.
            if_match: The version that you read; PreconditionFailed if there is a later one.
        """
        return await self._http.request(
            Operation("PUT", "/api/workspace"),
            models.Workspace,
            path={},
            query={},
            body={"retainDays": retain_days, "apiKeyRotation": api_key_rotation},
            if_match=if_match,
        )

    async def delete(self, *, confirm: str) -> models.Task:
        """Start a task that erases all data of the workspace.

        It cannot be stopped or undone. A workspace can be erased once a day.

        Args:
            confirm: The ID of the workspace.
        """
        return await self._http.request(
            Operation("DELETE", "/api/workspace"),
            models.Task,
            path={},
            query={"confirm": confirm},
        )

    async def export(self, *, idempotency_key: str | None = None) -> models.Task:
        """Start a task that exports all data of the workspace, except secrets, to a downloadable file.

        Args:
            idempotency_key: Identifies the request, so that a repeat has no effect; random by default.
        """
        return await self._http.request(
            Operation("POST", "/api/workspace/export", idempotent=True),
            models.Task,
            path={},
            query={},
            idempotency_key=idempotency_key,
        )


class Resources:
    """The groups of methods of `Patchbay`."""

    _http: Http

    @cached_property
    def actions(self) -> Actions:
        """The results and choices that the platform returns for actions; for its own workspace."""
        return Actions(self._http)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """API keys."""
        return ApiKeys(self._http)

    @cached_property
    def audit(self) -> Audit:
        """The audit log."""
        return Audit(self._http)

    @cached_property
    def automations(self) -> Automations:
        """Triggers, hooks, actions and runs of Zapier, Make and n8n."""
        return Automations(self._http)

    @cached_property
    def connect_sessions(self) -> ConnectSessions:
        """Connect links, on whose page your users connect their accounts."""
        return ConnectSessions(self._http)

    @cached_property
    def connections(self) -> Connections:
        """Connections to providers."""
        return Connections(self._http)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Deliveries of all webhooks."""
        return Deliveries(self._http)

    @cached_property
    def events(self) -> Events:
        """Events."""
        return Events(self._http)

    @cached_property
    def flows(self) -> Flows:
        """Flows and their runs."""
        return Flows(self._http)

    @cached_property
    def health(self) -> Health:
        """The state of the deployment."""
        return Health(self._http)

    @cached_property
    def integrations(self) -> Integrations:
        """Integrations, providers and the marketplace."""
        return Integrations(self._http)

    @cached_property
    def me(self) -> Me:
        """The caller."""
        return Me(self._http)

    @cached_property
    def portal_sessions(self) -> PortalSessions:
        """Portal sessions, which open the console for your users."""
        return PortalSessions(self._http)

    @cached_property
    def publications(self) -> Publications:
        """The platform's reviews of public integrations; for its own workspace."""
        return Publications(self._http)

    @cached_property
    def tasks(self) -> Tasks:
        """Tasks that run in the background, such as replays."""
        return Tasks(self._http)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Webhooks, their deliveries and their feeds."""
        return Webhooks(self._http)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace as a whole: its settings, its export and its erasure."""
        return Workspace(self._http)


class AsyncResources:
    """The groups of methods of `AsyncPatchbay`."""

    _http: AsyncHttp

    @cached_property
    def actions(self) -> AsyncActions:
        """The results and choices that the platform returns for actions; for its own workspace."""
        return AsyncActions(self._http)

    @cached_property
    def api_keys(self) -> AsyncApiKeys:
        """API keys."""
        return AsyncApiKeys(self._http)

    @cached_property
    def audit(self) -> AsyncAudit:
        """The audit log."""
        return AsyncAudit(self._http)

    @cached_property
    def automations(self) -> AsyncAutomations:
        """Triggers, hooks, actions and runs of Zapier, Make and n8n."""
        return AsyncAutomations(self._http)

    @cached_property
    def connect_sessions(self) -> AsyncConnectSessions:
        """Connect links, on whose page your users connect their accounts."""
        return AsyncConnectSessions(self._http)

    @cached_property
    def connections(self) -> AsyncConnections:
        """Connections to providers."""
        return AsyncConnections(self._http)

    @cached_property
    def deliveries(self) -> AsyncDeliveries:
        """Deliveries of all webhooks."""
        return AsyncDeliveries(self._http)

    @cached_property
    def events(self) -> AsyncEvents:
        """Events."""
        return AsyncEvents(self._http)

    @cached_property
    def flows(self) -> AsyncFlows:
        """Flows and their runs."""
        return AsyncFlows(self._http)

    @cached_property
    def health(self) -> AsyncHealth:
        """The state of the deployment."""
        return AsyncHealth(self._http)

    @cached_property
    def integrations(self) -> AsyncIntegrations:
        """Integrations, providers and the marketplace."""
        return AsyncIntegrations(self._http)

    @cached_property
    def me(self) -> AsyncMe:
        """The caller."""
        return AsyncMe(self._http)

    @cached_property
    def portal_sessions(self) -> AsyncPortalSessions:
        """Portal sessions, which open the console for your users."""
        return AsyncPortalSessions(self._http)

    @cached_property
    def publications(self) -> AsyncPublications:
        """The platform's reviews of public integrations; for its own workspace."""
        return AsyncPublications(self._http)

    @cached_property
    def tasks(self) -> AsyncTasks:
        """Tasks that run in the background, such as replays."""
        return AsyncTasks(self._http)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Webhooks, their deliveries and their feeds."""
        return AsyncWebhooks(self._http)

    @cached_property
    def workspace(self) -> AsyncWorkspace:
        """The workspace as a whole: its settings, its export and its erasure."""
        return AsyncWorkspace(self._http)
