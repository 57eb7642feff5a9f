"""Published data must match its type's schema on every path, and a new file adds a type."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook

from local.settings import ROOT
from patchbay import catalogue
from patchbay.auth.principal import in_process
from patchbay.catalogue import entries
from patchbay.clock import from_ms, iso, now_ms
from patchbay.errors import ValidationFailed
from patchbay.events import service as events
from patchbay.events.models import PublishEvent
from patchbay.ids import DeliveryId, EventId
from patchbay.publishing.fan_out import fan_out_batch
from patchbay.settings import settings
from tests.catalogued import POST, minimal_data
from tests.conftest import Api, Backend
from tests.integration.conftest import Pipeline
from tests.problems import assert_problem
from tests.receivers import receiver

PRIVATE = "private text of a user"
# Invalid data, and the paths of its errors.
INVALID: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["data.postId", "data.network"]),
    ({"postId": "p"}, ["data.network"]),
    ({**POST, "postId": 1}, ["data.postId"]),
    ({**POST, "postId": None}, ["data.postId"]),
    ({**POST, "mediaUrls": PRIVATE}, ["data.mediaUrls"]),
    ({**POST, "mediaUrls": ["https://example.com/a.jpg", PRIVATE]}, ["data.mediaUrls.1"]),
    ({**POST, "publishedAt": "yesterday"}, ["data.publishedAt"]),
    ({**POST, "publishedAt": "2026-03-02T09:30:00"}, ["data.publishedAt"]),
    ({**POST, "text": {PRIVATE: PRIVATE}}, ["data.text"]),
]


@pytest.mark.parametrize(("data", "paths"), INVALID, ids=lambda value: json.dumps(value)[:50])
def test_publish_rejects_invalid_data_with_its_path(
    api: Api, backend: Backend, logs: io.StringIO, data: dict[str, Any], paths: list[str]
) -> None:
    key = {"Idempotency-Key": "one"}
    answer = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": data}, headers=key)
    problem = assert_problem(answer, 422, paths=paths)
    assert problem["detail"].startswith(paths[0])
    # Nothing is queued or counted, and private data is in neither the response nor the logs.
    assert backend.messages("EventsQueue") == []
    assert backend.rows("IdempotencyTable") == []
    assert not [row for row in backend.rows("RateLimitsTable") if row["id"].startswith("events#")]
    assert PRIVATE not in answer.text + logs.getvalue()
    # Valid data with the same idempotency key counts as a first request.
    valid = {"type": "POST_PUBLISHED", "data": POST}
    assert api("POST /api/events", json=valid, headers=key).status == 202


def test_failed_publish_is_logged_and_successful_publish_is_sampled(
    api: Api, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid = {"type": "POST_PUBLISHED", "data": POST}
    for percent, logged in (("0", [422]), ("100", [202, 422])):
        monkeypatch.setenv("SUCCESS_LOG_PERCENT", percent)
        settings.cache_clear()
        logs.truncate(0)
        logs.seek(0)
        assert api("POST /api/events", json=valid).status == 202
        assert api("POST /api/events", json={"type": "POST_PUBLISHED", "data": {}}).status == 422
        assert api("GET /api/events").status == 200
        lines = [json.loads(line) for line in logs.getvalue().splitlines()]
        assert [line["status"] for line in lines] == [*logged, 200]


@pytest.mark.parametrize(
    "extra",
    [
        {"anything": {"else": [1, None, True]}},
        {"url": "https://example.com/ok"},
        {"campaignId": None},
        {"publishedAt": "2026-03-02T10:30:00.5+01:00"},
        {"publishedAt": "2026-03-02T09:30:00+0000"},
        {"publishedAt": "2016-12-31T23:59:60z"},
        {"mediaUrls": []},
        {"text": "🌷" * 1000},
    ],
    ids=lambda extra: "-".join(map(str, next(iter(extra.items()))))[:40],
)
def test_publish_stores_valid_data_unchanged(api: Api, backend: Backend, extra: dict[str, Any]) -> None:
    data = {**POST, **extra}
    assert api("POST /api/events", json={"type": "POST_PUBLISHED", "data": data}).status == 202
    (event,) = backend.events()
    assert json.loads(event["data"]) == data


@pytest.mark.parametrize("event", sorted(catalogue.PUBLISHABLE))
def test_sample_of_every_type_can_be_published(api: Api, event: str) -> None:
    for data in (entries.load_entry(event).sample, minimal_data(event)):
        assert api("POST /api/events", json={"type": event, "data": data}).status == 202


@pytest.mark.parametrize(
    ("time", "status"),
    [
        ("2026-03-02T09:30:00%2B0000", 200),
        ("2026-03-02t09:30Z", 200),
        ("2026-03-02T09:30:00", 422),
        ("2026-03-02T24:00:00Z", 422),
    ],
)
def test_query_and_data_accept_the_same_times(api: Api, time: str, status: int) -> None:
    assert api(f"GET /api/events?since={time}").status == status
    data = {**POST, "publishedAt": time.replace("%2B", "+")}
    published = api("POST /api/events", json={"type": "POST_PUBLISHED", "data": data})
    assert published.status == {200: 202}.get(status, status)


def test_batch_rejects_only_invalid_data(api: Api, backend: Backend) -> None:
    batch = [POST, {"postId": PRIVATE}, {**POST, "n": 1}]
    body = {"events": [{"type": "POST_PUBLISHED", "data": data} for data in batch]}
    answer = api("POST /api/events/batch", json=body)
    items = answer.json()["items"]
    assert ["error" in item for item in items] == [False, True, False]
    assert items[1]["error"] == {
        "code": "validation_failed",
        "detail": "data.network: is missing",
        "errors": [{"path": "data.network", "message": "is missing"}],
    }
    assert len(backend.messages("EventsQueue")) == 2


def test_invalid_data_on_the_bus_is_stored_as_rejected_with_the_reason(api: Api, backend: Backend) -> None:
    detail = {"workspaceId": "acme", "type": "POST_PUBLISHED", "data": {**POST, "mediaUrls": [1, 2]}}
    envelope = {
        "id": "b",
        "time": iso(from_ms(now_ms())),
        "source": "s",
        "detail-type": "d",
        "detail": detail,
    }
    assert fan_out_batch([{"messageId": "m", "body": json.dumps(envelope)}], lambda: 30_000) == []
    (rejected,) = api("GET /api/events").json()["items"]
    assert rejected["status"] == "REJECTED"
    assert (
        rejected["statusReason"] == "data.mediaUrls.0: must be a string; data.mediaUrls.1: must be a string"
    )
    assert backend.messages("DeliveriesQueue") == []


def test_publish_in_process_rejects_invalid_data(backend: Backend) -> None:
    with pytest.raises(ValidationFailed) as failure:
        events.publish(in_process("acme"), PublishEvent(type="POST_PUBLISHED", data={"postId": "p"}))
    assert [error.path for error in failure.value.errors] == ["data.network"]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = "[1.10,123456789012345.123456,1e2,1E+5,-0,-0.0,0.30000000000000004,18446744073709551617,1.0,5]"
WRITTEN = f'{{"postId":"post_1","network":"instagram","price":1.10,"n":{NUMBERS}}}'


@pytest.mark.usefixtures("any_filter_path")
def test_numbers_reach_the_receiver_as_they_were_written(pipeline: Pipeline) -> None:
    """This holds over HTTP, in a batch and over the bus, at each attempt, and in the API's responses."""
    equals = {"path": "price", "op": "equals", "value": 1.1}
    with receiver((500, 200)) as r:
        webhook = pipeline.webhook(r.url, filters=[equals])
        pipeline.webhook(r.url, filters=[{**equals, "value": 1.11}])
        event = f'{{"type":"POST_PUBLISHED","data":{WRITTEN}}}'
        id = pipeline.api("POST /api/events", body=event.encode()).json()["id"]
        pipeline.api("POST /api/events/batch", body=f'{{"events":[{event}]}}'.encode())
        detail = f'{{"workspaceId":"acme","type":"POST_PUBLISHED","data":{WRITTEN}}}'
        envelope = {"id": "b", "time": iso(from_ms(pipeline.clock.now)), "source": "s", "detail-type": "d"}
        pipeline.events.send(f'{json.dumps(envelope)[:-1]},"detail":{detail}}}')
        pipeline.events.run()
        pipeline.run()
    assert len(r.requests) == 4
    assert all(f'"data":{WRITTEN}}}' in request.body.decode() for request in r.requests)
    assert len({request.body for request in r.requests}) == 3
    for request in r.requests:
        StandardWebhook(webhook["secret"]).verify(request.body, dict(request.headers))

    delivery = DeliveryId.derived(EventId(id), webhook["id"])
    for route in (
        f"GET /api/events/{id}",
        f"GET /api/integrations/webhooks/{webhook['id']}/deliveries/{delivery}",
        "GET /api/automations/make/triggers/POST_PUBLISHED/samples",
    ):
        assert f'"data":{WRITTEN}' in pipeline.api(route).text, route


