"""Idempotency-Key: one response and one resource, despite concurrent requests and processes that die."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from patchbay.clock import now_ms
from patchbay.rate_limits import ceilings
from tests.catalogued import POST, minimal_data
from tests.conftest import Answer, Api, Backend, jwt_for
from tests.problems import assert_problem
from tests.wire import Params, around_calls

WEBHOOKS = "POST /api/integrations/webhooks"
KEYS = "POST /api/integrations/api-keys"
EVENTS = "POST /api/events"
WEBHOOK = {
    "name": "Orders",
    "url": "https://example.com/hook",
    "eventTypes": ["*"],
    "headers": {"X-Auth": "a-header-secret"},
}
KEY = {"name": "ci", "scopes": ["events:publish", "webhooks:write"]}
# Its data is also valid for POST_FAILED.
EVENT: dict[str, Any] = {
    "type": "POST_PUBLISHED",
    "data": {**minimal_data("POST_FAILED"), "a": 1, "b": [True, None]},
}
CREATES: dict[str, dict[str, Any]] = {WEBHOOKS: WEBHOOK, KEYS: KEY}
SECRETS = {WEBHOOKS: "secret", KEYS: "key"}
LEASE_MS, DAY_MS = 30_000, 86_400_000


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def is_replay(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def created(backend: Backend, line: str) -> list[dict[str, Any]]:
    """The rows of webhooks or of API keys."""
    if line == WEBHOOKS:
        return [row for row in backend.rows("WebhooksTable") if row["sk"].startswith("whk_")]
    return [row for row in backend.rows("ApiKeysTable") if "workspaceId" in row]


def assert_in_progress(answer: Answer) -> None:
    assert_problem(answer, 409)
    assert int({name.lower(): value for name, value in answer.headers.items()}["retry-after"]) >= 1


class Clock:
    """A clock for `patchbay.idempotency` only, so that tokens stay valid."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("patchbay.idempotency.now_ms", clock)
    return clock


# For tests that count calls: a large ceiling is reserved in large blocks, and `one_minute` never ends, so
# every request makes the same calls.
steady = pytest.mark.parameters(MaxRequestsPerMinute=1_000_000, MaxEventsPerMinute=1_000_000)


@pytest.fixture(autouse=True)
def one_minute(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_ms()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(lambda: now))


class Hook:
    """Runs an action once, at one of Patchbay's AWS calls. `answer` is the action's result."""

    def __init__(self, number: int, action: Callable[[], Answer]) -> None:
        self.calls: list[str] = []
        self._number, self._action = number, action
        self._answer: Answer | None = None
        self._done = False

    def record(self, operation: str) -> None:
        self.calls.append(operation)
        if len(self.calls) > self._number and not self._done:
            self._done = True
            self._answer = self._action()

    @property
    def answer(self) -> Answer:
        assert self._answer is not None, f"there were only the calls {self.calls}"
        return self._answer


