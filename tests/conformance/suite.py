"""Contract tests: schemathesis sends requests that it generates from openapi.json to the local stack.

`run` is the one code path of the short and of the long run. schemathesis has its own environment
(.tools/schemathesis) and runs as a process; see hooks.py for what it sends.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.settings import ROOT
from local.testing import RunningStack, stack
from patchbay.catalogue.entries import all_entries
from patchbay.providers import provider
from tests.receivers import Answer, Request, receiver

HERE = Path(__file__).parent
SCHEMATHESIS = ROOT / ".tools/schemathesis/bin/schemathesis"
DOCUMENT = ROOT / "openapi.json"
WORKSPACE = "platform"  # the only one whose owner can also answer runs
REDIRECT_URI = "http://127.0.0.1:3000/callback"  # as in local/parameters.toml
# No request is refused because there were too many.
PARAMETERS = {
    "MaxRequestsPerMinute": 1_000_000,
    "MaxEventsPerMinute": 1_000_000,
    "MaxApiKeys": 100_000,
    "MaxWebhooks": 100_000,
    "MaxIntegrations": 100_000,
    "MaxConnections": 100_000,
}

# What the two runs have in common is in schemathesis.toml.
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class Result:
    """What a run found. `answers` counts the responses: operation ("GET /api/me"), status, phase and mode."""

    exit_code: int
    output: str
    report: dict[str, Any]
    answers: Counter[tuple[str, int, str, str]]
    addresses: list[str]

    @property
    def operations(self) -> set[str]:
        return {operation for operation, *_ in self.answers}

    @property
    def cases(self) -> int:
        return self.answers.total()

    @property
    def without_success(self) -> list[str]:
        """The operations that never answered with a success, with the statuses that they answered with."""
        succeeded = {operation for operation, status, *_ in self.answers if status < 400}
        return [
            f"{operation}: {dict(sorted(self._statuses(operation).items()))}"
            for operation in sorted(self.operations - succeeded)
        ]

    def _statuses(self, operation: str) -> Counter[int]:
        found: Counter[int] = Counter()
        for (each, status, *_), count in self.answers.items():
            if each == operation:
                found[status] += count
        return found


def operations() -> set[str]:
    """The operations of openapi.json, as schemathesis names them."""
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def run(folder: Path, *, examples: int, seed: int, phases: Sequence[str] = PHASES) -> Result:
    """Start a stack, and test it with up to so many `examples` for each operation and phase."""
    with stack(folder / "stack", parameters=PARAMETERS) as running, _receiver() as address:
        given = {
            "url": running.url,
            "token": running.token(WORKSPACE),
            "workspace": WORKSPACE,
            "receiver": address,
            "redirectUri": REDIRECT_URI,
            "listing": _listing(running),
            "samples": {entry.type: entry.sample for entry in all_entries() if entry.kind == "publishable"},
            "providers": provider.names(),
            "results": str(folder / "results.jsonl"),
        }
        report = folder / "report.json"
        command = [SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml", "run", DOCUMENT, "--no-color"]
        command += ["--url", running.url, "--phases", ",".join(phases), "--seed", seed]
        command += ["--max-examples", examples, "--report-json-path", report]
        finished = subprocess.run(
            [str(word) for word in command],
            cwd=folder,  # where schemathesis keeps its cache
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
                "CONFORMANCE": json.dumps(given),
                "TOKEN": given["token"],
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        (folder / "output.txt").write_text(finished.stdout)
        addresses = [*_addresses(running)]
    lines = (folder / "results.jsonl").read_text().splitlines()
    return Result(
        exit_code=finished.returncode,
        output=finished.stdout,
        report=json.loads(report.read_text()),
        answers=Counter(tuple(json.loads(line)) for line in lines),
        addresses=addresses,
    )


@contextmanager
def _receiver() -> Iterator[str]:
    """A receiver of webhooks that is an OAuth server too. Yields its address."""

    def respond(request: Request) -> Answer | int:
        if not request.path.endswith("/token"):
            return 204
        tokens = {"access_token": "access", "refresh_token": "refresh", "token_type": "Bearer"}
        body = json.dumps({**tokens, "expires_in": 3600}).encode()
        return Answer(200, {"content-type": "application/json"}, body)

    with receiver([respond]) as running:
        yield running.url.removesuffix("/hook")


def _listing(running: RunningStack) -> str:
    """The ID of an integration in the marketplace."""
    public = {
        "name": "Contacts",
        "type": "CRM",
        "provider": "hubspot",
        "config": {"clientId": "id", "clientSecret": "secret"},
        "isPublic": True,
    }
    created = httpx.post(
        f"{running.url}/api/integrations",
        json=public,
        headers={"authorization": f"Bearer {running.token('publisher')}"},
        timeout=40,
    )
    id: str = created.raise_for_status().json()["id"]
    (waiting,) = running.invoke("ReviewPublicationFunction")["waiting"]
    decision = {name: waiting[name] for name in ("workspaceId", "integrationId", "version")}
    running.invoke("ReviewPublicationFunction", {**decision, "decision": "APPROVE"})
    return id


def _addresses(running: RunningStack) -> Iterator[str]:
    """The address of every webhook."""
    pages = running.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=running.tables["WebhooksTable"]):
        for row in page["Items"]:
            if "url" in row:
                yield row["url"]["S"]
