"""Idempotency keys: one answer, one thing, whatever runs at once and wherever a process dies."""

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
from tests.wire import Params, around_calls

WEBHOOKS = "POST /api/integrations/webhooks"
KEYS = "POST /api/integrations/api-keys"
EVENTS = "POST /api/events"
WEBHOOK = {
    "name": "Orders",
    "url": "https://example.com/hook",
    "events": ["*"],
    "headers": {"X-Auth": "a-header-secret"},
}
KEY = {"name": "ci", "scopes": ["events:publish", "webhooks:write"]}
# Its data fit POST_FAILED as well.
EVENT: dict[str, Any] = {
    "type": "POST_PUBLISHED",
    "data": {**minimal_data("POST_FAILED"), "a": 1, "b": [True, None]},
}
CREATES: dict[str, dict[str, Any]] = {WEBHOOKS: WEBHOOK, KEYS: KEY}
SECRETS = {WEBHOOKS: "secret", KEYS: "key"}
LEASE_MS, DAY_MS = 30_000, 86_400_000


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def made(backend: Backend, line: str) -> list[dict[str, Any]]:
    """The webhooks or API keys that exist."""
    if line == WEBHOOKS:
        return [row for row in backend.rows("WebhooksTable") if row["sk"].startswith("whk_")]
    return [row for row in backend.rows("ApiKeysTable") if "workspaceId" in row]


def refused(answer: Answer, status: int, code: str) -> Answer:
    assert (answer.status, answer.json()["code"]) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    return answer


def still_running(answer: Answer) -> None:
    refused(answer, 409, "conflict")
    assert int({name.lower(): value for name, value in answer.headers.items()}["retry-after"]) >= 1


class Clock:
    """The time that idempotency sees."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr("patchbay.idempotency.now_ms", ours)
    return ours


# A large ceiling is reserved in large blocks, and in a minute that does not end: so each request of the
# tests that count calls makes the same ones.
steady = pytest.mark.parameters(MaxRequestsPerMinute=1_000_000, MaxEventsPerMinute=1_000_000)


@pytest.fixture(autouse=True)
def one_minute(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_ms()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(lambda: now))


class Hook:
    """Does something once, at one of the library's AWS calls; `answer` is what that gave."""

    def __init__(self, number: int, act: Callable[[], Answer]) -> None:
        self.calls: list[str] = []
        self._number, self._act = number, act
        self._answer: Answer | None = None
        self._done = False

    def note(self, operation: str) -> None:
        self.calls.append(operation)
        if len(self.calls) > self._number and not self._done:
            self._done = True
            self._answer = self._act()

    @property
    def answer(self) -> Answer:
        assert self._answer is not None, f"there are only the calls {self.calls}"
        return self._answer


