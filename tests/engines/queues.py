"""ElasticMQ in place of the SQS of moto and ministack (`make test-engines`).

ELASTICMQ is the folder of its jars. ElasticMQ has only one account, so each worker and each local stack runs
its own. Tests that move the time of the queues keep moto's SQS, because ElasticMQ uses the machine's clock.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from local.settings import ENDPOINT_VARIABLES
from tools.engines import elasticmq

JARS = os.environ.get("ELASTICMQ")
MOVING = {"pipeline", "source"}  # fixtures that move the time


def engine_for(request: pytest.FixtureRequest) -> str | None:
    """Return the URL of the ElasticMQ that has a test's queues, or None if moto has them."""
    moves = request.node.get_closest_marker("moto_queues") or MOVING.intersection(request.fixturenames)
    return None if moves or not JARS else _own(Path(JARS))


@cache
def _own(jars: Path) -> str:
    """Return the URL of this worker's ElasticMQ, which runs until the worker ends."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(elasticmq.running(jars))


@contextmanager
def of_a_stack() -> Iterator[dict[str, str]]:
    """Yields the environment variables of a local stack with its own ElasticMQ, which outlives the stack."""
    if not JARS:
        yield {}
        return
    with elasticmq.running(Path(JARS)) as url:
        yield {ENDPOINT_VARIABLES["sqs"]: url}
