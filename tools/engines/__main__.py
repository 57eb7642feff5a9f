"""Runs tests on DynamoDB Local and ElasticMQ instead of moto and ministack: `make test-engines`.

ELASTICMQ tells the tests the folder of ElasticMQ's jars. ElasticMQ has only one account, so each pytest
worker and each local stack starts its own. All share one DynamoDB Local, which separates the tables of each
access key. The local stacks use one access key, and each of their tests has its own workspace.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from botocore.exceptions import BotoCoreError

from local.services import child
from local.settings import CREDENTIALS, ENDPOINT_VARIABLES, ROOT, Problem
from tools.engines import dynamodb_local, elasticmq, java
from tools.engines.java import say

# The race needs a DynamoDB that counts correctly; the others use every table, queue and function.
# docs/architecture/engines.md says what is left out, and why.
_RACE, *_END_TO_END = (
    f"tests/e2e/test_{name}.py" for name in ("race", "publish_to_receiver", "kill", "samples")
)
ALL = [
    "tests/engines",
    _RACE,
    *_END_TO_END,
    "tests/integration",
    "--ignore-glob=tests/integration/test_local_*",
]
# Where an engine makes a difference: transactions and conditions, indexes and pages, queues.
_QUICK = (
    "api_key_contention",
    "api_key_expiry",
    "audit_log",
    "capacity_units",
    "delivery",
    "disable_and_recover",
    "fan_out",
    "feeds",
    "guard",
    "health",
    "idempotency",
    "idempotent_operations",
    "lifecycle_events",
    "marketplace",
    "publish_batch",
    "roll_up",
    "runs",
    "upgrade",
    "webhook_test_event",
    "window_sweep",
    "workspace_deliveries",
    "workspace_erasure",
)
QUICK = ["tests/engines", _RACE, _END_TO_END[0], *(f"tests/integration/test_{name}.py" for name in _QUICK)]

WORKERS = 2
DOWNLOADS = Path(".tools")


def run_tests(arguments: Sequence[str], environment: dict[str, str]) -> int:
    """Run pytest, and return its exit code."""
    # Ctrl-C also reaches pytest, which stops its stacks and ends. The engine runs until then.
    signal.signal(signal.SIGINT, lambda *_: None)
    pytest = subprocess.Popen(
        child(signal.SIGINT, sys.executable, "-m", "pytest", *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        return pytest.wait()
    finally:
        if pytest.poll() is None:
            pytest.send_signal(signal.SIGINT)
            pytest.wait()


def main(arguments: Sequence[str]) -> int:
    """Run the tests, with more `arguments` for pytest, and return an exit code."""
    signal.signal(signal.SIGTERM, terminated)
    try:
        version = java.version()
        folder = dynamodb_local.locate(os.environ.get("DYNAMODB_LOCAL"), ROOT / DOWNLOADS / "dynamodb-local")
        queues = java.locate(elasticmq.PROGRAM, ROOT / DOWNLOADS / "elasticmq")
        with dynamodb_local.running(folder, version) as url:
            environment = {ENDPOINT_VARIABLES["dynamodb"]: url, "ELASTICMQ": str(queues)}
            chosen = QUICK if os.environ.get("QUICK") else ALL
            code = run_tests(["-n", str(WORKERS), "--dist", "loadfile", *chosen, *arguments], environment)
            keys = [CREDENTIALS["AWS_ACCESS_KEY_ID"], "test", *(f"testgw{n}" for n in range(WORKERS))]
            used = any(dynamodb_local.tables(url, key) for key in keys)
    except Problem as problem:
        say(str(problem))
        return 1
    except BotoCoreError as error:
        say(f"DynamoDB Local does not respond: {error}")
        return 1
    if not used:
        say("no test used DynamoDB Local: the tests ran on another engine")
        return code or 1
    return code


def terminated(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # runs the `finally` blocks, unlike the signal itself


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
