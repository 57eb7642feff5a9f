"""CPU of warm requests in one process, compared with the bare AWS calls that they make.

The figures exclude the data services, which run in another process, and the time spent waiting for them.
"""

from __future__ import annotations

import importlib
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from local.direct import library_on
from local.testing import RunningStack, stack

ROUNDS = 40
_CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="bench")


def run() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(Path(folder)) as s,
        library_on(s),
    ):
        logging.disable(logging.INFO)
        api = httpx.Client(
            base_url=s.url, headers={"authorization": f"Bearer {s.token('bench')}"}, timeout=30
        )
        key = _create(
            api,
            "api-keys",
            name="bench",
            scopes=["events:publish", "webhooks:read", "credentials:read"],
            rateLimitPerHour=1_000_000,
            rateLimitPerDay=1_000_000,
        )
        print(f"warm CPU, median of {ROUNDS} rounds in turn")
        _requests(s, key["key"], key["id"])
        _tokens(_create(api, "", name="bench", type="CRM")["id"], api, key["key"])
        logging.disable(logging.NOTSET)


def _create(api: httpx.Client, kind: str, **body: object) -> Any:
    answer = api.post(f"/api/integrations/{kind}".rstrip("/"), json=body)
    answer.raise_for_status()
    return answer.json()


def _requests(s: RunningStack, token: str, key_id: str) -> None:
    from patchbay import aws
    from patchbay.api_keys import guard
    from patchbay.api_keys.key_format import parse
    from patchbay.settings import settings

    admission = {
        "TableName": settings().rate_limits_table,
        "Key": {"id": {"S": "bench"}},
        "UpdateExpression": "SET n = if_not_exists(n, :zero) + :one",
        "ConditionExpression": "attribute_not_exists(n) OR n < :limit",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}, ":limit": {"N": "999999999"}},
        "ReturnValues": "ALL_NEW",
    }
    message = {"QueueUrl": s.queues["EventsDeadLetterQueue"], "MessageBody": "{}" * 100}

    def bare_update() -> None:
        aws.call("dynamodb", "UpdateItem", admission)

    def bare_send() -> None:
        aws.call("sqs", "SendMessage", message)

    publish = importlib.import_module("events.publish").handler
    event = _event(
        "POST /api/events",
        token,
        {"type": "CAMPAIGN_COMPLETED", "data": {"campaignId": "cmp_1", "name": "Spring"}},
    )
    times = _interleaved(
        {
            "bare UpdateItem": bare_update,
            "API-key admission": lambda: guard.admit(token),
            "bare SendMessage": bare_send,
            "POST /api/events, API key": lambda: _expect(publish(event, _CONTEXT), 202),
        }
    )
    ratio = times["API-key admission"] / times["bare UpdateItem"]
    print(f"  admission is {ratio:.2f} × its bare call")
    bad = token[:-1] + ("0" if token[-1] != "0" else "1")
    started = time.process_time_ns()
    for _ in range(1000):
        if parse(settings().api_key_prefix, bad) is not None:
            raise RuntimeError("a bad checksum was accepted")
    print(
        f"  a bad checksum is rejected in {(time.process_time_ns() - started) / 1e6:.1f} µs, without a call"
    )


def _tokens(integration: str, api: httpx.Client, key: str) -> None:
    """Get a connection's token without a refresh, and compare it with its three bare calls."""
    from patchbay import aws
    from patchbay.settings import settings

    path = f"/api/integrations/{integration}/connections"
    api.post(path, json={"credentials": {"apiKey": "bench"}}).raise_for_status()
    keys = {
        settings().integrations_table: {"workspaceId": {"S": "bench"}, "sk": {"S": integration}},
        settings().connections_table: {
            "integrationKey": {"S": f"bench#{integration}"},
            "name": {"S": "default"},
        },
    }
    reads: Any = {table: {"Keys": [row], "ConsistentRead": True} for table, row in keys.items()}
    entry: Any = {"integrationKey": {"S": "bench"}, "id": {"S": "log"}, "action": {"S": "token.issued"}}
    handler = importlib.import_module("connections.token").handler
    event = _event(f"GET {path}/default/token", key, None)
    event["pathParameters"] = {"id": integration, "connectionId": "default"}

    counting = {
        "TableName": settings().rate_limits_table,
        "Key": {"id": {"S": "bench"}},
        "UpdateExpression": "SET n = if_not_exists(n, :zero) + :one",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}},
    }

    def bare_calls() -> None:
        aws.call("dynamodb", "UpdateItem", counting)
        aws.call("dynamodb", "BatchGetItem", {"RequestItems": reads})
        aws.call("dynamodb", "PutItem", {"TableName": settings().activity_table, "Item": entry})

    times = _interleaved(
        {
            "bare Update, BatchGet, Put": bare_calls,
            "GET …/token, API key": lambda: _expect(handler(event, _CONTEXT), 200),
        }
    )
    ratio = times["GET …/token, API key"] / times["bare Update, BatchGet, Put"]
    print(f"  a token is {ratio:.2f} × its three bare calls")


def _interleaved(cases: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU seconds of each case. They run in turn, so that noise affects all equally."""
    for case in cases.values():
        case()
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            started = time.process_time()
            case()
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"  {name:32} {value * 1000:7.2f}")
    return medians


def _expect(answer: dict[str, Any], status: int) -> None:
    if answer["statusCode"] != status:
        raise RuntimeError(f"{answer['statusCode']}: {answer['body']}")


def _event(route: str, token: str, body: object) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"authorization": f"Bearer {token}", "content-type": "application/json"},
        "requestContext": {
            "requestId": "bench",
            "domainName": "127.0.0.1",
            "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