def test_number_written_differently_is_a_different_body(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    for batch in (False, True):
        codes = []
        for number in ("123456789012345.123456", "123456789012345.123456", "123456789012345.12"):
            data = json.dumps(POST)[:-1] + f',"n":{number}}}'
            event = f'{{"type":"POST_PUBLISHED","data":{data}}}'
            path, body = ("/batch", f'{{"events":[{event}]}}') if batch else ("", event)
            answer = api(f"POST /api/events{path}", body=body.encode(), headers=key)
            codes.append(answer.json().get("code"))
        assert codes == [None, None, "idempotency_mismatch"]


def test_schema_rejects_a_number_in_place_of_a_string(api: Api) -> None:
    body = json.dumps({"type": "POST_PUBLISHED", "data": {**POST, "text": 0}}).replace("0}", "1.10}")
    assert_problem(api("POST /api/events", body=body.encode()), 422, paths=["data.text"])


@pytest.mark.parametrize("value", [float("inf"), object(), "\ud800"])
def test_publish_in_process_rejects_values_that_are_not_json(backend: Backend, value: Any) -> None:
    with pytest.raises(ValidationFailed, match="data"):
        events.publish(in_process("acme"), PublishEvent(type="POST_PUBLISHED", data={**POST, "x": value}))
    assert backend.messages("EventsQueue") == []


# ── custom event types ───────────────────────────────────────────────────────────────────────────────

CUSTOM: dict[str, Any] = {
    "noun": "Story",
    "label": "Story Viewed",
    "description": "Triggers when a story has been viewed.",
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"storyId": {"title": "Story ID", "description": "The story.", "type": "string"}},
        "required": ["storyId"],
    },
    "sample": {"storyId": "sto_1"},
}


