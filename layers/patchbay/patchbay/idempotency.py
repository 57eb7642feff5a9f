"""Idempotency-Key: a repeated request returns the response of the first.

The change and the record of its response are one transaction, so neither is ever stored without the other. If
the first request dies, its key becomes free when its lease ends: either the request committed, and its
response is stored, or it changed nothing. A request that stores nothing records its response afterward
(`Once.complete`): if it dies in between, a repeated request does the work again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from patchbay import compact_json, vault
from patchbay.api_model import ApiModel, to_json
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms
from patchbay.errors import Conflict, IdempotencyMismatch, ValidationFailed
from patchbay.settings import settings
from patchbay.storage import dynamo

_KEEP_SECONDS = 24 * 3600
# Longer than the timeout of any function with an idempotent endpoint (25 s).
_LEASE_MS = 30_000
_MAX_KEY_LENGTH = 255

Response = TypeVar("Response", bound=Mapping[str, object])


class Scope(NamedTuple):
    """A caller's Idempotency-Key on one route, and the hash of the request's body."""

    id: str
    workspace_id: str
    body_hash: str


class Once:
    """A running request with an Idempotency-Key. However often it is sent, its work is done once.

    The endpoint calls `start` and passes the object to its service as `once`. The service then adds
    `complete_action(response)` to the transaction of its change, calls `complete(response)` if it stores
    nothing, or calls `release` if the work was already done.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._owner = secrets.token_hex(8)
        self.completed = False
        self.released = False

    def start(self) -> str | None:
        """Take the key and return None, or return the first request's response as JSON.

        Raises IdempotencyMismatch, and Conflict while the first request is running.
        """
        now = now_ms()
        row = {
            "id": self._scope.id,
            "workspaceId": self._scope.workspace_id,
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
        except dynamo.ConditionFailed as error:
            first = _matching(error.row, self._scope)
            if first.get("owner") == self._owner:
                return None  # our own write: its response was lost, and the client retried it
            if "answer" not in first:
                raise request_in_progress() from None
            return vault.decrypt(
                self._scope.workspace_id, first["answer"], encryption_context=_encryption_context(self._scope)
            )
        return None

    def complete_action(self, response: ApiModel) -> dynamo.TransactItem:
        """Record `response`, encrypted because it may hold a secret that is returned only once."""
        self.completed = True
        ciphertext = vault.encrypt(
            self._scope.workspace_id,
            to_json(response),
            encryption_context=_encryption_context(self._scope),
        )
        return dynamo.update_action(
            settings().idempotency_table,
            {"id": self._scope.id},
            "SET answer = :answer, #ttl = :ttl REMOVE leaseUntil",
            names={"#ttl": "ttl", "#owner": "owner"},
            condition="#owner = :owner",
            answer=ciphertext,
            owner=self._owner,
            ttl=now_ms() // 1000 + _KEEP_SECONDS,
        )

    def complete(self, response: ApiModel) -> None:
        """Record the response to a request that stores nothing else. Raises Conflict if another request has
        taken the key since the lease ended.
        """
        try:
            dynamo.transact([self.complete_action(response)])
        except dynamo.TransactionCanceled:
            raise request_in_progress() from None

    def release(self) -> None:
        """Free the key for another request: this one was rejected, or its result already existed."""
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
            return  # our lease ended and another request took the key


def get_or_store(scope: Scope, response: Response, *, keep_seconds: int) -> Response:
    """The first response in this scope: the stored one, or else `response`, which is stored now.

    Takes one conditional write. Use it for work that can safely be repeated with the first response. Raises
    IdempotencyMismatch.
    """
    seconds = now_ms() // 1000
    row = {
        "id": scope.id,
        "workspaceId": scope.workspace_id,
        "bodyHash": scope.body_hash,
        "answer": response,
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
    except dynamo.ConditionFailed as error:
        stored: Response = _matching(error.row, scope)["answer"]
        return stored
    return response


def scope(principal: Principal, route: str, key: str, body: object) -> Scope:
    """The scope of `key`, an Idempotency-Key. `body` is parsed JSON, so whitespace and the order of fields do
    not matter; numbers are compared as written. Raises ValidationFailed.
    """
    if not 1 <= len(key) <= _MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise ValidationFailed.for_field(
            "Idempotency-Key", f"must be 1 to {_MAX_KEY_LENGTH} printable ASCII characters"
        )
    name = json.dumps([principal.workspace_id, principal.id, route, key])
    canonical = compact_json.canonical(body)
    return Scope(
        id=hashlib.sha256(name.encode()).hexdigest(),
        workspace_id=principal.workspace_id,
        body_hash=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """A page of the scan for the keys of a workspace's rows: see `dynamo.scan_page`."""
    return dynamo.scan_page(
        settings().idempotency_table,
        "workspaceId = :workspace",
        after,
        attributes=("id",),
        workspace=workspace_id,
    )


# TTL deletes late, so an expired row counts as absent.
_FREE = "attribute_not_exists(id) OR #ttl <= :seconds"


def _matching(row: dynamo.Row | None, scope: Scope) -> dynamo.Row:
    """The first request's row. Raises IdempotencyMismatch if its body was different."""
    if row is None:
        raise request_in_progress()  # deleted after the condition failed
    if row["bodyHash"] != scope.body_hash:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used with a different request body. Use a new key for a new request."
        )
    return row


def request_in_progress() -> Conflict:
    """The error while another request holds the key, or for a request that lost it when its lease ended."""
    return Conflict(
        "Another request with this Idempotency-Key is in progress. Try again in a moment.",
        headers={"retry-after": "1"},
    )


def _encryption_context(scope: Scope) -> str:
    return f"idempotency/{scope.id}/answer"
