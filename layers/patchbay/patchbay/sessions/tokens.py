"""The secrets of sessions: `<kind>_<workspace>_<ID>_<secret>`.

The workspace and the ID only say which row to read: nothing in a token is trusted before its secret matches
the hash in that row. A secret has 256 random bits, so one round of SHA-256 protects it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Literal, NamedTuple, TypeVar

from patchbay.ids import Id, base62

# The one-time code in the link of a portal session, its token, and the token of a connect link.
Kind = Literal["pcode", "pses", "cses"]
_BITS = 256
_LENGTH = 43  # base62 digits
# A workspace ID may contain `_`, so the parts are parsed from the end.
_TOKEN = re.compile(
    rf"(?P<kind>[a-z]+)_(?P<workspace>[A-Za-z0-9_-]{{1,64}})_(?P<body>[0-9A-Za-z]{{22}})"
    rf"_(?P<secret>[0-9A-Za-z]{{{_LENGTH}}})"
)

SessionId = TypeVar("SessionId", bound=Id)


class ParsedToken(NamedTuple):
    """A well-formed token whose secret is not verified yet. `hash` is the hash of its secret."""

    workspace_id: str
    body: str
    hash: str

    def id(self, kind: type[SessionId]) -> SessionId:
        return kind(f"{kind.prefix}_{self.body}")


class NewToken(NamedTuple):
    """A new token, and the hash of its secret, which is all that may be stored."""

    text: str
    hash: str


def mint(kind: Kind, workspace_id: str, id: Id) -> NewToken:
    secret = base62(secrets.randbits(_BITS), _LENGTH)
    return NewToken(f"{kind}_{workspace_id}_{id.body}_{secret}", _hash(secret))


def has_kind(token: str, kind: Kind) -> bool:
    return token.startswith(f"{kind}_")


def parse(kind: Kind, token: str) -> ParsedToken | None:
    """The parts of a token, or None if it is not a token of this kind, or is incomplete."""
    match = _TOKEN.fullmatch(token)
    if match is None or match["kind"] != kind:
        return None
    return ParsedToken(match["workspace"], match["body"], _hash(match["secret"]))


def matches(token: ParsedToken, stored_hash: str | None) -> bool:
    """Whether the token's secret has this hash. Compares in constant time."""
    return stored_hash is not None and hmac.compare_digest(token.hash, stored_hash)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
