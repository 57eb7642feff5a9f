"""`make load`: users publish to a stack and read from it, and every delivery is timed.
docs/operate/load-test.md lists its settings.

Creates webhooks and an API key in the token's workspace, and removes them at the end, also after Ctrl-C or
SIGTERM. The events and deliveries stay for the stack's `RetentionDays`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import report
from benchmarks.load.options import (
    DEFAULTS,
    EVENT_TYPE,
    HOST,
    NAME,
    Options,
    Refused,
    other_subscribers,
    read,
)
from local.settings import ROOT, running_stack, state_dir
from local.token import mint

_PYTHON = ROOT / ".tools/load/bin/python"
_WORKSPACE = "load-test"
_KEY_LIMITS = {"rateLimitPerHour": 1_000_000, "rateLimitPerDay": 24_000_000}
_PLAIN_EVERY_SECONDS = 10  # between progress lines that do not overwrite each other


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    stack = running_stack(state_dir())
    try:
        options = read(os.environ, stack["url"] if stack else None)
        token = _token(options, stack)
        with httpx.Client(
            base_url=options.url, headers={"authorization": f"Bearer {token}"}, timeout=30
        ) as api:
            return _test(options, token, api)
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    except httpx.HTTPError as error:
        print(f"error: no response from {options.url}: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1


def _token(options: Options, stack: dict[str, Any] | None) -> str:
    """TOKEN, or the one in TOKEN_FILE, or a new one for the stack that runs on this machine."""
    if path := os.environ.get("TOKEN_FILE"):
        try:
            return Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"cannot read TOKEN_FILE: {error}") from None
    if token := os.environ.get("TOKEN"):
        return token
    if stack is None or stack["url"].rstrip("/") != options.url:
        raise Refused(
            f"set TOKEN to a JWT or an API key for {options.url}. It needs the scopes events:publish, "
            "events:read, webhooks:read and webhooks:write, in a workspace without other webhooks"
        )
    return mint(state_dir(), os.environ.get("WORKSPACE") or _WORKSPACE)


# ── what the test creates and removes ────────────────────────────────────────────────────────────────


def _test(options: Options, token: str, api: httpx.Client) -> int:
    workspace = _call(api, "GET", "/api/me")["workspaceId"]
    _refuse_other_webhooks(api, workspace)
    run, folder = secrets.token_hex(4), _folder()
    with _listener(options) as listener, _resources(options, api, run, token, listener) as created:
        _announce(options, workspace, created["receiver"])
        settings = {
            **asdict(options),
            "publishers": options.publishers,
            "readers": options.readers,
            "run": run,
            "token": token,
            "publish_token": created["key"],
            "webhook_ids": created["webhook_ids"],
            "listener": listener.fileno() if listener else None,
            "html": str(folder / "requests.html"),
        }
        samples, result = _run_journeys(settings, listener)
    if result is None:
        print("error: the simulated users stopped without a result; see above", file=sys.stderr)
        return 1
    measured = {"options": asdict(options), "at": time.strftime("%Y-%m-%d %H:%M"), **result}
    (folder / "result.json").write_text(json.dumps({**measured, "samples": samples}, indent=1), "utf-8")
    (folder / "report.html").write_text(report.page(measured, samples), "utf-8")
    print(report.text(measured))
    print(f"report: {folder / 'report.html'} (requests by route: requests.html)")
    return 0 if report.problems(measured) == [] else 1


def _refuse_other_webhooks(api: httpx.Client, workspace: str) -> None:
    others = other_subscribers(list(_pages(api, "/api/integrations/webhooks?status=ACTIVE&limit=100")))
    if others:
        names = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        raise Refused(
            f"the events of the test ({EVENT_TYPE}) would also go to other webhooks of the workspace "
            f"{workspace}: {names}. Use a token of a workspace without other webhooks, or delete the "
            "webhooks that an interrupted test left behind"
        )


def _pages(api: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = _call(api, "GET", path + (f"&cursor={cursor}" if cursor else ""))
        yield from page["items"]
        cursor = page["nextCursor"]


@contextlib.contextmanager
def _resources(
    options: Options, api: httpx.Client, run: str, token: str, listener: socket.socket | None
) -> Iterator[dict[str, Any]]:
    """The webhooks of the test, and an API key to publish with; the token, if it may not create keys."""
    port = listener.getsockname()[1] if listener else 0
    receiver = options.receiver or f"http://{HOST}:{port}/hook"
    webhook_ids: list[str] = []
    key_id, key = None, token
    try:
        for number in range(options.webhooks):
            body = {"name": f"{NAME} {run} {number + 1}", "url": receiver, "eventTypes": [EVENT_TYPE]}
            webhook_ids.append(_call(api, "POST", "/api/integrations/webhooks", body)["id"])
        answer = api.post(
            "/api/integrations/api-keys",
            json={"name": f"{NAME} {run}", "scopes": ["events:publish"], **_KEY_LIMITS},
        )
        if answer.status_code == 201:
            key_id, key = answer.json()["id"], answer.json()["key"]
        yield {"webhook_ids": webhook_ids, "key": key, "receiver": receiver}
    finally:
        _remove(api, [f"/api/integrations/webhooks/{id}" for id in webhook_ids])
        _remove(api, [f"/api/integrations/api-keys/{key_id}"] if key_id else [])


def _remove(api: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        for _ in range(10):
            try:
                answer = api.delete(path)
            except httpx.HTTPError as error:
                reason = str(error)
            else:
                if answer.status_code in (200, 204, 404):
                    break
                reason = str(answer.status_code)
            time.sleep(3)  # the ceiling of the workspace may be used up for some seconds
        else:
            print(f"error: not removed: {path} ({reason}); remove it yourself", file=sys.stderr)


def _call(api: httpx.Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    answer = api.request(method, path, json=body) if body else api.request(method, path)
    if answer.is_success:
        found: dict[str, Any] = answer.json()
        return found
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:200]
    raise Refused(f"{method} {path.partition('?')[0]}: {answer.status_code}: {detail}")


# ── the run ──────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _listener(options: Options) -> Iterator[socket.socket | None]:
    """The socket of our receiver; None if deliveries do not arrive here."""
    if options.receiver_port is None:
        yield None
        return
    try:
        listener = socket.create_server((HOST, options.receiver_port), backlog=1024)
    except OSError:
        raise Refused(f"port {options.receiver_port} is in use: choose another RECEIVER_PORT") from None
    with listener:
        yield listener


def _run_journeys(
    settings: dict[str, Any], listener: socket.socket | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Run the users, show their progress, and return the samples and the result. After Ctrl-C, the users
    finish by themselves, so that there is a report."""
    process = subprocess.Popen(
        [str(_PYTHON), "-m", "benchmarks.load.journeys"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[listener.fileno()] if listener else [],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(settings) + "\n")
    process.stdin.flush()
    samples: list[dict[str, Any]] = []
    result = None
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the users' process receives it too
    try:
        for line in process.stdout:
            found = json.loads(line)
            if "result" in found:
                result = found["result"]
            else:
                samples.append(found)
                _progress(samples)
        if sys.stdout.isatty():
            print()
    finally:
        if result is None:
            process.terminate()
        process.wait()
        signal.signal(signal.SIGINT, interrupt)
    return samples, result


def _progress(samples: list[dict[str, Any]]) -> None:
    line = report.progress(samples)
    if sys.stdout.isatty():
        print(f"\r\x1b[2K{line}", end="", flush=True)
    elif len(samples) % _PLAIN_EVERY_SECONDS == 1:
        print(line, flush=True)


def _announce(options: Options, workspace: str, receiver: str) -> None:
    print(
        f"{options.publishers} users publish {options.rate:g} events per second to {options.url} for "
        f"{options.minutes:g} min, each to {options.webhooks} webhooks; {options.readers} users "
        f"read.\nworkspace {workspace}, receiver {receiver}"
    )
    if options.rate * 60 > 6000 * 0.9:
        print("note: by default, a workspace has a limit of 6,000 events and 6,000 requests per minute")
    if not set(DEFAULTS) & set(os.environ):
        print("change it with USERS= RATE= MINUTES= WEBHOOKS=")
    sys.stdout.flush()


def _folder() -> Path:
    folder = Path(os.environ.get("REPORT") or state_dir() / "load" / time.strftime("%Y-%m-%d-%H%M%S"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