def test_new_catalogue_file_adds_an_event_type(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(catalogue.FOLDER, folder)
    (folder / "events/publishable/STORY_VIEWED.json").write_text(json.dumps(CUSTOM))
    # Simulate a process that started with this folder.
    monkeypatch.setattr(catalogue, "FOLDER", str(folder))
    for name in ("PUBLISHABLE", "TRIGGERS", "ALL"):
        monkeypatch.setattr(catalogue, name, getattr(catalogue, name) | {"STORY_VIEWED"})
    kinds = (("publishable", catalogue.PUBLISHABLE), *entries._KINDS[1:])
    monkeypatch.setattr(entries, "_KINDS", kinds)
    entries.all_entries.cache_clear()
    try:
        hook = {"url": "https://example.com/", "eventType": "STORY_VIEWED"}
        assert api("POST /api/automations/make/hooks", json=hook).status == 201
        webhook = {"name": "w", "url": "https://example.com/", "eventTypes": ["STORY_VIEWED"]}
        assert api("POST /api/integrations/webhooks", json=webhook).status == 201
        assert api("POST /api/events", json={"type": "STORY_VIEWED", "data": {"storyId": "s"}}).status == 202
        invalid = api("POST /api/events", json={"type": "STORY_VIEWED", "data": {}})
        assert_problem(invalid, 422, paths=["data.storyId"])
        types = api("GET /api/integrations/webhooks/event-types").json()["items"]
        assert [type["sample"] for type in types if type["type"] == "STORY_VIEWED"] == [CUSTOM["sample"]]
        assert "STORY_VIEWED" in api("GET /api/automations/zapier/triggers").text
    finally:
        entries.all_entries.cache_clear()
    assert [event["type"] for event in backend.events()] == ["STORY_VIEWED"]


def test_new_event_type_appears_in_the_automation_apps(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    shutil.copytree(ROOT / "layers/patchbay/patchbay", layer / "patchbay")
    (layer / "patchbay/catalogue/events/publishable/STORY_VIEWED.json").write_text(json.dumps(CUSTOM))
    code = (
        "from patchbay import catalogue; from tools.apps.derived import files\n"
        "assert 'STORY_VIEWED' in catalogue.TRIGGERS\n"
        "print([path.split('/')[1] for path, text in files().items() if 'story viewed' in text.lower()])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{layer}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    for app in ("zapier", "make", "n8n"):
        assert app in process.stdout, f"{app} does not have the event type"


# ── cold starts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "module",
    ["webhooks.list", "webhooks.create", "automations.subscribe", "workers.deliver"],
)
def test_functions_that_do_not_publish_do_not_load_the_validator(module: str) -> None:
    code = f"import sys, {module}; print('jsonschema_rs' in sys.modules)"
    path = f"{ROOT}/layers/patchbay:{ROOT}/functions"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path, "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == "False"
