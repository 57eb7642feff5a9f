"""The test event: what the receiver gets, what the caller is told, and that nothing else comes of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from patchbay import catalogue, vault
from patchbay.api_model import MASK
from patchbay.catalogue.entries import load
from patchbay.clock import at_ms, iso, now_ms, to_ms
from patchbay.deliveries import limits
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.catalogued import POST
from tests.conftest import Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, Clock, Source, cold_start, failing
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver

HOOKS = "/api/integrations/webhooks"
KB = 1024


@pytest.fixture(autouse=True)
def cold(backend: Backend) -> Iterator[None]:
    cold_start()
    yield
    cold_start()


def webhook(api: Api, url: str, **more: Any) -> Any:
    body = {"name": "test", "url": url, "events": ["POST_PUBLISHED"], **more}
    answer = api(f"POST {HOOKS}", json=body)
    assert answer.status == 201, answer
    return answer.json()


def try_out(api: Api, made: Any, **more: Any) -> Any:
    """The attempt that a test event was."""
    answer = api(f"POST {HOOKS}/{made['id']}/test", **more)
    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def problem(answer: Answer, status: int, code: str) -> str:
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    return str(answer.json()["detail"])


def kept(backend: Backend) -> dict[str, Any]:
    """Every row but those that count requests, and what waits."""
    found: dict[str, Any] = {
        table.logical_id: sorted(map(repr, backend.rows(table.logical_id)))
        for table in backend.template.of_type("AWS::DynamoDB::Table")
        if table.logical_id != "RateLimitsTable"
    }
    for queue in backend.template.of_type("AWS::SQS::Queue"):
        found[queue.logical_id] = backend.messages(queue.logical_id)
    return found


# ── what the receiver gets ───────────────────────────────────────────────────────────────────────────


def test_it_is_signed_and_shaped_like_a_real_event(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as r:
        made = webhook(api, r.url, headers={"X-Team": "social"})
        try_out(api, made)
        api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
        clock = Clock(monkeypatch)
        for queue, worker in (
            ("EventsQueue", "fan_out"),
            ("DeliveriesQueue", "deliver"),
            ("SlowDeliveriesQueue", "deliver_slow"),
        ):
            Source(backend, queue, f"workers.{worker}.handler", clock).poll()
        test, real = r.requests
    for verifier in (StandardWebhook, SvixWebhook):
        verifier(made["secret"]).verify(test.body, dict(test.headers))
    assert (test.method, test.path, set(test.headers)) == (real.method, real.path, set(real.headers))
    for name in set(real.headers) - {"webhook-id", "webhook-timestamp", "webhook-signature"}:
        assert test.headers[name] == real.headers[name] or name == "content-length"
    DeliveryId.parse(test.headers["webhook-id"])

    body = test.json()
    assert list(body) == list(real.json()) == ["id", "type", "timestamp", "data"]
    assert (body["type"], body["data"]) == ("POST_PUBLISHED", load("POST_PUBLISHED").sample)
    assert body["timestamp"] == iso(at_ms(EventId.parse(body["id"]).time_ms))


def test_each_is_an_event_of_its_own(api: Api) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        for _ in range(3):
            try_out(api, made)
    assert len(set(r.ids)) == len({request.json()["id"] for request in r.requests}) == 3


@pytest.mark.parametrize(
    ("events", "body", "expected"),
    [
        (["*"], {}, "POST_PUBLISHED"),
        (["*", "ALERT_TRIGGERED"], {}, "POST_PUBLISHED"),
        (["POST_FAILED"], {}, "POST_FAILED"),
        (["API_KEY_EXPIRING", "MENTION_RECEIVED", "POST_FAILED"], {}, "MENTION_RECEIVED"),
        (["WEBHOOK_DISABLED"], {}, "WEBHOOK_DISABLED"),
        (["POST_FAILED"], {"eventType": None}, "POST_FAILED"),
        (["POST_FAILED", "POST_PUBLISHED"], {"eventType": "POST_PUBLISHED"}, "POST_PUBLISHED"),
        (["POST_FAILED"], {"eventType": "CONNECTION_EXPIRED"}, "CONNECTION_EXPIRED"),
    ],
)
def test_which_type_it_has(api: Api, events: list[str], body: dict[str, Any], expected: str) -> None:
    with receiver() as r:
        made = webhook(api, r.url, events=events)
        try_out(api, made, **({"json": body} if body else {}))
    assert r.requests[0].json()["type"] == expected
    assert r.requests[0].json()["data"] == load(expected).sample


@pytest.mark.parametrize("event_type", sorted(catalogue.ALL))
def test_every_type_has_a_sample(event_type: str) -> None:
    sample = load(event_type).sample
    assert sample
    assert all(isinstance(name, str) for name in sample)


def test_filters_do_not_hold_it_back(api: Api) -> None:
    with receiver() as r:
        made = webhook(api, r.url, filters=[{"path": "never", "op": "equals", "value": "there"}])
        assert try_out(api, made)["statusCode"] == 200


def test_both_secrets_sign_it_during_a_rotation(api: Api) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        new = api(f"POST {HOOKS}/{made['id']}/rotate-secret").json()
        try_out(api, made)
    for secret in (new["secret"], made["secret"]):
        StandardWebhook(secret).verify(r.requests[0].body, dict(r.requests[0].headers))


# ── what the caller is told ──────────────────────────────────────────────────────────────────────────


def test_the_answer_is_the_attempt(api: Api) -> None:
    before = now_ms()
    with receiver([Reply(202, {"x-trace": "t-1"}, b"queued")]) as r:
        made = webhook(api, r.url)
        shown = try_out(api, made)
    (request,) = r.requests
    assert to_ms(datetime.fromisoformat(shown.pop("startedAt"))) >= before
    assert shown.pop("durationMs") >= 0
    assert shown.pop("responseHeaders")["x-trace"] == "t-1"
    names = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature")
    assert shown == {
        "number": 1,
        "trigger": "TEST",
        "statusCode": 202,
        "error": None,
        "requestHeaders": {name: request.headers[name] for name in names},
        "responseBody": "queued",
        "withheld": None,
        "truncated": False,
    }


def test_an_answer_that_repeats_a_header_value_is_not_shown(api: Api) -> None:
    value = "Bearer receiver-token-5f2c"

    def echo(request: Request) -> Reply:
        return Reply(200, {"x-echo": request.headers["authorization"]}, b"hello")

    with receiver([echo]) as r:
        made = webhook(api, r.url, headers={"Authorization": value})
        answer = api(f"POST {HOOKS}/{made['id']}/test")
    assert r.requests[0].headers["authorization"] == value
    assert value not in answer.text
    shown = answer.json()
    assert shown["requestHeaders"]["Authorization"] == MASK
    assert (shown["responseHeaders"], shown["responseBody"]) == ({}, None)
    assert "repeats part of a header value" in shown["withheld"]


@pytest.mark.parametrize("status", [200, 500])
def test_16_kb_of_the_answers_body_are_shown(api: Api, status: int) -> None:
    with receiver([Reply(status, body=b"x" * (16 * KB + 1))]) as r:
        shown = try_out(api, webhook(api, r.url))
    assert (shown["responseBody"], shown["truncated"]) == ("x" * 16 * KB, True)


@pytest.mark.parametrize("status", [301, 302, 400, 404, 410, 429, 500, 503])
def test_whatever_the_receiver_answers_is_a_200_of_ours(api: Api, status: int) -> None:
    with receiver() as elsewhere, receiver([Reply(status, {"location": elsewhere.url})]) as r:
        shown = try_out(api, webhook(api, r.url))
    assert (shown["statusCode"], shown["error"]) == (status, None)
    assert elsewhere.requests == []


def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/hook"


def test_a_receiver_that_does_not_answer_is_a_200_of_ours(api: Api) -> None:
    with receiver([Reply(hang_up=True)]) as r:
        for url in (r.url, closed()):
            shown = try_out(api, webhook(api, url))
            assert (shown["statusCode"], shown["responseBody"], shown["responseHeaders"]) == (None, "", {})
            assert shown["error"] == "The connection was refused, or closed before an answer."


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_a_receiver_that_hangs_is_given_up(api: Api) -> None:
    with receiver([Reply(delay=60)]) as r:
        shown = try_out(api, webhook(api, r.url))
    assert (shown["statusCode"], shown["error"]) == (None, "The receiver did not answer in time.")
    assert shown["durationMs"] >= 1000


def test_a_target_that_is_forbidden_now_is_not_called(
    api: Api, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Registered while it was allowed: what counts is the guard's word at the send."""
    with receiver() as r:
        by_address, by_name = (webhook(api, url) for url in (r.url, r.url.replace("127.0.0.1", "localhost")))
        monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "0")
        settings.cache_clear()
        for made, error in (
            (by_address, "The host's address is not public."),
            (by_name, "The host is the name of a local network."),
        ):
            with subtests.test(made["url"]):
                shown = try_out(api, made)
                assert (shown["statusCode"], shown["error"]) == (None, error)
    assert r.requests == []


