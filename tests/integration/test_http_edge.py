"""The HTTP edge: malformed and invalid requests change nothing, and lists page and filter correctly."""

from __future__ import annotations

import base64
import inspect
import io
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from local import gateway
from local.direct import handler_of
from patchbay.api_model import ListQuery
from patchbay.clock import iso, now_ms
from patchbay.deliveries import states
from patchbay.deliveries import store as deliveries
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.events.models import EventMessage
from patchbay.flows import states as flow_states
from patchbay.flows import store as flow_store
from patchbay.flows.stored import flow_key
from patchbay.ids import ApiKeyId, DeliveryId, EventId, FlowId, Id, IntegrationId, WebhookId
from patchbay.publishing.flow_message import FlowMessage
from tests.catalogued import POST
from tests.conftest import (
    OWNER,
    REDIRECT_URI,
    Answer,
    Api,
    Backend,
    clear_caches,
    is_audit_row,
    jwt_for,
    routes_of,
)
from tests.integration.conftest import fan_out
from tests.problems import assert_problem
from tests.stored_attempts import stored_attempt
from tests.wire import Params, around_calls

WEBHOOKS = "/api/integrations/webhooks"
KEYS = "/api/integrations/api-keys"
INTEGRATIONS = "/api/integrations"
EVENTS = "/api/events"
WEBHOOK = {"name": "Orders", "url": "https://example.com/hook", "eventTypes": ["POST_PUBLISHED"]}
KEY = {"name": "ci", "scopes": ["events:publish"]}
EVENT = {"type": "POST_PUBLISHED", "data": {**POST, "id": 1}}
CREATES: dict[str, tuple[dict[str, Any], int]] = {
    f"POST {WEBHOOKS}": (WEBHOOK, 201),
    f"POST {KEYS}": (KEY, 201),
    f"POST {EVENTS}": (EVENT, 202),
    f"POST {EVENTS}/batch": ({"events": [EVENT]}, 202),
}
MB, KB = 1024 * 1024, 1024


def stored(backend: Backend) -> dict[str, Any]:
    """The rows of all tables except the rate limits and the audit log of refused requests, and the number of
    messages in each queue.
    """
    tables = {table.logical_id for table in backend.template.of_type("AWS::DynamoDB::Table")}
    queues = [queue.logical_id for queue in backend.template.of_type("AWS::SQS::Queue")]
    sqs = backend.client("sqs")
    contents: dict[str, Any] = {
        table: sorted(repr(row) for row in backend.rows(table) if not is_audit_row(row))
        for table in tables - {"RateLimitsTable"}
    }
    for queue in queues:
        name = "ApproximateNumberOfMessages"
        contents[queue] = sqs.get_queue_attributes(QueueUrl=backend.queue_url(queue), AttributeNames=[name])[
            "Attributes"
        ][name]
    return contents


# ── malformed JSON ───────────────────────────────────────────────────────────────────────────────────


def nested(levels: int) -> bytes:
    """A body with this many levels in the data of an event, which may contain anything."""
    data = json.dumps(POST).encode()[:-1] + b',"a":' + b'{"a":' * (levels - 2) + b"1" + b"}" * (levels - 1)
    return b'{"type":"POST_PUBLISHED","data":' + data + b"}"


MALFORMED = {
    "empty": b"",
    "blank": b" \n",
    "truncated": b'{"name": "a"',
    "single quotes": b"{'name': 'a'}",
    "trailing comma": b'{"name": "a",}',
    "comment": b'{"name": "a"} // no',
    "two values": b"{}{}",
    "NaN": b'{"data": NaN}',
    "infinity": b'{"data": -Infinity}',
    "number too large": b'{"data": {"n": 1e999}}',
    "number too long": b'{"data": {"n": ' + b"9" * 5000 + b"}}",
    "duplicate key": b'{"name": "a", "name": "a"}',
    "duplicate key, nested": b'{"data": {"list": [{"a": 1, "a": 2}]}}',
    "duplicate key, one escaped": b'{"name": "a", "n\\u0061me": "b"}',
    "33 levels": nested(33),
    "33 levels, the innermost empty": b'{"data":' + b"[" * 32 + b"]" * 32 + b"}",
    "100,000 levels": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "high surrogate": b'{"name": "\\ud800"}',
    "low surrogate as a key": b'{"\\udc00": 1}',
    "invalid UTF-8": b'{"name": "\xff"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "control character": b'{"name": "a\x00b"}',
    "form": b"name=a&url=b",
}


def test_every_route_rejects_malformed_json_and_stores_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    before = stored(backend)
    for line in CREATES:
        for name, body in MALFORMED.items():
            with subtests.test(f"{line}: {name}"):
                assert_problem(api(line, body=body), 400, "malformed_json")
                assert_problem(
                    api(line, body=body, headers={"Idempotency-Key": "k"}),
                    400,
                    "malformed_json",
                )
    assert stored(backend) == before


