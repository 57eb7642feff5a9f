"""Starts the demo: the fakes, the local stack with its history, and traffic. `make demo`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import shutil
import sys
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local import gateway, run, services, sign_in
from local.asgi import Server, listen
from local.demo import provider, receivers
from local.demo.history import MIN_HOURS, Amount, Task
from local.demo.platform import NAME, Platform
from local.demo.traffic import Traffic
from local.logs import Logs
from local.runtime import environment_of
from local.settings import ROOT, Problem, jwt_secret
from local.template import Template

DEFAULT_STATE = ROOT / ".patchbay/demo"
# A folder with this file has a demo, so the next demo may delete it.
MARK = "demo.json"
_FUNCTIONS_OF_QUEUES = {
    "EventsQueue": "FanOutFunction",
    "DeliveriesQueue": "DeliverFunction",
    "SlowDeliveriesQueue": "DeliverSlowFunction",
    "FlowsQueue": "RunFlowsFunction",
}


@dataclass(frozen=True)
class Options:
    """The options of `make demo`. `per_minute` is the rate of the traffic after the history; 0 means
    none.
    """

    stack: run.Options
    amount: Amount
    platform_port: int = 3000
    per_minute: float = 12
    open_browser: bool = True


@dataclass(frozen=True)
class Fakes:
    """The running fakes, with their addresses."""

    platform: Platform
    provider: str
    receivers: str


Say = Callable[[float, str], None]


async def serve(options: Options, logs: Logs) -> None:
    """Run the demo until cancelled."""
    if options.amount.hours < MIN_HOURS:
        raise Problem(f"the history must have at least {MIN_HOURS} hours")
    state = options.stack.state
    with run.alone(state):
        _empty(state)
    secret, started = jwt_secret(state), time.monotonic()
    background: set[asyncio.Task[Any]] = set()
    # run.serve takes the lock of the stack, below. Before that, only the fakes start.
    async with _fakes(options, secret) as fakes:
        publisher = ""

        async def prepare(stack: run.Stack, endpoints: Mapping[str, str]) -> None:
            nonlocal publisher
            task = task_for(
                stack.template,
                endpoints,
                options.amount,
                state,
                platform=fakes.platform.url,
                provider=fakes.provider,
                receivers=fakes.receivers,
            )
            written = await write_history(task, _progress(logs))
            fakes.platform.stack_url = endpoints["http"]
            _describe(state, fakes)
            publisher = written["publisher"]
            logs.say(_summary(written, time.monotonic() - started))

        def ready(url: str) -> None:
            logs.say(_welcome(fakes, sign_in.address(url, state), options.amount.workspace))
            if options.open_browser and _has_browser():
                webbrowser.open(fakes.platform.address)
            if options.per_minute:
                live = Traffic(url, state, options.amount.workspace, publisher, fakes.receivers)
                background.add(asyncio.create_task(live.run(options.per_minute)))

        try:
            await run.serve(_with_platform(options.stack, fakes.platform), logs, prepare, ready)
        finally:
            for each in background:
                each.cancel()
            await asyncio.gather(*background, return_exceptions=True)


def _empty(state: Path) -> None:
    """Delete the previous demo. Raises Problem if the folder has anything else."""
    there = [path for path in state.iterdir() if path.name not in ("lock", "run.log")]
    if there and not (state / MARK).exists() and state != DEFAULT_STATE:
        raise Problem(f"{state} is not empty and has no demo: set STATE_DIR to another folder")
    for path in there:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (state / MARK).write_text("{}")


@contextlib.asynccontextmanager
async def _fakes(options: Options, secret: str) -> AsyncIterator[Fakes]:
    """The platform, the provider and the receivers, until the block ends."""
    async with contextlib.AsyncExitStack() as cleanup:

        async def start(app: Any, listener: Any) -> str:
            server = await Server.start(app, listener)
            cleanup.push_async_callback(server.stop)
            return server.url

        listener, other = listen(options.platform_port, "PLATFORM_PORT"), listen(0)
        port = listener.getsockname()[1]
        platform = Platform(port, options.stack.state, secret, options.amount.workspace)
        await start(platform.app(), listener)
        fake = provider.Provider(other.getsockname()[1])
        yield Fakes(platform, await start(fake.app(), other), await start(receivers.app, listen(0)))


def _with_platform(options: run.Options, platform: Platform) -> run.Options:
    """The options of the stack, with the platform's origin in the parameters that the template has for it."""
    template = options.template.read_text()
    own = {
        "AllowedRedirectUris": f"{platform.url}/callback",
        "AllowedReturnOrigins": platform.url,
        "ConsoleFrameAncestors": platform.url,
    }
    pairs = (f"{name}={value}" for name, value in own.items() if f"\n  {name}:\n" in template)
    return replace(options, given=(*pairs, *options.given))