# ── what comes of it otherwise: nothing ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [200, 500, 410, Reply(hang_up=True)], ids=repr)
def test_nothing_is_stored_and_nothing_counts(api: Api, backend: Backend, answer: Any) -> None:
    with receiver([answer]) as r:
        made = webhook(api, r.url, disableAfter=1)
        before = kept(backend)
        for _ in range(2):
            try_out(api, made)
    assert kept(backend) == before
    assert len(r.requests) >= 2
    shown = api(f"GET {HOOKS}/{made['id']}").json()
    assert (shown["status"], shown["consecutiveFailures"], shown["version"]) == ("ACTIVE", 0, 1)
    assert shown["recentDeliveries"] == api(f"GET {HOOKS}/{made['id']}/deliveries").json()["items"] == []
    assert api(f"GET /api/events/{r.requests[0].json()['id']}").status == 404


@pytest.mark.parametrize("status", ["INACTIVE", "DISABLED"])
def test_a_webhook_that_is_not_active_can_be_tried_and_stays_so(
    api: Api, backend: Backend, status: str
) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        if status == "INACTIVE":
            assert api(f"PUT {HOOKS}/{made['id']}/status", json={"status": status}).status == 200
        else:
            service.disable("acme", WebhookId(made["id"]), "http_410")
        before = kept(backend)
        assert try_out(api, made)["statusCode"] == 200
    assert kept(backend) == before
    assert api(f"GET {HOOKS}/{made['id']}").json()["status"] == status


