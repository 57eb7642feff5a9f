"""Policies of rotation in the API: who may set which, and how they are shown.

The user who sets the target of a policy can receive keys. So:

- Only a user may set or change a policy. The service has checked that the user has all scopes of the key. The
  target of a workspace's policy applies to all its keys, so only an owner may set it.
- A webhook is pinned with the URL and the headers that it has at that time (`pin_of`), because others may
  change webhooks. If either changes later, the rotation waits until a user confirms the policy again.
- A secret must be in the stack's account and region, and its name must begin with the stack and the
  workspace. The worker's role allows no secret of another stack. Workspace IDs have no slash, so no prefix of
  one workspace covers another.
"""

from __future__ import annotations

import hashlib
import re

from patchbay.api_keys import rotation_store
from patchbay.api_keys.models import KeyRotation, RotationPolicy, SecretTarget, WebhookTarget
from patchbay.api_keys.rotation import DefaultPolicy, Policy, Target
from patchbay.auth.principal import Principal
from patchbay.errors import Forbidden, NotFound, ValidationFailed
from patchbay.ids import WebhookId
from patchbay.settings import settings
from patchbay.storage.dynamo import TransactItem
from patchbay.webhooks.stored_webhook import StoredWebhook

# Secrets Manager appends a hyphen and six characters to a secret's name, which has at most 512 characters.
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}\Z")
_MOST_IN_ARN = 512 + len("-a1B2c3")


def resolve(
    principal: Principal, body: KeyRotation | None, stored: Policy | None, path: str = "rotation"
) -> Policy | None:
    """The policy of a key after a request whose field `path` replaces the stored one; None removes it. A
    policy that is sent back unchanged stays the same, even if its webhook has changed.

    Raises Forbidden if the caller may not set it, ValidationFailed for a target that does not exist.
    """
    return stored if body == shown(stored) else _changed(principal, body, stored, path)


def resolve_default(
    principal: Principal, body: RotationPolicy | None, stored: Policy | None
) -> Policy | None:
    """`resolve` for the policy of a workspace."""
    if body == shown_default(stored):
        return stored
    policy = _changed(principal, body, stored, "apiKeyRotation")
    if policy is not None and policy != stored and policy.target is not None and principal.role != "owner":
        raise Forbidden(
            "Only an owner can set where a workspace's rotated API keys are delivered, because the receiver "
            "gets keys with any scope. Omit deliverTo, or ask an owner."
        )
    return policy


def _changed(
    principal: Principal, body: KeyRotation | RotationPolicy | None, stored: Policy | None, path: str
) -> Policy | None:
    if principal.key is not None:
        raise Forbidden(
            "An API key cannot change the rotation of API keys, because it could redirect the new keys. Use "
            "a user's token with the scope api-keys:write."
        )
    if body is None:
        return None
    target: Target | None = None
    match body.deliver_to:
        case WebhookTarget(webhook_id=id, pin=pin):
            target = _webhook(principal, id, pin, stored, f"{path}.deliverTo")
        case SecretTarget(secret_arn=arn, pin=pin):
            target = _secret(principal, arn, pin, f"{path}.deliverTo")
    if body.every_days is None and target is not None:
        raise ValidationFailed.for_field(
            f"{path}.deliverTo", "must be null if everyDays is null, because the key does not rotate"
        )
    # Otherwise, the old keys of a chain of rotations could reach the ceiling of the workspace.
    if body.every_days is not None and body.overlap_seconds > body.every_days * 86_400:
        raise ValidationFailed.for_field(f"{path}.overlapSeconds", "must not be longer than everyDays")
    return Policy(body.every_days, body.overlap_seconds, target)


def get_default(workspace_id: str) -> DefaultPolicy | None:
    """The policy of a workspace."""
    return rotation_store.get_default(workspace_id)


def default_actions(
    principal: Principal, old: DefaultPolicy | None, policy: Policy | None, now: int
) -> list[TransactItem]:
    """Replace the policy `old` of the workspace, or delete it."""
    action = rotation_store.default_action(principal.workspace_id, old, policy, now)
    return [] if action is None else [action]


def is_confirmed(body: KeyRotation | None) -> bool:
    """Whether a request confirms the target of its policy: it has no `pin`, which a response has."""
    return body is None or body.deliver_to is None or body.deliver_to.pin is None


def shown(policy: Policy | None) -> KeyRotation | None:
    """A key's policy as the API returns it."""
    if policy is None:
        return None
    deliver_to: WebhookTarget | SecretTarget | None = None
    if policy.target is not None:
        deliver_to = (
            SecretTarget(type="secretsManager", secret_arn=policy.target.id, pin=policy.target.pin)
            if policy.target.is_secret
            else _shown_webhook(policy.target)
        )
    return KeyRotation(
        every_days=policy.every_days, overlap_seconds=policy.overlap_seconds, deliver_to=deliver_to
    )


def shown_default(policy: Policy | None) -> RotationPolicy | None:
    """A workspace's policy as the API returns it."""
    if policy is None or policy.every_days is None:
        return None
    return RotationPolicy(
        every_days=policy.every_days,
        overlap_seconds=policy.overlap_seconds,
        deliver_to=None if policy.target is None else _shown_webhook(policy.target),
    )


def pin_of(webhook: StoredWebhook) -> str:
    """The fingerprint of what decides who receives a webhook's requests. Headers count, because a
    multi-tenant service may distinguish tenants by them. Their ciphertext changes whenever they are set.
    """
    return _fingerprint(f"{webhook.url}\n{webhook.headers or ''}")


def _shown_webhook(target: Target) -> WebhookTarget:
    return WebhookTarget(type="webhook", webhook_id=WebhookId(target.id), pin=target.pin)


def _webhook(
    principal: Principal, id: WebhookId, pin: str | None, stored: Policy | None, path: str
) -> Target:
    kept = Target(id, pin)
    if pin is not None and stored is not None and stored.target == kept:
        return kept
    # Imported here, so that functions that only authenticate keys do not load it.
    from patchbay.webhooks import service as webhooks

    try:
        webhook = webhooks.get_stored(principal.workspace_id, id)
    except NotFound:
        raise ValidationFailed.for_field(f"{path}.webhookId", "no webhook with this ID") from None
    if webhook.is_pull:
        raise ValidationFailed.for_field(
            f"{path}.webhookId",
            "is a pull webhook, whose feed would store the key; use a push webhook",
        )
    current = pin_of(webhook)
    if pin not in (None, current):
        raise ValidationFailed.for_field(
            f"{path}.pin", "does not match the webhook; omit it to confirm the webhook's current URL"
        )
    return Target(id, current)


def _secret(principal: Principal, arn: str, pin: str | None, path: str) -> Target:
    prefix = f"{settings().secret_arn_prefix}{principal.workspace_id}/"
    name = arn.rpartition(":")[2]
    if not arn.startswith(prefix) or not _SECRET_NAME.match(arn, len(prefix)) or len(name) > _MOST_IN_ARN:
        raise ValidationFailed.for_field(
            f"{path}.secretArn",
            f"must be the ARN of a secret for this deployment and workspace: {prefix}<name>-<6 characters>",
        )
    current = _fingerprint(arn)
    if pin not in (None, current):
        raise ValidationFailed.for_field(
            f"{path}.pin", "belongs to another secret; omit it to confirm this one"
        )
    return Target(arn, current)


def _fingerprint(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:32]
