"""The client's behavior, against scripted responses."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import standardwebhooks

from patchbay_sdk import (
    ApiError,
    AsyncPatchbay,
    ConnectionFailed,
    NotFound,
    Patchbay,
    RateLimited,
    ServerError,
    ValidationFailed,
    VerificationError,
    Verifier,
    _retry,
    models,
    parse_event,
    verify,
)
from patchbay_sdk.events import Event, PostPublishedEvent, UnknownEvent

URL = "https://patchbay.example"
WEBHOOK: dict[str, Any] = {
    "id": "whk_0355200000000000000001",
    "name": "Posts",
    "url": "https://receiver.example/hook",
    "eventTypes": ["POST_PUBLISHED"],
    "filters": [{"path": "network", "op": "equals", "value": "linkedin"}],
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30},
    "status": "ACTIVE",
    "createdAt": "2026-11-27T09:29:59.000Z",
    "version": 1,
}
Reply = tuple[int, dict[str, str], object] | type[Exception]


class Script:
    """Answers requests with the next reply of a list, and remembers them."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, type):
            raise reply("scripted")
        status, headers, body = reply
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, headers=headers, content=content)

    @property
    def client(self) -> Patchbay:
        return Patchbay("sk_test", base_url=f"{URL}/", http_client=httpx.Client(transport=httpx.MockTransport(self)))


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def problem(code: str, status: int, **more: object) -> dict[str, object]:
    return {"type": f"{URL}/api/docs/errors#{code}", "title": "A title", "status": status, "detail": "Do this.",
            "code": code, "instance": "/x", "requestId": "req-1", **more}  # fmt: skip


