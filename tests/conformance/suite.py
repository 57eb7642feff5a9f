"""Contract tests: schemathesis sends requests that it generates from openapi.json to the local stack.

The short run and the long run share one code path, `run`. schemathesis has its own environment
(.tools/schemathesis) and runs as a process; see hooks.py for what it sends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import httpx

from local.settings import ROOT
from local.testing import RunningStack, stack
from patchbay.auth.scopes import PATCHBAY_SCOPES
from patchbay.catalogue.entries import all_entries
from patchbay.providers import provider
from tests.receivers import Answer, Request, receiver

HERE = Path(__file__).parent
SCHEMATHESIS = ROOT / ".tools/schemathesis/bin/schemathesis"
DOCUMENT = ROOT / "openapi.json"
CONFIG = HERE / "schemathesis.toml"
WORKSPACE = "platform"  # the only workspace whose owner can also answer runs
REDIRECT_URI = "http://127.0.0.1:3000/callback"  # this and the next are as in local/parameters.toml
RETURN_URL = "http://127.0.0.1:3000/back"
PUBLISHER = "publisher"  # another workspace, with integrations such as PUBLIC
PUBLIC = {
    "name": "Contacts",
    "type": "CRM",
    "provider": "hubspot",
    "config": {"clientId": "id", "clientSecret": "secret"},
    "isPublic": True,
}
# Limits so high that no request is refused because of them.
PARAMETERS = {
    "MaxRequestsPerMinute": 1_000_000,
    "MaxEventsPerMinute": 1_000_000,
    "MaxApiKeys": 100_000,
    "MaxWebhooks": 100_000,
    "MaxIntegrations": 100_000,
    "MaxConnections": 100_000,
}

# schemathesis.toml has the settings that all runs share.
MIN_SCENARIOS = 12  # minimum number of stateful sequences of requests; more if there are more examples
_EXAMPLES = """
[phases.fuzzing.generation]
max-examples = {}

[phases.stateful]
max-steps = 30  # by default 6, which is enough for one link

