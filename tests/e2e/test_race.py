"""One API key in several processes at once, on the stack's DynamoDB, through the library's guard."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

import pytest

from local.testing import RunningStack
from tests.catalogued import POST
from tests.e2e.conftest import Workspace, environment

SPAWN = get_context("spawn")
PROCESSES = 8
LIMIT = 100
TRIES = 400
_start: Any = None


def start_process(variables: Mapping[str, str], start: Any = None) -> None:
    """Give this process the environment of a function of the stack. The processes share nothing else."""
    global _start
    os.environ.update(variables)
    _start = start


def admit(token: str) -> str:
    """Return the guard's decision on one request."""
    from patchbay.api_keys import guard
    from patchbay.errors import RateLimited

    try:
        guard.admit(token)
    except guard.InvalidKey as error:
        return error.reason
    except RateLimited:
        return "RATE_LIMITED"
    return "ADMITTED"


def hammer(token: str, tries: int) -> list[str]:
    """Send requests, starting when every process is ready."""
    _start.wait(60)
    return [admit(token) for _ in range(tries)]


def scopes(token: str) -> set[str]:
    """Return the scopes that the guard gives the next request with this key."""
    from patchbay.api_keys import guard

    return set(guard.admit(token).principal.scopes)


def revoke(workspace: str, key_id: str) -> None:
    from patchbay.api_keys import service
    from patchbay.auth.principal import in_process
    from patchbay.ids import ApiKeyId

    service.revoke(in_process(workspace, "events:read", "events:publish"), ApiKeyId(key_id))


def change(workspace: str, key_id: str, body: str) -> None:
    """Update the key as PUT does, for a caller with every scope of these tests."""
    from patchbay.api_keys import service
    from patchbay.api_keys.models import UpdateApiKey
    from patchbay.auth.principal import in_process
    from patchbay.ids import ApiKeyId

    caller = in_process(workspace, "events:read", "events:publish")
    service.update(caller, ApiKeyId(key_id), UpdateApiKey.model_validate_json(body))


def replace(workspace: str, key_id: str) -> str:
    """Rotate the key without overlap, and return the new key."""
    from patchbay.api_keys import service
    from patchbay.api_keys.models import RotateApiKey
    from patchbay.auth.principal import in_process
    from patchbay.ids import ApiKeyId

    caller = in_process(workspace, "events:read", "events:publish")
    return service.rotate(caller, ApiKeyId(key_id), RotateApiKey(overlap_seconds=0)).key


@pytest.fixture(scope="module")
def variables(running: RunningStack) -> dict[str, str]:
    return environment(running, "PublishEventFunction")


def test_concurrent_processes_do_not_exceed_the_limit(
    workspace: Workspace, variables: dict[str, str]
) -> None:
    key = workspace.key("events:read", rateLimitPerHour=LIMIT, rateLimitPerDay=10_000)
    start = SPAWN.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, SPAWN, start_process, (variables, start)) as pool:
        decisions = list(pool.map(hammer, [key["key"]] * PROCESSES, [TRIES // PROCESSES] * PROCESSES))
    counted = Counter(decision for process in decisions for decision in process)
    assert counted == {"ADMITTED": LIMIT, "RATE_LIMITED": TRIES - LIMIT}
    assert sum("ADMITTED" in process for process in decisions) > 1, "no race: one process got all"
    shown = workspace(f"GET /api/integrations/api-keys/{key['id']}")
    assert shown["usage"]["total"] == LIMIT
    assert workspace.ask("GET /api/events", token=key["key"]).status_code == 429


Pools = tuple[ProcessPoolExecutor, ProcessPoolExecutor]


@pytest.fixture(scope="module")
def processes(variables: dict[str, str]) -> Iterator[Pools]:
    """Two processes that share only the stack's data."""
    with (
        ProcessPoolExecutor(1, SPAWN, start_process, (variables,)) as one,
        ProcessPoolExecutor(1, SPAWN, start_process, (variables,)) as other,
    ):
        yield one, other


def test_key_revoked_in_one_process_is_rejected_in_another(workspace: Workspace, processes: Pools) -> None:
    key = workspace.key("events:read")
    one, other = processes
    for process in processes:
        assert process.submit(admit, key["key"]).result() == "ADMITTED"
    one.submit(revoke, workspace.name, key["id"]).result()
    for process in (other, one):
        assert process.submit(admit, key["key"]).result() == "REVOKED"


def test_key_rotated_in_one_process_is_rejected_in_another(workspace: Workspace, processes: Pools) -> None:
    key = workspace.key("events:read")
    one, other = processes
    assert other.submit(admit, key["key"]).result() == "ADMITTED"
    new = one.submit(replace, workspace.name, key["id"]).result()
    assert other.submit(admit, key["key"]).result() == "EXPIRED"
    assert other.submit(admit, new).result() == "ADMITTED"


def test_expiry_shortened_in_one_process_applies_in_another(workspace: Workspace, processes: Pools) -> None:
    key = workspace.key("events:read", expiresAt="2999-01-01T00:00:00Z")
    one, other = processes
    assert other.submit(admit, key["key"]).result() == "ADMITTED"
    # The first change imports modules, which takes seconds on a busy machine.
    one.submit(change, workspace.name, key["id"], json.dumps({"name": "renamed"})).result()
    ends = datetime.now(UTC) + timedelta(seconds=2)
    one.submit(change, workspace.name, key["id"], json.dumps({"expiresAt": ends.isoformat()})).result()
    time.sleep(max((ends - datetime.now(UTC)).total_seconds(), 0) + 0.001)
    assert other.submit(admit, key["key"]).result() == "EXPIRED"


def test_scopes_removed_in_one_process_are_missing_in_another(workspace: Workspace, processes: Pools) -> None:
    key = workspace.key("events:read", "events:publish")
    one, other = processes
    assert other.submit(scopes, key["key"]).result() == {"events:read", "events:publish"}
    one.submit(change, workspace.name, key["id"], json.dumps({"scopes": ["events:read"]})).result()
    assert other.submit(scopes, key["key"]).result() == {"events:read"}
    # The change also applies over HTTP, in a function that did not take part in it.
    answer = workspace.ask(
        "POST /api/events", json={"type": "POST_PUBLISHED", "data": POST}, token=key["key"]
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "events:publish" in answer.json()["detail"]
