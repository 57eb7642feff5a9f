"""Action runs: the platform gets each run once and may or may not answer it, and the callback is sent once,
whatever crashes in between.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from patchbay.automations import runs
from patchbay.catalogue.entries import load_action
from tests.catalogued import assert_catalogued
from tests.conftest import LAMBDA_CONTEXT, Answer, Api, Backend, jwt_for
from tests.faults import dying, failing, meanwhile
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.problems import assert_problem
from tests.receivers import Receiver, receiver

START = "POST /api/automations/zapier/actions/create_post"
INPUT = {"accountId": "acc_117", "text": "Spring is here 🌷"}
OUTPUT = {"postId": "post_1", "status": "published"}


class Actions:
    """An automation that starts runs, the platform that answers them, and the clock."""

    def __init__(self, pipeline: Pipeline, platform: Receiver) -> None:
        self.pipeline, self.platform = pipeline, platform
        self._sweep = importlib.import_module("workers.sweep_runs").handler
        body = {"name": "actions", "url": platform.url, "eventTypes": ["ACTION_REQUESTED"]}
        assert self.as_platform(f"POST {WEBHOOKS}", json=body).status == 201

    def as_platform(self, line: str, **options: Any) -> Answer:
        claims = {"exp": self.pipeline.clock.now // 1000 + 600}
        return self.pipeline._api(line, token=jwt_for("platform", claims=claims), **options)

    def start(self, **body: Any) -> Any:
        answer = self.pipeline.api(START, json={"input": INPUT, **body})
        assert answer.status == 202, answer.text
        return answer.json()

    def answer(self, id: str, body: Any = None, status: int = 200) -> Any:
        body = body or {"status": "SUCCEEDED", "output": OUTPUT}
        answer = self.as_platform(f"PUT /api/actions/runs/{id}", json=body)
        assert answer.status == status, answer.text
        return answer.json()

    def get(self, id: str) -> Any:
        answer = self.pipeline.api(f"GET /api/automations/zapier/runs/{id}")
        assert answer.status == 200, answer.text
        return answer.json()

    def sweep(self) -> int:
        return int(self._sweep({}, LAMBDA_CONTEXT)["seen"])

    def minutes(self, count: int) -> None:
        """Advance the clock by `count` minutes. Each minute, run the sweepers and the workers."""
        for _ in range(count):
            self.pipeline.clock.move(60)
            self.sweep()
            self.pipeline.events.run()
            self.pipeline.sweep()
            self.pipeline.poll()

    @property
    def requested(self) -> list[Any]:
        """Return the data of each ACTION_REQUESTED that reached the platform."""
        return [request.json()["data"] for request in self.platform.requests]


@pytest.fixture
def actions(pipeline: Pipeline) -> Iterator[Actions]:
    with receiver() as platform:
        yield Actions(pipeline, platform)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_platform_gets_a_run_and_answers_it(actions: Actions) -> None:
    run = actions.start()
    assert (run["status"], run["output"], run["error"]) == ("PENDING", None, None)
    assert run["input"] == INPUT
    assert run["id"].startswith("run_")
    actions.pipeline.events.run()
    actions.pipeline.poll()
    (data,) = actions.requested
    assert_catalogued("ACTION_REQUESTED", data)
    assert data == {
        "runId": run["id"],
        "workspaceId": "acme",
        "platform": "zapier",
        "action": "create_post",
        "input": INPUT,
        "expiresAt": run["expiresAt"],
    }
    actions.pipeline.clock.move(5)
    ended = actions.answer(run["id"])
    assert (ended["status"], ended["output"], ended["version"]) == ("SUCCEEDED", OUTPUT, 2)
    assert actions.get(run["id"]) == ended
    # Nothing is left to do.
    actions.minutes(20)
    assert len(actions.requested) == 1
    assert actions.get(run["id"]) == ended
    (row,) = actions.pipeline.backend.rows("AutomationsTable")
    assert not {"dueAt", "dueShard"} & row.keys()
    assert row["ttl"] > row["createdAt"] // 1000


def test_numbers_keep_their_json_text(actions: Actions) -> None:
    """This holds in inputs, outputs, responses and their repeats, for the platform and in the callback."""
    written = '"n":[1.10,123456789012345.123456,1e2,-0]'

    def with_numbers(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))[:-1] + f",{written}}}"

    with receiver() as waiting:
        body = f'{{"input":{with_numbers(INPUT)},"callbackUrl":"{waiting.url}"}}'.encode()
        once = {"Idempotency-Key": "one"}
        first, repeat = (actions.pipeline.api(START, body=body, headers=once) for _ in range(2))
        assert written in first.text
        assert repeat.text == first.text
        id = first.json()["id"]
        output = f'{{"status":"SUCCEEDED","output":{with_numbers(OUTPUT)}}}'.encode()
        answers = [actions.as_platform(f"PUT /api/actions/runs/{id}", body=output) for _ in range(2)]
        assert all(answer.text.count(written) == 2 for answer in answers)
        actions.minutes(2)
    assert written in waiting.requests[0].body.decode()
    assert written in actions.platform.requests[0].body.decode()
    assert actions.pipeline.api("GET /api/automations/zapier/runs").text.count(written) == 2


def test_platform_can_fail_a_run_with_an_error(actions: Actions) -> None:
    run = actions.start()
    failed = {
        "status": "FAILED",
        "error": {"code": "action_failed", "detail": "The account is not connected."},
    }
    ended = actions.answer(run["id"], failed)
    assert (ended["status"], ended["output"], ended["error"]) == ("FAILED", None, failed["error"])
    assert actions.get(run["id"]) == ended


def test_repeated_answer_gets_the_same_response(actions: Actions) -> None:
    run = actions.start()
    ended = actions.answer(run["id"])
    assert actions.answer(run["id"]) == ended
    for other in (
        {"status": "SUCCEEDED", "output": {**OUTPUT, "postId": "other"}},
        {"status": "FAILED", "error": {"detail": "no"}},
    ):
        assert actions.answer(run["id"], other, status=409)["code"] == "conflict"
    assert actions.get(run["id"]) == ended


def test_concurrent_identical_answers_get_the_same_response(actions: Actions) -> None:
    run = actions.start()
    with meanwhile("dynamodb.TransactWriteItems", lambda: actions.answer(run["id"])):
        ended = actions.answer(run["id"])
    assert (ended["status"], ended["version"]) == ("SUCCEEDED", 2)
    run = actions.start()
    with meanwhile("dynamodb.TransactWriteItems", lambda: actions.answer(run["id"])):
        actions.answer(run["id"], {"status": "FAILED", "error": {"detail": "no"}}, status=409)


def test_answer_rejects_an_outdated_if_match(actions: Actions) -> None:
    run = actions.start()
    line, body = f"PUT /api/actions/runs/{run['id']}", {"status": "SUCCEEDED", "output": OUTPUT}
    assert actions.as_platform(line, json=body, headers={"If-Match": "2"}).status == 412
    assert actions.as_platform(line, json=body, headers={"If-Match": "1"}).status == 200


def test_write_with_a_lost_response_starts_one_run(actions: Actions) -> None:
    with failing("dynamodb.PutItem", lost=True, tries=1):
        run = actions.start()
    actions.minutes(2)
    assert [data["runId"] for data in actions.requested] == [run["id"]]


def test_empty_fields_are_removed_from_the_input(actions: Actions) -> None:
    input = {**INPUT, "campaignId": "", "mediaUrls": None, "requireApproval": False, "more": ""}
    run = actions.start(input=input)
    # Fields that the action does not define are unchanged.
    assert run["input"] == {**INPUT, "requireApproval": False, "more": ""}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": {}}, "input.accountId"),
        ({}, "input.accountId"),
        ({"input": {"accountId": "a", "text": ""}}, "input.text"),
        ({"input": {**INPUT, "requireApproval": "yes"}}, "input.requireApproval"),
        ({"input": {**INPUT, "mediaUrls": ["not a url"]}}, "input.mediaUrls.0"),
        ({"input": []}, "input"),
        ({"input": INPUT, "callbackUrl": "http://10.0.0.1/"}, "callbackUrl"),
        ({"input": INPUT, "callbackUrl": "file:///etc/passwd"}, "callbackUrl"),
        ({"input": INPUT, "callback": "x"}, "callback"),
    ],
)
def test_start_rejects_invalid_body(api: Api, backend: Backend, body: Any, path: str) -> None:
    answer = api(START, json=body)
    assert answer.status == 422, answer.text
    assert answer.json()["errors"][0]["path"] == path
    assert backend.rows("AutomationsTable") == []
    assert backend.messages("EventsQueue") == []


def test_input_and_output_that_are_too_large_are_rejected(actions: Actions) -> None:
    large = {**INPUT, "text": "x" * 64 * 1024}
    assert actions.pipeline.api(START, json={"input": large}).status == 413
    run = actions.start(input={**INPUT, "text": "x" * 63 * 1024})
    body = {"status": "SUCCEEDED", "output": {**OUTPUT, "postId": "x" * 64 * 1024}}
    actions.answer(run["id"], body, status=413)
    assert actions.get(run["id"])["status"] == "PENDING"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"status": "SUCCEEDED", "output": {}}, "output.postId"),
        ({"status": "SUCCEEDED", "output": {**OUTPUT, "status": "gone"}}, "output.status"),
        ({"status": "SUCCEEDED"}, "output"),
        ({"status": "FAILED"}, "error"),
        ({"status": "FAILED", "error": {"detail": ""}}, "error.detail"),
        ({"status": "FAILED", "error": {"detail": "x" * 1001}}, "error.detail"),
        ({"status": "FAILED", "error": {"detail": "x"}, "output": OUTPUT}, "output"),
        ({"status": "PENDING"}, "status"),
        ({"output": OUTPUT}, "status"),
    ],
)
def test_answer_rejects_invalid_body(actions: Actions, body: Any, path: str) -> None:
    run = actions.start()
    assert actions.answer(run["id"], body, status=422)["errors"][0]["path"] == path
    assert actions.get(run["id"])["status"] == "PENDING"


def test_only_the_platform_can_answer(actions: Actions) -> None:
    run = actions.start()
    line = f"PUT /api/actions/runs/{run['id']}"
    body = {"status": "SUCCEEDED", "output": OUTPUT}
    assert actions.pipeline.api(line, json=body).status == 403
    scope = {"scope": "actions:handle automations:use", "exp": actions.pipeline.clock.now // 1000 + 600}
    assert actions.pipeline._api(line, json=body, token=jwt_for("acme", claims=scope)).status == 403
    weak = jwt_for("platform", claims={**scope, "scope": "automations:use"})
    assert actions.pipeline._api(line, json=body, token=weak).status == 403
    for unknown in ("run_032asvoIJtqWn0GGw1sIDt", "whk_032asvoIJDDiQMG9VZzHw8", "x"):
        assert actions.as_platform(f"PUT /api/actions/runs/{unknown}", json=body).status == 404
    actions.answer(run["id"])


def test_runs_are_listed_by_platform_and_status(actions: Actions) -> None:
    ids = []
    for _ in range(3):
        actions.pipeline.clock.move(1)
        ids.append(actions.start()["id"])
    n8n = actions.pipeline.api(START.replace("zapier", "n8n"), json={"input": INPUT}).json()["id"]
    actions.answer(ids[1])

    def listed(query: str = "", platform: str = "zapier") -> list[str]:
        return [run["id"] for run in listing(query, platform)["items"]]

    def listing(query: str = "", platform: str = "zapier") -> Any:
        return actions.pipeline.api(f"GET /api/automations/{platform}/runs{query}").json()

    assert listed() == ids[::-1]
    assert listed(platform="n8n") == [n8n]
    assert listed(platform="make") == []
    assert listed("?status=SUCCEEDED") == [ids[1]]
    assert listed("?status=PENDING") == [ids[2], ids[0]]
    first = listing("?limit=2")
    assert [run["id"] for run in first["items"]] == ids[:0:-1]
    assert listed(f"?limit=2&cursor={first['nextCursor']}") == ids[:1]
    assert actions.pipeline.api("GET /api/automations/zapier/runs?status=NOPE").status == 422
    # Only its automation platform and its workspace can read a run. The platform's workspace cannot.
    assert actions.pipeline.api(f"GET /api/automations/n8n/runs/{ids[0]}").status == 404
    assert actions.as_platform(f"GET /api/automations/zapier/runs/{ids[0]}").status == 404
    assert actions.as_platform("GET /api/automations/zapier/runs").json()["items"] == []


def test_repeat_with_the_idempotency_key_starts_one_run(actions: Actions) -> None:
    key = {"Idempotency-Key": "step-2"}
    answers = [actions.pipeline.api(START, json={"input": INPUT}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert [answer.status for answer in answers] == [202, 202]
    actions.minutes(2)
    assert len(actions.requested) == 1
    other = actions.pipeline.api(START, json={"input": {**INPUT, "text": "other"}}, headers=key)
    assert (other.status, other.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["nope", "CREATE_POST", "..%2Fcreate_post"])
def test_unknown_action_is_404(api: Api, key: str) -> None:
    assert api(f"POST /api/automations/zapier/actions/{key}", json={"input": {}}).status == 404


def test_actions_match_the_catalogue(api: Api) -> None:
    listed = api("GET /api/automations/n8n/actions").json()
    assert [action["id"] for action in listed] == sorted(action["id"] for action in listed)
    for item in listed:
        action = load_action(item["id"])
        assert item == {
            "id": action.key,
            "label": action.label,
            "noun": action.noun,
            "description": action.description,
            "input": action.input,
            "output": action.output,
            "sample": {"input": action.sample.input, "output": action.sample.output},
        }


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────────


def test_callback_is_sent_once(actions: Actions) -> None:
    with receiver() as waiting:
        run = actions.start(callbackUrl=waiting.url)
        actions.minutes(3)
        assert waiting.requests == []
        actions.answer(run["id"])
        actions.minutes(20)
        (request,) = waiting.requests
        assert request.json() == {"runId": run["id"], "status": "SUCCEEDED", "output": OUTPUT, "error": None}
        assert request.headers["webhook-id"].startswith("dlv_")
        assert "webhook-signature" not in request.headers
    # The API does not show the callback as a webhook.
    assert actions.pipeline.api(f"GET {WEBHOOKS}").json()["items"] == []
    assert actions.pipeline.api(f"GET {WEBHOOKS}/{run['id']}").status == 404
    assert "callback" not in json.dumps(actions.get(run["id"]))
    rows = {row["sk"]: row for row in actions.pipeline.backend.rows("WebhooksTable")}
    assert rows[run["id"]]["ttl"] > actions.pipeline.clock.now // 1000 + 86_400


def test_failed_callback_is_retried(actions: Actions) -> None:
    with receiver([500, 503, 200]) as waiting:
        run = actions.start(callbackUrl=waiting.url)
        actions.answer(run["id"])
        actions.minutes(5)
        assert len(waiting.requests) == 3
        assert len(set(waiting.ids)) == 1
        assert len({request.body for request in waiting.requests}) == 1
    # A callback does not affect the health of its receiver.
    assert [
        row["sk"] for row in actions.pipeline.backend.rows("HealthTable") if run["id"] in row["webhookKey"]
    ] == []


def test_parked_callback_keeps_its_body(actions: Actions, monkeypatch: pytest.MonkeyPatch) -> None:
    from patchbay.settings import settings

    monkeypatch.setenv("MAX_VISIBILITY_WAIT_SECONDS", "1")
    settings.cache_clear()
    with receiver([500, 200]) as waiting:
        run = actions.start(callbackUrl=waiting.url)
        actions.answer(run["id"])
        actions.minutes(3)
        assert [request.json()["runId"] for request in waiting.requests] == [run["id"]] * 2


@pytest.mark.parametrize("status", [404, 410, 400, 301])
def test_rejected_callback_fails_without_other_effects(actions: Actions, status: int) -> None:
    with receiver([status]) as waiting:
        for _ in range(2):
            actions.answer(actions.start(callbackUrl=waiting.url)["id"])
        actions.minutes(20)
        assert len(waiting.requests) == 2
    ends = [row for row in actions.pipeline.rows if "run_" in row["webhookKey"]]
    assert {row["status"] for row in ends} == {"FAILED"}
    types = [row["type"] for row in actions.pipeline.backend.events()]
    assert types == ["ACTION_REQUESTED"] * 2


def test_run_without_an_answer_fails(actions: Actions) -> None:
    with receiver() as waiting:
        run = actions.start(callbackUrl=waiting.url)
        silent = actions.start()
        actions.minutes(14)
        assert actions.get(run["id"])["status"] == "PENDING"
        actions.minutes(2)
        for id in (run["id"], silent["id"]):
            ended = actions.get(id)
            assert ended["status"] == "FAILED"
            assert ended["error"] == {
                "code": "timed_out",
                "detail": "The platform did not respond within 15 minutes.",
            }
            actions.answer(id, status=409)
        (request,) = waiting.requests
        assert request.json()["error"] == ended["error"]
    # Each run was announced twice with the same ID, so the platform got it once.
    assert len(actions.requested) == 2


def test_answer_to_an_expired_run_is_rejected_before_the_sweep(actions: Actions) -> None:
    run = actions.start()
    actions.pipeline.clock.move(15 * 60)
    assert "15 minutes" in actions.answer(run["id"], status=409)["detail"]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lost", [False, True], ids=["rejected", "response lost"])
def test_sweep_repeats_a_failed_announcement(actions: Actions, lost: bool) -> None:
    with failing("sqs.SendMessage", lost=lost):
        run = actions.start()
    actions.minutes(2)
    assert [data["runId"] for data in actions.requested] == [run["id"]]


@pytest.mark.parametrize("lost", [False, True], ids=["rejected", "response lost"])
def test_sweep_queues_a_callback_that_was_not_queued(actions: Actions, lost: bool) -> None:
    with receiver() as waiting:
        run = actions.start(callbackUrl=waiting.url)
        with failing("sqs.SendMessage", lost=lost):
            assert actions.answer(run["id"])["status"] == "SUCCEEDED"
        actions.minutes(3)
        assert len(waiting.requests) == 1


def test_answer_that_crashes_at_any_call_sends_one_callback(actions: Actions) -> None:
    with receiver() as waiting:
        died, calls = True, 0
        while died:
            calls += 1
            run = actions.start(callbackUrl=waiting.url)
            actions.minutes(1)
            with dying(calls) as process:
                actions.answer(run["id"])
            died = process.died
            actions.answer(run["id"])  # the platform repeats a request that got no response
            actions.minutes(3)
            assert [request.json()["runId"] for request in waiting.requests].count(run["id"]) == 1
        assert calls >= 4


def test_start_that_crashes_at_any_call_requests_one_action(actions: Actions) -> None:
    key = 0
    died, calls = True, 0
    while died:
        calls += 1
        key += 1
        once = {"Idempotency-Key": f"k{key}"}
        with dying(calls) as process:
            actions.pipeline.api(START, json={"input": INPUT}, headers=once)
        died = process.died
        actions.pipeline.clock.move(31)  # the lease of the crashed request ends
        answer = actions.pipeline.api(START, json={"input": INPUT}, headers=once)
        assert answer.status == 202, answer.text
        actions.minutes(3)
        requested = [data["runId"] for data in actions.requested]
        assert requested.count(answer.json()["id"]) == 1
        assert len(requested) == key
    assert calls >= 4


def test_sweep_that_crashes_at_any_call_is_completed_by_the_next(actions: Actions) -> None:
    with receiver() as waiting:
        died, calls = True, 0
        while died:
            calls += 1
            with failing("sqs.SendMessage"):
                run = actions.start(callbackUrl=waiting.url)
            actions.pipeline.clock.move(61)
            with dying(calls) as process:
                actions.sweep()
            died = process.died
            actions.minutes(16)
            assert [data["runId"] for data in actions.requested].count(run["id"]) == 1
            assert actions.get(run["id"])["status"] == "FAILED"
            assert [request.json()["runId"] for request in waiting.requests].count(run["id"]) == 1
        assert calls >= 5


def test_run_that_cannot_be_processed_does_not_block_others(actions: Actions) -> None:
    runs = [actions.start() for _ in range(3)]
    actions.pipeline.clock.move(15 * 60 + 1)
    with failing("dynamodb.GetItem", error="refused"):
        assert actions.sweep() == 3
    statuses = sorted(actions.get(run["id"])["status"] for run in runs)
    assert statuses == ["FAILED", "FAILED", "PENDING"]
    actions.minutes(1)
    assert {actions.get(run["id"])["status"] for run in runs} == {"FAILED"}


def test_sweep_stops_when_its_time_runs_out(actions: Actions) -> None:
    started = [actions.start()["id"] for _ in range(3)]
    actions.pipeline.clock.move(15 * 60 + 1)

    def remaining_ms() -> int:
        return 60_000 if all(actions.get(id)["status"] == "PENDING" for id in started) else 9_000

    assert runs.sweep(remaining_ms) == 1
    assert sorted(actions.get(id)["status"] for id in started) == ["FAILED", "PENDING", "PENDING"]


# ── lists of choices ─────────────────────────────────────────────────────────────────────────────────


def list_choices(api: Any, query: str = "", resource: str = "accounts", token: str = "owner") -> Any:
    answer = api(f"GET /api/automations/make/choices/{resource}{query}", token=token)
    assert answer.status == 200, answer.text
    return answer.json()


def set_choices(api: Api, items: Any, status: int = 200, resource: str = "accounts", **fields: Any) -> Any:
    body = {"workspaceId": "acme", "items": items, **fields}
    answer = api(f"PUT /api/actions/choices/{resource}", json=body, token=jwt_for("platform"))
    assert answer.status == status, answer.text
    return answer.json()


def test_platform_sets_the_choices(api: Api) -> None:
    assert list_choices(api) == []
    items = [{"id": "acc_2", "label": "Instagram: Tart & Tine"}, {"id": "acc_1", "label": "Facebook: Café Ä"}]
    assert set_choices(api, items) == {}
    assert list_choices(api) == items
    assert list_choices(api, "?search=tart") == items[:1]
    assert list_choices(api, "?search=caf%C3%A9%20%C3%A4") == items[1:]
    assert list_choices(api, "?search=ACC_1") == items[1:]
    assert list_choices(api, "?search=nothing") == []
    assert list_choices(api, resource="approvals") == []
    assert list_choices(api, token=jwt_for("rival")) == []
    set_choices(api, [])
    assert list_choices(api) == []


def test_choices_are_listed_in_pages_of_a_hundred(api: Api) -> None:
    items = [{"id": f"a{n}", "label": f"Account {n}"} for n in range(250)]
    set_choices(api, items)
    items_read: list[Any] = []
    for size in (100, 100, 50):
        page = list_choices(api, f"?cursor={items_read[-1]['id']}" if items_read else "")
        assert len(page) == size
        items_read += page
    assert items_read == items
    assert list_choices(api, "?cursor=a249") == []
    assert list_choices(api, "?cursor=unknown") == []
    assert [item["id"] for item in list_choices(api, "?search=account%201&cursor=a150")][:1] == ["a151"]


@pytest.mark.parametrize("resource", ["postings", "Accounts", "x"])
def test_unknown_list_of_choices_is_404(api: Api, resource: str) -> None:
    assert_problem(api(f"GET /api/automations/make/choices/{resource}"), 404)
    body = {"workspaceId": "acme", "items": []}
    answer = api(f"PUT /api/actions/choices/{resource}", json=body, token=jwt_for("platform"))
    assert_problem(answer, 404)


def test_set_choices_rejects_invalid_body(api: Api, subtests: pytest.Subtests) -> None:
    lists: list[Any] = [
        [{"id": "a", "label": "A"}, {"id": "a", "label": "B"}],
        [{"id": "", "label": "A"}],
        [{"id": "a", "label": ""}],
        [{"id": "a", "label": "\u200b"}],
        [{"id": "a\U000e0041", "label": "A"}],
        [{"id": "a"}],
        [{"id": "a", "label": "x" * 257}],
        [{"id": str(n), "label": "x"} for n in range(5_001)],
        {},
    ]
    for items in lists:
        with subtests.test(str(items)[:60]):
            assert set_choices(api, items, 422)["errors"][0]["path"].startswith("items")
    assert set_choices(api, [], 422, workspaceId="a b")["errors"][0]["path"] == "workspaceId"
    many = [{"id": str(n), "label": "ä" * 200} for n in range(800)]
    assert set_choices(api, many, 413)["code"] == "payload_too_large"
    answer = api("PUT /api/actions/choices/accounts", json={"workspaceId": "acme", "items": []})
    assert_problem(answer, 403)
