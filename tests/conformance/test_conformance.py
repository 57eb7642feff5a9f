"""The API does what openapi.json says, for requests that schemathesis generates from it.

`make test-contract QUICK=1` runs a short part with a fixed seed. `make test-contract` runs all phases, as a
user and as an API key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import suite

SEED = int(os.environ.get("CONTRACT_SEED") or 1)
LONG_EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES") or 0)
SHORT_EXAMPLES = 3
# An API key cannot create API keys, because each would add its own limits. A rotation creates one too.
NOT_BY_KEY = {"POST /api/integrations/api-keys", "POST /api/integrations/api-keys/{id}/rotate"}
# The caller's workspace is the platform's, which cannot be erased.
NEVER = {"DELETE /api/workspace"}
Record = Callable[[str, object], None]


def check(result: suite.Result, record: Record, *, by_key: bool = False) -> None:
    caller = "an API key" if by_key else "a user"
    record("summary", f"contract tests as {caller}: {result.summary}, seed {SEED}")
    if result.exit_code:
        pytest.fail(result.output, pytrace=False)
    assert result.operations == {*suite.operations()}
    assert {address for address in result.addresses if not address.startswith("http://127.0.0.1:")} == set()
    never = {
        operation: statuses
        for operation, statuses in result.without_success.items()
        if operation not in NEVER and (not by_key or operation not in NOT_BY_KEY)
    }
    assert never == {}, "these never succeeded: give them valid values in hooks.py"


@pytest.mark.skipif(LONG_EXAMPLES > 0, reason="a part of the long run")
@pytest.mark.timeout(300)  # it starts every function
def test_short_run(tmp_path: Path, record_property: Record) -> None:
    result = suite.run(tmp_path, examples=SHORT_EXAMPLES, seed=SEED, phases=["fuzzing", "stateful"])
    check(result, record_property)


@pytest.mark.skipif(LONG_EXAMPLES == 0, reason="make test-contract")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("by_key", [False, True], ids=["a user", "an API key"])
def test_long_run(tmp_path: Path, record_property: Record, by_key: bool) -> None:
    result = suite.run(tmp_path, examples=LONG_EXAMPLES, seed=SEED, by_key=by_key)
    check(result, record_property, by_key=by_key)
