"""Envelope encryption: AES-256-GCM with a data key per workspace, which KMS encrypts.

KMS binds each data key to its workspace through KMS's own encryption context. Each ciphertext is bound to its
encryption context (table, record, field) as associated data, so it cannot be decrypted if it is moved
elsewhere. Data keys stay in memory for DATA_KEY_CACHE_SECONDS, so most uses cost no KMS call.
"""

from __future__ import annotations

import base64
import os
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from patchbay import aws
from patchbay.clock import now_ms
from patchbay.errors import Problem, UpstreamFailed
from patchbay.settings import settings
from patchbay.storage import dynamo

_FORMAT = "v1"
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2: 96 bits
_CACHED_WORKSPACES = 1000
# New data is encrypted with a new key after this time. Old versions stay, to decrypt older data.
_ROTATE_AFTER_MS = 90 * 24 * 3600 * 1000

# KMS does not let us use the key now: it is disabled, pending deletion, or not permitted.
_UNAVAILABLE = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "KeyUnavailableException",
        "NotFoundException",
    }
)
# The data key is not one that KMS encrypted for this workspace.
_WRONG_WORKSPACE = frozenset({"IncorrectKeyException", "InvalidCiphertextException"})


class DecryptionFailed(Problem):
    """A ciphertext belongs to another encryption context or is damaged, or its data key is gone."""

    status, code, title = 500, "internal", "A stored secret cannot be decrypted"

    def __init__(self, encryption_context: str) -> None:
        super().__init__(
            f"The ciphertext at {encryption_context} cannot be decrypted: it was changed or moved "
            "outside of Patchbay, or its data key is gone. Restore the row, or store the secret "
            "again."
        )


