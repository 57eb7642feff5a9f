"""What is kept of a key's secret: a bcrypt hash, and a mark of 16 bits.

The mark is why wrong secrets cannot be used to burn CPU. It is a part of a SHA-256 over the
secret, keyed with the hash's own random salt. 65,535 of 65,536 wrong secrets do not fit it and
never reach bcrypt, while the genuine one always fits: nobody has to be locked out, however many
wrong secrets come for their key. Nobody outside knows the salt, so nobody can look for secrets
that fit. Whoever gets hold of the table learns 16 bits of 160 from it, and has 144 left to try
against bcrypt.
"""

from __future__ import annotations

import hashlib
import hmac

# Each round more doubles the time. 10 is 70 ms of a full vCPU, once per key and process.
_ROUNDS = 10
# `$2b$10$` and 22 characters of salt, then the hash.
_SALTED = 29


def hash_secret(secret: str) -> str:
    """The bcrypt hash of a new secret."""
    import bcrypt

    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_ROUNDS)).decode()


def matches(secret: str, secret_hash: str) -> bool:
    """Whether it is the secret of that hash. Slow on purpose; compare marks first."""
    import bcrypt

    return bcrypt.checkpw(secret.encode(), secret_hash.encode())


def mark(secret: str, secret_hash: str) -> int:
    """16 bits that this secret has under that hash's salt."""
    digest = hmac.digest(secret_hash[:_SALTED].encode(), secret.encode(), hashlib.sha256)
    return int.from_bytes(digest[:2], "big")
