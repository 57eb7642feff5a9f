"""The text of an API key: `<prefix>_<id>_<secret>_<checksum>`, 65 characters with `sk_live`.

- id: the 22 characters of the key's ID in reverse order. IDs start with the time, so the masked forms
  (`sk_live_ab12…`) of keys created on the same day would otherwise look alike.
- secret: 160 random bits, 27 characters. Only this part is hashed, because bcrypt takes at most 72 bytes.
- checksum: CRC-32 of everything before it, 6 characters. It proves nothing. It rejects typing errors,
  truncated keys and garbage before any read, and lets secret scanners distinguish keys from random text.

All parts are base62 (`ids.ALPHABET`), so a double-click selects the whole key.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass, field

from patchbay.ids import ApiKeyId, base62

_SECRET_BITS = 160
_MASK_LENGTH = 4
_BODY = r"[0-9A-Za-z]{21}[0-7]_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}"
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 22, 27, 6
_BODY_PATTERN = re.compile(_BODY, re.ASCII)

SECRET_SCANNING_PATTERN = rf"\bsk_(?:live|test)_{_BODY}\b"
"""Matches keys with the default prefixes, for GitHub's custom patterns, gitleaks and similar scanners."""


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A well-formed key: the ID of the row that it claims, and the secret that proves the claim."""

    id: ApiKeyId
    secret: str = field(repr=False)


def mint_secret() -> str:
    """A new secret part."""
    return base62(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH)


def assemble(prefix: str, key_id: ApiKeyId, secret: str) -> str:
    """The whole key."""
    head = f"{prefix}_{key_id.body[::-1]}_{secret}_"
    return head + _checksum(head)


def mask(prefix: str, key_id: ApiKeyId) -> str:
    """The part of a key that may be shown: its prefix and first characters, and none of the secret."""
    return f"{prefix}_{key_id.body[: -_MASK_LENGTH - 1 : -1]}…"


def parse(prefix: str, token: str) -> ParsedKey | None:
    """The parts of `token`, or None if it is not a key with this prefix or its checksum is wrong."""
    start = len(prefix) + 1
    if not token.startswith(prefix + "_") or not _BODY_PATTERN.fullmatch(token, start):
        return None
    head, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    if _checksum(head) != checksum:
        return None
    secret_at = start + _ID_LENGTH + 1
    body = token[start : start + _ID_LENGTH][::-1]
    return ParsedKey(ApiKeyId(f"{ApiKeyId.prefix}_{body}"), token[secret_at : secret_at + _SECRET_LENGTH])


def _checksum(head: str) -> str:
    return base62(zlib.crc32(head.encode("ascii")), _CHECKSUM_LENGTH)
