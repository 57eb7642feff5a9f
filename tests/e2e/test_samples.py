"""Every function of template.yaml handles its sample event, in the Lambda runtime client."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local import gateway
from local.direct import handler_of
from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Function, Template
from local.testing import RunningStack
from tests.conftest import routes_of

PLACEHOLDER = re.compile(r"<make token WORKSPACE=(\w+)>")  # see events/README.md
TEMPLATE = Template(ROOT / "template.yaml", REQUIRED_PARAMETERS)
FUNCTIONS = TEMPLATE.functions()
ROUTES = {route.function: route for route in routes_of(TEMPLATE)}


def path(function: Function) -> Path:
    """Return the path of a function's sample: webhooks.create.handler → events/webhooks/create.json."""
    module = function.handler.rpartition(".")[0]
    return ROOT / "events" / Path(*module.split(".")).with_suffix(".json")


def sample(name: str) -> Any:
    file = path(FUNCTIONS[name])
    assert file.is_file(), f"{name} has no sample event: write {file.relative_to(ROOT)}"
    return json.loads(file.read_text())


def with_token(event: Any, running: RunningStack) -> Any:
    return json.loads(PLACEHOLDER.sub(lambda match: running.token(match[1]), json.dumps(event)))


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_endpoint_handles_its_sample(name: str, running: RunningStack) -> None:
    route, event = ROUTES[name], sample(name)
    matched = gateway.read(TEMPLATE).match(event["requestContext"]["http"]["method"], event["rawPath"])
    assert matched == (route, event.get("pathParameters", {})), "the sample's path has another function"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == route.key

    answer = running.invoke(name, with_token(event, running))

    assert_endpoint_response(name, event, answer)


def assert_endpoint_response(name: str, event: Any, answer: Any) -> None:
    """Check the response of an endpoint to its sample."""
    route = ROUTES[name]
    parameters = event.get("pathParameters", {}).values()
    # The IDs, codes and OAuth states of samples do not exist, so lookups fail.
    if route.path in ("/api/portal/sessions/exchange", "/api/connect/session"):
        expected, content_type = 401, "application/problem+json"
    elif route.path.endswith(("/oauth/callback", "/templates/{key}/install")) or (
        route.key == "POST /api/connect/sessions"
    ):
        expected, content_type = 422, "application/problem+json"
    elif any(re.match("[a-z]{3}_", value) for value in parameters) or not route.path:
        expected, content_type = 404, "application/problem+json"
    else:
        expected, content_type = handler_of(FUNCTIONS[name]).endpoint["status"], "application/json"
    assert answer["statusCode"] == expected, answer
    if FUNCTIONS[name].handler.startswith(("docs.", "console.")):  # files: see test_reference, test_console
        media_type = "application/json" if route.path.endswith("openapi.json") else "text/html"
        assert answer["headers"]["content-type"] == f"{media_type}; charset=utf-8"
        assert answer["body"]
        return
    assert answer["headers"]["content-type"] == content_type
    assert isinstance(json.loads(answer["body"]), dict | list)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - ROUTES.keys()))
def test_worker_handles_its_sample(name: str, running: RunningStack) -> None:
    event = sample(name)
    answer = running.invoke(name, event)
    assert_worker_response(name, event, answer)
    # A worker moves an unreadable message to the dead-letter queue without failing the batch.
    for queue, url in running.queues.items():
        if queue.endswith("DeadLetterQueue"):
            assert "Messages" not in running.client("sqs").receive_message(QueueUrl=url), (
                f"the sample is in {queue}"
            )


def assert_worker_response(name: str, event: Any, answer: Any) -> None:
    """Check the response of a worker to its sample."""
    if "Records" in event:
        assert answer == {"batchItemFailures": []}
    elif name == "ReviewPublicationFunction":  # for an empty event, it lists what waits for operators
        assert (event, list(answer)) == ({}, ["waiting"])
    else:
        assert event["source"] == "aws.scheduler"
        # The counts of its work vary, because other tests leave work in the shared stack.
        assert answer
        assert all(isinstance(count, int) for count in answer.values())


def test_sample_without_a_token_is_rejected(running: RunningStack) -> None:
    for name, route in ROUTES.items():
        event = sample(name)
        if "authorization" in event["headers"]:
            answer = running.invoke(name, event)
            assert answer["statusCode"] == 401, f"{route.key}: {answer}"


def test_every_sample_has_a_function() -> None:
    samples = {str(file.relative_to(ROOT)) for file in (ROOT / "events").rglob("*.json")}
    assert samples == {str(path(function).relative_to(ROOT)) for function in FUNCTIONS.values()}
