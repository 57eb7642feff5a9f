"""Rotation of signing secrets: which secrets sign and for how long, with races, crashes and repeats."""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from patchbay import vault
from patchbay.clock import from_ms, iso, now_ms
from patchbay.ids import WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from patchbay.webhooks.stored_webhook import StoredWebhook
from tests.catalogued import POST, minimal_data
from tests.conftest import Answer, Api, Backend, jwt_for
from tests.faults import (
    REFUSED,
    Clock,
    Source,
    cold_start,
    dying,
    failing,
    killed,
    meanwhile,
    one_at_a_time,
)
from tests.integration.conftest import WEBHOOKS
from tests.problems import assert_problem
from tests.receivers import Receiver, Request, receiver

DAY, WEEK = 86_400, 604_800
TRANSACT = "dynamodb.TransactWriteItems"
IDEMPOTENCY_LEASE = 30


class Bench:
    """A webhook, its receiver, and their shared clock."""

    def __init__(self, backend: Backend, api: Api, clock: Clock, receiver: Receiver) -> None:
        self.backend, self.clock, self.receiver = backend, clock, receiver
        self._api = api
        self.events = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
        self.deliveries = Source(backend, "DeliveriesQueue", "workers.deliver.handler", clock)
        self.slow = Source(backend, "SlowDeliveriesQueue", "workers.deliver_slow.handler", clock)
        webhook = self.call(
            f"POST {WEBHOOKS}", json={"name": "test", "url": receiver.url, "eventTypes": ["*"]}
        ).json()
        self.id, self.first = webhook["id"], webhook["secret"]
        self.path = f"{WEBHOOKS}/{self.id}"

    def call(self, line: str, workspace: str = "acme", **more: Any) -> Answer:
        """Send a request as an owner, with a token that is valid at the clock's time."""
        claims = {"exp": self.clock.now // 1000 + 600}
        return self._api(line, token=jwt_for(workspace, claims=claims), **more)

    def rotate(self, overlap: int | None = None, headers: dict[str, str] | None = None) -> Answer:
        body = None if overlap is None else {"overlapSeconds": overlap}
        return self.call(f"POST {self.path}/rotate-secret", json=body, headers=headers)

    def rotated(self, overlap: int | None = None, headers: dict[str, str] | None = None) -> str:
        """Rotate, and return the new secret."""
        answer = self.rotate(overlap, headers)
        assert answer.status == 200, answer
        return str(answer.json()["secret"])

    def publish(self) -> Request:
        """Publish an event, and return the request that the receiver gets."""
        event = {"type": "POST_PUBLISHED", "data": {**POST, "n": len(self.receiver.requests)}}
        assert self.call("POST /api/events", json=event).status == 202
        self.events.poll()
        self.deliver()
        return self.receiver.requests[-1]

    def deliver(self) -> None:
        """Run both lanes; a new webhook uses the slow one."""
        self.deliveries.poll()
        self.slow.poll()

    def signing(self, *secrets: str) -> list[str]:
        """The secrets that sign a delivery now. Every signature in the header must be from one of them."""
        request = self.publish()
        signing = [secret for secret in secrets if verifies(secret, request)]
        signatures = request.headers["webhook-signature"].split(" ")
        assert len(signatures) == len(set(signatures)) == len(signing), "other secrets sign too"
        return signing

    @property
    def row(self) -> dict[str, Any]:
        (row,) = [row for row in self.backend.rows("WebhooksTable") if row["sk"] == self.id]
        return row


def verifies(secret: str, request: Request) -> bool:
    """Whether the two verifiers that receivers use accept the signature; they must agree."""
    rejections = 0
    for verifier in (StandardWebhook, SvixWebhook):
        with contextlib.suppress(WebhookVerificationError):
            verifier(secret).verify(request.body, dict(request.headers))
            continue
        rejections += 1
    assert rejections in (0, 2)
    return rejections == 0


@pytest.fixture
def bench(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    clock = Clock(monkeypatch)

    class ReceiversClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return from_ms(clock.now)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", ReceiversClock)
    one_at_a_time(monkeypatch)
    cold_start()
    with receiver() as r:
        yield Bench(backend, api, clock, r)
    cold_start()


# ── the overlap ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("overlap", "lasts"), [(None, DAY), (1, 1), (WEEK, WEEK)])
def test_old_and_new_secrets_sign_during_the_overlap(bench: Bench, overlap: int | None, lasts: int) -> None:
    assert bench.signing(bench.first) == [bench.first]
    new = bench.rotated(overlap)
    assert new != bench.first
    assert bench.signing(new, bench.first) == [new, bench.first]
    bench.clock.move(lasts - 0.001)
    assert bench.signing(new, bench.first) == [new, bench.first]
    bench.clock.move(0.001)
    assert bench.signing(new, bench.first) == [new]
    bench.clock.move(400 * DAY)
    assert bench.signing(new) == [new], "the last secret never ends"


def test_signatures_are_ordered_from_the_newest_secret(bench: Bench) -> None:
    secrets = [bench.first, bench.rotated(), bench.rotated()][::-1]
    request = bench.publish()
    signatures = request.headers["webhook-signature"].split(" ")
    for secret, signature in zip(secrets, signatures, strict=True):
        single = Request(
            request.method, request.path, {**request.headers, "webhook-signature": signature}, request.body
        )
        assert [verifies(other, single) for other in secrets] == [other == secret for other in secrets]


def test_overlap_of_0_ends_all_older_secrets_at_once(bench: Bench) -> None:
    second = bench.rotated()
    new = bench.rotated(0)
    assert bench.signing(new, second, bench.first) == [new]
    assert len(bench.row["secrets"]) == 1, "a leaked secret is not kept"


def test_later_overlap_only_shortens_an_earlier_one(bench: Bench) -> None:
    second = bench.rotated(100)
    third = bench.rotated(1000)
    bench.clock.move(100)
    assert bench.signing(third, second, bench.first) == [third, second]
    fourth = bench.rotated(10)
    bench.clock.move(10)
    assert bench.signing(fourth, third, second, bench.first) == [fourth]


def test_attempt_is_signed_by_the_secrets_that_are_live_then(bench: Bench) -> None:
    """A delivery that was queued before a rotation is signed at the time of its attempt."""
    event = {"type": "POST_FAILED", "data": minimal_data("POST_FAILED")}
    assert bench.call("POST /api/events", json=event).status == 202
    bench.events.poll()
    new = bench.rotated(0)
    bench.deliver()
    (request,) = bench.receiver.requests
    assert (verifies(new, request), verifies(bench.first, request)) == (True, False)


# ── the maximum ──────────────────────────────────────────────────────────────────────────────────────


def test_rotation_beyond_five_live_secrets_is_rejected(bench: Bench) -> None:
    start = bench.clock.now
    secrets = [bench.first]
    for hours in range(1, 5):
        secrets.insert(0, bench.rotated(hours * 3600 * 4))
    assert bench.signing(*secrets) == secrets

    before = bench.row
    answer = bench.rotate(60, headers={"idempotency-key": "k"})
    assert_problem(answer, 409, "conflict", "5 active secrets", iso(from_ms(start + 4 * 3600 * 1000)))
    assert bench.row == before
    assert bench.signing(*secrets) == secrets

    bench.clock.move(4 * 3600)
    sixth = bench.rotated(60, headers={"idempotency-key": "k"})  # the rejected request did not use up the key
    assert bench.signing(sixth, *secrets) == [sixth, *secrets[:-1]]


def test_overlap_of_0_is_possible_with_five_live_secrets(bench: Bench) -> None:
    secrets = [bench.first, *(bench.rotated() for _ in range(4))]
    assert_problem(bench.rotate(), 409, "conflict")
    new = bench.rotated(0)
    assert bench.signing(new, *secrets) == [new]


# ── the request ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        *({"overlapSeconds": value} for value in (-1, WEEK + 1, "60", 1.5, True, None)),
        {"overlap_seconds": 60},
        {"secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    ],
    ids=repr,
)
def test_rotate_rejects_invalid_body(bench: Bench, body: Any) -> None:
    before = bench.row
    assert_problem(bench.call(f"POST {bench.path}/rotate-secret", json=body), 422, "validation_failed")
    assert bench.row == before


def test_only_the_response_of_the_rotation_has_the_secret(bench: Bench) -> None:
    bench.clock.move(5)
    answer = bench.rotate(60)
    webhook = answer.json()
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert answer.headers["cache-control"] == "no-store"
    assert (webhook["version"], webhook["updatedAt"]) == (2, iso(from_ms(bench.clock.now)))
    read = bench.call(f"GET {bench.path}")
    assert webhook.items() <= read.json().items()
    for other in (read, bench.call(f"GET {WEBHOOKS}"), bench.call(f"PUT {bench.path}", json={"name": "b"})):
        assert other.status == 200
        assert "whsec_" not in other.text
        assert secret not in other.text


def test_rotate_rejects_an_outdated_if_match(bench: Bench) -> None:
    new = bench.rotated(headers={"if-match": "1"})
    assert_problem(bench.rotate(headers={"if-match": "1"}), 412, None, "version 2, not 1")
    assert bench.signing(new, bench.first) == [new, bench.first]
    assert bench.rotate(headers={"if-match": "2"}).json()["version"] == 3


@pytest.mark.parametrize("status", ["INACTIVE", "DISABLED"])
def test_rotation_keeps_an_inactive_webhook_inactive(bench: Bench, status: str) -> None:
    if status == "INACTIVE":
        assert bench.call(f"PUT {bench.path}/status", json={"status": status}).status == 200
    else:
        service.disable("acme", WebhookId(bench.id), "http_410", lambda webhook: (), requested_at=now_ms())
    before = bench.row
    bench.clock.move(1)
    answer = bench.rotate(60)
    assert (answer.status, answer.json()["status"]) == (200, status)
    changed = {name for name, value in bench.row.items() if before[name] != value}
    assert changed == {"secrets", "updatedAt", "version"}
    kinds = {row["sk"].partition("#")[0] for row in bench.backend.rows("WebhooksTable")}
    assert kinds == {bench.id, "count"}, "no subscription is restored"

    new = answer.json()["secret"]
    assert bench.call(f"PUT {bench.path}/status", json={"status": "ACTIVE"}).status == 200
    assert bench.signing(new, bench.first) == [new, bench.first]


def test_rotate_rejects_other_workspaces_and_missing_scopes(bench: Bench, api: Api) -> None:
    before = bench.row
    line = f"POST {bench.path}/rotate-secret"
    for workspace in ("rival", "platform"):
        assert_problem(bench.call(line, workspace=workspace), 404, "not_found")
    for token in (jwt_for("acme", role="viewer"), jwt_for("acme", scope="webhooks:read credentials:write")):
        assert_problem(api(line, token=token), 403, "forbidden")
    assert_problem(bench.call(f"POST {WEBHOOKS}/{WebhookId.new()}/rotate-secret"), 404, "not_found")
    assert bench.row == before
    assert {row["workspaceId"] for row in bench.backend.rows("DataKeysTable")} == {"acme"}


# ── encryption at rest ───────────────────────────────────────────────────────────────────────────────


def test_secrets_are_stored_encrypted_with_their_context(bench: Bench) -> None:
    new = bench.rotated(60, headers={"idempotency-key": "k"})
    for table in bench.backend.template.of_type("AWS::DynamoDB::Table"):
        for row in bench.backend.rows(table.logical_id):
            for secret in (new, bench.first):
                assert secret.removeprefix("whsec_") not in repr(row), table.logical_id
    newest, older = bench.row["secrets"]
    assert newest.keys() == {"sealed"}
    assert older["endsAt"] == bench.clock.now + 60_000
    context = f"webhooks/{bench.id}/secret"
    assert [
        vault.decrypt("acme", entry["sealed"], encryption_context=context) for entry in (newest, older)
    ] == [
        new,
        bench.first,
    ]


def test_damaged_secret_can_be_replaced(bench: Bench) -> None:
    key = {"workspaceId": "acme", "sk": bench.id}
    dynamo.update(settings().webhooks_table, key, "SET secrets = :s", s=[{"sealed": "v1.1.AAAA"}])
    with pytest.raises(vault.DecryptionFailed):
        service.decrypt_secrets(StoredWebhook.from_row(bench.row))
    new = bench.rotated(0)
    assert bench.signing(new) == [new]


def test_rotation_changes_nothing_while_kms_fails(bench: Bench) -> None:
    before = bench.row
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert_problem(bench.rotate(headers={"idempotency-key": "k"}), 502, "upstream_failed")
    assert bench.row == before
    assert bench.rotate(headers={"idempotency-key": "k"}).status == 200


# ── concurrency ──────────────────────────────────────────────────────────────────────────────────────


def test_two_concurrent_rotations_both_succeed(bench: Bench) -> None:
    other: list[str] = []
    with meanwhile(TRANSACT, lambda: other.append(bench.rotated())):
        mine = bench.rotated()
    assert bench.signing(mine, *other, bench.first) == [mine, *other, bench.first]
    assert bench.row["version"] == 3


def test_second_of_two_rotations_with_if_match_is_rejected(bench: Bench) -> None:
    other: list[str] = []
    with meanwhile(TRANSACT, lambda: other.append(bench.rotated(headers={"if-match": "1"}))):
        assert_problem(bench.rotate(headers={"if-match": "1"}), 412)
    assert bench.signing(*other, bench.first) == [*other, bench.first]


def test_secrets_of_all_concurrent_rotations_sign(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bench.rotate(), range(4)))
    assert {answer.status for answer in answers} <= {200, 409}
    secrets = {answer.json()["secret"] for answer in answers if answer.status == 200}
    assert secrets
    assert set(bench.signing(bench.first, *secrets)) == {bench.first, *secrets}
    assert bench.row["version"] == 1 + len(secrets)


def test_concurrent_rotation_and_update_keep_both_changes(bench: Bench) -> None:
    renames: list[Answer] = []

    def rename() -> None:
        renames.append(bench.call(f"PUT {bench.path}", json={"name": "renamed"}))

    with meanwhile(TRANSACT, rename):
        new = bench.rotated()
    assert (renames[0].status, bench.row["name"]) == (200, "renamed")

    rotated: list[str] = []
    with meanwhile(TRANSACT, lambda: rotated.append(bench.rotated())):
        assert bench.call(f"PUT {bench.path}/status", json={"status": "ACTIVE"}).status == 200
    assert bench.signing(*rotated, new, bench.first) == [*rotated, new, bench.first]


def test_rotation_does_not_restore_a_concurrently_deleted_webhook(bench: Bench) -> None:
    deleted: list[Answer] = []
    with meanwhile(TRANSACT, lambda: deleted.append(bench.call(f"DELETE {bench.path}"))):
        assert_problem(bench.rotate(), 404, "not_found")
    assert {row["sk"] for row in bench.backend.rows("WebhooksTable")} == {"count", f"gone#{bench.id}"}


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────────


def test_repeat_with_the_idempotency_key_returns_the_same_secret(bench: Bench) -> None:
    once = {"idempotency-key": "k"}
    first = bench.rotate(60, headers=once)
    again = bench.rotate(60, headers=once)
    assert (again.status, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["cache-control"] == "no-store"
    assert bench.row["version"] == 2
    assert_problem(bench.rotate(0, headers=once), 422, "idempotency_mismatch")

    other = bench.call(f"POST {WEBHOOKS}", json={"name": "o", "url": bench.receiver.url, "eventTypes": ["*"]})
    line = f"POST {WEBHOOKS}/{other.json()['id']}/rotate-secret"
    mixed = bench.call(line, json={"overlapSeconds": 60}, headers=once)
    assert_problem(mixed, 422, "idempotency_mismatch")
    assert first.json()["secret"] not in mixed.text


def test_each_request_without_an_idempotency_key_rotates(bench: Bench) -> None:
    assert bench.rotated() != bench.rotated()
    assert len(bench.row["secrets"]) == 3


@pytest.mark.parametrize("call", range(1, 10))
def test_repeat_after_a_crash_at_any_call_makes_one_rotation(bench: Bench, call: int) -> None:
    """The process crashes before its n-th AWS call. The caller repeats the request after the key's lease."""
    once = {"idempotency-key": "k"}
    with dying(call) as process:
        bench.rotated(headers=once)
    bench.clock.move(IDEMPOTENCY_LEASE + 1)
    new = bench.rotated(headers=once)
    assert bench.row["version"] == 2
    assert bench.signing(new, bench.first) == [new, bench.first]
    if call == 9:
        assert not process.died, "it makes more calls: test those too"


def test_repeat_after_a_lost_response_returns_it(bench: Bench) -> None:
    once = {"idempotency-key": "k"}
    with killed(TRANSACT, after=True):
        bench.rotated(headers=once)
    assert bench.row["version"] == 2
    again = bench.rotate(headers=once)
    assert again.headers["idempotent-replayed"] == "true"
    new = again.json()["secret"]
    assert bench.signing(new, bench.first) == [new, bench.first]


def test_request_that_lost_the_key_to_a_repeat_rotates_nothing(bench: Bench) -> None:
    """The request's lease ends while it runs. Only the repeat rotates, and later repeats get its response."""
    repeat: list[str] = []

    def overtake() -> None:
        bench.clock.move(IDEMPOTENCY_LEASE + 1)
        repeat.append(bench.rotated(headers={"idempotency-key": "k"}))

    with meanwhile("dynamodb.GetItem", overtake):
        slow = bench.rotate(headers={"idempotency-key": "k"})
    assert_problem(slow, 409, "conflict", "in progress")
    assert bench.row["version"] == 2
    assert bench.rotated(headers={"idempotency-key": "k"}) == repeat[0]


# ── secrets from elsewhere ───────────────────────────────────────────────────────────────────────────


def whsec(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


OWN = whsec(bytes(range(24)))


def test_own_secret_signs_and_is_shown_in_the_response_only(
    bench: Bench, logs: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"name": "moved", "url": bench.receiver.url, "eventTypes": ["POST_PUBLISHED"], "secret": OWN}
    once = {"Idempotency-Key": "migration"}
    first, again = (bench.call(f"POST {WEBHOOKS}", json=body, headers=once) for _ in range(2))
    assert (first.status, first.json()["secret"], again.json()) == (201, OWN, first.json())
    other = {**body, "secret": whsec(bytes(range(1, 25)))}
    assert_problem(bench.call(f"POST {WEBHOOKS}", json=other, headers=once), 422, "idempotency_mismatch")
    bench.call(f"DELETE {bench.path}")
    assert verifies(OWN, bench.publish())
    stored = "".join(repr(bench.backend.rows(name)) for name in ("WebhooksTable", "IdempotencyTable"))
    shown = bench.call(f"GET {WEBHOOKS}/{first.json()['id']}").text + logs.getvalue() + caplog.text
    assert OWN[6:] not in stored + shown

    bench.path = f"{WEBHOOKS}/{first.json()['id']}"
    new = whsec(bytes(range(64)))
    answer = bench.call(f"POST {bench.path}/rotate-secret", json={"secret": new, "overlapSeconds": 60})
    assert answer.json()["secret"] == new
    request = bench.publish()
    assert verifies(OWN, request)
    assert verifies(new, request)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (OWN.removeprefix("whsec_"), "must be whsec_ and the base64"),
        ("whsec_", "must be whsec_ and the base64|has 0 bytes"),
        (OWN + "=", "must be whsec_ and the base64"),
        (whsec(bytes(range(25))).rstrip("="), "must be whsec_ and the base64"),
        (f"{whsec(bytes(range(25)))[:-3]}x==", "must be whsec_ and the base64"),
        (OWN.replace("A", "-", 1), "must be whsec_ and the base64"),
        (OWN + "\n", "starts or ends with a space or a line break"),
        ("********", "is a mask"),
        ("", "must have 1 to"),
        (whsec(bytes(range(23))), "has 23 bytes"),
        (whsec(bytes(range(65))), "has 65 bytes"),
        (whsec(b"a" * 32), "too easy to guess"),
        (whsec(b"abcdefg" * 5), "too easy to guess"),
        (5, "must be a string"),
    ],
)
def test_weak_or_malformed_own_secret_is_refused(bench: Bench, secret: Any, message: str) -> None:
    body = {"name": "moved", "url": bench.receiver.url, "eventTypes": ["*"], "secret": secret}
    for line, sent in ((f"POST {WEBHOOKS}", body), (f"POST {bench.path}/rotate-secret", {"secret": secret})):
        answer = bench.call(line, json=sent)
        (error,) = assert_problem(answer, 422, paths=["secret"])["errors"]
        assert re.search(message, error["message"]), error
        assert len(str(secret)) < 10 or str(secret).strip() not in answer.text


def test_update_does_not_take_a_secret(bench: Bench) -> None:
    assert_problem(bench.call(f"PUT {bench.path}", json={"secret": OWN}), 422, paths=["secret"])
