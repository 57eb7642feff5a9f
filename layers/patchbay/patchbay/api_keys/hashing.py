"""The stored form of a key's secret: a bcrypt hash and a 16-bit fingerprint.

The fingerprint prevents wrong secrets from burning CPU. It is part of a SHA-256 HMAC over the secret, keyed
with the random salt of the hash. Of 65,536 wrong secrets, 65,535 do not match it and never reach bcrypt, and
the genuine secret always matches. So no key needs to be locked, however many wrong secrets are tried. The
salt is not public, so attackers cannot search for secrets that match. If the table leaks, it reveals 16 of
160 bits, and 144 bits remain to be tried against bcrypt.
"""

from __future__ import annotations

import hashlib
import hmac

# Each additional round doubles the time. 10 rounds take 70 ms of a full vCPU, once per key and process.
_ROUNDS = 10
# `$2b$10$` and 22 characters of salt precede the hash.
_SALT_LENGTH = 29


def hash_secret(secret: str) -> str:
    """The bcrypt hash of a new secret."""
    import bcrypt

    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_ROUNDS)).decode()


def matches(secret: str, secret_hash: str) -> bool:
    """Whether the hash is of this secret. Slow by design: compare fingerprints first."""
    import bcrypt

    return bcrypt.checkpw(secret.encode(), secret_hash.encode())


def fingerprint(secret: str, secret_hash: str) -> int:
    """The 16-bit fingerprint of the secret, under the salt of the hash."""
    digest = hmac.digest(secret_hash[:_SALT_LENGTH].encode(), secret.encode(), hashlib.sha256)
    return int.from_bytes(digest[:2], "big")