[phases.stateful.generation]
max-examples = {}
"""
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class Result:
    """What a run found. `answers` counts responses by operation ("GET /api/me"), status, phase and mode."""

    exit_code: int
    output: str
    answers: Counter[tuple[str, int, str, str]]
    addresses: list[str]

    @property
    def operations(self) -> set[str]:
        return {operation for operation, *_ in self.answers}

    @property
    def cases(self) -> int:
        return self.answers.total()

    @property
    def summary(self) -> str:
        """For example, "77 operations, 77 with a success (50 stateful), 56 with a 4xx; 600 cases (379
        stateful), 0 failures".
        """
        stateful = Counter({key: count for key, count in self.answers.items() if key[2] == "stateful"})
        refused = {operation for operation, status, *_ in self.answers if 400 <= status < 500}
        return (
            f"{len(self.operations)} operations, {len(_succeeded(self.answers))} with a success "
            f"({len(_succeeded(stateful))} stateful), {len(refused)} with a 4xx; "
            f"{self.cases:,} cases ({stateful.total():,} stateful), {self.failures} failures"
        )

    @property
    def failures(self) -> int:
        """The number of failures and errors that schemathesis reports in its last line."""
        counts = re.findall(r"(\d+) (?:failure|error)s?\b", self.output.rstrip().rpartition("\n")[2])
        return sum(map(int, counts)) or int(self.exit_code != 0)

    @property
    def without_success(self) -> dict[str, dict[int, int]]:
        """The operations that never succeeded, with the number of their responses by status."""
        return {
            operation: dict(sorted(self._statuses(operation).items()))
            for operation in sorted(self.operations - _succeeded(self.answers))
        }

    def _statuses(self, operation: str) -> Counter[int]:
        found: Counter[int] = Counter()
        for (each, status, *_), count in self.answers.items():
            if each == operation:
                found[status] += count
        return found


def _succeeded(answers: Counter[tuple[str, int, str, str]]) -> set[str]:
    return {operation for operation, status, *_ in answers if status < 400}


def operations() -> list[str]:
    """Return the operations of openapi.json, as schemathesis names them."""
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def run(
    folder: Path, *, examples: int, seed: int, phases: Sequence[str] = PHASES, by_key: bool = False
) -> Result:
    """Start a stack, and test it with at most `examples` examples for each operation and phase. The caller
    is the owner of the platform's workspace or, with `by_key`, its API key with every scope.
    """
    with stack(folder / "stack", parameters=PARAMETERS) as running, _receiver() as address:
        warming = threading.Thread(target=_warm_up, args=[running.url])
        warming.start()
        listing, owner, key = _listing(running), running.token(WORKSPACE), _key(running)
        given = {
            "url": running.url,
            "owner": owner,
            "keyId": key["id"],
            "workspace": WORKSPACE,
            "receiver": address,
            "redirectUri": REDIRECT_URI,
            "returnUrl": RETURN_URL,
            "listing": listing,
            "public": PUBLIC,
            "publisher": {"workspace": PUBLISHER, "token": running.token(PUBLISHER)},
            "samples": {entry.type: entry.sample for entry in all_entries() if entry.kind == "publishable"},
            "providers": provider.names(),
            "results": str(folder / "results.jsonl"),
        }
        options = {
            "--url": running.url,
            "--phases": ",".join(phases),
            "--seed": seed,
        }
        config = folder / "schemathesis.toml"
        config.write_text(
            CONFIG.read_text("utf-8") + _EXAMPLES.format(examples, max(examples, MIN_SCENARIOS))
        )
        token = key["key"] if by_key else owner
        exit_code = _schemathesis(config, given, token, options)
        warming.join()
        addresses = [*_addresses(running)]
    lines = (folder / "results.jsonl").read_text().splitlines()
    return Result(
        exit_code=exit_code,
        output=(folder / "output.txt").read_text(),
        answers=Counter(tuple(json.loads(line)) for line in lines),
        addresses=addresses,
    )


def _warm_up(url: str) -> None:
    """Start the functions. Each start takes half a second of CPU time, and schemathesis uses only one CPU. It
    begins with the first operations, so this function begins with the last. These requests have no
    credentials, so they change nothing.
    """
    with httpx.Client(base_url=url, timeout=60) as client, contextlib.suppress(httpx.HTTPError):
        for operation in reversed(operations()):
            method, _, path = operation.partition(" ")
            client.request(method, re.sub(r"\{.*?\}", "x", path))


def _schemathesis(
    config: Path, given: Mapping[str, object], token: str, options: Mapping[str, object]
) -> int:
    """Run schemathesis, write its output next to its configuration, and return its exit code."""
    folder = config.parent
    command: list[object] = [SCHEMATHESIS, "--config-file", config, "run", DOCUMENT, "--no-color"]
    command += chain(*options.items())
    with (folder / "output.txt").open("w") as output:
        return subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONHASHSEED": "0",  # a run depends only on its seed
                "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
                "CONFORMANCE": json.dumps(given),
                "TOKEN": token,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ).returncode


@contextmanager
def _receiver() -> Iterator[str]:
    """Run a receiver of webhooks that is also an OAuth server. Yields its address."""

    def respond(request: Request) -> Answer | int:
        if not request.path.endswith("/token"):
            return 204
        tokens = {"access_token": "access", "refresh_token": "refresh", "token_type": "Bearer"}
        body = json.dumps({**tokens, "expires_in": 3600}).encode()
        return Answer(200, {"content-type": "application/json"}, body)

    with receiver([respond]) as running:
        yield running.url.removesuffix("/hook")


def _listing(running: RunningStack) -> str:
    """Publish an integration in the marketplace, and return its ID."""
    id: str = _post(running, PUBLISHER, "/api/integrations", PUBLIC)["id"]
    (waiting,) = running.invoke("ReviewPublicationFunction")["waiting"]
    decision = {name: waiting[name] for name in ("workspaceId", "integrationId", "version")}
    running.invoke("ReviewPublicationFunction", {**decision, "decision": "APPROVE"})
    return id


def _key(running: RunningStack) -> dict[str, Any]:
    """Create an API key of the platform's workspace that may do everything."""
    limits = {"rateLimitPerHour": 1_000_000, "rateLimitPerDay": 24_000_000}
    body = {"name": "contract tests", "scopes": sorted(PATCHBAY_SCOPES), **limits}
    return _post(running, WORKSPACE, "/api/integrations/api-keys", body)


def _post(running: RunningStack, workspace: str, path: str, body: object) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {running.token(workspace)}"}
    response = httpx.post(running.url + path, json=body, headers=headers, timeout=40)
    created: dict[str, Any] = response.raise_for_status().json()
    return created


def _addresses(running: RunningStack) -> Iterator[str]:
    """Yields the address of every webhook."""
    pages = running.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=running.tables["WebhooksTable"]):
        for row in page["Items"]:
            if "url" in row:
                yield row["url"]["S"]
