"""Functions in the containers of `sam local`, on the local stack.

The containers are in a network whose addresses look public, so that functions may call receivers in it. The
stack's own workers are off: only containers read the queues.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from samtranslator.yaml_helper import yaml_parse

from local import containers
from local.settings import ROOT
from local.testing import RunningStack, stack
from tools import debian, docker_engine, lambda_image, sam_build

NETWORK = "patchbay-test"
# A public range that is allocated, but not announced on the Internet.
SUBNET = "11.254.254.0/26"
START_SECONDS = 120


@pytest.fixture(scope="session")
def _engine() -> Iterator[None]:
    """Run Docker. If it cannot run, CI fails, and other machines skip the tests."""
    with contextlib.ExitStack() as cleanup:
        try:
            cleanup.enter_context(docker_engine.running())
        except docker_engine.Unavailable as reason:
            unavailable(str(reason))
        yield


def unavailable(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose functions do not read queues."""
    folder = tmp_path_factory.mktemp("template")
    document = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            resource["Properties"]["Enabled"] = False
    (folder / "template.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    for name in ("functions", "layers"):
        (folder / name).symlink_to(ROOT / name)
    with stack(tmp_path_factory.mktemp("stack"), template=folder / "template.yaml") as running:
        yield running


@pytest.fixture(scope="session")
def host(_engine: None, running: RunningStack) -> Iterator[str]:
    """The address at which containers reach this machine, and the stack on it."""
    address = containers.ensure_network(NETWORK, "--subnet", SUBNET)
    ready, stop = threading.Event(), asyncio.Event()

    async def relay() -> None:
        async with containers.relayed(running.describe(), address):
            ready.set()
            await stop.wait()

    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(loop.run_until_complete, relay())
        try:
            while not ready.wait(0.1):
                assert not ended.done(), ended.result()
            yield address
        finally:
            loop.call_soon_threadsafe(stop.set)
    subprocess.run(["docker", "network", "rm", NETWORK], capture_output=True)


@dataclass(frozen=True)
class Artifact:
    """A build, and what its containers need."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        return [
            *sam_build.SAM,
            "local",
            *arguments,
            *("--template-file", str(self.folder / "template.yaml")),
            *("--env-vars", str(self.folder / containers.VARIABLES)),
            *("--docker-network", NETWORK, "--skip-pull-image"),
        ]

    @contextlib.contextmanager
    def serving(self, kind: str, log: Path, *options: str) -> Iterator[str]:
        """Run `sam local start-api` or `start-lambda` during the block. Yields its URL."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("wb") as output:
            command = [*self.command(kind, *options), "--port", str(port)]
            command[: len(sam_build.SAM)] = [sam_build.SAM[0], str(Path(__file__).with_name("sam_cli.py"))]
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="session")
def native(host: str, running: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The build for this machine's architecture."""
    architecture = debian.native()
    assert architecture
    folder = tmp_path_factory.mktemp("native")
    lambda_image.provide(architecture)
    sam_build.build(folder, architecture)
    containers.prepare(folder, running.state, running.describe(), host)
    return Artifact(folder)


def lambda_client(url: str) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=300),
    )
