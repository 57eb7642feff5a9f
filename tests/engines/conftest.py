"""Clients for each engine. Each test gets tables and queues with its own names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from local.services import Ministack
from local.settings import ENDPOINT_VARIABLES, REGION
from tools.engines import elasticmq

OPTIONS: dict[str, Any] = {
    "region_name": REGION,
    "aws_access_key_id": f"test{os.environ.get('PYTEST_XDIST_WORKER', '')}",
    "aws_secret_access_key": "test",
    "config": Config(retries={"total_max_attempts": 1}, read_timeout=20, max_pool_connections=20),
}


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with asyncio.Runner() as runner:
        running = runner.run(Ministack.start(tmp_path_factory.mktemp("ministack")))
        yield running.url
        runner.run(running.stop())


@pytest.fixture(scope="module")
def elasticmq_url() -> Iterator[str]:
    with elasticmq.running(Path(os.environ["ELASTICMQ"])) as url:
        yield url


@pytest.fixture
def sqs(engine: str, request: pytest.FixtureRequest) -> Any:
    """An SQS client for the `engine` that the test's parameters name."""
    return _client("sqs", {"ElasticMQ": "elasticmq_url"}, engine, request)


@pytest.fixture
def dynamodb(engine: str, request: pytest.FixtureRequest) -> Any:
    """A DynamoDB client for the `engine` that the test's parameters name."""
    if engine == "DynamoDB Local":
        return boto3.client("dynamodb", endpoint_url=os.environ[ENDPOINT_VARIABLES["dynamodb"]], **OPTIONS)
    return _client("dynamodb", {}, engine, request)


def _client(service: Any, fixtures: dict[str, str], engine: str, request: pytest.FixtureRequest) -> Any:
    url = request.getfixturevalue(fixtures.get(engine, engine))
    # Without a URL, the variables of `make test-engines` would take precedence over moto.
    endpoint = url or f"https://{service}.{REGION}.amazonaws.com"
    return boto3.client(service, endpoint_url=endpoint, **OPTIONS)
