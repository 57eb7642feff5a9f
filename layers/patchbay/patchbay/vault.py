"""Envelope encryption: a data key per workspace, wrapped by KMS; AES-256-GCM under it.

KMS binds each data key to its workspace by the encryption context, and each ciphertext is bound to its
encryption context (table, record, field) as associated data, so that one that is moved elsewhere does not open. Data
keys stay in memory for DATA_KEY_CACHE_SECONDS, so most uses cost no KMS call.
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
# New records get a new key after this long; old versions stay to read what they encrypted.
_ROTATE_AFTER_MS = 90 * 24 * 3600 * 1000


# KMS has the key and will not use it now: disabled, about to be deleted, or not ours to use.
_UNAVAILABLE = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "KeyUnavailableException",
        "NotFoundException",
    }
)
# It is not what KMS wrapped for this workspace.
_NOT_THIS_WORKSPACES = frozenset({"IncorrectKeyException", "InvalidCiphertextException"})


class DecryptionFailed(Problem):
    """A ciphertext does not belong to this encryption context, is damaged, or its data key is gone."""

    status, code, title = 500, "internal", "A stored secret does not open"

    def __init__(self, encryption_context: str) -> None:
        super().__init__(
            f"The ciphertext at {encryption_context} does not open: it was changed or moved by something other than "
            "Patchbay, or its data key is gone. Restore the row, or store the secret anew."
        )


class KeyUnavailable(UpstreamFailed):
    """KMS does not let us use its key. Nothing is lost: what is encrypted opens again once it does."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"KMS refuses the key that protects stored secrets ({reason}). Nothing is lost; whoever runs "
            "Patchbay has to enable the key, or give the function the right to use it."
        )