class KeyUnavailable(UpstreamFailed):
    """KMS does not let us use its key. Nothing is lost: decryption works again as soon as KMS does."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"KMS rejected the key that protects stored secrets ({reason}). No data is lost. The "
            "operator of Patchbay must enable the key or allow the function to use it."
        )


@dataclass
class _Keys:
    """A workspace's data keys by version: all encrypted, and those needed so far in plaintext."""

    encrypted: dict[int, bytes]
    newest: int
    newest_at: int  # Unix milliseconds
    read_at: float  # by the monotonic clock
    plaintext: dict[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_stale(self) -> bool:
        """Whether KMS must decrypt the keys again."""
        return time.monotonic() - self.read_at > settings().data_key_cache_seconds


_cache: OrderedDict[str, _Keys] = OrderedDict()
_lock = Lock()
# Held while a workspace's key is fetched, so that concurrent threads fetch it once.
_locks = [Lock() for _ in range(64)]


def encrypt(workspace_id: str, plaintext: str, *, encryption_context: str) -> str:
    """Encrypt with the workspace's data key, for `encryption_context` (`table/record/field`) only.

    The result names the key's version: `v1.<version>.<base64url of nonce and ciphertext>`. Raises
    KeyUnavailable.
    """
    return encryptor(workspace_id)(plaintext, encryption_context)


def encryptor(workspace_id: str) -> Callable[[str, str], str]:
    """A function of (plaintext, encryption_context) that encrypts without an AWS call, because the key is
    fetched now. For a secret that must not be lost between receipt and storage.

    Raises KeyUnavailable.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    version, key = _key(workspace_id, None)

    def encrypt_with_key(plaintext: str, encryption_context: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(key).encrypt(nonce, plaintext.encode(), encryption_context.encode())
        return f"{_FORMAT}.{version}.{base64.urlsafe_b64encode(nonce + ciphertext).decode()}"

    return encrypt_with_key


def decrypt(workspace_id: str, ciphertext: str, *, encryption_context: str) -> str:
    """The plaintext. Raises DecryptionFailed, KeyUnavailable."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        format, version, encoded = ciphertext.split(".")
        if format != _FORMAT:
            raise ValueError(format)
        decoded = base64.urlsafe_b64decode(encoded)
        _, key = _key(workspace_id, int(version))
        nonce, encrypted = decoded[:_NONCE_BYTES], decoded[_NONCE_BYTES:]
        return AESGCM(key).decrypt(nonce, encrypted, encryption_context.encode()).decode()
    except (ValueError, KeyError, InvalidTag) as error:
        raise DecryptionFailed(encryption_context) from error


def are_keys_cached(workspace_id: str, ciphertexts: Iterable[str]) -> bool:
    """Whether the keys of all these ciphertexts are in memory, so that decryption makes no call."""
    keys = _cache.get(workspace_id)
    if keys is None or keys.is_stale:
        return False
    cached = {str(version) for version in tuple(keys.plaintext)}  # a copy: another thread may add one
    return all(ciphertext.partition(".")[2].partition(".")[0] in cached for ciphertext in ciphertexts)


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The table keys of a workspace's data keys. Without them, nothing that they encrypted can be decrypted,
    not even from a backup of another table. Processes keep them in memory for DATA_KEY_CACHE_SECONDS.
    """
    return dynamo.query(
        settings().data_keys_table,
        "workspaceId = :workspace",
        attributes=("workspaceId", "version"),
        workspace=workspace_id,
    )


def clear_cache() -> None:
    """Drop every data key from memory."""
    with _lock:
        _cache.clear()


def _key(workspace_id: str, version: int | None) -> tuple[int, bytes]:
    """(version, plaintext data key). If `version` is None: the newest, created or rotated if necessary.

    Raises KeyError if the version does not exist. A fetch blocks only threads that need a key of the same
    workspace.
    """
    if cached := _cached(workspace_id, version):
        return cached
    with _locks[zlib.crc32(workspace_id.encode()) % len(_locks)]:
        if cached := _cached(workspace_id, version):
            return cached  # another thread has just fetched it
        keys = _cache.get(workspace_id)
        if keys is None or keys.is_stale or (version is not None and version not in keys.encrypted):
            keys = _read(workspace_id)
        if version is None:
            if _needs_rotation(keys):
                keys = _add_version(workspace_id, keys)
            version = keys.newest
        if version not in keys.plaintext:
            keys.plaintext[version] = _decrypt_key(workspace_id, keys.encrypted[version])
        with _lock:
            _cache[workspace_id] = keys
            _cache.move_to_end(workspace_id)
            if len(_cache) > _CACHED_WORKSPACES:
                _cache.popitem(last=False)
        return version, keys.plaintext[version]


def _cached(workspace_id: str, version: int | None) -> tuple[int, bytes] | None:
    """The result of `_key` if it is in memory."""
    with _lock:
        keys = _cache.get(workspace_id)
        if keys is None or keys.is_stale or (version is None and _needs_rotation(keys)):
            return None
        version = keys.newest if version is None else version
        if version not in keys.plaintext:
            return None
        _cache.move_to_end(workspace_id)
        return version, keys.plaintext[version]


def _needs_rotation(keys: _Keys) -> bool:
    """Whether new data needs a new key."""
    return not keys.encrypted or now_ms() - keys.newest_at > _ROTATE_AFTER_MS


@contextmanager
def _kms_errors() -> Iterator[None]:
    """Turns KMS's errors about the key into KeyUnavailable, and into ValueError for a data key that was not
    encrypted for this workspace. Other errors pass through.
    """
    try:
        yield
    except aws.ServiceError as error:
        if error.code in _UNAVAILABLE:
            raise KeyUnavailable(error.code) from error
        if error.code in _WRONG_WORKSPACE:
            raise ValueError(error.code) from error
        raise


def _kms_encryption_context(workspace_id: str) -> dict[str, str]:
    return {"workspaceId": workspace_id}


def _decrypt_key(workspace_id: str, encrypted: bytes) -> bytes:
    params: dict[str, object] = {
        "CiphertextBlob": base64.b64encode(encrypted).decode(),
        "EncryptionContext": _kms_encryption_context(workspace_id),
        "KeyId": settings().kms_key_id,
    }
    with _kms_errors():
        response = aws.call("kms", "Decrypt", params)
    return base64.b64decode(response["Plaintext"])


def _read(workspace_id: str) -> _Keys:
    """The stored keys of a workspace."""
    rows = list(dynamo.query(settings().data_keys_table, "workspaceId = :workspace", workspace=workspace_id))
    newest = max(rows, key=lambda row: row["version"], default={"version": 0, "createdAt": 0})
    return _Keys(
        encrypted={row["version"]: row["wrapped"] for row in rows},
        newest=newest["version"],
        newest_at=newest["createdAt"],
        read_at=time.monotonic(),
    )


def _add_version(workspace_id: str, keys: _Keys) -> _Keys:
    """Create the next version. If another process creates it at the same time, use that one."""
    params: dict[str, object] = {
        "KeyId": settings().kms_key_id,
        "KeySpec": "AES_256",
        "EncryptionContext": _kms_encryption_context(workspace_id),
    }
    with _kms_errors():
        response = aws.call("kms", "GenerateDataKey", params)
    row: dynamo.Row = {
        "workspaceId": workspace_id,
        "version": keys.newest + 1,
        "wrapped": base64.b64decode(response["CiphertextBlob"]),
        "createdAt": now_ms(),
    }
    try:
        dynamo.put(settings().data_keys_table, row, condition="attribute_not_exists(workspaceId)")
    except dynamo.ConditionFailed:
        return _read(workspace_id)
    return _Keys(
        encrypted={**keys.encrypted, row["version"]: row["wrapped"]},
        newest=row["version"],
        newest_at=row["createdAt"],
        read_at=time.monotonic(),
        plaintext={**keys.plaintext, row["version"]: base64.b64decode(response["Plaintext"])},
    )
