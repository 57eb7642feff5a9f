"""The test event: the request to the receiver, the response to the caller, and no other effects."""

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
from patchbay.catalogue.entries import load_entry
from patchbay.clock import from_ms, iso, now_ms, to_ms
from patchbay.deliveries import limits
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.catalogued import POST
from tests.conftest import Api, Backend, is_audit_row, jwt_for
from tests.faults import REFUSED, Clock, Source, cold_start, failing
from tests.integration.conftest import WEBHOOKS
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver

KB = 1024


@pytest.fixture(autouse=True)
def cold(backend: Backend) -> Iterator[None]:
    cold_start()
    yield
    cold_start()


def create_webhook(api: Api, url: str, **fields: Any) -> Any:
    body = {"name": "test", "url": url, "eventTypes": ["POST_PUBLISHED"], **fields}
    answer = api(f"POST {WEBHOOKS}", json=body)
    assert answer.status == 201, answer
    return answer.json()


def send_test(api: Api, webhook: Any, **options: Any) -> Any:
    """Send a test event, and return its attempt."""
    answer = api(f"POST {WEBHOOKS}/{webhook['id']}/test", **options)
    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def stored(backend: Backend) -> dict[str, Any]:
    """Every message, and every row except those that count or record requests."""
    state: dict[str, Any] = {
        table.logical_id: sorted(repr(row) for row in backend.rows(table.logical_id) if not is_audit_row(row))
        for table in backend.template.of_type("AWS::DynamoDB::Table")
        if table.logical_id != "RateLimitsTable"
    }
    for queue in backend.template.of_type("AWS::SQS::Queue"):
        state[queue.logical_id] = backend.messages(queue.logical_id)
    return state


# ── the request to the receiver ──────────────────────────────────────────────────────────────────────


def test_test_event_has_the_shape_and_signature_of_a_real_event(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url, headers={"X-Team": "social"})
        send_test(api, webhook)
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
        verifier(webhook["secret"]).verify(test.body, dict(test.headers))
    assert (test.method, test.path, set(test.headers)) == (real.method, real.path, set(real.headers))
    for name in set(real.headers) - {"webhook-id", "webhook-timestamp", "webhook-signature"}:
        assert test.headers[name] == real.headers[name] or name == "content-length"
    DeliveryId.parse(test.headers["webhook-id"])

    body = test.json()
    assert list(body) == list(real.json()) == ["id", "type", "timestamp", "data"]
    assert (body["type"], body["data"]) == ("POST_PUBLISHED", load_entry("POST_PUBLISHED").sample)
    assert body["timestamp"] == iso(from_ms(EventId.parse(body["id"]).time_ms))


def test_each_test_event_has_its_own_ids(api: Api) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        for _ in range(3):
            send_test(api, webhook)
    assert len(set(r.ids)) == len(set(r.event_ids)) == 3


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
def test_event_type_is_the_requested_or_first_subscribed_one(
    api: Api, events: list[str], body: dict[str, Any], expected: str
) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url, eventTypes=events)
        send_test(api, webhook, **({"json": body} if body else {}))
    assert r.requests[0].json()["type"] == expected
    assert r.requests[0].json()["data"] == load_entry(expected).sample


@pytest.mark.parametrize("event_type", sorted(catalogue.ALL))
def test_every_event_type_has_a_sample(event_type: str) -> None:
    sample = load_entry(event_type).sample
    assert sample
    assert all(isinstance(name, str) for name in sample)


def test_filters_do_not_apply_to_a_test_event(api: Api) -> None:
    with receiver() as r:
        webhook = create_webhook(
            api, r.url, filters=[{"path": "network", "op": "equals", "value": "another"}]
        )
        assert send_test(api, webhook)["statusCode"] == 200


def test_both_secrets_sign_a_test_event_during_a_rotation(api: Api) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        new = api(f"POST {WEBHOOKS}/{webhook['id']}/rotate-secret").json()
        send_test(api, webhook)
    for secret in (new["secret"], webhook["secret"]):
        StandardWebhook(secret).verify(r.requests[0].body, dict(r.requests[0].headers))


# ── the response to the caller ───────────────────────────────────────────────────────────────────────


def test_response_is_the_attempt(api: Api) -> None:
    before = now_ms()
    with receiver([Reply(202, {"x-trace": "t-1"}, b"queued")]) as r:
        webhook = create_webhook(api, r.url)
        attempt = send_test(api, webhook)
    (request,) = r.requests
    assert to_ms(datetime.fromisoformat(attempt.pop("startedAt"))) >= before
    assert attempt.pop("durationMs") >= 0
    assert attempt.pop("responseHeaders")["x-trace"] == "t-1"
    names = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature")
    assert attempt == {
        "number": 1,
        "trigger": "TEST",
        "statusCode": 202,
        "error": None,
        "requestHeaders": {name: request.headers[name] for name in names},
        "responseBody": "queued",
        "withheld": None,
        "truncated": False,
    }


