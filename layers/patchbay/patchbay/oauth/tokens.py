"""Tokens and credentials in a connection's row: encryption, decryption, and the fields derived from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypedDict

from patchbay import vault
from patchbay.oauth import refresh_policy
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth

# (plaintext, encryption_context) → ciphertext; see vault.encryptor.
Encrypt = Callable[[str, str], str]


class _TokenSecrets(TypedDict):
    accessToken: str
    tokenType: str
    refreshToken: str | None


class _CredentialSecrets(TypedDict):
    credentials: dict[str, str]


def with_tokens(
    connection: StoredConnection, oauth: OAuth, tokens: TokenSet, encrypt: Encrypt, now: int
) -> StoredConnection:
    """The connection with tokens obtained at `now`: active, and due when they should be refreshed. Makes no
    call, so nothing can fail between receiving tokens and storing them.
    """
    expires_at = refresh_policy.expires_ms(oauth, tokens, now)
    refresh_at = refresh_policy.due_ms(oauth, tokens, now, expires_at)
    secrets: _TokenSecrets = {
        "accessToken": tokens.access_token,
        "tokenType": tokens.token_type,
        "refreshToken": tokens.refresh_token,
    }
    refreshed = replace(
        connection,
        status=ConnectionStatus.ACTIVE,
        sealed=_encrypt_secrets(encrypt, connection, secrets),
        scopes=connection.scopes if tokens.scopes is None else list(tokens.scopes),
        account_id=tokens.account_id or connection.account_id,
        account_label=tokens.account_label or connection.account_label,
        metadata=json.dumps({**json.loads(connection.metadata), **tokens.metadata}, ensure_ascii=False),
        refreshable=refresh_policy.can_refresh(oauth, tokens),
        obtained_at=now,
        expires_at=expires_at,
        refresh_at=refresh_at,
        updated_at=now,
        last_error=None,
        lease_owner=None,
        lease_until=None,
        in_doubt=False,
        failures=0,
        retry_at=None,
        retry_after_until=None,
        refusals=0,
        refused_since=None,
    )
    return refreshed.with_due_at(
        refresh_policy.scheduled_ms(refresh_at, now, refreshable=refreshed.refreshable)
    )


def with_credentials(
    connection: StoredConnection, credentials: Mapping[str, str], label: str | None
) -> StoredConnection:
    """The connection with credentials that never change."""
    secrets: _CredentialSecrets = {"credentials": dict(credentials)}
    return replace(
        connection,
        status=ConnectionStatus.ACTIVE,
        sealed=_encrypt_secrets(vault.encryptor(connection.workspace_id), connection, secrets),
        account_label=label,
        last_error=None,
    )


def decrypt_tokens(connection: StoredConnection) -> TokenSet:
    """Raises vault.DecryptionFailed, vault.KeyUnavailable."""
    secrets: _TokenSecrets = json.loads(_decrypt(connection))
    return TokenSet(
        access_token=secrets["accessToken"],
        token_type=secrets["tokenType"],
        refresh_token=secrets["refreshToken"],
        scopes=tuple(connection.scopes),
        metadata=json.loads(connection.metadata),
    )


def decrypt_credentials(connection: StoredConnection) -> dict[str, str]:
    """Raises vault.DecryptionFailed, vault.KeyUnavailable."""
    secrets: _CredentialSecrets = json.loads(_decrypt(connection))
    return secrets["credentials"]


def _encrypt_secrets(
    encrypt: Encrypt, connection: StoredConnection, secrets: _TokenSecrets | _CredentialSecrets
) -> str:
    return encrypt(json.dumps(secrets, ensure_ascii=False), _encryption_context(connection))


def _decrypt(connection: StoredConnection) -> str:
    return vault.decrypt(
        connection.workspace_id, connection.sealed, encryption_context=_encryption_context(connection)
    )


def _encryption_context(connection: StoredConnection) -> str:
    return f"connections/{connection.id}/sealed"
