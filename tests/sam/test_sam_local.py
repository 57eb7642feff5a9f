"""Every function and the main job run in Lambda's container."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from samtranslator.yaml_helper import yaml_parse

from local import containers
from local.settings import REGION, ROOT
from local.testing import RunningStack, eventually
from tests.catalogued import POST
from tests.e2e.conftest import API_KEYS, WEBHOOKS, verify
from tests.e2e.test_samples import (
    FUNCTIONS,
    ROUTES,
    assert_endpoint_response,
    assert_worker_response,
    sample,
    with_token,
)
from tests.receivers import receiver
from tests.sam.conftest import Artifact, lambda_client, unavailable
from tools import docker_engine, lambda_image, sam_build

pytestmark = pytest.mark.timeout(1800)
# The functions of the main job, which also run on arm64.
EMULATED = ["HealthFunction", "PublishEventFunction", "DeliverFunction"]
EMULATED_TIMEOUT = 120  # seconds; emulation takes about 20 times as long
MAX_MESSAGES = 3
WORKSPACE = "sam"  # the samples use other workspaces
QUEUES = {"DeliveriesQueue": "DeliverFunction", "SlowDeliveriesQueue": "DeliverSlowFunction"}


def invoke(client: Any, name: str, event: Any) -> Any:
    """Invoke a function in its container, and return its response."""

    def attempt() -> tuple[Any, bytes] | None:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        content = answer["Payload"].read()
        # SAM returns nothing until the container listens, which takes seconds under emulation.
        return (answer, content) if content else None

    answer, content = eventually(attempt, EMULATED_TIMEOUT)
    assert "FunctionError" not in answer, f"{name}: {content!r}"
    return json.loads(content)


def invoke_samples(url: str, names: list[str], running: RunningStack) -> None:
    """Invoke the functions with their samples, two at a time."""
    client = lambda_client(url)

    def handle(name: str) -> str | None:
        event = sample(name)
        began = time.monotonic()
        try:
            answer = invoke(client, name, with_token(event, running))
            check = assert_endpoint_response if name in ROUTES else assert_worker_response
            check(name, event, answer)
        except Exception as error:
            return f"{name}: {error}"
        finally:
            print(f"  {name} {time.monotonic() - began:.1f} s", file=sys.__stderr__, flush=True)
        return None

    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(handle, names) if failure]
    assert not failures, "\n".join(failures)


def test_every_function_handles_its_sample(native: Artifact, running: RunningStack, tmp_path: Path) -> None:
    with native.serving("start-lambda", tmp_path / "log") as url:
        # Endpoints first: a worker creates the event that one of them must not find.
        invoke_samples(url, [*sorted(ROUTES), *sorted(FUNCTIONS.keys() - ROUTES.keys())], running)


@pytest.mark.parametrize("name", ["HealthFunction", "CreateWebhookFunction", "ExpireKeysFunction"])
def test_invoke_handles_the_prepared_sample(name: str, native: Artifact) -> None:
    module = FUNCTIONS[name].handler.rpartition(".")[0].replace(".", "/")
    event = native.folder / "events" / f"{module}.json"
    command = native.command("invoke", name, "--event", str(event))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    check = assert_endpoint_response if name in ROUTES else assert_worker_response
    check(name, sample(name), answer)


def test_event_reaches_its_receiver(
    native: Artifact, running: RunningStack, host: str, tmp_path: Path
) -> None:
    headers = {"authorization": f"Bearer {running.token(WORKSPACE)}"}
    with (
        receiver(host=host) as inbox,
        native.serving("start-api", tmp_path / "api.log") as api,
        native.serving("start-lambda", tmp_path / "lambda.log") as functions,
        httpx.Client(base_url=api, headers=headers, timeout=120, trust_env=False) as http,
    ):
        body = {"name": "receiver", "url": inbox.url, "eventTypes": ["POST_PUBLISHED"]}
        webhook = http.post(WEBHOOKS, json=body)
        assert webhook.status_code == 201, webhook.text
        key = http.post(API_KEYS, json={"name": "publisher", "scopes": ["events:publish"]})
        assert key.status_code == 201, key.text
        published = http.post(
            "/api/events",
            json={"type": "POST_PUBLISHED", "data": POST},
            headers={"authorization": f"Bearer {key.json()['key']}"},
        )
        assert published.status_code == 202, published.text

        client = lambda_client(functions)
        for _ in range(MAX_MESSAGES):  # a new webhook's first delivery may change lanes
            if not inbox.requests:
                deliver_one(client, running)
        (received,) = inbox.requests
        verify(received, webhook.json()["secret"])
        assert json.loads(received.body)["id"] == published.json()["id"]
        (delivery,) = http.get(f"/api/events/{published.json()['id']}").json()["deliveries"]
        assert delivery["status"] == "DELIVERED"


def deliver_one(client: Any, running: RunningStack) -> None:
    """Pass a message from a delivery queue to its function, as Lambda's poller does."""
    sqs = running.client("sqs")

    def receive() -> tuple[str, dict[str, Any]] | None:
        for queue in QUEUES:
            found = sqs.receive_message(
                QueueUrl=running.queues[queue], MessageSystemAttributeNames=["All"], WaitTimeSeconds=1
            )
            for message in found.get("Messages", []):
                if json.loads(message["Body"])["workspace_id"] == WORKSPACE:
                    return queue, message
                sqs.delete_message(QueueUrl=running.queues[queue], ReceiptHandle=message["ReceiptHandle"])
        return None

    queue, message = eventually(receive)
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:patchbay-{queue}",
        "awsRegion": REGION,
    }
    assert invoke(client, QUEUES[queue], {"Records": [record]}) == {"batchItemFailures": []}


def test_functions_run_on_arm64(native: Artifact, running: RunningStack, host: str, tmp_path: Path) -> None:
    try:
        docker_engine.emulate_arm64()
    except docker_engine.Unavailable as reason:
        unavailable(str(reason))
    lambda_image.provide("arm64")
    folder = tmp_path / "arm64"
    # Only the libraries differ. The rest is the same as in the build for this machine.
    shutil.copytree(native.folder, folder, ignore=shutil.ignore_patterns("DependenciesLayer"))
    sam_build.build(tmp_path / "layer", "arm64", "DependenciesLayer")
    (tmp_path / "layer/DependenciesLayer").rename(folder / "DependenciesLayer")
    template = folder / "template.yaml"
    sam_build.tie(template, "arm64")
    document = yaml_parse(template.read_text())
    for owner in (
        document["Globals"]["Function"],
        *(document["Resources"][n]["Properties"] for n in EMULATED),
    ):
        owner["Timeout"] = EMULATED_TIMEOUT
    sam_build.write(template, document)
    containers.prepare(folder, running.state, running.describe(), host)
    warm = [*EMULATED, "--warm-containers", "EAGER"]
    with Artifact(folder).serving("start-lambda", tmp_path / "log", *warm) as url:
        invoke_samples(url, EMULATED, running)