@dataclass
class _Keys:
    """The data keys of one workspace: wrapped ones as stored, plain ones as they are needed."""

    wrapped: dict[int, bytes]
    newest: int
    newest_at: int
    read_at: float
    plain: dict[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_stale(self) -> bool:
        """Whether to ask KMS again."""
        return time.monotonic() - self.read_at > settings().data_key_cache_seconds


_cache: OrderedDict[str, _Keys] = OrderedDict()
_lock = Lock()
# One is held while a workspace's key is asked for, so that threads that want it ask once.
_locks = [Lock() for _ in range(64)]


def encrypt(workspace_id: str, plaintext: str, *, encryption_context: str) -> str:
    """`plaintext` under the workspace's data key, for `encryption_context` (`table/record/field`) only.

    The text names the key's version: `v1.<version>.<base64url of nonce and ciphertext>`. Raises
    KeyUnavailable.
    """
    return sealer(workspace_id)(plaintext, encryption_context)


def sealer(workspace_id: str) -> Callable[[str, str], str]:
    """`encrypt` of (plaintext, encryption_context) with the key already at hand, so that it asks nothing of AWS: for what
    must not be lost between its coming and its being stored. Raises KeyUnavailable.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    version, key = _key(workspace_id, None)

    def seal(plaintext: str, encryption_context: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), encryption_context.encode())
        return f"{_FORMAT}.{version}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    return seal


def decrypt(workspace_id: str, ciphertext: str, *, encryption_context: str) -> str:
    """What `encrypt` was given. Raises DecryptionFailed, KeyUnavailable."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        form, version, encoded = ciphertext.split(".")
        sealed = base64.urlsafe_b64decode(encoded)
        if form != _FORMAT:
            raise ValueError(form)
        _, key = _key(workspace_id, int(version))
        nonce, sealed = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return AESGCM(key).decrypt(nonce, sealed, encryption_context.encode()).decode()
    except (ValueError, KeyError, InvalidTag) as error:
        raise DecryptionFailed(encryption_context) from error


def are_keys_cached(workspace_id: str, ciphertexts: Iterable[str]) -> bool:
    """Whether the keys of all these are in memory, so that to open them makes no call."""
    keys = _cache.get(workspace_id)
    if keys is None or keys.is_stale:
        return False
    known = {str(version) for version in tuple(keys.plain)}  # another thread may add one
    return all(ciphertext.partition(".")[2].partition(".")[0] in known for ciphertext in ciphertexts)


def clear_cache() -> None:
    """Drop every data key from memory."""
    with _lock:
        _cache.clear()


def _key(workspace_id: str, version: int | None) -> tuple[int, bytes]:
    """A version's plain data key; the newest, made or renewed if need be, for None. KeyError if gone.

    While one workspace's key is asked for, those of others are at hand.
    """
    if found := _remembered(workspace_id, version):
        return found
    with _locks[zlib.crc32(workspace_id.encode()) % len(_locks)]:
        if found := _remembered(workspace_id, version):
            return found  # another thread has just asked
        keys = _cache.get(workspace_id)
        if keys is None or keys.is_stale or (version is not None and version not in keys.wrapped):
            keys = _read(workspace_id)
        if version is None:
            if _is_old(keys):
                keys = _add(workspace_id, keys)
            version = keys.newest
        if version not in keys.plain:
            with _kms_errors():
                answer = aws.call(
                    "kms",
                    "Decrypt",
                    {
                        "CiphertextBlob": base64.b64encode(keys.wrapped[version]).decode(),
                        "EncryptionContext": _context(workspace_id),
                        "KeyId": settings().kms_key_id,
                    },
                )
            keys.plain[version] = base64.b64decode(answer["Plaintext"])
        with _lock:
            _cache[workspace_id] = keys
            _cache.move_to_end(workspace_id)
            if len(_cache) > _CACHED_WORKSPACES:
                _cache.popitem(last=False)
        return version, keys.plain[version]


def _remembered(workspace_id: str, version: int | None) -> tuple[int, bytes] | None:
    """What `_key` is asked for, if it is in memory."""
    with _lock:
        keys = _cache.get(workspace_id)
        if keys is None or keys.is_stale or (version is None and _is_old(keys)):
            return None
        version = keys.newest if version is None else version
        if version not in keys.plain:
            return None
        _cache.move_to_end(workspace_id)
        return version, keys.plain[version]


def _is_old(keys: _Keys) -> bool:
    """Whether new records need a newer key."""
    return not keys.wrapped or now_ms() - keys.newest_at > _ROTATE_AFTER_MS


@contextmanager
def _kms_errors() -> Iterator[None]:
    """KMS's refusals that mean something here; others pass. ValueError: not wrapped for this workspace."""
    try:
        yield
    except aws.ServiceError as error:
        if error.code in _UNAVAILABLE:
            raise KeyUnavailable(error.code) from error
        if error.code in _NOT_THIS_WORKSPACES:
            raise ValueError(error.code) from error
        raise


def _context(workspace_id: str) -> dict[str, str]:
    return {"workspaceId": workspace_id}


def _read(workspace_id: str) -> _Keys:
    rows = list(dynamo.query(settings().data_keys_table, "workspaceId = :workspace", workspace=workspace_id))
    newest = max(rows, key=lambda row: row["version"], default={"version": 0, "createdAt": 0})
    return _Keys(
        wrapped={row["version"]: row["wrapped"] for row in rows},
        newest=newest["version"],
        newest_at=newest["createdAt"],
        read_at=time.monotonic(),
    )


def _add(workspace_id: str, keys: _Keys) -> _Keys:
    """The next version. Of two processes that add it at once, the loser uses the winner's."""
    with _kms_errors():
        wanted = {
            "KeyId": settings().kms_key_id,
            "KeySpec": "AES_256",
            "EncryptionContext": _context(workspace_id),
        }
        answer = aws.call("kms", "GenerateDataKey", wanted)
    row: dynamo.Row = {
        "workspaceId": workspace_id,
        "version": keys.newest + 1,
        "wrapped": base64.b64decode(answer["CiphertextBlob"]),
        "createdAt": now_ms(),
    }
    try:
        dynamo.put(settings().data_keys_table, row, condition="attribute_not_exists(workspaceId)")
    except dynamo.ConditionFailed:
        return _read(workspace_id)
    return _Keys(
        wrapped={**keys.wrapped, row["version"]: row["wrapped"]},
        newest=row["version"],
        newest_at=row["createdAt"],
        read_at=time.monotonic(),
        plain={**keys.plain, row["version"]: base64.b64decode(answer["Plaintext"])},
    )