@contextmanager
def at_call(number: int, moment: str, action: Callable[[], Answer]) -> Iterator[Hook]:
    """Run `action` once, `before` or `after` the AWS call with this number, counted from 0."""
    hook = Hook(number, action)

    def around(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if service == "kms":
            return call(params)
        if moment == "before":
            hook.record(operation)
        try:
            return call(params)
        finally:
            if moment == "after":
                hook.record(operation)

    with around_calls(around):
        yield hook


class Died(Exception):
    """A process that dies."""


def die() -> Answer:
    raise Died


def every_call(
    api: Api, moment: str, bodies: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """(route, number, key) for each AWS call that a request with a new Idempotency-Key makes."""
    for line, body in bodies.items():
        api(line, json=body, headers=key("warm"))
        with at_call(100, moment, die) as hook:
            api(line, json=body, headers=key("counted"))
        assert len(hook.calls) >= 2
        for number in range(len(hook.calls)):
            yield line, number, key(f"at {number}")


# ── creates ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", CREATES)
def test_repeated_create_returns_the_first_response(
    api: Api, backend: Backend, clock: Clock, line: str
) -> None:
    body = CREATES[line]
    first = api(line, json=body, headers=key("one"))
    assert first.status == 201
    assert not is_replay(first)
    spaced = json.dumps(dict(reversed(body.items())), indent=3).encode()
    for again in (
        api(line, json=body, headers=key("one")),
        api(line, body=spaced, headers=key("one")),
        api(
            line, body=spaced, headers={"idempotency-key": "one", "content-type": "application/octet-stream"}
        ),
    ):
        assert is_replay(again)
        assert (again.status, again.text) == (first.status, first.text)
        assert again.json()[SECRETS[line]]
        assert again.headers["cache-control"] == "no-store"
    assert len(created(backend, line)) == 1

    for other in (
        {**body, "name": "Other"},
        {**body, "integrationId" if line == WEBHOOKS else "expiresAt": None},
    ):
        answer = api(line, json=other, headers=key("one"))
        assert_problem(answer, 422, "idempotency_mismatch")
        assert first.json()[SECRETS[line]] not in answer.text
    assert len(created(backend, line)) == 1

    clock.ahead_ms = DAY_MS - 60_000
    assert is_replay(api(line, json=body, headers=key("one")))
    clock.ahead_ms = DAY_MS + 60_000  # the row still exists, because TTL deletes late
    later = api(line, json={**body, "name": "Other"}, headers=key("one"))
    assert later.status == 201
    assert not is_replay(later)
    assert len(created(backend, line)) == 2


def test_every_request_without_a_key_creates(api: Api, backend: Backend) -> None:
    for line, body in CREATES.items():
        answers = [api(line, json=body) for _ in range(3)]
        assert [answer.status for answer in answers] == [201] * 3, answers
        assert len({answer.json()["id"] for answer in answers}) == len(created(backend, line)) == 3
    assert backend.rows("IdempotencyTable") == []


def test_key_is_scoped_to_caller_and_route(api: Api, backend: Backend) -> None:
    own = api(KEYS, json={"name": "k", "scopes": ["webhooks:write", "api-keys:write"]}).json()["key"]
    other = api(KEYS, json={"name": "k", "scopes": ["webhooks:write", "api-keys:write"]}).json()["key"]
    callers = [
        jwt_for("acme"),
        jwt_for("acme", claims={"sub": "someone else"}, role="owner"),
        jwt_for("rival"),
        own,
        other,
    ]
    creates = [
        (WEBHOOKS, WEBHOOK, callers),
        (KEYS, {"name": "k", "scopes": ["webhooks:write"]}, callers[:3]),  # an API key cannot create API keys
    ]
    for line, body, callers in creates:
        answers = [api(line, json=body, headers=key("same"), token=caller) for caller in callers]
        assert [answer.status for answer in answers] == [201] * len(callers)
        assert not any(map(is_replay, answers))
        assert len({answer.json()["id"] for answer in answers}) == len(callers)
        for caller, first in zip(callers, answers, strict=True):
            assert api(line, json=body, headers=key("same"), token=caller).text == first.text


def test_caller_without_the_scope_gets_no_replay(api: Api) -> None:
    assert api(WEBHOOKS, json=WEBHOOK, headers=key("k")).status == 201
    viewer = jwt_for("acme", role="viewer")
    assert_problem(api(WEBHOOKS, json=WEBHOOK, headers=key("k"), token=viewer), 403)


def test_stored_response_is_encrypted(api: Api, backend: Backend) -> None:
    answers = {line: api(line, json=body, headers=key("k")).json() for line, body in CREATES.items()}
    rows = repr(
        [backend.rows(table.logical_id) for table in backend.template.of_type("AWS::DynamoDB::Table")]
    )
    for line, answer in answers.items():
        secret = answer[SECRETS[line]]
        assert secret not in rows
        assert secret.split("_")[-2 if line == KEYS else -1] not in rows
    assert "a-header-secret" not in rows
    for row in backend.rows("IdempotencyTable"):
        assert re.fullmatch(r"v1\.\d+\.[\w=-]+", row["answer"])
        assert set(row) == {"id", "workspaceId", "bodyHash", "owner", "ttl", "answer"}
        assert re.fullmatch("[0-9a-f]{64}", row["id"])  # contains nothing of the caller's key


@pytest.mark.parameters(MaxWebhooks=1, MaxApiKeys=1)
def test_rejected_request_frees_the_key(api: Api, backend: Backend) -> None:
    private = {**WEBHOOK, "url": "http://10.0.0.1/"}
    forbidden = {**KEY, "scopes": ["actions:handle"]}
    for line, bad, good, status in (
        (WEBHOOKS, private, WEBHOOK, 422),
        (KEYS, forbidden, KEY, 403),
    ):
        assert api(line, json={**good, "name": 5}, headers=key("k")).status == 422
        assert api(line, json=bad, headers=key("k")).status == status
        assert backend.rows("IdempotencyTable") == [] or line == KEYS
        first = api(line, json=good, headers=key("k"))
        assert first.status == 201

        assert_problem(api(line, json=good, headers=key("full")), 409)
        path = f"/{first.json()['id']}"
        assert api(line.replace("POST", "DELETE") + path).status == 200
        assert api(line, json=good, headers=key("full")).status == 201
        assert is_replay(api(line, json=good, headers=key("k")))  # even though the resource is deleted


@steady
def test_concurrent_requests_with_a_key_create_one_resource(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    """A second request runs completely before each of the first one's AWS calls."""
    for line, number, headers in every_call(api, "before", CREATES):
        body, before = CREATES[line], len(created(backend, line))
        with (
            subtests.test(f"{line}, before call {number}"),
            at_call(number, "before", partial(api, line, json=body, headers=headers)) as hook,
        ):
            answers = [api(line, json=body, headers=headers), hook.answer]
            assert len(created(backend, line)) == before + 1
            successes = [answer for answer in answers if answer.status == 201]
            assert len({answer.text for answer in successes}) == 1
            for answer in answers:
                if answer.status != 201:
                    assert_in_progress(answer)
            assert api(line, json=body, headers=headers).text == successes[0].text


@steady
@pytest.mark.parametrize("moment", ["before", "after"])
def test_create_succeeds_after_a_process_died_at_any_call(
    api: Api, backend: Backend, clock: Clock, subtests: pytest.Subtests, moment: str
) -> None:
    for line, number, headers in every_call(api, moment, CREATES):
        body, before = CREATES[line], len(created(backend, line))
        with subtests.test(f"{line}, dies {moment} call {number}"):
            with at_call(number, moment, die):
                assert api(line, json=body, headers=headers).status == 500
            soon = api(line, json=body, headers=headers)
            if soon.status != 201:
                assert_in_progress(soon)
            other = api(line, json={**body, "name": "Other"}, headers=headers)
            assert_problem(other, 422, "idempotency_mismatch")
            clock.ahead_ms += LEASE_MS + 1000
            later = api(line, json=body, headers=headers)
            assert later.status == 201
            assert later.json()[SECRETS[line]]
            assert len(created(backend, line)) == before + 1
            assert api(line, json=body, headers=headers).text == later.text


@steady
def test_commit_after_the_lease_fails(
    api: Api, backend: Backend, clock: Clock, subtests: pytest.Subtests
) -> None:
    """The first request stalls before one of its calls until its lease expires, and another takes the key."""
    for line, number, headers in every_call(api, "before", CREATES):
        body, before = CREATES[line], len(created(backend, line))

        def take_over(line: str = line, headers: dict[str, str] = headers) -> Answer:
            clock.ahead_ms += LEASE_MS + 1000
            return api(line, json=CREATES[line], headers=headers)

        with (
            subtests.test(f"{line}, stalls before call {number}"),
            at_call(number, "before", take_over) as hook,
        ):
            first, second = api(line, json=body, headers=headers), hook.answer
            assert second.status == 201
            assert len(created(backend, line)) == before + 1
            if first.status == 201:
                assert first.text == second.text
            else:
                assert_problem(first, 409)
            again = api(line, json=body, headers=headers)
            assert is_replay(again)
            assert again.text == second.text


# ── events ───────────────────────────────────────────────────────────────────────────────────────────


def subscribe(api: Api) -> None:
    body = {"name": "test", "url": "https://receiver.example/", "eventTypes": ["POST_PUBLISHED"]}
    assert api("POST /api/integrations/webhooks", json=body).status == 201


def queued(backend: Backend) -> list[dict[str, Any]]:
    """The queued deliveries, and the events that are left to the fan-out worker. Empties their queues."""
    messages = [*backend.messages("DeliveriesQueue"), *backend.messages("EventsQueue")]
    return [json.loads(message["body"]) for message in messages]


def queued_events(backend: Backend) -> set[str]:
    """The IDs of the events in the queues."""
    return {message.get("event_id") or message["id"] for message in queued(backend)}


def test_repeated_publish_sends_the_same_event_again(api: Api, backend: Backend, clock: Clock) -> None:
    subscribe(api)
    first = api(EVENTS, json=EVENT, headers=key("e"))
    assert first.status == 202
    reordered = {"data": dict(reversed(EVENT["data"].items())), "type": EVENT["type"]}
    for again in (
        api(EVENTS, json=EVENT, headers=key("e")),
        api(EVENTS, json=reordered, headers=key("e")),
        api(EVENTS, json={**EVENT, "idempotencyKey": "e"}),
        api(EVENTS, json={**EVENT, "idempotencyKey": "e"}, headers=key("e")),
        api(EVENTS, json={**EVENT, "workspaceId": "acme"}, headers=key("e")),
    ):
        assert (again.status, again.json()) == (202, first.json())
    messages = queued(backend)
    assert len(messages) == 6  # makes up for a lost send; the delivery's row prevents duplicates
    assert len({message["id"] for message in messages}) == 1
    expected = {**first.json(), "data": EVENT["data"]}
    assert all(json.loads(message["body"]) == expected for message in messages)

    for change in (
        {"type": "POST_FAILED"},
        {"data": {**EVENT["data"], "a": 2}},
        {"data": POST},
    ):
        other = {**EVENT, **change}
        assert_problem(api(EVENTS, json=other, headers=key("e")), 422, "idempotency_mismatch")
        assert_problem(api(EVENTS, json={**other, "idempotencyKey": "e"}), 422, "idempotency_mismatch")
    two_keys = api(EVENTS, json={**EVENT, "idempotencyKey": "f"}, headers=key("e"))
    assert_problem(two_keys, 422, paths=["idempotencyKey"])
    assert queued(backend) == []

    (row,) = backend.rows("IdempotencyTable")
    assert row["ttl"] >= now_ms() // 1000 + 30 * 86_400 - 60  # kept as long as the event
    clock.ahead_ms = 30 * DAY_MS + 60_000
    later = api(EVENTS, json={**EVENT, "data": {**POST, "new": True}}, headers=key("e"))
    assert later.status == 202
    assert later.json()["id"] != first.json()["id"]


def test_key_of_an_event_is_scoped_to_the_caller(api: Api) -> None:
    own = api(KEYS, json={"name": "k", "scopes": ["events:publish"]}).json()["key"]
    other_person = jwt_for("acme", claims={"sub": "someone else"}, role="owner")
    callers = [jwt_for("acme"), other_person, jwt_for("rival"), jwt_for("platform"), own]
    ids = [api(EVENTS, json=EVENT, headers=key("e"), token=caller).json()["id"] for caller in callers]
    assert len(set(ids)) == len(callers)
    assert len({api(EVENTS, json=EVENT).json()["id"] for _ in range(3)}) == 3

    # A key of the platform identifies one event, whatever the event's workspace.
    for_acme = {**EVENT, "workspaceId": "acme"}
    assert_problem(
        api(EVENTS, json=for_acme, headers=key("e"), token=jwt_for("platform")), 422, "idempotency_mismatch"
    )


def test_rejected_event_frees_the_key(api: Api, backend: Backend) -> None:
    for bad, status in (
        ({**EVENT, "type": "NOPE"}, 422),
        ({**EVENT, "type": "WEBHOOK_DISABLED"}, 422),
        ({**EVENT, "workspaceId": "rival"}, 403),
        ({**EVENT, "data": {**POST, "a": "x" * 262_144}}, 413),
    ):
        assert api(EVENTS, json=bad, headers=key("e")).status == status
    assert backend.rows("IdempotencyTable") == []
    assert api(EVENTS, json=EVENT, headers=key("e")).status == 202


@steady
@pytest.mark.parametrize("moment", ["before", "after"])
def test_publish_succeeds_after_a_process_died_at_any_call(
    api: Api, backend: Backend, subtests: pytest.Subtests, moment: str
) -> None:
    """Every repetition sends the same event. A failed fan-out is left to the fan-out worker."""
    subscribe(api)
    for line, number, headers in every_call(api, moment, {EVENTS: EVENT}):
        queued(backend)
        with subtests.test(f"dies {moment} call {number}"):
            with at_call(number, moment, die):
                assert api(line, json=EVENT, headers=headers).status in (202, 500)
            again = api(line, json=EVENT, headers=headers)
            assert again.status == 202
            assert queued_events(backend) == {again.json()["id"]}


@steady
def test_concurrent_publishes_with_a_key_are_one_event(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    subscribe(api)
    for line, number, headers in every_call(api, "before", {EVENTS: EVENT}):
        queued(backend)
        with (
            subtests.test(f"before call {number}"),
            at_call(number, "before", partial(api, line, json=EVENT, headers=headers)) as hook,
        ):
            first = api(line, json=EVENT, headers=headers)
            assert first.json() == hook.answer.json()
            assert queued_events(backend) == {first.json()["id"]}