def test_response_that_repeats_a_header_value_is_withheld(api: Api) -> None:
    value = "Bearer receiver-token-5f2c"

    def echo(request: Request) -> Reply:
        return Reply(200, {"x-echo": request.headers["authorization"]}, b"hello")

    with receiver([echo]) as r:
        webhook = create_webhook(api, r.url, headers={"Authorization": value})
        answer = api(f"POST {WEBHOOKS}/{webhook['id']}/test")
    assert r.requests[0].headers["authorization"] == value
    assert value not in answer.text
    attempt = answer.json()
    assert attempt["requestHeaders"]["Authorization"] == MASK
    assert (attempt["responseHeaders"], attempt["responseBody"]) == ({}, None)
    assert "contains part of a custom header value" in attempt["withheld"]


@pytest.mark.parametrize("status", [200, 500])
def test_attempt_has_16_kb_of_the_response_body(api: Api, status: int) -> None:
    with receiver([Reply(status, body=b"x" * (16 * KB + 1))]) as r:
        attempt = send_test(api, create_webhook(api, r.url))
    assert (attempt["responseBody"], attempt["truncated"]) == ("x" * 16 * KB, True)


@pytest.mark.parametrize("status", [301, 302, 400, 404, 410, 429, 500, 503])
def test_any_status_of_the_receiver_is_a_200(api: Api, status: int) -> None:
    with receiver() as elsewhere, receiver([Reply(status, {"location": elsewhere.url})]) as r:
        attempt = send_test(api, create_webhook(api, r.url))
    assert (attempt["statusCode"], attempt["error"]) == (status, None)
    assert elsewhere.requests == []