@contextmanager
def at_call(number: int, moment: str, act: Callable[[], Answer]) -> Iterator[Hook]:
    """`act` once, `before` or `after` the number-th AWS call from here on."""
    hook = Hook(number, act)

    def around(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        if service == "kms":
            return call(params)
        if moment == "before":
            hook.note(operation)
        try:
            return call(params)
        finally:
            if moment == "after":
                hook.note(operation)

    with around_calls(around):
        yield hook


class Died(Exception):
    """What stands for a process that ends."""


def die() -> Answer:
    raise Died


def every_call(
    api: Api, moment: str, bodies: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Each AWS call that a request with a new Idempotency-Key makes: its route, its number, and a key."""
    for line, body in bodies.items():
        api(line, json=body, headers=key("warm"))
        with at_call(100, moment, die) as hook:
            api(line, json=body, headers=key("counted"))
        assert len(hook.calls) >= 2
        for number in range(len(hook.calls)):
            yield line, number, key(f"at {number}")


# ── creates ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", CREATES)
def test_a_repeat_gets_the_first_answer(api: Api, backend: Backend, clock: Clock, line: str) -> None:
    body = CREATES[line]
    first = api(line, json=body, headers=key("one"))
    assert first.status == 201
    assert not replayed(first)
    spaced = json.dumps(dict(reversed(body.items())), indent=3).encode()
    for again in (
        api(line, json=body, headers=key("one")),
        api(line, body=spaced, headers=key("one")),
        api(
            line, body=spaced, headers={"idempotency-key": "one", "content-type": "application/octet-stream"}
        ),
    ):
        assert replayed(again)
        assert (again.status, again.text) == (first.status, first.text)
        assert again.json()[SECRETS[line]]
        assert again.headers["cache-control"] == "no-store"
    assert len(made(backend, line)) == 1

    for other in (
        {**body, "name": "Other"},
        {**body, "integrationId" if line == WEBHOOKS else "expiresAt": None},
    ):
        answer = refused(api(line, json=other, headers=key("one")), 422, "idempotency_mismatch")
        assert first.json()[SECRETS[line]] not in answer.text
    assert len(made(backend, line)) == 1

    clock.ahead_ms = DAY_MS - 60_000
    assert replayed(api(line, json=body, headers=key("one")))
    clock.ahead_ms = DAY_MS + 60_000  # the row is still there: TTL deletes late
    later = api(line, json={**body, "name": "Other"}, headers=key("one"))
    assert later.status == 201
    assert not replayed(later)
    assert len(made(backend, line)) == 2


def test_without_a_key_each_request_creates(api: Api, backend: Backend) -> None:
    for line, body in CREATES.items():
        answers = [api(line, json=body) for _ in range(3)]
        assert [answer.status for answer in answers] == [201] * 3, answers
        assert len({answer.json()["id"] for answer in answers}) == len(made(backend, line)) == 3
    assert backend.rows("IdempotencyTable") == []


def test_keys_mean_something_for_one_caller_and_one_route(api: Api, backend: Backend) -> None:
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
        (KEYS, {"name": "k", "scopes": ["webhooks:write"]}, callers[:3]),  # a key makes no key
    ]
    for line, body, callers in creates:
        answers = [api(line, json=body, headers=key("same"), token=caller) for caller in callers]
        assert [answer.status for answer in answers] == [201] * len(callers)
        assert not any(map(replayed, answers))
        assert len({answer.json()["id"] for answer in answers}) == len(callers)
        for caller, first in zip(callers, answers, strict=True):
            assert api(line, json=body, headers=key("same"), token=caller).text == first.text


def test_whoever_lost_the_scope_gets_no_replay(api: Api) -> None:
    assert api(WEBHOOKS, json=WEBHOOK, headers=key("k")).status == 201
    viewer = jwt_for("acme", role="viewer")
    refused(api(WEBHOOKS, json=WEBHOOK, headers=key("k"), token=viewer), 403, "forbidden")


def test_a_stored_answer_is_encrypted(api: Api, backend: Backend) -> None:
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
        assert set(row) == {"id", "bodyHash", "owner", "ttl", "answer"}
        assert re.fullmatch("[0-9a-f]{64}", row["id"])  # nothing of the caller's own text


@pytest.mark.parameters(MaxWebhooks=1, MaxApiKeys=1)
def test_a_refused_request_frees_the_key(api: Api, backend: Backend) -> None:
    private = {**WEBHOOK, "url": "http://10.0.0.1/"}
    beyond = {**KEY, "scopes": ["actions:handle"]}
    for line, bad, good, status in (
        (WEBHOOKS, private, WEBHOOK, 422),
        (KEYS, beyond, KEY, 403),
    ):
        assert api(line, json={**good, "name": 5}, headers=key("k")).status == 422
        assert api(line, json=bad, headers=key("k")).status == status
        assert backend.rows("IdempotencyTable") == [] or line == KEYS
        first = api(line, json=good, headers=key("k"))
        assert first.status == 201

        refused(api(line, json=good, headers=key("full")), 409, "conflict")
        path = f"/{first.json()['id']}"
        assert api(line.replace("POST", "DELETE") + path).status == 200
        assert api(line, json=good, headers=key("full")).status == 201
        assert replayed(api(line, json=good, headers=key("k")))  # though it was deleted since


@steady
def test_two_at_once_make_one(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    """The second request runs as a whole before each of the first one's calls."""
    for line, number, headers in every_call(api, "before", CREATES):
        body, before = CREATES[line], len(made(backend, line))
        with (
            subtests.test(f"{line}, before call {number}"),
            at_call(number, "before", partial(api, line, json=body, headers=headers)) as hook,
        ):
            answers = [api(line, json=body, headers=headers), hook.answer]
            assert len(made(backend, line)) == before + 1
            created = [answer for answer in answers if answer.status == 201]
            assert len({answer.text for answer in created}) == 1
            for answer in answers:
                if answer.status != 201:
                    still_running(answer)
            assert api(line, json=body, headers=headers).text == created[0].text


@steady
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_may_die_at_any_call(
    api: Api, backend: Backend, clock: Clock, subtests: pytest.Subtests, moment: str
) -> None:
    for line, number, headers in every_call(api, moment, CREATES):
        body, before = CREATES[line], len(made(backend, line))
        with subtests.test(f"{line}, dies {moment} call {number}"):
            with at_call(number, moment, die):
                assert api(line, json=body, headers=headers).status == 500
            soon = api(line, json=body, headers=headers)
            if soon.status != 201:
                still_running(soon)
            other = api(line, json={**body, "name": "Other"}, headers=headers)
            refused(other, 422, "idempotency_mismatch")
            clock.ahead_ms += LEASE_MS + 1000
            then = api(line, json=body, headers=headers)
            assert then.status == 201
            assert then.json()[SECRETS[line]]
            assert len(made(backend, line)) == before + 1
            assert api(line, json=body, headers=headers).text == then.text


@steady
def test_a_late_commit_is_refused(
    api: Api, backend: Backend, clock: Clock, subtests: pytest.Subtests
) -> None:
    """The first request stalls past its lease before any of its calls; another takes over meanwhile."""
    for line, number, headers in every_call(api, "before", CREATES):
        body, before = CREATES[line], len(made(backend, line))

        def take_over(line: str = line, headers: dict[str, str] = headers) -> Answer:
            clock.ahead_ms += LEASE_MS + 1000
            return api(line, json=CREATES[line], headers=headers)

        with (
            subtests.test(f"{line}, stalls before call {number}"),
            at_call(number, "before", take_over) as hook,
        ):
            first, second = api(line, json=body, headers=headers), hook.answer
            assert second.status == 201
            assert len(made(backend, line)) == before + 1
            if first.status == 201:
                assert first.text == second.text
            else:
                refused(first, 409, "conflict")
            again = api(line, json=body, headers=headers)
            assert replayed(again)
            assert again.text == second.text


# ── events ───────────────────────────────────────────────────────────────────────────────────────────


def subscribe(api: Api) -> None:
    body = {"name": "test", "url": "https://receiver.example/", "events": ["POST_PUBLISHED"]}
    assert api("POST /api/integrations/webhooks", json=body).status == 201


def sent(backend: Backend) -> list[dict[str, Any]]:
    """The deliveries that were queued, and the events that were left to the fan-out's worker."""
    found = [*backend.messages("DeliveriesQueue"), *backend.messages("EventsQueue")]
    return [json.loads(message["body"]) for message in found]


def sent_events(backend: Backend) -> set[str]:
    """The ids of the events of what was sent."""
    return {message.get("event_id") or message["id"] for message in sent(backend)}


def test_an_event_repeated_is_the_same_event_sent_again(api: Api, backend: Backend, clock: Clock) -> None:
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
    messages = sent(backend)
    assert len(messages) == 6  # a lost send is made good; the delivery's row drops what was delivered
    assert len({message["id"] for message in messages}) == 1
    wanted = {**first.json(), "data": EVENT["data"]}
    assert all(json.loads(message["body"]) == wanted for message in messages)

    for change in (
        {"type": "POST_FAILED"},
        {"data": {**EVENT["data"], "a": 2}},
        {"data": POST},
    ):
        other = {**EVENT, **change}
        refused(api(EVENTS, json=other, headers=key("e")), 422, "idempotency_mismatch")
        refused(api(EVENTS, json={**other, "idempotencyKey": "e"}), 422, "idempotency_mismatch")
    differ = refused(
        api(EVENTS, json={**EVENT, "idempotencyKey": "f"}, headers=key("e")), 422, "validation_failed"
    )
    assert differ.json()["errors"][0]["path"] == "idempotencyKey"
    assert sent(backend) == []

    (row,) = backend.rows("IdempotencyTable")
    assert row["ttl"] >= now_ms() // 1000 + 30 * 86_400 - 60  # as long as the event is kept
    clock.ahead_ms = 30 * DAY_MS + 60_000
    later = api(EVENTS, json={**EVENT, "data": {**POST, "new": True}}, headers=key("e"))
    assert later.status == 202
    assert later.json()["id"] != first.json()["id"]


def test_event_keys_are_the_callers_own(api: Api) -> None:
    own = api(KEYS, json={"name": "k", "scopes": ["events:publish"]}).json()["key"]
    other_person = jwt_for("acme", claims={"sub": "someone else"}, role="owner")
    callers = [jwt_for("acme"), other_person, jwt_for("rival"), jwt_for("platform"), own]
    ids = [api(EVENTS, json=EVENT, headers=key("e"), token=caller).json()["id"] for caller in callers]
    assert len(set(ids)) == len(callers)
    assert len({api(EVENTS, json=EVENT).json()["id"] for _ in range(3)}) == 3

    # The platform's key means one event, whichever workspace that is for.
    for_acme = {**EVENT, "workspaceId": "acme"}
    refused(
        api(EVENTS, json=for_acme, headers=key("e"), token=jwt_for("platform")), 422, "idempotency_mismatch"
    )


def test_a_refused_event_frees_the_key(api: Api, backend: Backend) -> None:
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
def test_a_publish_may_die_at_any_call(
    api: Api, backend: Backend, subtests: pytest.Subtests, moment: str
) -> None:
    """The repeat sends: one id, however often. A fan-out that fails is left to its worker."""
    subscribe(api)
    for line, number, headers in every_call(api, moment, {EVENTS: EVENT}):
        sent(backend)
        with subtests.test(f"dies {moment} call {number}"):
            with at_call(number, moment, die):
                assert api(line, json=EVENT, headers=headers).status in (202, 500)
            again = api(line, json=EVENT, headers=headers)
            assert again.status == 202
            assert sent_events(backend) == {again.json()["id"]}


@steady
def test_two_publishes_at_once_are_one_event(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    subscribe(api)
    for line, number, headers in every_call(api, "before", {EVENTS: EVENT}):
        sent(backend)
        with (
            subtests.test(f"before call {number}"),
            at_call(number, "before", partial(api, line, json=EVENT, headers=headers)) as hook,
        ):
            first = api(line, json=EVENT, headers=headers)
            assert first.json() == hook.answer.json()
            assert sent_events(backend) == {first.json()["id"]}
