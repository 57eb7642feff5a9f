"""Signing secrets that are rotated: which ones sign and for how long, under races, crashes and repeats."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from patchbay import vault
from patchbay.clock import at_ms, iso
from patchbay.ids import WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
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
from tests.receivers import Receiver, Request, receiver

HOOKS = "/api/integrations/webhooks"
DAY, WEEK = 86_400, 604_800
TRANSACT = "dynamodb.TransactWriteItems"
IDEMPOTENCY_LEASE = 30


class Bench:
    """A webhook, its receiver, and the clock of both."""

    def __init__(self, backend: Backend, api: Api, clock: Clock, to: Receiver) -> None:
        self.backend, self.clock, self.receiver = backend, clock, to
        self._api = api
        self.events = Source(backend, "EventsQueue", "workers.fan_out.handler", clock)
        self.deliveries = Source(backend, "DeliveriesQueue", "workers.deliver.handler", clock)
        self.slow = Source(backend, "SlowDeliveriesQueue", "workers.deliver_slow.handler", clock)
        made = self.call(f"POST {HOOKS}", json={"name": "test", "url": to.url, "events": ["*"]}).json()
        self.id, self.first = made["id"], made["secret"]
        self.path = f"{HOOKS}/{self.id}"

    def call(self, line: str, workspace: str = "acme", **more: Any) -> Answer:
        """A request of an owner, whose token is as fresh as the clock says."""
        claims = {"exp": self.clock.now // 1000 + 600}
        return self._api(line, token=jwt_for(workspace, claims=claims), **more)

    def rotate(self, overlap: int | None = None, headers: dict[str, str] | None = None) -> Answer:
        body = None if overlap is None else {"overlapSeconds": overlap}
        return self.call(f"POST {self.path}/rotate-secret", json=body, headers=headers)

    def rotated(self, overlap: int | None = None, headers: dict[str, str] | None = None) -> str:
        """The new secret."""
        answer = self.rotate(overlap, headers)
        assert answer.status == 200, answer
        return str(answer.json()["secret"])

    def delivered(self) -> Request:
        """An event that is published now, as its receiver gets it."""
        event = {"type": "POST_PUBLISHED", "data": {**POST, "n": len(self.receiver.requests)}}
        assert self.call("POST /api/events", json=event).status == 202
        self.events.poll()
        self.deliver()
        return self.receiver.requests[-1]

    def deliver(self) -> None:
        """In whichever lane; a new webhook takes the slow one."""
        self.deliveries.poll()
        self.slow.poll()

    def signing(self, *secrets: str) -> list[str]:
        """Those that sign what is delivered now: each signature of the header is of one of them."""
        request = self.delivered()
        signing = [secret for secret in secrets if verifies(secret, request)]
        signatures = request.headers["webhook-signature"].split(" ")
        assert len(signatures) == len(set(signatures)) == len(signing), "there are others too"
        return signing

    @property
    def row(self) -> dict[str, Any]:
        (row,) = [row for row in self.backend.rows("WebhooksTable") if row["sk"] == self.id]
        return row


def verifies(secret: str, request: Request) -> bool:
    """What the two verifiers say that receivers use; they agree."""
    refused = 0
    for verifier in (StandardWebhook, SvixWebhook):
        with contextlib.suppress(WebhookVerificationError):
            verifier(secret).verify(request.body, dict(request.headers))
            continue
        refused += 1
    assert refused in (0, 2)
    return refused == 0


@pytest.fixture
def bench(backend: Backend, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    clock = Clock(monkeypatch)

    class ReceiversClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return at_ms(clock.now)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", ReceiversClock)
    one_at_a_time(monkeypatch)
    cold_start()
    with receiver() as r:
        yield Bench(backend, api, clock, r)
    cold_start()


def problem(answer: Answer, status: int, code: str) -> str:
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    return str(answer.json()["detail"])


# ── the overlap ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("overlap", "lasts"), [(None, DAY), (1, 1), (WEEK, WEEK)])
def test_both_sign_during_the_overlap_and_then_the_new_one_alone(
    bench: Bench, overlap: int | None, lasts: int
) -> None:
    assert bench.signing(bench.first) == [bench.first]
    new = bench.rotated(overlap)
    assert new != bench.first
    assert bench.signing(new, bench.first) == [new, bench.first]
    bench.clock.move(lasts - 0.001)
    assert bench.signing(new, bench.first) == [new, bench.first]
    bench.clock.move(0.001)
    assert bench.signing(new, bench.first) == [new]
    bench.clock.move(400 * DAY)
    assert bench.signing(new) == [new], "the last one never ends"


def test_the_newest_signs_first(bench: Bench) -> None:
    secrets = [bench.first, bench.rotated(), bench.rotated()][::-1]
    request = bench.delivered()
    each = request.headers["webhook-signature"].split(" ")
    for secret, signature in zip(secrets, each, strict=True):
        alone = Request(
            request.method, request.path, {**request.headers, "webhook-signature": signature}, request.body
        )
        assert [verifies(other, alone) for other in secrets] == [other == secret for other in secrets]


def test_an_overlap_of_0_ends_all_that_were_before_at_once(bench: Bench) -> None:
    second = bench.rotated()
    new = bench.rotated(0)
    assert bench.signing(new, second, bench.first) == [new]
    assert len(bench.row["secrets"]) == 1, "what was leaked is not kept"


def test_a_later_overlap_shortens_an_earlier_one_and_never_lengthens_it(bench: Bench) -> None:
    second = bench.rotated(100)
    third = bench.rotated(1000)
    bench.clock.move(100)
    assert bench.signing(third, second, bench.first) == [third, second]
    fourth = bench.rotated(10)
    bench.clock.move(10)
    assert bench.signing(fourth, third, second, bench.first) == [fourth]


def test_what_a_retry_sends_is_signed_by_who_is_live_then(bench: Bench) -> None:
    """A delivery that was queued before a rotation is signed as of its attempt."""
    event = {"type": "POST_FAILED", "data": minimal_data("POST_FAILED")}
    assert bench.call("POST /api/events", json=event).status == 202
    bench.events.poll()
    new = bench.rotated(0)
    bench.deliver()
    (request,) = bench.receiver.requests
    assert (verifies(new, request), verifies(bench.first, request)) == (True, False)


# ── how many ─────────────────────────────────────────────────────────────────────────────────────────


def test_five_are_live_at_most_and_none_falls_out_before_its_time(bench: Bench) -> None:
    began = bench.clock.now
    secrets = [bench.first]
    for hours in range(1, 5):
        secrets.insert(0, bench.rotated(hours * 3600 * 4))
    assert bench.signing(*secrets) == secrets

    before = bench.row
    refused = bench.rotate(60, headers={"idempotency-key": "k"})
    detail = problem(refused, 409, "conflict")
    assert "5 live secrets" in detail
    assert iso(at_ms(began + 4 * 3600 * 1000)) in detail
    assert bench.row == before
    assert bench.signing(*secrets) == secrets

    bench.clock.move(4 * 3600)
    sixth = bench.rotated(60, headers={"idempotency-key": "k"})  # the refusal has not used it up
    assert bench.signing(sixth, *secrets) == [sixth, *secrets[:-1]]


def test_a_leaked_secret_can_be_ended_however_many_are_live(bench: Bench) -> None:
    secrets = [bench.first, *(bench.rotated() for _ in range(4))]
    problem(bench.rotate(), 409, "conflict")
    new = bench.rotated(0)
    assert bench.signing(new, *secrets) == [new]


# ── the request ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        *({"overlapSeconds": value} for value in (-1, WEEK + 1, "60", 1.5, True, None)),
        {"overlap_seconds": 60},
        {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    ],
    ids=repr,
)
def test_bodies_that_do_not_fit(bench: Bench, body: Any) -> None:
    before = bench.row
    problem(bench.call(f"POST {bench.path}/rotate-secret", json=body), 422, "validation_failed")
    assert bench.row == before


def test_the_answer_is_the_webhook_with_its_secret_and_is_not_to_be_stored(bench: Bench) -> None:
    bench.clock.move(5)
    answer = bench.rotate(60)
    shown = answer.json()
    secret = shown.pop("secret")
    assert secret.startswith("whsec_")
    assert answer.headers["cache-control"] == "no-store"
    assert (shown["version"], shown["updatedAt"]) == (2, iso(at_ms(bench.clock.now)))
    read = bench.call(f"GET {bench.path}")
    assert shown.items() <= read.json().items()
    for other in (read, bench.call(f"GET {HOOKS}"), bench.call(f"PUT {bench.path}", json={"name": "b"})):
        assert other.status == 200
        assert "whsec_" not in other.text
        assert secret not in other.text


def test_if_match(bench: Bench) -> None:
    new = bench.rotated(headers={"if-match": "1"})
    assert "version 2, not 1" in problem(bench.rotate(headers={"if-match": "1"}), 409, "conflict")
    assert bench.signing(new, bench.first) == [new, bench.first]
    assert bench.rotate(headers={"if-match": "2"}).json()["version"] == 3


@pytest.mark.parametrize("status", ["INACTIVE", "DISABLED"])
def test_a_webhook_that_is_not_active_stays_so(bench: Bench, status: str) -> None:
    if status == "INACTIVE":
        assert bench.call(f"PUT {bench.path}/status", json={"status": status}).status == 200
    else:
        service.disable("acme", WebhookId(bench.id), "http_410")
    before = bench.row
    bench.clock.move(1)
    answer = bench.rotate(60)
    assert (answer.status, answer.json()["status"]) == (200, status)
    changed = {name for name, value in bench.row.items() if before[name] != value}
    assert changed == {"secrets", "updatedAt", "version"}
    kinds = {row["sk"].partition("#")[0] for row in bench.backend.rows("WebhooksTable")}
    assert kinds == {bench.id, "count"}, "no subscription comes back"

    new = answer.json()["secret"]
    assert bench.call(f"PUT {bench.path}/status", json={"status": "ACTIVE"}).status == 200
    assert bench.signing(new, bench.first) == [new, bench.first]


def test_others_do_not_rotate_it(bench: Bench, api: Api) -> None:
    before = bench.row
    line = f"POST {bench.path}/rotate-secret"
    for workspace in ("rival", "platform"):
        problem(bench.call(line, workspace=workspace), 404, "not_found")
    for token in (jwt_for("acme", role="viewer"), jwt_for("acme", scope="webhooks:read credentials:write")):
        problem(api(line, token=token), 403, "forbidden")
    problem(bench.call(f"POST {HOOKS}/{WebhookId.new()}/rotate-secret"), 404, "not_found")
    assert bench.row == before
    assert {row["workspaceId"] for row in bench.backend.rows("DataKeysTable")} == {"acme"}


# ── at rest ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_stored_is_sealed_for_its_place(bench: Bench) -> None:
    new = bench.rotated(60, headers={"idempotency-key": "k"})
    for table in bench.backend.template.of_type("AWS::DynamoDB::Table"):
        for row in bench.backend.rows(table.logical_id):
            for secret in (new, bench.first):
                assert secret.removeprefix("whsec_") not in repr(row), table.logical_id
    newest, older = bench.row["secrets"]
    assert newest.keys() == {"sealed"}
    assert older["endsAt"] == bench.clock.now + 60_000
    place = f"webhooks/{bench.id}/secret"
    assert [
        vault.decrypt("acme", entry["sealed"], encryption_context=place) for entry in (newest, older)
    ] == [
        new,
        bench.first,
    ]


def test_a_secret_that_was_damaged_is_replaced(bench: Bench) -> None:
    key = {"workspaceId": "acme", "sk": bench.id}
    dynamo.update(settings().webhooks_table, key, "SET secrets = :s", s=[{"sealed": "v1.1.AAAA"}])
    with pytest.raises(vault.DecryptionFailed):
        service.secrets(bench.row)
    new = bench.rotated(0)
    assert bench.signing(new) == [new]


def test_while_kms_refuses_its_key_nothing_changes(bench: Bench) -> None:
    before = bench.row
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        problem(bench.rotate(headers={"idempotency-key": "k"}), 502, "upstream_failed")
    assert bench.row == before
    assert bench.rotate(headers={"idempotency-key": "k"}).status == 200


# ── at the same time ─────────────────────────────────────────────────────────────────────────────────


def test_of_two_rotations_at_once_both_count(bench: Bench) -> None:
    other: list[str] = []
    with meanwhile(TRANSACT, lambda: other.append(bench.rotated())):
        mine = bench.rotated()
    assert bench.signing(mine, *other, bench.first) == [mine, *other, bench.first]
    assert bench.row["version"] == 3


def test_of_two_rotations_of_one_version_one_is_told_to_read_again(bench: Bench) -> None:
    other: list[str] = []
    with meanwhile(TRANSACT, lambda: other.append(bench.rotated(headers={"if-match": "1"}))):
        problem(bench.rotate(headers={"if-match": "1"}), 409, "conflict")
    assert bench.signing(*other, bench.first) == [*other, bench.first]


def test_a_crowd_that_rotates_gets_secrets_that_all_sign(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bench.rotate(), range(4)))
    assert {answer.status for answer in answers} <= {200, 409}
    secrets = {answer.json()["secret"] for answer in answers if answer.status == 200}
    assert secrets
    assert set(bench.signing(bench.first, *secrets)) == {bench.first, *secrets}
    assert bench.row["version"] == 1 + len(secrets)


def test_a_rotation_and_another_change_do_not_undo_each_other(bench: Bench) -> None:
    renamed: list[Answer] = []

    def rename() -> None:
        renamed.append(bench.call(f"PUT {bench.path}", json={"name": "renamed"}))

    with meanwhile(TRANSACT, rename):
        new = bench.rotated()
    assert (renamed[0].status, bench.row["name"]) == (200, "renamed")

    found: list[str] = []
    with meanwhile(TRANSACT, lambda: found.append(bench.rotated())):
        assert bench.call(f"PUT {bench.path}/status", json={"status": "ACTIVE"}).status == 200
    assert bench.signing(*found, new, bench.first) == [*found, new, bench.first]


def test_a_webhook_that_is_deleted_meanwhile_does_not_come_back(bench: Bench) -> None:
    gone: list[Answer] = []
    with meanwhile(TRANSACT, lambda: gone.append(bench.call(f"DELETE {bench.path}"))):
        problem(bench.rotate(), 404, "not_found")
    assert [row["sk"] for row in bench.backend.rows("WebhooksTable")] == ["count"]


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_repeat_with_the_key_brings_the_same_secret(bench: Bench) -> None:
    once = {"idempotency-key": "k"}
    first = bench.rotate(60, headers=once)
    again = bench.rotate(60, headers=once)
    assert (again.status, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["cache-control"] == "no-store"
    assert bench.row["version"] == 2
    problem(bench.rotate(0, headers=once), 422, "idempotency_mismatch")

    other = bench.call(f"POST {HOOKS}", json={"name": "o", "url": bench.receiver.url, "events": ["*"]})
    line = f"POST {HOOKS}/{other.json()['id']}/rotate-secret"
    mixed = bench.call(line, json={"overlapSeconds": 60}, headers=once)
    problem(mixed, 422, "idempotency_mismatch")
    assert first.json()["secret"] not in mixed.text


def test_without_a_key_each_request_rotates(bench: Bench) -> None:
    assert bench.rotated() != bench.rotated()
    assert len(bench.row["secrets"]) == 3


@pytest.mark.parametrize("call", range(1, 10))
def test_wherever_it_dies_a_repeat_finds_one_rotation(bench: Bench, call: int) -> None:
    """The process dies before its n-th call of AWS; the caller repeats with the key once it is free again."""
    once = {"idempotency-key": "k"}
    with dying(call) as process:
        bench.rotated(headers=once)
    bench.clock.move(IDEMPOTENCY_LEASE + 1)
    new = bench.rotated(headers=once)
    assert bench.row["version"] == 2
    assert bench.signing(new, bench.first) == [new, bench.first]
    if call == 9:
        assert not process.died, "it makes more calls: try those too"


def test_an_answer_that_was_lost_is_brought_by_the_repeat(bench: Bench) -> None:
    once = {"idempotency-key": "k"}
    with killed(TRANSACT, after=True):
        bench.rotated(headers=once)
    assert bench.row["version"] == 2
    again = bench.rotate(headers=once)
    assert again.headers["idempotent-replayed"] == "true"
    new = again.json()["secret"]
    assert bench.signing(new, bench.first) == [new, bench.first]


def test_who_lost_the_key_to_a_repeat_rotates_nothing(bench: Bench) -> None:
    """Its lease ran out while it was on its way; the repeat has rotated, and answers for both."""
    repeat: list[str] = []

    def overtake() -> None:
        bench.clock.move(IDEMPOTENCY_LEASE + 1)
        repeat.append(bench.rotated(headers={"idempotency-key": "k"}))

    with meanwhile("dynamodb.GetItem", overtake):
        slow = bench.rotate(headers={"idempotency-key": "k"})
    assert "still running" in problem(slow, 409, "conflict")
    assert bench.row["version"] == 2
    assert bench.rotated(headers={"idempotency-key": "k"}) == repeat[0]