def test_lone_surrogate_outside_the_body_is_a_client_error(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    lone = "\ud800"
    before = stored(backend)
    body = json.dumps({"type": "POST_PUBLISHED", "data": POST})
    cases: list[tuple[str, dict[str, Any], int]] = [
        (f"GET {EVENTS}", {"queryStringParameters": {"cursor": lone}}, 422),
        (f"GET {EVENTS}", {"queryStringParameters": {"since": lone}}, 422),
        (f"GET {EVENTS}", {"queryStringParameters": {lone: "1"}}, 422),
        (f"GET {EVENTS}", {"headers": {"authorization": f"Bearer {lone}"}}, 401),
        (f"GET {EVENTS}", {"headers": {"x-api-key": f"sk_live_{lone}"}}, 401),
        (f"POST {EVENTS}", {"headers": {"idempotency-key": lone}, "body": body}, 422),
        (f"POST {EVENTS}", {"body": lone}, 400),
        (f"POST {EVENTS}", {"body": "é", "isBase64Encoded": True}, 400),
        (f"GET {EVENTS}/x", {"pathParameters": {"id": lone}, "rawPath": f"{EVENTS}/{lone}"}, 404),
        (f"GET {EVENTS}/x", {"pathParameters": {"id": "\ufffd"}, "rawPath": f"{EVENTS}/%ff"}, 404),
    ]
    for line, change, status in cases:
        with subtests.test(f"{line} {change!a}"):
            answer = api(line, change=change)
            assert answer.status == status, answer
            answer.text.encode()
    assert stored(backend) == before


def test_accepts_32_levels_and_base64_bodies(api: Api, backend: Backend) -> None:
    assert api(f"POST {EVENTS}", body=nested(32)).status == 202
    (event,) = backend.events()
    data, depth = json.loads(event["data"]), 1
    while isinstance(data, dict):
        data, depth = data["a"], depth + 1
    assert depth == 32

    for line, (body, status) in CREATES.items():
        answer = api(
            line,
            body=json.dumps({**body, "data": {**POST, "a": "é"}} if "data" in body else body).encode(),
            headers={"content-type": "application/octet-stream"},
        )
        assert answer.status == status, answer


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────────


def sized_event(data_bytes: int) -> dict[str, Any]:
    """An event whose data has this size as compact JSON."""
    room = data_bytes - len(json.dumps({**POST, "text": ""}, separators=(",", ":")))
    return {"type": "POST_PUBLISHED", "data": {**POST, "text": "é" * (room // 2) + "x" * (room % 2)}}


def test_accepts_the_maximum_sizes_and_rejects_one_byte_more(api: Api, backend: Backend) -> None:
    event = sized_event(256 * KB)
    assert len(json.dumps(event["data"], ensure_ascii=False, separators=(",", ":")).encode()) == 256 * KB
    assert api(f"POST {EVENTS}", json=event).status == 202
    (row,) = backend.events()
    assert json.loads(row["data"]) == event["data"]

    padded = json.dumps(EVENT).encode().rjust(MB)
    assert api(f"POST {EVENTS}", body=padded).status == 202
    for line in CREATES:
        before = stored(backend)
        assert_problem(api(line, body=b" " + padded), 413, "payload_too_large")
        assert_problem(
            api(line, body=b" " + padded, headers={"content-type": "application/octet-stream"}),
            413,
            "payload_too_large",
        )
        assert stored(backend) == before
    for key in ({}, {"Idempotency-Key": "k"}):
        assert_problem(
            api(f"POST {EVENTS}", json=sized_event(256 * KB + 1), headers=key), 413, "payload_too_large"
        )
        assert stored(backend) == before


def test_validation_error_does_not_echo_a_large_body(api: Api, subtests: pytest.Subtests) -> None:
    """An error does not repeat the body, because Lambda's responses are limited to 6 MB."""
    many = json.dumps({f"a{number}": 0 for number in range(20_000)}).encode()
    for name, body in {
        "many unknown fields": many,
        "many bad headers": b'{"headers": ' + many + b"}",
        "one long unknown field": json.dumps({"a" * (MB - 100): 0}).encode(),
        "a long list of invalid items": b'{"events": [' + b"1," * 100_000 + b"1]}",
    }.items():
        with subtests.test(name):
            answer = api(f"POST {WEBHOOKS}", body=body)
            assert_problem(answer, 422, "validation_failed")
            assert len(answer.text) < 64 * KB

    with subtests.test("a duplicate key among many"):  # found in one pass: an earlier version took minutes
        names = ",".join(f'"k{number}":0' for number in range(90_000))
        started = time.process_time()
        assert_problem(api(f"POST {EVENTS}", body=f'{{{names},"k0":1}}'.encode()), 400, "malformed_json")
        assert time.process_time() - started < 20


# ── invalid values ───────────────────────────────────────────────────────────────────────────────────

FAR = "2999-01-01T00:00:00Z"
PRIVATE = [
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1:8080/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/",
    "http://0.0.0.0/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://intranet/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://127.1/",
    "http://017700000001/",
]
NOT_A_URL = [
    "",
    "example.com/hook",
    "//example.com/hook",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https:example.com",
    "https://",
    "https://exa mple.com/",
    "https://example.com/\r\nX: y",
    "https://example.com:99999/",
    "https://example.com:22/",
    "https://example.com/#part",
    "https://example.com\\@10.0.0.1/",
    "https://user:pass@example.com/",
    "https://user@example.com/",
    "https://@example.com/",
    "https://example.com/" + "a" * 2048,
]
UNSEEN = ["\u200b", "\u3164", "\ufe0f", "\u2800", "\U000e0041", "Ac\u200dme", "a\U000e0068\U000e0069"]
# Invalid values of each field. The error names the field.
WRONG_WEBHOOK: dict[str, list[Any]] = {
    "name": [None, 5, "", "  ", "a" * 101, "a\u0000b", "a\nb", "\u202egnp.exe", ["a"], {"a": "b"}, *UNSEEN],
    "url": [None, 5, *NOT_A_URL, *PRIVATE],
    "eventTypes": [None, [], "POST_PUBLISHED", [5], [None], ["NOPE"], ["post_published"], ["*", "**"], {}],
    "filters": [
        None,
        {},
        [{}],
        [{"path": "a", "op": "matches", "value": ".*"}],
        [{"path": "a", "op": "equals"}],
        [{"path": "a", "op": "equals", "value": {"a": 1}}],
        [{"path": "a", "op": "equals", "value": 10**40}],
        [{"path": "", "op": "exists"}],
        [{"path": ".".join("abcdefghi"), "op": "exists"}],
        [{"path": "a", "op": "in", "value": []}],
        [{"path": "a", "op": "in", "value": list(range(51))}],
        [{"path": "a", "op": "exists", "extra": 1}],
        [{"path": "a", "op": "exists"}] * 11,
    ],
    "integrationId": [5, "", "acme", str(WebhookId.new())],
    "headers": [
        None,
        [],
        {"X-A": None},
        {"X-A": 5},
        {"X-A": "a\r\nHost: b"},
        {"X-A": "a\nb"},
        {"X-A": "é"},
        {"X A": "a"},
        {"X-A:": "a"},
        {"": "a"},
        {"X-A": "********"},
        {"x-a": "1", "X-A": "2"},
        {"Host": "a"},
        {"content-length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"webhook-signature": "v1,a"},
        {"Webhook-Id": "a"},
        {f"X-{number}": "a" for number in range(21)},
        {"X-A": "a" * 4096},
    ],
    "retryConfig": [
        None,
        5,
        {"maxRetries": -1},
        {"maxRetries": 16},
        {"maxRetries": "3"},
        {"maxRetries": True},
        {"maxRetries": None},
        {"max_retries": 3},
        {"backoffMultiplier": 0.5},
        {"initialDelaySeconds": 0},
        {"schedule": "fast"},
        {"schedule": "standard", "maxRetries": 3},
        {"extra": 1},
    ],
    "rateLimitPerSecond": [0, -1, 1001, 1.5, "5", True],
    "disableAfter": [None, 0, 1001, "10"],
}
WRONG_KEY: dict[str, list[Any]] = {
    "name": [None, 5, "", "a" * 101, "a\u007fb"],
    "scopes": [
        None,
        [],
        "events:publish",
        ["*"],
        ["events"],
        ["Events:publish"],
        ["events:publish\n"],
        [5],
        [f"a:b{number}" for number in range(51)],
    ],
    "rateLimitPerHour": [None, 0, -5, 1.5, "100", True, 10**30],
    "rateLimitPerDay": [None, 0, 10**30],
    "expiresAt": [
        "2020-01-01T00:00:00Z",
        "2999-01-01T00:00:00",
        "tomorrow",
        "",
        32503680000,
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
    ],
}
WRONG_EVENT: dict[str, list[Any]] = {
    "type": [
        None,
        5,
        "",
        "NOPE",
        "post_published",
        "POST_PUBLISHED\n",
        "*",
        "WEBHOOK_DISABLED",
        "CONNECTION_EXPIRED",
        "API_KEY_EXPIRING",
        "ACTION_REQUESTED",
    ],
    "data": [None, [], "text", 5, True],
    "idempotencyKey": ["", 5, "a" * 256],
    "workspaceId": [5, "", "a b", "acme\n", "a" * 65, "../x"],
}
UNKNOWN = {
    f"POST {WEBHOOKS}": [
        *("extra", "id", "secret", "status", "workspaceId", "createdAt", "Name", "__proto__"),
        *("integration_id", "retry_config", "rate_limit_per_second", "disable_after"),
    ],
    f"POST {KEYS}": [
        *("extra", "id", "key", "createdBy", "workspaceId", "usage"),
        *("rate_limit_per_hour", "rate_limit_per_day", "expires_at"),
    ],
    f"POST {EVENTS}": ["extra", "id", "timestamp", "source", "idempotency_key", "workspace_id"],
    f"POST {EVENTS}/batch": ["extra", "idempotencyKey", "workspaceId", "type", "Events"],
}
WRONG = {
    f"POST {WEBHOOKS}": WRONG_WEBHOOK,
    f"POST {KEYS}": WRONG_KEY,
    f"POST {EVENTS}": WRONG_EVENT,
    f"POST {EVENTS}/batch": {"events": [None, [], {}, "text", 5, True, [EVENT] * 101]},
}


def assert_field_error(answer: Answer, field: str) -> None:
    """Check that all validation errors are in this field."""
    body = assert_problem(answer, 422, "validation_failed")
    paths = [error["path"] for error in body["errors"]]
    assert all(path == field or path.startswith(f"{field}.") for path in paths), paths
    for path in paths:
        # A path contains only names from the body, and no names of types in the code.
        assert re.fullmatch(r"[\w:-]*(\.[\w: -]*)*", path), path
        assert not re.search(r"constrained|literal|function|\bbool\b|\bint\b|\bfloat\b|\bstr\b", path), path


@pytest.mark.parametrize("line", CREATES)
def test_create_rejects_invalid_values_and_stores_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests, line: str
) -> None:
    good, _ = CREATES[line]
    before = stored(backend)
    for field, values in WRONG[line].items():
        for value in values:
            with subtests.test(f"{field} = {str(value)[:60]!r}"):
                assert_field_error(api(line, json={**good, field: value}), field)
    for field in good:
        with subtests.test(f"without {field}"):
            assert_field_error(api(line, json={name: good[name] for name in good if name != field}), field)
    for field in UNKNOWN[line]:
        with subtests.test(f"unknown field {field}"):
            assert_field_error(api(line, json={**good, field: good.get(field, 1)}), field)
    for body in ([], [good], "text", 5, None, True):
        with subtests.test(f"body {body!r}"):
            assert_problem(api(line, body=json.dumps(body).encode()), 422, "validation_failed")
    for key in ("", "a" * 256, "é", "a\tb"):
        with subtests.test(f"Idempotency-Key {key[:5]!r}"):
            answer = api(line, json=good, headers={"Idempotency-Key": key})
            assert_field_error(answer, "Idempotency-Key")
    assert stored(backend) == before


def integration(api: Api, token: str = OWNER) -> str:
    """A new integration of a provider without OAuth."""
    body = {"name": "x", "type": "CUSTOM"}
    answer = api(f"POST {INTEGRATIONS}", json=body, token=token)
    assert answer.status == 201, answer
    return str(answer.json()["id"])


def test_create_accepts_boundary_values(api: Api) -> None:
    webhook = {
        **WEBHOOK,
        "name": "  Ünï 👍  ",
        "url": "https://example.com:8443/" + "a" * (2048 - 25),
        "eventTypes": ["*", "POST_FAILED", "*"],
        "filters": [{"path": f"mediaUrls.{number}", "op": "equals", "value": None} for number in range(10)],
        "integrationId": integration(api),
        "headers": {f"X-{number}": "a" for number in range(20)},
        "retryConfig": {"maxRetries": 15, "backoffMultiplier": 10, "initialDelaySeconds": 3600},
        "rateLimitPerSecond": 1000,
        "disableAfter": 1,
    }
    created = api(f"POST {WEBHOOKS}", json=webhook)
    assert created.status == 201, created
    body = created.json()
    assert (body["name"], body["eventTypes"]) == ("Ünï 👍", ["*", "POST_FAILED"])
    assert set(body["headers"].values()) == {"********"}
    shown = api(f"GET {WEBHOOKS}/{body['id']}").json()
    for name in ("recentDeliveries", "stats", "receiver", "consecutiveFailures"):
        del shown[name]
    del body["secret"]
    assert shown == body

    nulls = {**WEBHOOK, "integrationId": None, "rateLimitPerSecond": None}
    assert api(f"POST {WEBHOOKS}", json={**nulls, "retryConfig": {"schedule": "standard"}}).status == 201
    assert api(f"POST {KEYS}", json={**KEY, "expiresAt": None}).json()["expiresAt"] is None
    key = api(
        f"POST {KEYS}", json={**KEY, "scopes": ["posts:read"] * 3, "expiresAt": "2999-01-01T02:00:00+02:00"}
    )
    assert key.json()["expiresAt"] == "2999-01-01T00:00:00.000Z"
    assert key.json()["scopes"] == ["posts:read"]
    assert api(f"POST {EVENTS}", json={**EVENT, "idempotencyKey": None, "workspaceId": None}).status == 202


def test_event_data_reaches_the_queue_unchanged(api: Api, backend: Backend) -> None:
    """SQS accepts only the characters of XML 1.0, so U+FFFE and U+FFFF must be escaped."""
    data = {
        **POST,
        "": "",
        "text": '\u0000\u001f"\\\ufffe\uffff👍\u2028',
        "big": 2**80,
        "small": 1e-300,
        "list": [[], {}],
    }
    batch = {"events": [{"type": "POST_PUBLISHED", "data": data}]}
    assert api(f"POST {EVENTS}/batch", json=batch).status == 202
    (message,) = backend.messages("EventsQueue")
    assert json.loads(message["body"])["data"] == data
    assert not re.search("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", message["body"])


@pytest.mark.parameters(Environment="prod")
def test_production_rejects_http_and_loopback_urls(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    clear_caches()
    webhook = api(f"POST {WEBHOOKS}", json=WEBHOOK)
    assert webhook.status == 201
    before = stored(backend)
    for url in (
        "http://example.com/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://a.localhost/",
    ):
        with subtests.test(url):
            assert_field_error(api(f"POST {WEBHOOKS}", json={**WEBHOOK, "url": url}), "url")
            assert_field_error(api(f"PUT {WEBHOOKS}/{webhook.json()['id']}", json={"url": url}), "url")
    assert stored(backend) == before


# ── updates ──────────────────────────────────────────────────────────────────────────────────────────


def test_update_rejects_invalid_values_and_changes_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    id = api(f"POST {WEBHOOKS}", json=WEBHOOK).json()["id"]
    before = stored(backend)
    for field, values in WRONG_WEBHOOK.items():
        for value in values:
            with subtests.test(f"{field} = {str(value)[:60]!r}"):
                assert_field_error(api(f"PUT {WEBHOOKS}/{id}", json={field: value}), field)
    for field in UNKNOWN[f"POST {WEBHOOKS}"]:
        with subtests.test(f"unknown field {field}"):
            assert_field_error(api(f"PUT {WEBHOOKS}/{id}", json={field: 1}), field)
    for value in (None, "DISABLED", "active", 5, ["ACTIVE"]):
        with subtests.test(f"status {value!r}"):
            assert_field_error(api(f"PUT {WEBHOOKS}/{id}/status", json={"status": value}), "status")
    assert_field_error(api(f"PUT {WEBHOOKS}/{id}/status", json={}), "status")
    for name, body in MALFORMED.items():
        with subtests.test(name):
            assert_problem(api(f"PUT {WEBHOOKS}/{id}", body=body), 400, "malformed_json")
            assert_problem(api(f"PUT {WEBHOOKS}/{id}/status", body=body), 400, "malformed_json")
    assert stored(backend) == before


def test_update_keeps_fields_that_are_not_sent(api: Api) -> None:
    full = {
        **WEBHOOK,
        "filters": [{"path": "text", "op": "in", "value": [1, "x", True, None, 0.5]}],
        "integrationId": integration(api),
        "headers": {"X-A": "secret"},
        "retryConfig": {"schedule": "standard"},
        "rateLimitPerSecond": 5,
    }
    webhook = api(f"POST {WEBHOOKS}", json=full).json()
    line = f"PUT {WEBHOOKS}/{webhook.pop('id')}"
    del webhook["secret"]
    assert api(line, json={}).json().items() >= webhook.items()

    changed = api(line, json={"name": "Other"}).json()
    assert changed["version"] == webhook["version"] + 1
    assert changed["updatedAt"] >= webhook["updatedAt"]
    different = ("name", "version", "updatedAt")
    assert (
        changed.items() >= {name: value for name, value in webhook.items() if name not in different}.items()
    )
    cleared = api(line, json={"integrationId": None, "rateLimitPerSecond": None, "headers": {}}).json()
    assert (cleared["integrationId"], cleared["rateLimitPerSecond"], cleared["headers"]) == (None, None, {})
    assert cleared["filters"] == full["filters"]


def test_stale_if_match_rejects_update_and_delete(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    id = api(f"POST {WEBHOOKS}", json=WEBHOOK).json()["id"]
    key = api(f"POST {KEYS}", json=KEY).json()["id"]
    guarded: list[tuple[str, Any]] = [
        (f"PUT {WEBHOOKS}/{id}", {"name": "New"}),
        (f"PUT {WEBHOOKS}/{id}/status", {"status": "INACTIVE"}),
        (f"DELETE {WEBHOOKS}/{id}", None),
        (f"DELETE {KEYS}/{key}", None),
    ]
    before = stored(backend)
    for line, body in guarded:
        for wrong in ("2", '"2"', "0", "999999999999999", 'W/"1"', "W/1"):
            with subtests.test(f"{line}, If-Match {wrong}"):
                assert_problem(api(line, json=body, headers={"If-Match": wrong}), 412)
        for invalid in ("", "abc", "-1", "1.0", "1,2", '"1', '1"', '"', '"abc"', "1" * 16, "1_0", "w/1"):
            with subtests.test(f"{line}, If-Match {invalid!r}"):
                assert_problem(api(line, json=body, headers={"If-Match": invalid}), 422, "validation_failed")
    assert stored(backend) == before
    for version, (line, body) in zip(("1", '"2"', " * ", " 1 "), guarded, strict=True):
        answer = api(line, json=body, headers={"If-Match": version})
        assert answer.status == 200, (line, answer)
    assert_problem(api(guarded[0][0], json={"name": "x"}, headers={"If-Match": "3"}), 404, "not_found")


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────


def test_validation_messages_use_the_terms_of_json(api: Api) -> None:
    body = {
        "eventTypes": [],
        "filters": [{"path": "x", "op": "regex", "value": "secret"}, {"path": "a..b", "op": "exists"}],
        "headers": [],
        "rateLimitPerSecond": 0,
        "retryConfig": {"schedule": "secret"},
        "secrets": 1,
    }
    problem = assert_problem(api("POST /api/integrations/webhooks", json=body), 422, "validation_failed")
    assert {error["path"]: error["message"] for error in problem["errors"]} == {
        "name": "is missing",
        "eventTypes": "must not be empty",
        "filters.0.op": "must be one of 'equals', 'in', 'exists'",
        "filters.1.path": "must be a path in the event's data, such as post.channel or tags.0, with at most "
        "8 names of at most 64 characters",
        "headers": "must be an object",
        "rateLimitPerSecond": "must be at least 1",
        "retryConfig.schedule": "must be 'standard'",
        "secrets": "unknown field; did you mean `secret`?",
    }


def test_unknown_paths_are_404(api: Api, subtests: pytest.Subtests) -> None:
    for line in (
        "GET /",
        "GET /api",
        "GET /api/nothing",
        "POST /api/nothing",
        "GET /api/events/",
        f"GET {WEBHOOKS}/{WebhookId.new()}/nothing",
        "GET /API/EVENTS",
        "GET /api/%2e%2e/events",
        "GET /api//events",
        "GET /api/%00%0d%0a",
        "GET /%ed%a0%80%ff",
    ):
        for token in ("owner", None):
            with subtests.test(f"{line}, {token}"):
                assert_problem(api(line, token=token), 404, "not_found")


def test_unsupported_methods_are_405_with_allow(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    """`Allow` lists the methods of the path (RFC 9110, 15.5.6), even if a literal path matches `{id}`: API
    Gateway routes DELETE /api/integrations/marketplace to DELETE /api/integrations/{id}.
    """
    api_routes = gateway.read(backend.template)
    methods_of: dict[str, set[str]] = {}
    for route in api_routes.routes:
        methods_of.setdefault(re.sub(r"{\w+\+?}", "x", route.path), set()).add(route.method)
    del methods_of[""]
    in_place_of_an_id = 0
    for path, supported in sorted(methods_of.items()):
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"} - supported:
            is_id = bool(api_routes.match(method, path)[0].path)  # type: ignore[index]
            in_place_of_an_id += is_id
            with subtests.test(f"{method} {path}"):
                answer = api(f"{method} {path}", token=OWNER if is_id else None)
                assert (answer.status, answer.headers["allow"]) == (405, ", ".join(sorted(supported)))
                if method != "HEAD":
                    assert_problem(answer, 405, "method_not_allowed", answer.headers["allow"])
    assert in_place_of_an_id >= 12


# Valid bodies by the last word of the path. Other routes take a name.
BODIES: dict[str, Any] = {
    "status": {"status": "ACTIVE"},
    "rotate": {},
    "rotate-secret": {},
    "test": {},
    "recover": {"since": iso(datetime.now(UTC) - timedelta(hours=1))},
    "replay": {"since": iso(datetime.now(UTC) - timedelta(hours=1))},
    "initiate": {"redirectUri": REDIRECT_URI},
    "refresh": {},
    "connections": {"credentials": {"apiKey": "x"}},
    "hooks": {"url": "https://example.com/", "eventType": "POST_PUBLISHED"},
    "create_campaign": {"input": {"name": "x"}},
    "accounts": {"workspaceId": "acme", "items": []},
    "commit": {"consumer": "x", "sequence": 0},
    "runs": {"status": "FAILED", "error": {"detail": "x"}},
    "decision": {"decision": "REJECT", "version": 1},
}
# Valid values of path variables that are not IDs.
NAMES = {"platform": "n8n", "eventType": "POST_PUBLISHED", "key": "create_campaign", "resource": "accounts"}


def test_every_route_rejects_ids_of_another_kind_and_invalid_ids_with_404(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    """Each variable gets the next four IDs in turn, because all routes read IDs in the same way."""
    kinds: list[type[Id]] = [ApiKeyId, WebhookId, EventId, DeliveryId, IntegrationId]
    fresh = itertools.cycle(str(kind.new()) for kind in kinds)
    whk = WebhookId.new()
    invalid = itertools.cycle(
        (
            *("x", "0", "null", "event-types", "health", "..", "count", "count#acme", "sub#*#x"),
            *(
                whk[:-1],
                whk + "0",
                whk + "\n",
                whk.upper(),
                " " + whk,
                whk + "\u0000",
                "whk_",
                f"whk_8{whk[5:]}",
            ),
            *(whk[4:], "whk_" + "é" * 22, "whk_" + "z" * 22, "a" * 3000),
        )
    )
    routes = routes_of(backend.template)
    paths = {route.path for route in routes}
    for route in routes:
        if route.key == "GET /api/integrations/{id}/oauth/callback":
            continue  # a public route: the workspace comes from the state
        for variable in re.findall(r"{(\w+)}", route.path):
            for id in (next(fresh), *(next(invalid) for _ in range(3))):
                path = route.path.replace(f"{{{variable}}}", quote(id, safe=""))
                path = re.sub(r"{(\w+)}", lambda name: NAMES.get(name[1], str(WebhookId.new())), path)
                if path in paths or path.endswith("/providers/x"):
                    continue  # a literal segment of another route, or the provider X
                word = path.rpartition("/")[2] if "/actions/runs/" not in path else "runs"
                has_body = route.method in ("PUT", "POST") and word not in ("install", "retry", "cancel")
                body = BODIES.get(word, {"name": "x"}) if has_body else None
                is_platforms = path.startswith(("/api/actions/", "/api/publications/"))
                token = jwt_for("platform") if is_platforms else OWNER
                with subtests.test(f"{route.method} {path[:100]}"):
                    assert_problem(api(f"{route.method} {path}", json=body, token=token), 404, "not_found")


def test_unhandled_error_is_500_with_only_the_request_id(
    api: Api, monkeypatch: pytest.MonkeyPatch, logs: io.StringIO
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("kaboom at 10.1.2.3")

    monkeypatch.setattr("patchbay.webhooks.store.page", fail)
    key = api(f"POST {KEYS}", json={**KEY, "scopes": ["webhooks:read"]}).json()["key"]
    answer = api(f"GET {WEBHOOKS}", token=key)
    body = assert_problem(answer, 500, "internal")
    assert "kaboom" not in str(answer)
    assert "Traceback" not in str(answer)
    assert answer.headers["x-ratelimit-remaining"] == "999"  # every response to an API key has them
    (record,) = [json.loads(line) for line in logs.getvalue().splitlines() if "kaboom" in line]
    assert record["correlation_id"] == body["requestId"]
    assert body["requestId"] in body["detail"]
    assert record["level"] == "ERROR"


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────

DAY_MS = 86_400_000
START = 1_750_000_000_000  # 2025-06-15T15:06:40Z


def at(days: float) -> str:
    return quote(iso(datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=days)))


@dataclass
class Filled:
    """The workspace `acme` with rows in every list, and `rival` with its own rows."""

    webhook: str
    integration: str
    ids: dict[str, list[str]]  # by path, for each list of acme; newest first
    rival_webhook: str
    rival_integration: str


HOOKS, RUNS = "/api/automations/n8n/hooks", "/api/automations/n8n/runs"
ALL_RUNS, ALL_DELIVERIES, TASKS = "/api/automations/runs", "/api/deliveries", "/api/tasks"
ALL_CONNECTIONS, AUDIT = "/api/connections", "/api/audit"
FLOWS = "/api/flows"
PORTAL, CONNECT = "/api/portal/sessions", "/api/connect/sessions"
TYPES = ("POST_PUBLISHED", "POST_FAILED")
ENDS = (Status.DELIVERED, Status.FAILED, Status.RETRYING, Status.CANCELLED, Status.SENDING)


@pytest.fixture
def filled(api: Api, backend: Backend) -> Filled:
    """4 hooks and runs of n8n, a run of each other platform, 7 webhooks, 5 API keys, 10 events on ten days,
    each with a delivery to the first webhook, and queued ones to others; 4 integrations, 5 connections of the
    first one; the activity logs of the first integration and webhook, and of an API key; 4 tasks, of which
    the last 2 are cancelled; 4 sessions of each kind; 4 flows, and 4 runs of the first one; and the audit log
    of all this.
    """
    ids: dict[str, list[str]] = {WEBHOOKS: [], KEYS: [], EVENTS: [], HOOKS: [], RUNS: [], ALL_RUNS: []}
    create_hooks_and_runs(api, ids)
    rival_webhook = create_webhooks_and_keys(api, ids)
    webhook = WebhookId(ids[WEBHOOKS][6])
    create_deliveries(ids, webhook, rival_webhook)
    matched = {row["id"]: row["webhookIds"] for row in backend.rows("EventsTable") if "webhookIds" in row}
    ids[ALL_DELIVERIES] = [
        id
        for event in ids[EVENTS]
        for id in sorted((DeliveryId.derived(EventId(event), each) for each in matched[event]), reverse=True)
    ]
    rival_integration = create_integrations(api, backend, ids)
    create_tasks(api, ids, webhook, rival_webhook)
    create_sessions(api, ids)
    create_flows_and_runs(api, ids)
    for path in (f"{WEBHOOKS}/{webhook}", f"{KEYS}/{ids[KEYS][0]}"):
        for name in "ab":
            assert api(f"PUT {path}", json={"name": name}).status == 200
        ids[f"{path}/logs"] = logged(backend, path.rpartition("/")[2])
    audited = [row for row in backend.rows("ActivityTable") if row.get("workspaceId") == "acme"]
    ids[AUDIT] = sorted((row["id"] for row in audited), reverse=True)
    return Filled(webhook, ids[INTEGRATIONS][-1], ids, rival_webhook, rival_integration)


def create_hooks_and_runs(api: Api, ids: dict[str, list[str]]) -> None:
    action = f"POST {HOOKS.replace('hooks', 'actions/create_campaign')}"
    for number in range(4):
        subscription = {"url": f"https://example.com/{number}", "eventType": "CAMPAIGN_STARTED"}
        for token in (OWNER, jwt_for("rival")):
            hook = api(f"POST {HOOKS}", json=subscription, token=token).json()["id"]
            run = api(action, json={"input": {"name": "x"}}, token=token).json()["id"]
            if token == OWNER:
                ids[HOOKS].insert(0, hook)
                ids[WEBHOOKS].insert(0, hook)  # a hook is a webhook
                ids[RUNS].insert(0, run)
                ids[ALL_RUNS].insert(0, run)
        if number in (1, 2):
            other = action.replace("n8n", ("zapier", "make")[number - 1])
            ids[ALL_RUNS].insert(0, api(other, json={"input": {"name": "x"}}).json()["id"])
    for run in ids[RUNS][:2]:
        failed = {"status": "FAILED", "error": {"detail": "x"}}
        assert api(f"PUT /api/actions/runs/{run}", json=failed, token=jwt_for("platform")).status == 200


def create_webhooks_and_keys(api: Api, ids: dict[str, list[str]]) -> WebhookId:
    """Returns the rival's last webhook."""
    rival, all_events = jwt_for("rival"), {**WEBHOOK, "eventTypes": ["*"]}
    for number in range(7):
        body = {**WEBHOOK, "eventTypes": list(TYPES) if number == 0 else [TYPES[number % 2]]}
        ids[WEBHOOKS].insert(0, api(f"POST {WEBHOOKS}", json=body).json()["id"])
    for _ in range(2):
        rival_webhook = api(f"POST {WEBHOOKS}", json=all_events, token=rival).json()["id"]
        api(f"POST {KEYS}", json=KEY, token=rival)
    for id in ids[WEBHOOKS][:3]:
        assert api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "INACTIVE"}).status == 200
    for _ in range(5):
        ids[KEYS].insert(0, api(f"POST {KEYS}", json=KEY).json()["id"])
    return WebhookId(rival_webhook)


def create_deliveries(ids: dict[str, list[str]], webhook: WebhookId, rival_webhook: WebhookId) -> None:
    own = ids[f"{WEBHOOKS}/{webhook}/deliveries"] = []
    for number in range(10):
        when = START + number * DAY_MS
        for workspace, target in (("acme", webhook), ("rival", rival_webhook)):
            event = EventMessage(
                EventId.new(when), workspace, TYPES[number % 2], when, {"n": number}, "api", "c"
            )
            fan_out(event)
            delivery = deliver(event, target, ENDS[number % 5])
            if workspace == "acme":
                ids[EVENTS].insert(0, event.id)
                own.insert(0, delivery)


def create_integrations(api: Api, backend: Backend, ids: dict[str, list[str]]) -> str:
    """Returns the rival's first integration."""
    rival = jwt_for("rival")
    integrations = {token: [integration(api, token) for _ in range(4)] for token in (OWNER, rival)}
    first = integrations[OWNER][0]
    ids[INTEGRATIONS] = integrations[OWNER][::-1]
    own = ids[f"{INTEGRATIONS}/{first}/connections"] = []
    for token, names in ((OWNER, "edcba"), (rival, "xy")):
        line = f"POST {INTEGRATIONS}/{integrations[token][0]}/connections"
        for name in names:
            connection: dict[str, Any] = {"connectionId": name, "credentials": {"apiKey": "x"}}
            id = api(line, json=connection, token=token).json()["id"]
            if token == OWNER:
                own.insert(0, id)
    ids[ALL_CONNECTIONS] = own
    ids[f"{INTEGRATIONS}/{first}/logs"] = logged(backend, first)
    return integrations[rival][0]


def create_tasks(api: Api, ids: dict[str, list[str]], webhook: WebhookId, rival_webhook: WebhookId) -> None:
    ids[TASKS] = []
    for number in range(4):
        for target, token in ((webhook, OWNER), (rival_webhook, jwt_for("rival"))):
            started = api(f"POST {WEBHOOKS}/{target}/replay", json=BODIES["replay"], token=token)
            assert started.status == 202, started.text
            if token == OWNER:
                ids[TASKS].insert(0, started.json()["id"])
        if number >= 2:
            assert api(f"POST {TASKS}/{ids[TASKS][0]}/cancel").status == 200


def create_sessions(api: Api, ids: dict[str, list[str]]) -> None:
    link = {"integrations": [ids[INTEGRATIONS][-1]]}
    for path, body in ((PORTAL, {}), (CONNECT, link)):
        created = [api(f"POST {path}", json=body).json()["id"] for _ in range(4)]
        ids[path] = sorted(created, reverse=True)
    assert api(f"POST {PORTAL}", json={}, token=jwt_for("rival")).status == 201


def create_flows_and_runs(api: Api, ids: dict[str, list[str]]) -> None:
    trigger = {"type": "event", "eventTypes": ["POST_PUBLISHED"]}
    body = {"name": "a", "trigger": trigger, "steps": [{"id": "pause", "type": "wait", "seconds": 1}]}
    assert api(f"POST {FLOWS}", json=body, token=jwt_for("rival")).status == 201
    created = [FlowId(api(f"POST {FLOWS}", json=body).json()["id"]) for _ in range(4)]
    ids[FLOWS] = sorted(created, reverse=True)
    flow = flow_store.get("acme", created[0])
    assert flow is not None
    now = now_ms()
    runs = []
    for number in range(4):
        message = FlowMessage("acme", flow.id, EventId.new(now - number), "c")
        key = flow_key("acme", flow.id)
        run = flow_states.begun(
            flow, message, key=key, event_type="POST_PUBLISHED", depth=0, now=now, ttl=now // 1000 + 86_400
        )
        flow_store.write_run(
            None, flow_states.ended(run, [], "SUCCEEDED", reason=None, step=None, now=now, ttl=run.ttl)
        )
        runs.append(run.id)
    ids[f"{FLOWS}/{flow.id}/runs"] = sorted(runs, reverse=True)


def logged(backend: Backend, subject: str) -> list[str]:
    """The IDs in the activity log of an integration, a webhook or an API key, newest first."""
    rows = backend.rows("ActivityTable")
    return sorted((row["id"] for row in rows if subject in row["integrationKey"]), reverse=True)


def deliver(event: EventMessage, webhook: WebhookId, end: Status) -> DeliveryId:
    """Store a delivery of the event with the status `end`, and return its ID."""
    id = DeliveryId.derived(event.id, webhook)
    message = DeliveryMessage(id, event.workspace_id, webhook, event.id, event.type, None, 0, "c")
    now = event.timestamp
    attempt = stored_attempt(now)
    row = states.claimed(None, message, now=now, until=now + 1000, max_attempts=4)
    deliveries.write(None, row)
    if end is Status.DELIVERED:
        done = states.delivered(row, message, attempt, counted=False, now=now, max_attempts=4)
        deliveries.record_delivered([done])
    elif end is Status.RETRYING:
        later = states.retrying(
            row, reason="http_500", at=now + 1, is_parked=False, not_registered_since=None, now=now
        )
        deliveries.write(row, later, attempt)
    elif end is not Status.SENDING:
        ended = states.ended(row, status=end, reason="http_500", attempted=True, now=now)
        deliveries.write(row, ended, attempt)
    return id


def pattern(filled: Filled, path: str) -> str:
    """The path of the route that serves a path with IDs."""
    path = path.replace(filled.webhook, "{id}").replace(filled.integration, "{id}")
    path = re.sub(r"/(key|flw)_\w{22}/", "/{id}/", path)
    return path.replace("/n8n/", "/{platform}/")


def walk(api: Api, path: str, limit: int, query: str = "") -> list[dict[str, Any]]:
    """All items of a list, read page by page."""
    items, cursor = [], ""
    for _ in range(100):
        answer = api(f"GET {path}?limit={limit}{query}{cursor}")
        assert answer.status == 200, answer
        page = answer.json()
        assert set(page) == {"items", "nextCursor"}
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        cursor = f"&cursor={page['nextCursor']}"
    pytest.fail("the list has more than 100 pages")


@pytest.mark.usefixtures("as_strict_as_dynamodb")
def test_lists_page_and_filter_and_reject_invalid_cursors(
    api: Api, backend: Backend, filled: Filled, subtests: pytest.Subtests
) -> None:
    """One test covers all lists, because the fixture takes seconds."""
    with subtests.test("the test covers every list of the template"):
        patterns = {pattern(filled, path) for path in filled.ids}
        lists = {
            path
            for path, handler in gets(backend)
            if "query" in parameters_of(handler)
            and issubclass(parameters_of(handler)["query"].annotation, ListQuery)
        }
        # The marketplace belongs to no workspace: see test_marketplace. Health and analytics have no rows of
        # their own: see test_health. The list of publications spans all workspaces: see test_publications.
        others = {f"{INTEGRATIONS}/{name}" for name in ("marketplace", "health", "analytics")}
        assert patterns == lists - others - {"/api/publications"}

    for path, ids in filled.ids.items():
        for limit in (3, len(ids) - 1, len(ids), 100):
            with subtests.test(f"{path} by {limit}"):
                assert [item["id"] for item in walk(api, path, limit)] == ids
        with subtests.test(f"{path}, unknown query parameters"):
            problem = assert_problem(
                api(f"GET {path}?next_cursor=x&zzz=x"), 422, paths=["next_cursor", "zzz"]
            )
            near, other = (error["message"] for error in problem["errors"])
            assert near == "unknown parameter; did you mean `cursor`?"
            assert other.startswith("unknown parameter; this route takes ")
        with subtests.test(f"{path}, 20 by default"):
            answer = api(f"GET {path}").json()
            assert [item["id"] for item in answer["items"]] == ids[:20]
            assert (answer["nextCursor"] is None) == (len(ids) <= 20)
        for text in ("0", "-1", "101", "x", "1.5", "", "1,2", "1e1", "9" * 30):
            with subtests.test(f"{path}, limit {text}"):
                assert_field_error(api(f"GET {path}?limit={text}"), "limit")

    for path, query, expected in filters(filled):
        for limit in (3, 100):
            with subtests.test(f"{path}?{query} by {limit}"):
                assert [item["id"] for item in walk(api, path, limit, f"&{query}")] == expected

    spans = [EVENTS, f"{WEBHOOKS}/{filled.webhook}/deliveries", ALL_DELIVERIES, RUNS, ALL_RUNS]
    for path in filled.ids:
        for name, text in (
            ("status", "NOPE"),
            ("status", ""),
            ("status", "active"),
            ("eventType", "nope"),
            ("eventType", "A%0A"),
            ("type", "nope"),
            *((name, text) for name in ("since", "until") for text in WRONG_TIMES),
        ):
            if name in query_of(backend, pattern(filled, path)):
                with subtests.test(f"{path}?{name}={text}"):
                    assert_field_error(api(f"GET {path}?{name}={text}"), name)
    for path in spans:
        assert_field_error(api(f"GET {path}?since={at(5)}&until={at(4)}"), "until")
        for query in (
            "since=2999-01-01T00:00:00Z",
            "until=1900-01-01T00:00:00Z",
        ):
            with subtests.test(f"{path}?{query}, an empty time range"):
                assert walk(api, path, 5, f"&{query}") == []

    check_cursors(api, filled, subtests)


WRONG_TIMES = (
    "",
    "yesterday",
    "2025-06-15T00:00:00",
    "2025-13-01T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
)


def filters(filled: Filled) -> Iterator[tuple[str, str, list[str]]]:
    """(path of a list, query, the IDs that match it)."""
    webhooks, events = filled.ids[WEBHOOKS], filled.ids[EVENTS]
    yield WEBHOOKS, "status=ACTIVE", webhooks[3:]
    yield WEBHOOKS, "status=INACTIVE", webhooks[:3]
    yield WEBHOOKS, "status=DISABLED", []
    yield WEBHOOKS, "eventType=POST_FAILED", [webhooks[1], webhooks[3], webhooks[5], webhooks[6]]
    yield WEBHOOKS, "eventType=POST_FAILED&status=ACTIVE", [webhooks[3], webhooks[5], webhooks[6]]
    yield WEBHOOKS, "eventType=MESSAGE_RECEIVED", []
    yield RUNS, "status=FAILED", filled.ids[RUNS][:2]
    yield RUNS, "status=PENDING", filled.ids[RUNS][2:]
    runs = filled.ids[ALL_RUNS]
    yield RUNS, "since=2999-01-01T00:00:00Z", []
    yield ALL_RUNS, "until=2025-06-15T00:00:00Z", []
    yield ALL_RUNS, "since=2025-06-15T00:00:00Z", runs
    yield ALL_RUNS, "status=FAILED", filled.ids[RUNS][:2]
    yield ALL_RUNS, "platform=n8n", filled.ids[RUNS]
    yield ALL_RUNS, "platform=make&status=PENDING", [runs[1]]
    yield ALL_RUNS, "platform=zapier&status=FAILED", []
    tasks = filled.ids[TASKS]
    yield TASKS, "status=CANCELLED", tasks[:2]
    yield TASKS, f"status=RUNNING&webhookId={filled.webhook}", tasks[2:]
    yield TASKS, f"webhookId={filled.rival_webhook}", []
    yield EVENTS, "type=POST_FAILED", events[::2]
    yield EVENTS, "type=MESSAGE_RECEIVED", []
    yield EVENTS, "status=ACCEPTED&source=api", events
    yield EVENTS, "status=REJECTED", []
    yield EVENTS, "source=bus", []
    yield EVENTS, f"type=POST_FAILED&since={at(4.5)}", events[:5:2]
    path = f"{WEBHOOKS}/{filled.webhook}/deliveries"
    sent = filled.ids[path]
    for list_path, ids in ((EVENTS, events), (path, sent)):
        yield list_path, f"since={at(7)}", ids[:3]
        yield list_path, f"until={at(2)}", ids[-3:]
        yield list_path, f"since={at(3)}&until={at(5)}", ids[4:7]
        yield list_path, f"since={at(3)}&until={at(3)}", ids[6:7]
    for number, end in enumerate(ENDS):
        yield path, f"status={end}", [sent[4 - number], sent[9 - number]]
        yield path, f"status={end}&since={at(5)}", [sent[4 - number]]
        yield ALL_DELIVERIES, f"status={end}", [sent[4 - number], sent[9 - number]]
        yield ALL_DELIVERIES, f"status={end}&since={at(5)}&webhookId={filled.webhook}", [sent[4 - number]]
    every = filled.ids[ALL_DELIVERIES]
    queued = [id for id in every if id not in sent]
    first = [id for id in every if DeliveryId(id).time_ms == START]
    assert len(first) > 1
    yield ALL_DELIVERIES, "status=PENDING", queued
    yield ALL_DELIVERIES, f"webhookId={filled.webhook}", sent
    yield ALL_DELIVERIES, f"webhookId={webhooks[0]}", []  # it was inactive
    yield ALL_DELIVERIES, f"webhookId={filled.rival_webhook}", []
    yield ALL_DELIVERIES, f"eventId={events[9]}", first
    yield ALL_DELIVERIES, f"eventId={events[9]}&status=PENDING", [id for id in first if id in queued]
    yield ALL_DELIVERIES, f"eventId={events[9]}&webhookId={filled.webhook}", [sent[9]]
    yield ALL_DELIVERIES, f"eventId={events[9]}&since={at(1)}", []
    yield ALL_DELIVERIES, f"eventId={events[9]}&eventType=POST_FAILED", []
    yield ALL_DELIVERIES, f"since={at(0)}&until={at(0)}", first
    yield ALL_DELIVERIES, "eventType=POST_FAILED&status=FAILED", [sent[8]]
    yield ALL_DELIVERIES, "eventType=MESSAGE_RECEIVED", []
    yield path, "eventType=POST_FAILED", sent[::2]
    yield path, "eventType=POST_FAILED&status=FAILED", [sent[8]]
    yield path, "eventType=POST_FAILED&status=DELIVERED", [sent[4]]


@pytest.fixture
def as_strict_as_dynamodb(filled: Filled) -> Iterator[None]:
    """DynamoDB rejects a BETWEEN whose lower bound is greater than the upper one, and invalid Unicode. moto
    accepts both.
    """

    def check(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        values = params.get("ExpressionAttributeValues", {}) if operation == "Query" else {}
        if ":low" in values:
            assert values[":low"]["S"] <= values[":high"]["S"]
        for value in params.get("ExclusiveStartKey", {}).values():
            value["S"].encode()
        return call(params)

    with around_calls(check):
        yield


def check_cursors(api: Api, filled: Filled, subtests: pytest.Subtests) -> None:
    """Forged, foreign and tampered cursors are rejected or harmless: none gives another workspace's rows."""
    rival = jwt_for("rival")
    rival_lists = [
        *(WEBHOOKS, KEYS, EVENTS, INTEGRATIONS, ALL_DELIVERIES, FLOWS),
        f"{WEBHOOKS}/{filled.rival_webhook}/deliveries",
        *(f"{INTEGRATIONS}/{filled.rival_integration}/{kind}" for kind in ("connections", "logs")),
    ]
    foreign = [
        cursor
        for paths, token in ((filled.ids, "owner"), (rival_lists, rival))
        for path in paths
        for query in queries(path)
        if (cursor := api(f"GET {path}?limit=1{query}", token=token).json()["nextCursor"])
    ]
    assert len(foreign) == 34
    forged: list[Any] = [
        *(None, {}, [], [1], [None], [[]], [""], ["x"], ["\ud800"], ["\u0000"], ["a" * 500]),
        *(["acme", "x"], ["whk_", "acme"], [filled.webhook, "rival"], [filled.ids[EVENTS][3], "rival"]),
        *([filled.ids[EVENTS][3], "acme", "x"], [str(WebhookId.new())], [f"rival#{filled.rival_webhook}"]),
        {"id": filled.webhook},
    ]
    others = [
        *(encoded(json.dumps(value)) for value in forged),
        *(encoded(text) for text in ("", "nope", "[" * 700, '["a"', "9" * 700)),
        *("x", "%00", "====", "%C3%A9", "a" * 1024, "-_-_", f"{foreign[0]}%20", foreign[0][:-3]),
        *(f"{foreign[0][:5]}{letter}{foreign[0][6:]}" for letter in "AZaz09"),
    ]
    in_turn = itertools.cycle(others)  # all lists read cursors in the same way
    own = {id for ids in filled.ids.values() for id in ids}
    for path in filled.ids:
        kinds = ("dlv_", "evt_") if path == ALL_DELIVERIES else (filled.ids[path][0][:4],)
        for query in queries(path):
            with subtests.test(f"{path}?{query}"):
                for cursor in (*foreign, *itertools.islice(in_turn, 10)):
                    answer = api(f"GET {path}?limit=5{query}&cursor={cursor}")
                    if cursor in foreign and not first_value(cursor).startswith(kinds):
                        assert "omit it to start from the beginning" in answer.text, cursor
                    if answer.status == 200:
                        assert {item["id"] for item in answer.json()["items"]} <= own, cursor
                    else:
                        assert_field_error(answer, "cursor")
        with subtests.test(f"{path}, cursor too long"):
            assert_field_error(api(f"GET {path}?cursor={'a' * 1025}"), "cursor")


def first_value(cursor: str) -> str:
    """The ID that a cursor of the API continues after."""
    values = cursor.rpartition(".")[2]  # integrations have two lists, so a number precedes it
    id: str = json.loads(base64.urlsafe_b64decode(values + "=" * (-len(values) % 4)))[0]
    return id


def queries(path: str) -> list[str]:
    """A query for each index that the list reads."""
    if path == EVENTS:
        return ["", "&type=POST_FAILED"]
    return ["", "&status=FAILED"] if path.endswith("/deliveries") else [""]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def gets(backend: Backend) -> Iterator[tuple[str, Callable[..., Any]]]:
    """(path, handler) of every GET route of the template."""
    functions = backend.template.functions()
    for route in routes_of(backend.template):
        if route.method == "GET":
            yield route.path, handler_of(functions[route.function])


def parameters_of(handler: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(handler, eval_str=True).parameters)


def query_of(backend: Backend, path: str) -> set[str]:
    """The query parameters of a list."""
    handler = dict(gets(backend))[path]
    model = parameters_of(handler)["query"].annotation
    return {field.alias for field in model.model_fields.values()}


def test_url_of_another_origin_requires_new_header_values(api: Api) -> None:
    body = {
        "name": "x",
        "url": "https://one.example/a",
        "eventTypes": ["*"],
        "headers": {"X-Token": "secret-value"},
    }
    webhook = api("POST /api/integrations/webhooks", json=body).json()
    route = f"PUT /api/integrations/webhooks/{webhook['id']}"
    assert_problem(api(route, json={"url": "https://two.example/a"}), 422, paths=["headers"])
    assert api(route, json={"url": "https://one.example/b"}).status == 200
    moved = api(route, json={"url": "https://two.example/a", "headers": {}})
    assert (moved.status, moved.json()["headers"]) == (200, {})
    assert api(route, json={"url": "https://three.example/a"}).status == 200
