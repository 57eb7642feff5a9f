"""Hooks of automations: subscriptions, deliveries, removal when the receiver is gone, reactivation; and the
triggers and samples that an automation reads before it subscribes.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from patchbay import catalogue
from patchbay.automations import hooks
from patchbay.catalogue.entries import check_data, load_entry
from patchbay.clock import from_ms, iso
from patchbay.deliveries import outcome, sweeper
from patchbay.ids import EventId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import signing
from tests.catalogued import POST, assert_catalogued
from tests.conftest import Answer as Response
from tests.conftest import Api, Backend, jwt_for
from tests.faults import one_at_a_time
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.problems import assert_problem
from tests.receivers import Answer, Request, receiver

HOOKS = "/api/automations/{}/hooks"
PLATFORMS = ("zapier", "make", "n8n")
URL = "https://hooks.zapier.example/hooks/standard/1/"


def subscribe(api: Any, platform: str = "zapier", status: int = 201, **body: Any) -> Any:
    answer = api(f"POST {HOOKS.format(platform)}", json={"url": URL, "eventType": "POST_PUBLISHED", **body})
    assert answer.status == status, answer.text
    return answer.json()


def kinds(backend: Backend) -> list[str]:
    """The kinds of the rows in the webhooks table, without those that only name a deleted webhook."""
    found = (re.split("[_#]", row["sk"])[0] for row in backend.rows("WebhooksTable"))
    return sorted(kind for kind in found if kind != "gone")


def eight_at_once(call: Callable[[], Response]) -> list[Response]:
    start = threading.Barrier(8)

    def call_at_once(_: int) -> Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(call_at_once, range(8)))


def is_signed_by(request: Request, secret: str) -> bool:
    id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    return request.headers["webhook-signature"] == signing.sign([secret], id, timestamp, request.body)


# ── subscriptions ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", PLATFORMS)
def test_hook_is_a_webhook_of_its_platform(api: Api, platform: str) -> None:
    filters = [{"path": "network", "op": "equals", "value": "instagram"}]
    answer = api(
        f"POST {HOOKS.format(platform)}",
        json={"url": URL, "eventType": "POST_PUBLISHED", "filters": filters},
    )
    hook = answer.json()
    assert (answer.status, list(hook)) == (201, ["id", "secret"])
    assert hook["secret"].startswith("whsec_")
    path = f"{HOOKS.format(platform)}/{hook['id']}"
    assert answer.headers["location"] == path
    detail = api(f"GET {path}").json()
    assert detail | {"createdAt": "", "updatedAt": ""} == {
        "id": hook["id"],
        "platform": platform,
        "url": URL,
        "eventType": "POST_PUBLISHED",
        "filters": filters,
        "status": "ACTIVE",
        "createdAt": "",
        "updatedAt": "",
        "version": 1,
    }
    webhook = api(f"GET {WEBHOOKS}/{hook['id']}").json()
    assert (webhook["source"], webhook["url"], webhook["eventTypes"]) == (platform, URL, ["POST_PUBLISHED"])
    assert hook["secret"] not in json.dumps([detail, webhook])
    # Other platforms do not see it.
    for other in set(PLATFORMS) - {platform}:
        other_path = f"{HOOKS.format(other)}/{hook['id']}"
        assert [api(f"{method} {other_path}").status for method in ("GET", "DELETE")] == [404, 404]
        assert api(f"GET {HOOKS.format(other)}").json()["items"] == []
    assert api(f"GET {HOOKS.format(platform)}").json()["items"] == [detail]
    answer = api(f"DELETE {path}")
    assert (answer.status, answer.text) == (200, "{}")
    assert api(f"GET {path}").status == api(f"DELETE {path}").status == 404


def test_webhook_of_the_api_is_not_a_hook(api: Api) -> None:
    body = {"name": "w", "url": URL, "eventTypes": ["POST_PUBLISHED"]}
    id = api(f"POST {WEBHOOKS}", json=body).json()["id"]
    for platform in PLATFORMS:
        assert api(f"GET {HOOKS.format(platform)}/{id}").status == 404
        assert api(f"DELETE {HOOKS.format(platform)}/{id}").status == 404
    assert api(f"GET {WEBHOOKS}/{id}").json()["source"] == "api"


def test_identical_subscription_returns_the_existing_hook(api: Api, backend: Backend) -> None:
    filters = [{"path": "network", "op": "in", "value": ["a", "b"]}]
    first = subscribe(api, filters=filters)
    assert subscribe(api, filters=filters, status=200) == {"id": first["id"], "secret": None}
    answer = api(
        f"POST {HOOKS.format('zapier')}",
        json={"eventType": "POST_PUBLISHED", "filters": filters, "url": URL},
    )
    assert "location" not in answer.headers
    # Any difference creates another hook.
    others = [
        subscribe(api, platform="make", filters=filters),
        subscribe(api, eventType="POST_FAILED", filters=filters),
        subscribe(api, url=URL + "2", filters=filters),
        subscribe(api),
    ]
    assert len({first["id"], *(other["id"] for other in others)}) == 5
    (count,) = [row for row in backend.rows("WebhooksTable") if row["sk"] == "count"]
    assert count["webhooks"] == 5


def test_identical_subscription_of_another_workspace_creates_a_hook(api: Api) -> None:
    first = subscribe(api)
    answer = api(
        f"POST {HOOKS.format('zapier')}",
        json={"url": URL, "eventType": "POST_PUBLISHED"},
        token=jwt_for("rival"),
    )
    assert answer.status == 201
    assert answer.json()["id"] != first["id"]


def test_concurrent_subscriptions_create_one_hook(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time(monkeypatch)
    body = {"url": URL, "eventType": "POST_PUBLISHED"}
    answers = eight_at_once(lambda: api(f"POST {HOOKS.format('n8n')}", json=body))
    created = [answer for answer in answers if answer.status == 201]
    assert len(created) == 1
    # A request that meets several concurrent changes is rejected with a conflict.
    assert {answer.status for answer in answers} <= {200, 201, 409}
    ids = {answer.json()["id"] for answer in answers if answer.status != 409}
    assert ids == {created[0].json()["id"]}
    assert kinds(backend) == ["count", "hook", "sub", "whk"]


def test_subscribing_again_activates_an_inactive_hook(api: Api) -> None:
    hook = subscribe(api)
    assert api(f"PUT {WEBHOOKS}/{hook['id']}/status", json={"status": "INACTIVE"}).status == 200
    path = f"{HOOKS.format('zapier')}/{hook['id']}"
    assert api(f"GET {path}").json()["status"] == "INACTIVE"
    assert subscribe(api, status=200)["id"] == hook["id"]
    assert api(f"GET {path}").json()["status"] == "ACTIVE"


def test_repeat_with_the_idempotency_key_returns_the_secret(api: Api) -> None:
    body = {"url": URL, "eventType": "POST_PUBLISHED"}
    key = {"Idempotency-Key": "one"}
    first = api(f"POST {HOOKS.format('zapier')}", json=body, headers=key)
    again = api(f"POST {HOOKS.format('zapier')}", json=body, headers=key)
    assert (again.status, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    # A request with another key creates nothing, so that key can be used again.
    other = {"Idempotency-Key": "two"}
    found = api(f"POST {HOOKS.format('zapier')}", json=body, headers=other)
    assert (found.status, found.json()["secret"]) == (200, None)
    assert (
        api(f"POST {HOOKS.format('zapier')}", json={**body, "eventType": "POST_FAILED"}, headers=other).status
        == 201
    )


@pytest.mark.parametrize("unset", ["", None])
def test_filter_without_a_value_is_ignored(api: Api, unset: str | None) -> None:
    filters = [
        {"path": "accountId", "op": "equals", "value": unset},
        {"path": "network", "op": "equals", "value": "x"},
    ]
    hook = subscribe(api, filters=filters)
    assert api(f"GET {HOOKS.format('zapier')}/{hook['id']}").json()["filters"] == filters[1:]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"eventType": "NOPE"}, "eventType"),
        ({"eventType": "*"}, "eventType"),
        ({"eventType": "ACTION_REQUESTED"}, "eventType"),
        ({"eventType": None}, "eventType"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": ""}, "url"),
        ({"filters": [{"path": "a", "op": "matches", "value": ".*"}]}, "filters.0"),
        ({"filters": {}}, "filters"),
        ({"filters": ["x"]}, "filters.0"),
        # The error names the position in the caller's list, which includes ignored filters.
        (
            {
                "filters": [
                    {"path": "a", "op": "equals", "value": ""},
                    {"path": "a", "op": "in", "value": [{}]},
                ]
            },
            "filters.1.value.0",
        ),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_subscribe_rejects_invalid_body(
    api: Api, backend: Backend, change: dict[str, Any], path: str
) -> None:
    problem = subscribe(api, status=422, **change)
    assert problem["errors"][0]["path"].startswith(path), problem
    assert backend.rows("WebhooksTable") == []


@pytest.mark.parametrize("platform", ["pipedream", "Zapier", "", "zapier%2Fx", "..", "n8n "])
def test_unknown_platform_is_404(api: Api, platform: str) -> None:
    assert api(f"GET /api/automations/{platform}/hooks".replace(" ", "%20")).status == 404


def test_update_rejects_url_events_and_filters_of_a_hook(api: Api) -> None:
    hook = subscribe(api)
    line = f"PUT {WEBHOOKS}/{hook['id']}"
    changes: list[dict[str, Any]] = [
        {"url": "https://thief.example/"},
        {"eventTypes": ["*"]},
        {"filters": [{"path": "network", "op": "exists"}]},
    ]
    for change in changes:
        assert_problem(api(line, json=change), 409, "conflict", "zapier")
    assert api(line, json={"name": "Mine", "disableAfter": 3}).status == 200


def test_only_the_platform_can_subscribe_to_requested_actions(api: Api) -> None:
    body = {"name": "w", "url": URL, "eventTypes": ["ACTION_REQUESTED"]}
    assert_problem(api(f"POST {WEBHOOKS}", json=body), 422, paths=["eventTypes"])
    webhook = api(f"POST {WEBHOOKS}", json={**body, "eventTypes": ["*"]}).json()
    assert api(f"PUT {WEBHOOKS}/{webhook['id']}", json={"eventTypes": ["ACTION_REQUESTED"]}).status == 422
    assert api(f"POST {WEBHOOKS}", json=body, token=jwt_for("platform")).status == 201


@pytest.mark.parameters(MaxWebhooks=2)
def test_hooks_count_against_the_ceiling(api: Api) -> None:
    subscribe(api)
    subscribe(api, platform="n8n")
    problem = subscribe(api, platform="make", status=409)
    assert "2 webhooks" in problem["detail"]
    assert subscribe(api, status=200)["secret"] is None


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", PLATFORMS)
def test_hook_gets_events_that_pass_its_filters_once(pipeline: Pipeline, platform: str) -> None:
    with receiver() as r:
        hook = subscribe(
            pipeline.api,
            platform,
            url=r.url,
            filters=[{"path": "network", "op": "in", "value": ["instagram"]}],
        )
        for network in ("instagram", "linkedin"):
            body = {"type": "POST_PUBLISHED", "data": {"postId": "p", "network": network}}
            assert pipeline.api("POST /api/events", json=body).status == 202
        pipeline.events.run()
        pipeline.run()
        (request,) = r.requests
        assert request.json()["data"] == {"postId": "p", "network": "instagram"}
        assert request.headers["webhook-signature"].startswith("v1,")
        sample = pipeline.api(f"GET /api/automations/{platform}/triggers/POST_PUBLISHED/samples").json()
        assert list(sample[0]) == list(request.json())
        assert request.json() in sample
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{hook['id']}").json()["status"] == "ACTIVE"


def subscribe_and_publish(pipeline: Pipeline, platform: str, url: str) -> str:
    id: str = subscribe(pipeline.api, platform, url=url)["id"]
    pipeline.api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    pipeline.events.run()
    return id


@pytest.mark.parametrize("platform", PLATFORMS)
def test_410_removes_the_hook(pipeline: Pipeline, platform: str) -> None:
    with receiver([410]) as r:
        id = subscribe_and_publish(pipeline, platform, r.url)
        waiting = pipeline.publish(POST)
        pipeline.run()
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{id}").status == 404
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").status == 404
        assert len(r.requests) in (1, 2)  # the second one may be sent at the same time
        ends = {row["status"] for row in pipeline.rows}
        assert ends <= {"FAILED", "CANCELLED"}
        assert waiting
        # The owner gets no event, because nothing is broken. The automation can subscribe again.
        assert kinds(pipeline.backend) == ["count", "hook"]
        assert [row["type"] for row in pipeline.backend.events()] == ["POST_PUBLISHED"] * 2
        assert subscribe(pipeline.api, platform, url=r.url)["id"] == id


# Responses of n8n 2.40.
UNREGISTERED = Answer(
    404,
    {"content-type": "application/json; charset=utf-8"},
    b'{"code":404,"message":"The requested webhook \\"POST 5f/webhook\\" is not registered.",'
    b'"hint":"The workflow must be active for a production URL to run successfully."}',
)
STARTING = Answer(200, {"content-type": "text/html; charset=utf-8"}, b"n8n is starting up. Please wait")
PROXY_404 = Answer(404, {"content-type": "text/plain"}, b"404 page not found\n")


def test_repeated_not_registered_response_of_n8n_disables_the_hook(pipeline: Pipeline) -> None:
    with receiver([UNREGISTERED, UNREGISTERED, UNREGISTERED, 200]) as r:
        id = subscribe_and_publish(pipeline, "n8n", r.url)
        pipeline.poll()
        assert pipeline.row["status"] == "RETRYING"
        pipeline.run(1 / 24)
        pipeline.events.run()
        assert len(r.requests) == 3
        webhook = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (webhook["status"], webhook["statusReason"]) == ("DISABLED", "endpoint_not_found")
        assert pipeline.ends() == [("FAILED", "endpoint_not_found")]
        announcements = [row for row in pipeline.backend.events() if row["type"] == "WEBHOOK_DISABLED"]
        assert len(announcements) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [UNREGISTERED, UNREGISTERED],  # within the time that n8n may take to start
        [PROXY_404] * 7,
        [404, Answer(404, {"content-type": "text/html"}, b"<pre>Cannot POST /webhook/x</pre>")],
        [STARTING, STARTING, UNREGISTERED],
        [UNREGISTERED, PROXY_404, UNREGISTERED],
        [503, 503, 503, UNREGISTERED],
    ],
)
def test_n8n_that_is_down_or_starting_loses_no_event(pipeline: Pipeline, answers: list[Any]) -> None:
    with receiver([*answers, 200]) as r:
        id = subscribe_and_publish(pipeline, "n8n", r.url)
        pipeline.run()
        assert len(r.requests) == len(answers) + 1
        assert pipeline.ends() == [("DELIVERED", None)]
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "ACTIVE"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platform_that_is_down_for_a_day_loses_no_event(pipeline: Pipeline, platform: str) -> None:
    with receiver([503] * 7 + [200]) as r:
        id = subscribe_and_publish(pipeline, platform, r.url)
        start = pipeline.clock.now
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        # 27.6 h in total; the jitter of each delay is 20 %.
        assert pipeline.clock.now - start > 22 * 3_600_000
        webhook = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (webhook["retryConfig"], webhook["disableAfter"]) == ({"schedule": "standard"}, 50)


OLD_RETRIES: dict[str, Any] = {
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30},
    "disableAfter": 10,
}


def test_old_hook_gets_the_longer_schedule_unless_its_retries_were_changed(
    pipeline: Pipeline,
) -> None:
    retries = {"retryConfig": {"schedule": "standard"}, "disableAfter": 50}
    with receiver([503] * 7 + [200]) as r:
        id = subscribe_and_publish(pipeline, "make", r.url)
        path = f"{WEBHOOKS}/{id}"

        def retries_of(webhook: Any) -> dict[str, Any]:
            return {name: webhook[name] for name in OLD_RETRIES}

        def store_old_row(**chosen: Any) -> None:
            row = next(row for row in pipeline.backend.rows("WebhooksTable") if row["sk"] == id)
            row.pop("subscribedAt", None)
            dynamo.put(settings().webhooks_table, {**row, **OLD_RETRIES, **chosen})

        store_old_row()
        assert retries_of(pipeline.api(f"GET {path}").json()) == retries
        assert retries_of(pipeline.api(f"GET {WEBHOOKS}").json()["items"][0]) == retries
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert subscribe(pipeline.api, "make", url=r.url, status=200)["id"] == id
        assert retries_of(pipeline.api(f"GET {path}").json()) == retries
        # Retries that an owner chose are kept.
        store_old_row(disableAfter=3)
        assert retries_of(pipeline.api(f"GET {path}").json()) == {**OLD_RETRIES, "disableAfter": 3}
        store_old_row()
        assert retries_of(pipeline.api(f"PUT {path}", json=OLD_RETRIES).json()) == OLD_RETRIES
        assert subscribe(pipeline.api, "make", url=r.url, status=200)["id"] == id
        assert retries_of(pipeline.api(f"GET {path}").json()) == OLD_RETRIES


@pytest.mark.parametrize("platform", ["zapier", "make"])
def test_404_of_other_platforms_fails_one_delivery(pipeline: Pipeline, platform: str) -> None:
    with receiver([404]) as r:
        id = subscribe_and_publish(pipeline, platform, r.url)
        pipeline.run()
        assert len(r.requests) == 1
        assert pipeline.ends() == [("FAILED", "http_404")]
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{id}").json()["status"] == "ACTIVE"


def test_failing_hook_is_disabled_like_any_webhook(pipeline: Pipeline) -> None:
    with receiver([400, 400, 200]) as r:
        id = subscribe_and_publish(pipeline, "make", r.url)
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json={"disableAfter": 2}).status == 200
        pipeline.publish(POST)
        pipeline.run()
        webhook = pipeline.api(f"GET {HOOKS.format('make')}/{id}").json()
        assert webhook["status"] == "DISABLED"
        # The automation is turned on again and subscribes.
        assert subscribe(pipeline.api, "make", url=r.url)["id"] == id
        pipeline.publish(POST)
        pipeline.run()
        assert {status for status, _ in pipeline.ends()} == {"DELIVERED"}


# ── reactivation ─────────────────────────────────────────────────────────────────────────────────────


def disabled_hook(pipeline: Pipeline, url: str) -> tuple[str, str]:
    """Disable an n8n hook with one failed delivery, and return its ID and its first secret."""
    hook = subscribe(pipeline.api, "n8n", url=url)
    assert pipeline.api(f"PUT {WEBHOOKS}/{hook['id']}", json={"disableAfter": 1}).status == 200
    pipeline.publish(POST)
    pipeline.run()
    assert pipeline.api(f"GET {HOOKS.format('n8n')}/{hook['id']}").json()["status"] == "DISABLED"
    return hook["id"], hook["secret"]


def test_reactivated_hook_gets_a_new_secret_and_its_failed_deliveries(pipeline: Pipeline) -> None:
    with receiver([400, 200]) as r:
        id, secret = disabled_hook(pipeline, r.url)
        again = subscribe(pipeline.api, "n8n", url=r.url)
        assert again["id"] == id
        assert again["secret"].startswith("whsec_")
        assert again["secret"] != secret
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert is_signed_by(r.requests[-1], again["secret"])
        assert not is_signed_by(r.requests[-1], secret)
        webhook = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (webhook["status"], webhook["statusReason"], webhook["consecutiveFailures"]) == (
            "ACTIVE",
            None,
            0,
        )
        # An active hook is returned unchanged.
        assert subscribe(pipeline.api, "n8n", url=r.url, status=200) == {"id": id, "secret": None}


@pytest.mark.parametrize("was_disabled", [True, False])
def test_deleted_hook_keeps_its_deliveries_when_subscribed_again(
    pipeline: Pipeline, was_disabled: bool
) -> None:
    """n8n sends DELETE, then POST. If the hook was active, its owner has to recover the failed deliveries."""
    with receiver([400, 200]) as r:
        id, secret = disabled_hook(pipeline, r.url)
        if not was_disabled:
            assert pipeline.api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "ACTIVE"}).status == 200
        assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").status == 404
        assert kinds(pipeline.backend) == ["count", "hook"]
        assert {
            row["webhooks"] for row in pipeline.backend.rows("WebhooksTable") if row["sk"] == "count"
        } == {0}
        pipeline.clock.move(60)

        again = subscribe(pipeline.api, "n8n", url=r.url)
        assert again["id"] == id
        assert again["secret"] not in (None, secret)
        assert kinds(pipeline.backend) == ["count", "hook", "sub", "whk"]
        (listed,) = pipeline.api(f"GET {WEBHOOKS}/{id}/deliveries").json()["items"]
        assert listed["status"] == "FAILED"
        pipeline.run()
        if not was_disabled:
            assert pipeline.ends() == [("FAILED", "http_400")]
            since = {"since": iso(from_ms(pipeline.clock.now - 3_600_000))}
            assert pipeline.api(f"POST {WEBHOOKS}/{id}/recover", json=since).json() == {"queued": 1}
            pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]


def test_reactivated_hook_gets_all_failures_that_disabled_it(pipeline: Pipeline) -> None:
    """An outage disables a hook only after many failed deliveries, the first of which may be days old."""
    with receiver([400, 400, 200]) as r:
        id = subscribe(pipeline.api, "make", url=r.url)["id"]
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json={"disableAfter": 2}).status == 200
        pipeline.publish(POST)
        pipeline.run()
        pipeline.clock.move(2 * 86_400)
        pipeline.publish(POST)
        pipeline.run()
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").json()["status"] == "DISABLED"
        pipeline.clock.move(86_400)
        assert subscribe(pipeline.api, "make", url=r.url)["id"] == id
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_reactivated_hook_continues_the_recovery_of_its_owner(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new recovery replaces the old one, even if a sweep that read the hook as disabled ends last."""
    with receiver([400, 400, 200]) as r:
        id, _ = disabled_hook(pipeline, r.url)
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "ACTIVE"}).status == 200
        pipeline.clock.move(9 * 86_400)
        since = {"since": iso(from_ms(pipeline.clock.now - 10 * 86_400_000))}
        assert pipeline.api(f"POST {WEBHOOKS}/{id}/recover", json=since).json() == {"queued": 1}
        pipeline.publish(POST)
        pipeline.poll()
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").json()["status"] == "DISABLED"
        end_waiting = sweeper._cancel_waiting

        def reactivate_first(*args: Any) -> int:
            pipeline.clock.move(1)
            assert subscribe(pipeline.api, "n8n", url=r.url)["id"] == id
            return end_waiting(*args)

        monkeypatch.setattr(sweeper, "_cancel_waiting", reactivate_first)
        pipeline.sweep()
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_deliveries_that_a_sweep_cancels_after_reactivation_are_sent(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sweep reads the hook as disabled, it is reactivated, and another sweep ends its recovery."""
    with receiver([503, 400, 200]) as r:
        id = subscribe(pipeline.api, "make", url=r.url)["id"]
        retries = {"disableAfter": 1, "retryConfig": {"initialDelaySeconds": 3000}}
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json=retries).status == 200
        for _ in range(2):
            pipeline.publish(POST)
            pipeline.poll()
        assert [status for status, _ in pipeline.ends()] == ["FAILED", "RETRYING"]
        end_waiting = sweeper._cancel_waiting
        swept: list[int] = []

        def reactivate_first(*args: Any) -> int:
            monkeypatch.setattr(sweeper, "_cancel_waiting", end_waiting)
            assert subscribe(pipeline.api, "make", url=r.url)["id"] == id
            pipeline.clock.move(61)
            swept.append(pipeline.sweep())
            return end_waiting(*args)

        monkeypatch.setattr(sweeper, "_cancel_waiting", reactivate_first)
        pipeline.clock.move(1)
        pipeline.sweep()
        assert swept == [1]
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2
        assert len(r.requests) == 4


def test_reactivated_hook_does_not_get_old_failed_deliveries(pipeline: Pipeline) -> None:
    with receiver([400, 200]) as r:
        disabled_hook(pipeline, r.url)
        pipeline.clock.move(5 * 86_400)
        subscribe(pipeline.api, "n8n", url=r.url)
        pipeline.run()
        assert pipeline.ends() == [("FAILED", "http_400")]


@pytest.mark.parametrize("state", ["disabled", "deleted"])
def test_concurrent_subscriptions_reactivate_a_hook_once(pipeline: Pipeline, state: str) -> None:
    with receiver([400, 200]) as r:
        id, _ = disabled_hook(pipeline, r.url)
        if state == "deleted":
            assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
        body = {"url": r.url, "eventType": "POST_PUBLISHED"}
        answers = eight_at_once(lambda: pipeline.api(f"POST {HOOKS.format('n8n')}", json=body))
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert len(r.requests) == 2
    assert {answer.status for answer in answers} <= {200, 201, 409}
    assert [answer.status for answer in answers].count(201) == 1
    assert {answer.json()["id"] for answer in answers if answer.status != 409} == {id}


@pytest.mark.parametrize("response", [410, UNREGISTERED])
@pytest.mark.parametrize("state", ["found", "deleted"])
def test_resubscription_during_an_attempt_outlives_its_response(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, response: Any, state: str
) -> None:
    """The automation subscribes again after the receiver responds, but before the response is recorded."""
    with receiver([response] if response == 410 else [response] * 3) as r:
        id = subscribe_and_publish(pipeline, "n8n", r.url)
        gone = outcome.on_gone

        def resubscribe_first(*args: Any) -> None:
            pipeline.clock.move(0.002)
            if state == "deleted":
                assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
            subscribe(pipeline.api, "n8n", url=r.url, status=201 if state == "deleted" else 200)
            gone(*args)

        monkeypatch.setattr(outcome, "on_gone", resubscribe_first)
        pipeline.run(1 / 24)
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "ACTIVE"


# ── triggers and samples ─────────────────────────────────────────────────────────────────────────────


def test_me_returns_the_workspace_without_the_key(api: Api) -> None:
    body = {"name": "z", "scopes": ["automations:use"]}
    key = api("POST /api/integrations/api-keys", json=body).json()["key"]
    for platform in PLATFORMS:
        answer = api(f"GET /api/automations/{platform}/me", token=key)
        assert answer.json() == {"workspaceId": "acme", "label": "acme"}
    assert api("GET /api/automations/zapier/me", token=key + "x").status == 401
    other = api("POST /api/integrations/api-keys", json={**body, "scopes": ["webhooks:write"]}).json()["key"]
    assert api("GET /api/automations/zapier/me", token=other).status == 403


def test_triggers_match_the_catalogue(api: Api) -> None:
    found = api("GET /api/automations/zapier/triggers").json()
    assert {trigger["id"] for trigger in found} == catalogue.PUBLISHABLE | catalogue.OPERATIONAL
    assert [trigger["label"] for trigger in found] == sorted(trigger["label"] for trigger in found)
    for trigger in found:
        entry = load_entry(trigger["id"])
        assert trigger == {
            "id": entry.type,
            "label": entry.label,
            "noun": entry.noun,
            "description": entry.description,
            "schema": entry.json_schema,
            "sample": entry.sample,
        }


def test_samples_are_the_newest_events_then_the_catalogue_sample(pipeline: Pipeline) -> None:
    path = "GET /api/automations/zapier/triggers/POST_PUBLISHED/samples"
    (catalogue_sample,) = pipeline.api(path).json()
    assert catalogue_sample == {
        "id": EventId.built_in("sample", "POST_PUBLISHED"),
        "type": "POST_PUBLISHED",
        "timestamp": "2026-03-02T09:30:00.000Z",
        "data": load_entry("POST_PUBLISHED").sample,
    }
    assert_catalogued("POST_PUBLISHED", catalogue_sample["data"])
    ids = []
    for n in range(4):
        pipeline.clock.move(1)
        ids.append(pipeline.publish({**POST, "n": n}))
    pipeline.api("POST /api/events", json={"type": "POST_FAILED", "data": {**POST, "errorCode": "e"}})
    pipeline.events.run()
    samples = pipeline.api(path).json()
    assert [sample["id"] for sample in samples] == ids[:0:-1]
    assert [sample["data"]["n"] for sample in samples] == [3, 2, 1]
    samples = pipeline.api(f"{path}?limit=10").json()
    assert [sample["id"] for sample in samples] == [*reversed(ids), catalogue_sample["id"]]
    for sample in samples:
        check_data("POST_PUBLISHED", sample["data"])
    for limit in ("0", "11", "x"):
        assert pipeline.api(f"{path}?limit={limit}").status == 422
    other = pipeline._api(path, token=jwt_for("rival", claims={"exp": pipeline.clock.now // 1000 + 600}))
    assert other.json() == [catalogue_sample]


def test_samples_do_not_include_rejected_events(pipeline: Pipeline) -> None:
    from patchbay.events import store
    from patchbay.events.models import EventMessage

    event = EventMessage(EventId.new(), "acme", "POST_PUBLISHED", pipeline.clock.now, {}, "bus", "c")
    assert store.reject(event, "no", None)
    (catalogue_sample,) = pipeline.api("GET /api/automations/n8n/triggers/POST_PUBLISHED/samples").json()
    assert catalogue_sample["id"] == EventId.built_in("sample", "POST_PUBLISHED")


@pytest.mark.parametrize("event", sorted(catalogue.TRIGGERS))
def test_every_trigger_has_a_sample(api: Api, event: str) -> None:
    (sample,) = api(f"GET /api/automations/make/triggers/{event}/samples").json()
    assert sample["data"] == load_entry(event).sample


@pytest.mark.parametrize("event", ["NOPE", "ACTION_REQUESTED", "*", "post_published"])
def test_unknown_trigger_is_404(api: Api, event: str) -> None:
    assert api(f"GET /api/automations/zapier/triggers/{event}/samples").status == 404


def test_time_of_the_catalogue_samples() -> None:
    assert hooks.SAMPLED_AT_MS == 1_772_443_800_000