def test_request_has_credentials_body_and_idempotency_key() -> None:
    script = Script((201, {}, {**WEBHOOK, "secret": "whsec_x"}))
    webhook = script.client.webhooks.create(
        name="Posts",
        url="https://receiver.example/hook",
        event_types=["POST_PUBLISHED"],
        filters=[models.EqualsFilter(path="network", op="equals", value="linkedin")],
        integration_id=None,
    )
    [request] = script.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}/api/integrations/webhooks")
    assert request.headers["authorization"] == "Bearer sk_test"
    assert request.headers["user-agent"].startswith("patchbay-sdk-python/")
    assert len(request.headers["idempotency-key"]) == 36
    assert json.loads(request.content) == {
        "name": "Posts",
        "url": "https://receiver.example/hook",
        "eventTypes": ["POST_PUBLISHED"],
        "filters": [{"path": "network", "op": "equals", "value": "linkedin"}],
        "integrationId": None,
    }, "None is sent as null, and what is not given is not sent"
    assert (webhook.secret, webhook.event_types, webhook.retry_config.max_retries) == (
        "whsec_x",
        ["POST_PUBLISHED"],
        3,
    )
    assert webhook.created_at == dt.datetime(2026, 11, 27, 9, 29, 59, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize("id", [".", ".."])
def test_an_id_cannot_lead_to_another_path(id: str) -> None:
    script = Script()
    with pytest.raises(ValueError, match="connectionId must not be"):
        script.client.connections.delete("int_0355200000000000000001", id)
    assert not script.requests, "httpx resolves dot segments: this would delete the integration"


@pytest.mark.parametrize("key", ["sk_test_a\nsecret", "sk_test_\x00secret", "sk_test secret", "sk_test_s\u00e9cret"])
def test_an_impossible_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as refused:
        Patchbay(key, base_url=URL)
    assert "cret" not in str(refused.value)
    assert type(refused.value) is ValueError, "a UnicodeError has the key"


def test_no_representation_has_the_key() -> None:
    """Error reports show the local variables of each frame."""
    script = Script(*[httpx.ReadError] * 3)
    with pytest.raises(ConnectionFailed) as failed:
        script.client.webhooks.create(name="Posts", event_types=["POST_PUBLISHED"])
    frame, shown = failed.value.__traceback__, [repr(failed.value), repr(script.client)]
    while frame is not None:
        shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    assert "sk_test" not in "".join(shown)


def test_space_around_the_key_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_API_KEY", "sk_test\r\n")
    script = Script((200, {}, {**WEBHOOK}))
    client = Patchbay(base_url=URL, http_client=httpx.Client(transport=httpx.MockTransport(script)))
    client.webhooks.get("whk_1")
    assert script.requests[0].headers["authorization"] == "Bearer sk_test"


def test_iteration_loads_all_pages() -> None:
    first: Reply = (200, {}, {"items": [WEBHOOK, WEBHOOK], "nextCursor": "c/2"})
    script = Script(
        first,
        (200, {}, {"items": [], "nextCursor": "c3"}),
        (200, {}, {"items": [WEBHOOK], "nextCursor": None}),
    )
    page = script.client.webhooks.list(status="ACTIVE", limit=2)
    assert len(page.items) == 2
    assert [webhook.name for webhook in page] == ["Posts"] * 3
    assert [dict(request.url.params) for request in script.requests] == [
        {"limit": "2", "status": "ACTIVE"},
        {"limit": "2", "status": "ACTIVE", "cursor": "c/2"},
        {"limit": "2", "status": "ACTIVE", "cursor": "c3"},
    ]


def test_path_parameters_are_escaped_and_not_empty() -> None:
    script = Script((404, {}, problem("not_found", 404)))
    with pytest.raises(NotFound):
        script.client.webhooks.get("../api-keys?x")
    assert script.requests[0].url.raw_path == b"/api/integrations/webhooks/..%2Fapi-keys%3Fx"
    with pytest.raises(ValueError, match="id must not be empty"):
        script.client.webhooks.get("")


def test_problem_becomes_a_typed_error() -> None:
    errors = [{"path": "url", "message": "must start with https://"}]
    script = Script((422, {}, problem("validation_failed", 422, errors=errors)))
    with pytest.raises(ValidationFailed) as caught:
        script.client.webhooks.update("whk_1", url="ftp://x", if_match=3)
    error = caught.value
    assert (error.status, error.code, error.request_id) == (422, "validation_failed", "req-1")
    assert [(field.path, field.message) for field in error.errors] == [("url", "must start with https://")]
    assert str(error) == (
        "A title: Do this. (422 validation_failed)\n  url: must start with https://\n  request ID: req-1"
    )
    assert script.requests[0].headers["if-match"] == '"3"'


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[1]"])
def test_response_of_a_proxy_is_still_an_api_error(body: bytes, slept: list[float]) -> None:
    with pytest.raises(ServerError) as caught:
        Script(*[(502, {}, body)] * 3).client.webhooks.get("whk_1")
    assert (caught.value.status, caught.value.code, len(slept)) == (502, "unknown", 2)


def test_success_that_is_not_json_names_the_base_url() -> None:
    with pytest.raises(ApiError, match="base_url"):
        Script((200, {}, b"<html>")).client.webhooks.get("whk_1")


RETRIED: list[tuple[str, Reply, bool]] = [
    ("429", (429, {"retry-after": "2"}, problem("rate_limited", 429)), True),
    ("503", (503, {}, b""), True),
    ("500", (500, {}, problem("internal", 500)), True),
    ("first request in progress", (409, {"retry-after": "1"}, problem("conflict", 409)), True),
    ("conflict", (409, {}, problem("conflict", 409)), False),
    ("not found", (404, {}, problem("not_found", 404)), False),
    ("no connection", httpx.ConnectError, True),
    ("response lost", httpx.ReadError, True),
    ("timeout", httpx.ReadTimeout, True),
]


@pytest.mark.parametrize(("reply", "is_retried"), [case[1:] for case in RETRIED], ids=[case[0] for case in RETRIED])
def test_temporary_failures_are_retried_with_the_same_key(reply: Reply, is_retried: bool, slept: list[float]) -> None:
    script = Script(reply, (202, {}, {"id": "evt_1", "type": "POST_PUBLISHED", "timestamp": "2026-11-27T09:30:00Z"}))
    publish: Callable[[], object] = lambda: script.client.events.publish(type="POST_PUBLISHED", data={})  # noqa: E731
    if is_retried:
        publish()
        assert len({request.headers["idempotency-key"] for request in script.requests}) == 1
        assert len(slept) == len(script.requests) - 1 == 1
    else:
        with pytest.raises(ApiError):
            publish()
        assert slept == []


def test_lost_post_without_an_idempotency_key_is_not_repeated(slept: list[float]) -> None:
    with pytest.raises(ConnectionFailed, match="No response from https"):
        Script(httpx.ReadError).client.api_keys.verify(key="sk_live_x")
    assert slept == []


def test_errors_end_the_retries(slept: list[float]) -> None:
    with pytest.raises(RateLimited) as caught:
        Script(*[(429, {"retry-after": "2"}, problem("rate_limited", 429))] * 3).client.webhooks.get("whk_1")
    assert caught.value.retry_after == 2
    assert len(slept) == 2
    assert all(2 <= wait <= 2.2 for wait in slept)


def test_retry_after_of_more_than_a_minute_is_an_error_at_once(slept: list[float]) -> None:
    with pytest.raises(RateLimited):
        Script((429, {"retry-after": "3600"}, problem("rate_limited", 429))).client.webhooks.get("whk_1")
    assert slept == []


def test_delays_grow_and_honor_both_forms_of_retry_after() -> None:
    assert [_retry.delay(attempt, {}, 0, lambda: 0.0) for attempt in (1, 2, 3, 9)] == [0.5, 1, 2, 8]
    assert _retry.delay(1, {}, 0, lambda: 1.0) == 0.25
    assert _retry.delay(1, {"retry-after": "Thu, 01 Jan 1970 00:00:09 GMT"}, 4.0, lambda: 0.0) == 5
    assert _retry.delay(1, {"retry-after": "soon"}, 0, lambda: 0.0) == 0.5


def test_unknown_attributes_and_values_are_kept() -> None:
    changed = {
        **WEBHOOK,
        "status": "MELTED",
        "filters": [{"path": "b", "op": "equals", "value": "c"}, {"path": "a", "op": "later", "size": 3}],
        "newField": {"a": 1},
    }
    webhook = Script((200, {}, {**changed, "recentDeliveries": []})).client.webhooks.get("whk_1")
    assert webhook.status == "MELTED"  # type: ignore[comparison-overlap]
    known, later = webhook.filters
    assert (known, later) == (
        models.EqualsFilter(path="b", op="equals", value="c"),
        {"path": "a", "op": "later", "size": 3},
    )
    assert webhook.retry_config.max_retries == 3, "the attributes that fit keep their types"
    assert webhook.created_at.year == 2026
    assert webhook.model_extra is not None
    assert getattr(webhook, "newField") == {"a": 1}  # noqa: B009


def test_async_client_does_the_same(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    page = {"items": [WEBHOOK], "nextCursor": None}
    script = Script(
        (503, {}, b""),
        (200, {}, {**page, "nextCursor": "2"}),
        (200, {}, page),
        (200, {}, page),
        (404, {}, b""),
    )

    async def run() -> None:
        client = httpx.AsyncClient(transport=httpx.MockTransport(script))
        async with AsyncPatchbay("sk_test", base_url=URL, http_client=client) as patchbay:
            assert [webhook.name async for webhook in patchbay.webhooks.list()] == ["Posts", "Posts"]
            first = await patchbay.webhooks.list()
            assert (first.next_cursor, first.items[0].version) == (None, 1)
            with pytest.raises(NotFound):
                await patchbay.webhooks.delete("whk_1")

    asyncio.run(run())
    assert len(slept) == 1


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHBAY_API_KEY", raising=False)
    with pytest.raises(ValueError, match="PATCHBAY_API_KEY"):
        Patchbay()
    monkeypatch.setenv("PATCHBAY_API_KEY", "sk_live_secret")
    with pytest.raises(ValueError, match="PATCHBAY_URL"):
        Patchbay()
    monkeypatch.setenv("PATCHBAY_URL", URL)
    with Patchbay() as client:
        assert "sk_live_secret" not in repr(client) + repr(vars(client)) + repr(client.webhooks._http._settings)


# ── events ───────────────────────────────────────────────────────────────────────────────────────────

SECRET = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes....").decode()
EVENT = {
    "id": "evt_0355200000000000000001",
    "type": "POST_PUBLISHED",
    "timestamp": "2026-11-27T09:30:00.000Z",
    "data": {"postId": "post_1", "network": "linkedin", "accountId": "acc_1", "text": "Hé", "extra": 1},
}


def signed(body: str, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    at = dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=age)
    signature = standardwebhooks.Webhook(secret).sign("dlv_1", at, body)
    return {
        "Webhook-Id": "dlv_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": signature,
    }


def test_verify_returns_the_typed_event() -> None:
    body = json.dumps(EVENT, ensure_ascii=False)
    event = Verifier(SECRET).verify(signed(body), body.encode())
    assert isinstance(event, PostPublishedEvent)
    assert (event.data.post_id, event.data.text, event.timestamp.year) == ("post_1", "Hé", 2026)
    assert isinstance(verify(signed(body).items(), body, secret=SECRET), PostPublishedEvent)


def test_any_of_several_secrets_verifies() -> None:
    old = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
    body = json.dumps(EVENT)
    assert Verifier(old, SECRET).verify(signed(body), body).type == "POST_PUBLISHED"


def test_unknown_type_is_an_unknown_event() -> None:
    body = json.dumps({**EVENT, "type": "STORY_VIEWED"})
    event = verify(signed(body), body, secret=SECRET)
    assert isinstance(event, UnknownEvent)
    assert (event.event_type, event.data["postId"]) == ("STORY_VIEWED", "post_1")
    assert event.model_dump(by_alias=True)["type"] == "STORY_VIEWED"


def what(event: Event) -> str:
    """mypy checks that the comparison tells the type of the data."""
    if event.type == "POST_PUBLISHED":
        return event.data.network
    if event.type == "UNKNOWN":
        return event.event_type
    return event.type


@pytest.mark.parametrize(
    ("type", "expected"),
    [("POST_PUBLISHED", "linkedin"), ("POST_SCHEDULED", "POST_SCHEDULED"), ("STORY_VIEWED", "STORY_VIEWED")],
)
def test_type_of_an_event_tells_the_type_of_its_data(type: str, expected: str) -> None:
    assert what(parse_event(json.dumps({**EVENT, "type": type}))) == expected


BODY = json.dumps(EVENT)
# Signed when the test runs: the tests before it may take longer than a signature is valid.
FORGED: dict[str, Callable[[], tuple[dict[str, str], bytes | str]]] = {
    "another secret": lambda: (signed(BODY, "whsec_" + base64.b64encode(b"b" * 32).decode()), BODY),
    "a changed body": lambda: (signed(BODY), BODY + " "),
    "six minutes old": lambda: (signed(BODY, age=360), BODY),
    "six minutes ahead": lambda: (signed(BODY, age=-360), BODY),
    "no headers": lambda: ({}, BODY),
    "no signature": lambda: ({**signed(BODY), "Webhook-Signature": ""}, BODY),
    "not base64": lambda: ({**signed(BODY), "Webhook-Signature": "v1,é"}, BODY),
    "no version": lambda: ({**signed(BODY), "Webhook-Signature": "abc"}, BODY),
    "a time that is no number": lambda: ({**signed(BODY), "Webhook-Timestamp": "now"}, BODY),
    "bytes that are not UTF-8": lambda: (signed(BODY), b"\xff"),
    "signed, but not JSON": lambda: (signed("nope"), "nope"),
    "signed, but no event": lambda: (signed("[1]"), "[1]"),
    "signed, but without a type": lambda: (signed("{}"), "{}"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_verify_refuses(forge: Callable[[], tuple[dict[str, str], bytes | str]]) -> None:
    headers, body = forge()
    with pytest.raises(VerificationError):
        Verifier(SECRET).verify(headers, body)


def test_verifier_needs_a_secret() -> None:
    for secrets in ((), ("",), (SECRET, "")):
        with pytest.raises(ValueError, match="signing secret"):
            Verifier(*secrets)


def test_parse_event_reads_the_samples_of_the_catalogue() -> None:
    assert isinstance(parse_event(BODY), PostPublishedEvent)
