"""Tokens between a provider's answer and a connection's row: sealed, opened, and what follows of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from patchbay import vault
from patchbay.oauth import refresh_policy
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.store import StoredConnection
from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth

# (plaintext, encryption_context) → ciphertext; see vault.sealer.
Seal = Callable[[str, str], str]


def with_tokens(
    connection: StoredConnection, oauth: OAuth, tokens: TokenSet, seal: Seal, now: int
) -> StoredConnection:
    """The connection with tokens that came just now: active, and due when they want refreshing. It calls
    nothing, so that nothing can fail between their coming and their being stored.
    """
    expires = refresh_policy.expires_ms(oauth, tokens, now)
    due = refresh_policy.due_ms(oauth, tokens, now, expires)
    secret = {
        "accessToken": tokens.access_token,
        "tokenType": tokens.token_type,
        "refreshToken": tokens.refresh_token,
    }
    fresh = replace(
        connection,
        status=ConnectionStatus.ACTIVE,
        sealed=_sealed(seal, connection, secret),
        scopes=connection.scopes if tokens.scopes is None else list(tokens.scopes),
        account_id=tokens.account_id or connection.account_id,
        account_label=tokens.account_label or connection.account_label,
        metadata=json.dumps({**json.loads(connection.metadata), **tokens.metadata}, ensure_ascii=False),
        refreshable=refresh_policy.can_refresh(oauth, tokens),
        obtained_at=now,
        expires_at=expires,
        refresh_at=due,
        updated_at=now,
        last_error=None,
        lease_owner=None,
        lease_until=None,
        in_doubt=False,
        failures=0,
        retry_at=None,
        told_until=None,
        refusals=0,
        refused_since=None,
    )
    return fresh.due(refresh_policy.scheduled_ms(due, now, refreshable=fresh.refreshable))


def with_credentials(
    connection: StoredConnection, credentials: Mapping[str, str], label: str | None
) -> StoredConnection:
    """The connection with credentials that it works with as they are."""
    seal = vault.sealer(connection.workspace_id)
    return replace(
        connection,
        status=ConnectionStatus.ACTIVE,
        sealed=_sealed(seal, connection, {"credentials": dict(credentials)}),
        account_label=label,
        last_error=None,
    )


def tokens_of(connection: StoredConnection) -> TokenSet:
    """Raises vault.DecryptionFailed, vault.KeyUnavailable."""
    secret = open_sealed(connection)
    return TokenSet(
        access_token=secret["accessToken"],
        token_type=secret["tokenType"],
        refresh_token=secret["refreshToken"],
        scopes=tuple(connection.scopes),
        metadata=json.loads(connection.metadata),
    )


def open_sealed(connection: StoredConnection) -> dict[str, Any]:
    """What a connection works with, in the clear."""
    opened: dict[str, Any] = json.loads(
        vault.decrypt(
            connection.workspace_id, connection.sealed, encryption_context=_encryption_context(connection)
        )
    )
    return opened


def _sealed(seal: Seal, connection: StoredConnection, secret: Mapping[str, Any]) -> str:
    return seal(json.dumps(secret, ensure_ascii=False), _encryption_context(connection))


def _encryption_context(connection: StoredConnection) -> str:
    return f"connections/{connection.id}/sealed"
