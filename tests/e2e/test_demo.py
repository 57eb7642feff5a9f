"""`python -m local demo`: the first pages that a visitor sees have data, and its history is reproducible."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from local import sign_in
from local.demo import bulk, provider, world
from local.demo.history import MINUTE, WEBHOOKS
from local.demo.testing import Demo, demo
from local.settings import ROOT
from local.testing import eventually
from patchbay.ids import LogId

ROWS = 1_000
LIST = "limit=100"


@pytest.fixture(scope="module")
def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory, now: int) -> Iterator[list[Demo]]:
    """Two demos with the same history."""
    folders = [tmp_path_factory.mktemp(f"demo{number}") for number in range(2)]
    with ExitStack() as running, ThreadPoolExecutor() as pool:
        started = [demo(folder, now_ms=now, rows=ROWS) for folder in folders]
        yield list(pool.map(running.enter_context, started))


@pytest.fixture(scope="module")
def d(demos: list[Demo]) -> Demo:
    return demos[0]


def get(d: Demo, path: str, **who: Any) -> Any:
    headers = {"authorization": f"Bearer {d.stack.token('demo', **who)}"}
    return httpx.get(f"{d.stack.url}{path}", headers=headers, timeout=60).raise_for_status().json()


def everything(d: Demo, path: str) -> list[Any]:
    """Return all items of a list, from all its pages."""
    items, cursor = [], ""
    while True:
        page = get(d, f"{path}{'&' if '?' in path else '?'}{LIST}{cursor}")
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        cursor = f"&cursor={page['nextCursor']}"


def webhooks(d: Demo) -> dict[str, Any]:
    return {each["name"]: each for each in everything(d, f"{WEBHOOKS}?include=stats,receiver")}


def test_webhooks_are_in_every_state(d: Demo) -> None:
    found = webhooks(d)
    assert {each["status"] for each in found.values()} == {"ACTIVE", "PAUSED", "INACTIVE", "DISABLED"}
    assert {each["source"] for each in found.values()} == {"api", "zapier", "make", "n8n"}
    assert {each["kind"] for each in found.values()} == {"push", "pull"}
    assert found["Legacy intranet"]["statusReason"] == "endpoint_gone"
    assert found["Data warehouse"]["stats"]["latencyMs"]["p50"] > 2_000
    assert found["Team chat"]["stats"]["successRate"] == 1
    assert found["On-call pager"]["stats"]["successRate"] in (None, 0)


def test_deliveries_have_their_attempts(d: Demo) -> None:
    statuses = {
        status: everything(d, f"/api/deliveries?status={status}")
        for status in ("FAILED", "HELD", "DELIVERED")
    }
    assert all(statuses.values())
    retried = [each for each in statuses["DELIVERED"] if each["attemptCount"] > 1]
    assert retried
    path = f"{WEBHOOKS}/{retried[0]['webhookId']}/deliveries/{retried[0]['id']}"
    attempts = get(d, path)["attempts"]
    assert len(attempts) == retried[0]["attemptCount"]
    assert attempts[0]["statusCode"] in (429, 500, 503)
    assert attempts[-1]["statusCode"] == 200


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        ("/api/connections", "status", {"ACTIVE", "EXPIRED", "ERROR"}),
        ("/api/integrations/api-keys", "status", {"ACTIVE", "EXPIRED", "REVOKED"}),
        ("/api/integrations", "status", {"ACTIVE", "INACTIVE", "PENDING_SETUP"}),
        ("/api/automations/runs", "status", {"PENDING", "SUCCEEDED", "FAILED"}),
        ("/api/tasks", "status", {"SUCCEEDED", "CANCELLED"}),
        ("/api/portal/sessions", "status", {"ACTIVE", "ENDED", "EXPIRED"}),
        ("/api/connect/sessions", "status", {"OPEN", "COMPLETED", "REVOKED", "EXPIRED"}),
    ],
)
def test_lists_have_each_state(d: Demo, path: str, field: str, values: set[str]) -> None:
    assert {each[field] for each in everything(d, path)} >= values


def test_logs_tell_who_did_it(d: Demo) -> None:
    actors = {each["actor"] for each in everything(d, "/api/audit")}
    assert {f"user:{person.id}" for person in world.PEOPLE[:3]} <= actors
    id = webhooks(d)["Storefront"]["id"]
    actions = {each["action"] for each in get(d, f"{WEBHOOKS}/{id}/logs?{LIST}")["items"]}
    assert len(actions) >= 2


def test_platform_has_a_review_to_decide(d: Demo) -> None:
    waiting = d.stack.invoke("ReviewPublicationFunction")["waiting"]
    assert {each["workspaceId"] for each in waiting} == {"demo", "harvest-labs"}
    names = {each["name"] for each in everything(d, "/api/integrations/marketplace")}
    assert {"Harvest Analytics", "Signal Lantern"} <= names
    assert not {"Doorbell Board", "Follower Fountain"} & names


def test_health_and_analytics_cover_the_hours(d: Demo, now: int) -> None:
    states = Counter(each["state"] for each in everything(d, "/api/integrations/health"))
    assert {"HEALTHY", "FAILING", "PAUSED", "DISABLED"} <= states.keys()
    (whole,) = get(d, "/api/integrations/analytics")["items"]
    assert sum(point["deliveries"]["attempts"] > 0 for point in whole["points"]) >= 7
    assert whole["deliveries"]["attempts"] >= ROWS * 6 // 8


def test_long_lists_are_as_the_product_writes_them(d: Demo) -> None:
    webhook = webhooks(d)[bulk.NAME]
    deliveries = everything(d, f"{WEBHOOKS}/{webhook['id']}/deliveries")
    assert len(deliveries) >= ROWS
    statuses = Counter(each["status"] for each in deliveries)
    assert statuses["FAILED"] == ROWS // 50
    event = get(d, f"/api/events/{deliveries[0]['eventId']}")
    assert [each["id"] for each in event["deliveries"]] == [deliveries[0]["id"]]
    stats = webhook["stats"]
    assert stats["failed"] == ROWS // 50
    assert stats["delivered"] >= ROWS - ROWS // 50  # plus some of the history


# ── reproducibility ──────────────────────────────────────────────────────────────────────────────────


def rows(d: Demo, table: str) -> list[dict[str, Any]]:
    pages = d.stack.client("dynamodb").get_paginator("scan").paginate(TableName=d.stack.tables[table])
    return [row for page in pages for row in page["Items"]]


def written(found: list[dict[str, Any]], key: str, prefix: str, now: int) -> set[str]:
    """Return the IDs with this prefix, except those that the running stack has added."""
    texts = {row[key]["S"] for row in found}
    return {text for text in texts if text.startswith(prefix) and LogId(text).time_ms <= now}


def test_same_seed_and_time_write_the_same(demos: list[Demo], now: int) -> None:
    for table, key, prefix in (
        ("EventsTable", "id", "evt_"),
        ("WebhooksTable", "sk", "whk_"),
        ("IntegrationsTable", "sk", "int_"),
        ("ApiKeysTable", "id", "key_"),
        ("AutomationsTable", "id", "run_"),
        ("ActivityTable", "id", "log_"),
    ):
        one, other = (written(rows(each, table), key, prefix, now) for each in demos)
        assert one == other, table
        assert len(one) > 5, table


def test_same_seed_and_time_make_the_same_attempts(demos: list[Demo], now: int) -> None:
    settled = now - 30 * MINUTE

    def told(d: Demo) -> dict[str, Any]:
        names = ("status", "reason", "attempts", "eventType", "createdAt", "deliveredAt", "success")
        return {
            row["sk"]["S"]: [_without_addresses(row.get(name)) for name in names]
            for row in rows(d, "DeliveriesTable")
            if row["sk"]["S"].startswith("dlv_") and int(row["createdAt"]["N"]) < settled
        }

    one, other = map(told, demos)
    assert one == other
    assert len(one) > ROWS / 2


def _without_addresses(value: Any) -> Any:
    """Return a value without the signature, which depends on secrets and ports."""
    if isinstance(value, dict) and "M" in value:
        return {k: _without_addresses(v) for k, v in value["M"].items() if k != "webhook-signature"}
    return value


# ── the fakes ────────────────────────────────────────────────────────────────────────────────────────


def exchange(d: Demo, code: str) -> Any:
    url = f"{d.stack.url}/api/portal/sessions/exchange"
    return httpx.post(url, json={"code": code}, timeout=60).raise_for_status().json()


def test_sign_in_opens_the_console_for_the_local_owner(d: Demo) -> None:
    address = sign_in.address(d.stack.url, d.stack.state)
    answer = httpx.get(f"{address}&workspace=demo&role=member")
    assert answer.status_code == 303
    origin, _, code = answer.headers["location"].partition("/console#code=")
    assert origin == d.stack.url
    exchanged = httpx.post(
        f"{d.stack.url}/api/portal/sessions/exchange", json={"code": code}, timeout=60
    ).json()
    assert exchanged["workspaceId"] == "demo"
    assert "webhooks:write" in exchanged["capabilities"]
    assert "integrations:write" not in exchanged["capabilities"]


@pytest.mark.parametrize("person", world.PEOPLE, ids=lambda person: person.role)
def test_platform_makes_a_session_for_its_user(d: Demo, person: world.Person) -> None:
    parts = urlsplit(d.platform)
    key = parts.fragment.removeprefix("key=")
    url = f"http://{parts.netloc}/session"
    body = {"person": person.id, "view": "/webhooks", "colorScheme": "dark"}
    link = httpx.post(url, json=body, headers={"x-key": key}, timeout=60).raise_for_status().json()["link"]
    code = link.partition("#code=")[2]
    session = httpx.post(
        f"{d.stack.url}/api/portal/sessions/exchange", json={"code": code}, timeout=60
    ).json()
    assert (session["label"], session["view"]) == (person.name, "/webhooks")
    assert session["theme"]["colorScheme"] == "dark"
    assert session["returnUrl"] == f"http://{parts.netloc}/"


def test_account_is_connected_at_the_fake_provider(d: Demo) -> None:
    owner = {"authorization": f"Bearer {d.stack.token('demo')}"}
    (chirrup,) = [each for each in everything(d, "/api/integrations") if each["name"] == "Chirrup"]
    base = f"{d.stack.url}/api/integrations"
    start = {"redirectUri": f"{base}/{chirrup['id']}/oauth/callback", "connectionId": "by-page"}
    with httpx.Client(timeout=60, headers=owner) as http:
        flow = http.post(f"{base}/{chirrup['id']}/oauth/initiate", json=start).raise_for_status().json()
        form = {"account": provider.ACCOUNTS[0].id, "decision": "approve"}
        back = httpx.post(flow["authorizationUrl"], data=form).headers["location"]
        query = dict(httpx.URL(back).params)
        connected = http.post(f"{base}/oauth/callback", json=query).raise_for_status().json()
    assert connected["status"] == "ACTIVE"


def test_live_event_reaches_the_receivers(d: Demo) -> None:
    owner = {"authorization": f"Bearer {d.stack.token('demo')}"}
    body = {"type": "CAMPAIGN_STARTED", "data": {"campaignId": "cmp_1", "name": "Live"}}
    event = httpx.post(f"{d.stack.url}/api/events", json=body, headers=owner, timeout=60).json()

    def chat() -> bool:
        found = get(d, f"/api/events/{event['id']}")["deliveries"]
        id = webhooks(d)["Team chat"]["id"]
        return any(each["webhookId"] == id and each["status"] == "DELIVERED" for each in found)

    eventually(chat, 60)


# ── starting ─────────────────────────────────────────────────────────────────────────────────────────


def start(state: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a demo that fails to start, and return its result."""
    return subprocess.run(
        [sys.executable, "-m", "local", "demo", *options],
        cwd=ROOT,
        env={**os.environ, "STATE_DIR": str(state), "PORT": "0", "PLATFORM_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_demo_keeps_away_from_other_state(tmp_path: Path) -> None:
    (tmp_path / "jwt-secret").write_text("mine")
    result = start(tmp_path)
    assert result.returncode == 1
    assert "is not empty and has no demo" in result.stderr
    assert (tmp_path / "jwt-secret").read_text() == "mine"


def test_history_needs_some_hours(tmp_path: Path) -> None:
    result = start(tmp_path, "--hours", "2")
    assert result.returncode == 1
    assert "at least 8 hours" in result.stderr
    assert not list(tmp_path.iterdir())