# ── who may, and how often ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [{"eventType": "POST_DELETED"}, {"eventType": "*"}, {"eventType": ""}, {"type": "POST_FAILED"}, []],
    ids=repr,
)
def test_bodies_that_do_not_fit_send_nothing(api: Api, body: Any) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        problem(api(f"POST {HOOKS}/{made['id']}/test", json=body), 422, "validation_failed")
    assert r.requests == []


def test_others_send_nothing(api: Api, backend: Backend) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        line = f"POST {HOOKS}/{made['id']}/test"
        for workspace in ("rival", "platform"):
            problem(api(line, token=jwt_for(workspace)), 404, "not_found")
        for token in (jwt_for("acme", role="viewer"), jwt_for("acme", scope="webhooks:read events:publish")):
            problem(api(line, token=token), 403, "forbidden")
        assert api(f"DELETE {HOOKS}/{made['id']}").status == 200
        problem(api(line), 404, "not_found")
    assert r.requests == []
    assert not [row for row in backend.rows("RateLimitsTable") if "tests" in row["id"]], "nothing was counted"


def trials(api: Api, r: Receiver, made: Any, count: int, clock: Clock, workspace: str = "acme") -> list[int]:
    """The statuses of that many; each 200 reached the receiver, and nothing else did."""
    token = jwt_for(workspace, claims={"exp": clock.now // 1000 + 600})
    before = len(r.requests)
    answers = [api(f"POST {HOOKS}/{made['id']}/test", token=token).status for _ in range(count)]
    assert len(r.requests) - before == answers.count(200)
    return answers


def test_ten_a_minute_for_all_webhooks_of_a_workspace(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.now = clock.now // 60_000 * 60_000  # a minute begins
    with receiver([500]) as r:
        one, other = webhook(api, r.url), webhook(api, r.url)
        body = {"name": "theirs", "url": r.url, "events": ["*"]}
        theirs = api(f"POST {HOOKS}", json=body, token=jwt_for("rival")).json()
        assert trials(api, r, one, 4, clock) == [200] * 4
        limits.clear_cache()  # another process
        assert trials(api, r, other, 7, clock) == [200] * 6 + [429]
        limits.clear_cache()
        refused = api(f"POST {HOOKS}/{one['id']}/test")
        assert "10 test events a minute" in problem(refused, 429, "rate_limited")
        wait = int(refused.headers["retry-after"])
        assert 60 <= wait <= 66
        problem(api(f"POST {HOOKS}/{one['id']}/test", json={"eventType": "x"}), 422, "validation_failed")
        assert trials(api, r, theirs, 1, clock, "rival") == [200]

        clock.move(wait - 1)
        assert trials(api, r, one, 1, clock) == [429]
        clock.move(1)
        assert trials(api, r, one, 2, clock) == [200, 429]
        clock.move(120)
        assert trials(api, r, one, 11, clock) == [200] * 10 + [429]


# ── our own faults are not the receiver's ────────────────────────────────────────────────────────────


def test_secrets_that_do_not_open_send_nothing(api: Api) -> None:
    with receiver() as r:
        made = webhook(api, r.url)
        line = f"POST {HOOKS}/{made['id']}/test"
        vault.clear_cache()
        with failing("kms.Decrypt", error=REFUSED):
            problem(api(line), 502, "upstream_failed")
        key = {"workspaceId": "acme", "sk": made["id"]}
        dynamo.update(settings().webhooks_table, key, "SET secrets = :s", s=[{"sealed": "v1.1.AAAA"}])
        problem(api(line), 500, "internal")
        assert r.requests == []
        assert api(f"POST {HOOKS}/{made['id']}/rotate-secret", json={"overlapSeconds": 0}).status == 200
        assert try_out(api, made)["statusCode"] == 200
