"""New API keys."""

from __future__ import annotations

from patchbay.api_keys import hashing, key_format
from patchbay.api_keys.stored_key import StoredKey, Terms
from patchbay.ids import ApiKeyId
from patchbay.settings import settings


def mint(
    workspace_id: str, created_by: str, terms: Terms, rotated_from: ApiKeyId | None
) -> tuple[StoredKey, str]:
    """A new key that is not stored yet, and its text, which is never stored."""
    id, secret = ApiKeyId.new(), key_format.mint_secret()
    secret_hash = hashing.hash_secret(secret)
    key = StoredKey(
        id=id,
        workspace_id=workspace_id,
        terms=terms,
        secret_hash=secret_hash,
        secret_fingerprint=hashing.fingerprint(secret, secret_hash),
        created_by=created_by,
        updated_ms=id.time_ms,
        rotated_from=rotated_from,
    )
    return key, key_format.assemble(settings().api_key_prefix, id, secret)
