"""Idempotency-Key: a repeated create answers what the first one answered.

A create and the record of its answer are one transaction, so there is no moment at which the thing exists
and its answer does not. A key whose first request died is free again after its lease: either that request
committed, then its answer stands, or nothing of it happened.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any, NamedTuple

from patchbay import compact_json, vault
from patchbay.api_model import ApiModel, to_json
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms
from patchbay.errors import Conflict, IdempotencyMismatch, ValidationFailed
from patchbay.settings import settings
from patchbay.storage import dynamo

_KEEP_SECONDS = 24 * 3600
# Longer than any function that creates may run (10 s).
_LEASE_MS = 30_000
_MAX_KEY_LENGTH = 255


class Scope(NamedTuple):
    """Where a key means something: one caller, one route, one key, and the body it came with."""

    id: str
    workspace_id: str
    body_hash: str


class Once:
    """A create under an Idempotency-Key, while it runs. The service that commits it appends
    `completing(answer)` to its own transaction.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._owner = secrets.token_hex(8)
        self.completed = False
        self.released = False

    def completing(self, answer: ApiModel) -> list[dynamo.TransactItem]:
        """The actions that record `answer`, encrypted: it may hold a secret that is shown once."""
        self.completed = True
        sealed = vault.encrypt(
            self._scope.workspace_id,
            to_json(answer),
            encryption_context=_encryption_context(self._scope),
        )
        return [
            dynamo.update_action(
                settings().idempotency_table,
                {"id": self._scope.id},
                "SET answer = :answer, #ttl = :ttl REMOVE leaseUntil",
                names={"#ttl": "ttl", "#owner": "owner"},
                condition="#owner = :owner",
                answer=sealed,
                owner=self._owner,
                ttl=now_ms() // 1000 + _KEEP_SECONDS,
            )
        ]

    def release(self) -> None:
        """The request created nothing, for it was refused or what it asks for is there already: the key may
        be used again.
        """
        self.released = True
        try:
            dynamo.delete(
                settings().idempotency_table,
                {"id": self._scope.id},
                names={"#owner": "owner"},
                condition="#owner = :owner AND attribute_not_exists(answer)",
                owner=self._owner,
            )
        except dynamo.ConditionFailed:
            return  # its lease ran out and another request took it over

    def begin(self) -> str | None:
        """Take the key, or the first request's answer as JSON. Raises IdempotencyMismatch, Conflict."""
        now = now_ms()
        row = {
            "id": self._scope.id,
            "bodyHash": self._scope.body_hash,
            "owner": self._owner,
            "leaseUntil": now + _LEASE_MS,
            "ttl": now // 1000 + _KEEP_SECONDS,
        }
        try:
            dynamo.put(
                settings().idempotency_table,
                row,
                names={"#ttl": "ttl"},
                condition=f"{_FREE} OR (bodyHash = :hash AND leaseUntil < :now)",
                hash=self._scope.body_hash,
                now=now,
                seconds=now // 1000,
            )
        except dynamo.ConditionFailed as refused:
            first = _first(refused.row, self._scope)
            if first.get("owner") == self._owner:
                return None  # our own write: its answer was lost, and the client sent it again
            if "answer" not in first:
                raise still_running() from None
            return vault.decrypt(
                self._scope.workspace_id, first["answer"], encryption_context=_encryption_context(self._scope)
            )
        return None


def remember(scope: Scope, answer: dict[str, Any], *, keep_seconds: int) -> dict[str, Any]:
    """The first answer under this key: `answer` itself, or the one of an earlier request.

    One conditional write; for work that is safe to do again with the first answer. Raises
    IdempotencyMismatch.
    """
    seconds = now_ms() // 1000
    row = {
        "id": scope.id,
        "bodyHash": scope.body_hash,
        "answer": answer,
        "ttl": seconds + keep_seconds,
    }
    try:
        dynamo.put(
            settings().idempotency_table,
            row,
            names={"#ttl": "ttl"},
            condition=_FREE,
            seconds=seconds,
        )
    except dynamo.ConditionFailed as refused:
        first: dict[str, Any] = _first(refused.row, scope)["answer"]
        return first
    return answer


def scope(principal: Principal, route: str, key: str, body: Any) -> Scope:
    """The scope of `key`, an Idempotency-Key. `body` is what JSON gave, so that spacing and the order of
    fields do not matter; numbers count as they were written. Raises ValidationFailed.
    """
    if not 1 <= len(key) <= _MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise ValidationFailed.of(
            "Idempotency-Key", f"must be 1 to {_MAX_KEY_LENGTH} printable ASCII characters"
        )
    name = json.dumps([principal.workspace_id, principal.id, route, key])
    canonical = compact_json.canonical(body)
    return Scope(
        id=hashlib.sha256(name.encode()).hexdigest(),
        workspace_id=principal.workspace_id,
        body_hash=hashlib.sha256(canonical.encode()).hexdigest(),
    )


# TTL deletes late, so a row past its time is taken for absent.
_FREE = "attribute_not_exists(id) OR #ttl <= :seconds"


def _first(row: dynamo.Row | None, scope: Scope) -> dynamo.Row:
    if row is None:
        raise still_running()  # gone between the refused write and its answer
    if row["bodyHash"] != scope.body_hash:
        raise IdempotencyMismatch(
            "This Idempotency-Key came before with another body. Use a new key for a new request."
        )
    return row


def still_running() -> Conflict:
    """The answer while another request has the key, or to one that lost it because its lease ran out."""
    return Conflict(
        "Another request with this Idempotency-Key is still running. Try again in a moment.",
        headers={"Retry-After": "1"},
    )


def _encryption_context(scope: Scope) -> str:
    return f"idempotency/{scope.id}/answer"
