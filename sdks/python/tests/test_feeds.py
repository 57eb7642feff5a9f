"""`follow` and `follow_async`: what they request and commit, against a scripted feed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Generator
from itertools import islice
from typing import Any

import httpx
import pytest

from patchbay_sdk import ApiError, AsyncPatchbay, Conflict, NotFound, Patchbay, PatchbayError
from patchbay_sdk.feeds import follow, follow_async
from patchbay_sdk.models import FeedItem

WEBHOOK = "whk_0355200000000000000001"


class Feed:
    """A pull webhook with events 1, 2 … and one consumer. `failures` are answers to the next requests."""

    is_async = False

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.committed = 0
        self.failures: list[int | type[Exception] | None] = []
        self.log: list[str] = []
        self.next_poll_ms = 0
        self.truncated = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        is_commit = request.url.path.endswith("/commit")
        body = json.loads(request.content) if is_commit else {}
        start = int(query.get("cursor", self.committed))
        self.log.append(f"commit {body['sequence']}" if is_commit else f"read after {query.get('cursor', 'consumer')}")
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, type):
            raise failure("scripted")
        if failure is not None:
            return httpx.Response(failure, json={"code": "scripted", "title": "T", "detail": "D"})
        if is_commit:
            self.committed = body["sequence"]
            return httpx.Response(200, json={**body, "lag": 0, "committedAt": "2026-11-27T09:30:00.000Z"})
        items = [
            {"sequence": n, "id": f"dlv_{n}", "eventId": f"evt_{n}", "eventType": "T", "payload": "{}", "headers": {}}
            for n in range(start + 1, min(self.count, start + int(query["limit"])) + 1)
        ]
        page = {"items": items, "cursor": str(start + len(items)), "hasMore": False}
        return httpx.Response(200, json={**page, "nextPollMs": self.next_poll_ms, "truncated": self.truncated})

    def follow(self, **options: object) -> Generator[FeedItem, None, None]:
        transport = httpx.MockTransport(self)
        settings: dict[str, Any] = {"base_url": "https://patchbay.example", "max_retries": 0}
        arguments: dict[str, Any] = {"consumer": "one", "limit": 2, **options}
        if self.is_async:
            async_client = AsyncPatchbay("sk_test", http_client=httpx.AsyncClient(transport=transport), **settings)
            return driven(follow_async(async_client, WEBHOOK, **arguments))
        client = Patchbay("sk_test", http_client=httpx.Client(transport=transport), **settings)
        return follow(client, WEBHOOK, **arguments)


def driven(items: AsyncGenerator[FeedItem, None]) -> Generator[FeedItem, None, None]:
    """The items of an asynchronous generator, which ends together with this one."""
    loop = asyncio.new_event_loop()
    try:
        while True:
            yield loop.run_until_complete(anext(items))
    finally:
        loop.run_until_complete(items.aclose())
        loop.close()


class Stop(Exception):
    """Ends a loop that would run forever."""


@pytest.fixture(autouse=True, params=[False, True], ids=["follow", "follow_async"])
def _follower(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Feed, "is_async", request.param)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            raise Stop

    async def sleep_async(seconds: float) -> None:
        sleep(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr("asyncio.sleep", sleep_async)
    return waits


def test_what_is_done_is_committed_before_the_next_request() -> None:
    feed = Feed(3)
    items = feed.follow()
    assert [(next(items).sequence, feed.committed) for _ in range(3)] == [(1, 0), (2, 0), (3, 2)]
    with pytest.raises(Stop):
        next(items)
    assert feed.log[:5] == ["read after consumer", "commit 2", "read after 2", "commit 3", "read after 3"]
    assert set(feed.log[5:]) == {"read after 3"}, "a position is committed once"


def test_the_end_of_the_loop_commits_what_is_done() -> None:
    feed = Feed(3)
    items = feed.follow()
    assert [item.sequence for item in islice(items, 2)] == [1, 2]
    items.close()
    assert feed.committed == 1, "2 was handed out, but the loop did not ask for the next one"


def test_an_exception_of_the_loop_s_body_leaves_its_event_for_the_next_time() -> None:
    feed = Feed(3)

    def run() -> None:
        for item in feed.follow():
            if item.sequence == 2:
                raise Stop

    with pytest.raises(Stop):
        run()
    assert next(feed.follow()).sequence == 2


def test_after_a_crash_what_was_not_committed_comes_again() -> None:
    feed = Feed(4)
    items = feed.follow()
    seen = [next(items).sequence for _ in range(3)]
    feed.failures = [httpx.ConnectError]  # the machine is cut off, so the end commits nothing
    items.close()
    seen += [item.sequence for item in islice(feed.follow(), 2)]
    assert seen == [1, 2, 3, 3, 4]


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, 500, 503, 429])
def test_an_interruption_is_waited_out(failure: int | type[Exception], slept: list[float]) -> None:
    feed = Feed(3)
    feed.failures = [failure, None, failure, failure]  # a read, and twice the commit
    errors: list[PatchbayError] = []
    items = feed.follow(on_interruption=errors.append)
    assert [next(items).sequence for _ in range(3)] == [1, 2, 3]
    assert len(errors) == len(slept) == 3
    assert 1 <= slept[0] <= 2
    assert 2 <= slept[2] <= 4, "the pauses grow while it lasts"
    assert feed.log == ["read after consumer"] * 2 + ["commit 2"] * 3 + ["read after 2"]


def test_pauses_of_a_long_interruption_are_short(slept: list[float]) -> None:
    feed = Feed()
    feed.failures = [503] * 9
    with pytest.raises(Stop):
        next(feed.follow())
    assert max(slept) <= 10


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (409, Conflict), (401, ApiError)])
def test_a_problem_that_does_not_pass_is_raised(status: int, error: type[ApiError], slept: list[float]) -> None:
    feed = Feed(1)
    items = feed.follow()
    next(items)
    feed.failures = [status]
    with pytest.raises(error):
        next(items)
    assert slept == []


def test_an_empty_feed_is_not_polled_without_pause(slept: list[float]) -> None:
    feed = Feed()
    with pytest.raises(Stop):
        next(feed.follow())
    assert slept == [0.1] * 5
    assert len(feed.log) == 5
    slept.clear()
    feed.next_poll_ms = 5_000
    with pytest.raises(Stop):
        next(feed.follow(wait=0))
    assert slept == [5] * 5


def test_events_that_are_no_longer_stored_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed(1)
    feed.truncated = True
    with caplog.at_level(logging.WARNING, "patchbay_sdk"):
        next(feed.follow())
    assert "no longer stored" in caplog.text
