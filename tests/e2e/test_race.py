"""One API key in many processes at once, on the stack's own DynamoDB, through the library's guard."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from local.testing import RunningStack
from tests.e2e.conftest import Workspace, environment

SPAWN = get_context("spawn")
PROCESSES = 8
LIMIT = 100
TRIES = 400
_start: Any = None


def begin(variables: Mapping[str, str], start: Any = None) -> None:
    """A process becomes one of the stack's functions: their environment, and nothing shared with others."""
    global _start
    os.environ.update(variables)
    _start = start


def admit(token: str) -> str:
    """What the guard says to one request."""
    from patchbay.api_keys import guard
    from patchbay.errors import RateLimited

    try:
        guard.admit(token)
    except guard.InvalidKey as refused:
        return refused.reason
    except RateLimited:
        return "RATE_LIMITED"
    return "ADMITTED"


def hammer(token: str, tries: int) -> list[str]:
    """Many requests, begun when every process is there."""
    _start.wait(60)
    return [admit(token) for _ in range(tries)]


def revoke(workspace: str, key_id: str) -> None:
    from patchbay.api_keys import service
    from patchbay.auth.principal import in_process
    from patchbay.ids import ApiKeyId

    service.revoke(in_process(workspace), ApiKeyId(key_id))


@pytest.fixture
def variables(running: RunningStack) -> dict[str, str]:
    return environment(running, "PublishEventFunction")


def test_eight_processes_admit_no_more_than_the_limit(
    workspace: Workspace, variables: dict[str, str]
) -> None:
    key = workspace.key("events:read", rateLimitPerHour=LIMIT, rateLimitPerDay=10_000)
    start = SPAWN.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, SPAWN, begin, (variables, start)) as pool:
        said = pool.map(hammer, [key["key"]] * PROCESSES, [TRIES // PROCESSES] * PROCESSES)
        answers = [list(each) for each in said]
    counted = Counter(answer for each in answers for answer in each)
    assert counted == {"ADMITTED": LIMIT, "RATE_LIMITED": TRIES - LIMIT}
    assert sum("ADMITTED" in each for each in answers) > 1, "one process had it all: that was no race"
    shown = workspace(f"GET /api/integrations/api-keys/{key['id']}")
    assert shown["usage"]["total"] == LIMIT
    assert workspace.ask("GET /api/events", token=key["key"]).status_code == 429


def test_a_key_revoked_in_one_process_is_refused_in_another(
    workspace: Workspace, variables: dict[str, str]
) -> None:
    key = workspace.key("events:read")
    with (
        ProcessPoolExecutor(1, SPAWN, begin, (variables,)) as one,
        ProcessPoolExecutor(1, SPAWN, begin, (variables,)) as other,
    ):
        for process in (one, other):
            assert process.submit(admit, key["key"]).result() == "ADMITTED"
        one.submit(revoke, workspace.name, key["id"]).result()
        for process in (other, one):
            assert process.submit(admit, key["key"]).result() == "REVOKED"