def closed_url() -> str:
    """A URL whose port is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/hook"


def test_receiver_without_a_response_is_a_200(api: Api) -> None:
    with receiver([Reply(hang_up=True)]) as r:
        for url in (r.url, closed_url()):
            attempt = send_test(api, create_webhook(api, url))
            assert (attempt["statusCode"], attempt["responseBody"], attempt["responseHeaders"]) == (
                None,
                "",
                {},
            )
            assert attempt["error"] == {
                "code": "connection_failed",
                "detail": "The connection was refused, or closed before a response.",
            }


@pytest.mark.parameters(AttemptTimeoutSeconds=1)
def test_receiver_that_hangs_times_out(api: Api) -> None:
    with receiver([Reply(delay=60)]) as r:
        attempt = send_test(api, create_webhook(api, r.url))
    assert (attempt["statusCode"], attempt["error"]) == (
        None,
        {"code": "timeout", "detail": "The receiver did not respond in time."},
    )
    assert attempt["durationMs"] >= 1000


def test_forbidden_target_is_not_called(
    api: Api, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """The target was allowed at registration, but the guard checks it again at the request."""
    with receiver() as r:
        by_address, by_name = (
            create_webhook(api, url) for url in (r.url, r.url.replace("127.0.0.1", "localhost"))
        )
        monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "0")
        settings.cache_clear()
        for webhook, error in (
            (by_address, "The host's address is not public."),
            (by_name, "The host is the name of a local network."),
        ):
            with subtests.test(webhook["url"]):
                attempt = send_test(api, webhook)
                assert (attempt["statusCode"], attempt["error"]) == (
                    None,
                    {"code": "forbidden_target", "detail": error},
                )
    assert r.requests == []


# ── no other effects ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [200, 500, 410, Reply(hang_up=True)], ids=repr)
def test_test_event_stores_and_counts_nothing(api: Api, backend: Backend, answer: Any) -> None:
    with receiver([answer]) as r:
        webhook = create_webhook(api, r.url, disableAfter=1)
        before = stored(backend)
        for _ in range(2):
            send_test(api, webhook)
    assert stored(backend) == before
    assert len(r.requests) >= 2
    detail = api(f"GET {WEBHOOKS}/{webhook['id']}").json()
    assert (detail["status"], detail["consecutiveFailures"], detail["version"]) == ("ACTIVE", 0, 1)
    assert (
        detail["recentDeliveries"] == api(f"GET {WEBHOOKS}/{webhook['id']}/deliveries").json()["items"] == []
    )
    assert api(f"GET /api/events/{r.requests[0].json()['id']}").status == 404


@pytest.mark.parametrize("status", ["INACTIVE", "DISABLED"])
def test_inactive_webhook_can_be_tested_and_stays_inactive(api: Api, backend: Backend, status: str) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        if status == "INACTIVE":
            assert api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": status}).status == 200
        else:
            service.disable(
                "acme", WebhookId(webhook["id"]), "http_410", lambda webhook: (), requested_at=now_ms()
            )
        before = stored(backend)
        assert send_test(api, webhook)["statusCode"] == 200
    assert stored(backend) == before
    assert api(f"GET {WEBHOOKS}/{webhook['id']}").json()["status"] == status


# ── permissions and limits ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [{"eventType": "POST_DELETED"}, {"eventType": "*"}, {"eventType": ""}, {"type": "POST_FAILED"}, []],
    ids=repr,
)
def test_test_event_rejects_invalid_body(api: Api, body: Any) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        assert_problem(api(f"POST {WEBHOOKS}/{webhook['id']}/test", json=body), 422, "validation_failed")
    assert r.requests == []


def test_test_event_rejects_other_workspaces_and_missing_scopes(api: Api, backend: Backend) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        line = f"POST {WEBHOOKS}/{webhook['id']}/test"
        for workspace in ("rival", "platform"):
            assert_problem(api(line, token=jwt_for(workspace)), 404, "not_found")
        for token in (jwt_for("acme", role="viewer"), jwt_for("acme", scope="webhooks:read events:publish")):
            assert_problem(api(line, token=token), 403, "forbidden")
        assert api(f"DELETE {WEBHOOKS}/{webhook['id']}").status == 200
        assert_problem(api(line), 404, "not_found")
    assert r.requests == []
    assert not [row for row in backend.rows("RateLimitsTable") if "tests" in row["id"]], (
        "no request was counted"
    )


def send_tests(
    api: Api, r: Receiver, webhook: Any, count: int, clock: Clock, workspace: str = "acme"
) -> list[int]:
    """Send `count` test events, and return their statuses. Only those with a 200 may reach the receiver."""
    token = jwt_for(workspace, claims={"exp": clock.now // 1000 + 600})
    before = len(r.requests)
    answers = [api(f"POST {WEBHOOKS}/{webhook['id']}/test", token=token).status for _ in range(count)]
    assert len(r.requests) - before == answers.count(200)
    return answers


def test_workspace_can_send_ten_test_events_a_minute(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.now = clock.now // 60_000 * 60_000  # the start of a minute
    with receiver([500]) as r:
        one, other = create_webhook(api, r.url), create_webhook(api, r.url)
        body = {"name": "theirs", "url": r.url, "eventTypes": ["*"]}
        theirs = api(f"POST {WEBHOOKS}", json=body, token=jwt_for("rival")).json()
        assert send_tests(api, r, one, 4, clock) == [200] * 4
        limits.clear_cache()  # as in another process
        assert send_tests(api, r, other, 7, clock) == [200] * 6 + [429]
        limits.clear_cache()
        answer = api(f"POST {WEBHOOKS}/{one['id']}/test")
        assert_problem(answer, 429, "rate_limited", "10 test events per minute")
        wait = int(answer.headers["retry-after"])
        assert 60 <= wait <= 66
        assert_problem(
            api(f"POST {WEBHOOKS}/{one['id']}/test", json={"eventType": "x"}), 422, "validation_failed"
        )
        assert send_tests(api, r, theirs, 1, clock, "rival") == [200]

        clock.move(wait - 1)
        assert send_tests(api, r, one, 1, clock) == [429]
        clock.move(1)
        assert send_tests(api, r, one, 2, clock) == [200, 429]
        clock.move(120)
        assert send_tests(api, r, one, 11, clock) == [200] * 10 + [429]


# ── internal failures ────────────────────────────────────────────────────────────────────────────────


def test_webhook_whose_secrets_cannot_be_decrypted_sends_nothing(api: Api) -> None:
    with receiver() as r:
        webhook = create_webhook(api, r.url)
        line = f"POST {WEBHOOKS}/{webhook['id']}/test"
        vault.clear_cache()
        with failing("kms.Decrypt", error=REFUSED):
            assert_problem(api(line), 502, "upstream_failed")
        key = {"workspaceId": "acme", "sk": webhook["id"]}
        dynamo.update(settings().webhooks_table, key, "SET secrets = :s", s=[{"sealed": "v1.1.AAAA"}])
        assert_problem(api(line), 500, "internal")
        assert r.requests == []
        assert api(f"POST {WEBHOOKS}/{webhook['id']}/rotate-secret", json={"overlapSeconds": 0}).status == 200
        assert send_test(api, webhook)["statusCode"] == 200
