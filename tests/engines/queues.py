"""ElasticMQ in the place of moto's and ministack's SQS (`make test-engines`).

ELASTICMQ is the folder of its jars. It has one account only, so each worker and each local stack has its own.
Tests that move the time of the queues keep moto's: ElasticMQ's clock is the machine's.
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
    """The URL of the ElasticMQ that has the queues of a test, or None if moto has them."""
    moves = request.node.get_closest_marker("moto_queues") or MOVING.intersection(request.fixturenames)
    return None if moves or not JARS else _own(Path(JARS))


@cache
def _own(jars: Path) -> str:
    """This worker's ElasticMQ, which runs until the worker ends."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(elasticmq.running(jars))


@contextmanager
def of_a_stack() -> Iterator[dict[str, str]]:
    """Yields the environment of a local stack: it has an ElasticMQ of its own, which outlives the stack."""
    if not JARS:
        yield {}
        return
    with elasticmq.running(Path(JARS)) as url:
        yield {ENDPOINT_VARIABLES["sqs"]: url}