# ── the history ──────────────────────────────────────────────────────────────────────────────────────


def task_for(
    template: Template,
    endpoints: Mapping[str, str],
    amount: Amount,
    state: Path,
    *,
    platform: str,
    provider: str,
    receivers: str,
) -> Task:
    """The task of writing a history into a stack. The fakes are given as URLs."""
    functions = template.functions()
    return Task(
        amount,
        state,
        environment_of(functions["DeliverFunction"], endpoints),
        gateway.read(template),
        functions,
        {template.queue_url(queue): name for queue, name in _FUNCTIONS_OF_QUEUES.items()},
        receivers,
        provider,
        platform,
    )


async def write_history(task: Task, say: Say) -> dict[str, Any]:
    """Write the history in another process: the clock moves there. Returns what it wrote. Raises Problem."""
    process = await asyncio.create_subprocess_exec(
        *services.child(15, sys.executable, "-m", "local.demo.history"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=1024 * 1024,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    written: dict[str, Any] | None = None
    try:
        process.stdin.write(pickle.dumps(task))
        process.stdin.write_eof()
        async for line in process.stdout:
            report = json.loads(line)
            if "done" in report:
                say(report["done"], report["what"])
            else:
                written = report
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        failure = (await errors).decode(errors="replace")
    if written is None or process.returncode:
        raise Problem(f"the history was not written:\n{failure[-4000:]}")
    return written


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────


def _progress(logs: Logs) -> Say:
    """Shows progress: one line that changes on a terminal, a few lines elsewhere."""
    shown = -1

    def say(done: float, what: str) -> None:
        nonlocal shown
        percent = round(done * 100)
        if sys.stdout.isatty():
            print(f"\r{what} … {percent:3} %", end="\n" if percent == 100 else "", flush=True)
        elif percent // 25 > shown:
            shown = percent // 25
            logs.say(f"{what} … {percent} %")

    return say


def _summary(written: Mapping[str, Any], seconds: float) -> str:
    counts = written["counts"]
    return (
        f"history: {counts['events']:,} events, {counts['attempts']:,} attempts and {counts['requests']:,} "
        f"requests, {seconds:.0f} s after the start"
    )


def _welcome(fakes: Fakes, console: str, workspace: str) -> str:
    return f"""
  {NAME}, a sample platform with the console in it:
    {fakes.platform.address}

  The console alone, as an owner of the workspace {workspace}:
    {console}&workspace={workspace}

  Receivers:       {fakes.receivers}/  ({", ".join(receivers.BEHAVIORS)})
  OAuth provider:  {fakes.provider}/<any name>/authorize
"""


def _describe(state: Path, fakes: Fakes) -> None:
    """Write the fakes' addresses to a file, for tests. They have keys, so only the owner can read it."""
    path = state / MARK
    path.touch(mode=0o600)
    path.chmod(0o600)
    addresses = {
        "platform": fakes.platform.address,
        "provider": fakes.provider,
        "receivers": fakes.receivers,
    }
    path.write_text(json.dumps(addresses))


def _has_browser() -> bool:
    """Whether a graphical browser exists. A browser in the terminal would take the terminal over."""
    has_windows = sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return has_windows and sys.stdout.isatty() and not os.environ.get("CI")
