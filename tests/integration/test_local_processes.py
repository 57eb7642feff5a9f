"""Processes of functions: each process of the fork server is isolated, like a new interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.runtime import Runtime
from local.settings import ROOT
from local.template import Function

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server runs on Linux only")

HANDLER = """
import os, random, sys, threading, uuid

# As it was at the import, which is when some packages read it.
environment = dict(os.environ)
calls = 0

def handler(event, context):
    global calls
    calls += 1
    name = event.get("import", "json")
    return {
        "calls": calls,
        "environment": environment,
        "arguments": sys.argv[1:],
        "main": sys.modules["__main__"].__spec__.name,
        "path": sys.path,
        "folder": os.getcwd(),
        "group": os.getpgid(0),
        "threads": threading.active_count(),
        "files": sorted(os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in (0, 1, 2)),
        "random": [random.random(), uuid.uuid4().hex],
        "imported": __import__(name).__file__,
        "pid": os.getpid(),
        "started as": sys.orig_argv,
        "command": open("/proc/self/cmdline").read().rstrip("\\0").replace("\\0", " "),
    }
"""
OF_ONE_PROCESS = ("random", "pid", "group", "started as")


@pytest.fixture
def function(tmp_path: Path) -> Callable[..., Function]:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/echo.py").write_text(HANDLER)

    def make(**variables: str) -> Function:
        return Function(
            logical_id="Echo",
            name="patchbay-Echo",
            handler="echo.handler",
            code=tmp_path / "code",
            layers=(),
            timeout=20,
            memory=128,
            environment=tuple(variables.items()),
            reserved_concurrency=0,
        )

    return make


def running(use: Callable[[Runtime], Coroutine[Any, Any, Any]], function: Function, *, forks: bool) -> Any:
    """The result of `use` with a runtime that has this function."""

    async def body() -> Any:
        runtime = Runtime(lambda function, line: None)
        try:
            if forks:
                await runtime.prepare()
            runtime.update({"Echo": function}, defaultdict(str), set())
            return await use(runtime)
        finally:
            await runtime.stop()

    return asyncio.run(body())


async def invoke(runtime: Runtime, event: Mapping[str, Any] | None = None) -> Any:
    answer = await runtime.invoke("Echo", json.dumps(event or {}).encode())
    assert answer.fault is None, answer
    return json.loads(answer.payload)


def is_fork(seen: dict[str, Any]) -> bool:
    return any("fork_server.py" in word for word in seen["started as"])


def test_fork_is_like_a_new_interpreter(function: Callable[..., Function]) -> None:
    forked = running(invoke, function(GREETING="hi"), forks=True)
    new = running(invoke, function(GREETING="hi"), forks=False)
    assert (is_fork(forked), is_fork(new)) == (True, False)
    assert forked["command"] == f"{sys.executable} -m awslambdaric echo.handler"
    assert forked["group"] == forked["pid"]
    assert forked["environment"].pop("AWS_LAMBDA_RUNTIME_API") != new["environment"].pop(
        "AWS_LAMBDA_RUNTIME_API"
    )
    assert {name: value for name, value in forked.items() if name not in OF_ONE_PROCESS} == {
        name: value for name, value in new.items() if name not in OF_ONE_PROCESS
    }
    assert str(ROOT) not in forked["path"]


def test_forks_share_nothing(function: Callable[..., Function]) -> None:
    async def use(runtime: Runtime) -> list[Any]:
        return await asyncio.gather(*(invoke(runtime) for _ in range(3)))

    seen = running(use, function(), forks=True)
    assert len({each["pid"] for each in seen}) == 3
    assert [each["calls"] for each in seen] == [1, 1, 1]
    assert len({json.dumps(each["random"]) for each in seen}) == 3


@pytest.mark.parametrize("name", ["POWERTOOLS_DEBUG", "PYTHONOPTIMIZE", "LC_ALL"])
def test_variable_that_was_read_at_import_gets_a_new_interpreter(
    function: Callable[..., Function], name: str
) -> None:
    seen = running(invoke, function(**{name: "1"}), forks=True)
    assert not is_fork(seen)
    assert seen["environment"][name] == "1"


def test_own_copy_of_an_imported_package_is_used(function: Callable[..., Function]) -> None:
    own = function()
    (own.code / "pydantic.py").touch()
    seen = running(lambda runtime: invoke(runtime, {"import": "pydantic"}), own, forks=True)
    assert seen["imported"] == str(own.code / "pydantic.py")


def test_end_of_the_fork_server_ends_its_processes_and_another_one_starts(
    function: Callable[..., Function],
) -> None:
    async def use(runtime: Runtime) -> tuple[Any, Any]:
        first = await invoke(runtime)
        os.kill(psutil.Process(first["pid"]).ppid(), signal.SIGKILL)
        while runtime.pids():  # noqa: ASYNC110 - the runtime has no event for it
            await asyncio.sleep(0.01)
        return first, await invoke(runtime)

    first, second = running(use, function(), forks=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(first["pid"]).status() == psutil.STATUS_ZOMBIE
    assert is_fork(second)


def test_exit_of_a_fork_is_reported_to_the_caller(function: Callable[..., Function]) -> None:
    own = function()
    (own.code / "echo.py").write_text("import os\n\ndef handler(event, context):\n    os._exit(3)\n")

    async def use(runtime: Runtime) -> Any:
        answer = await runtime.invoke("Echo", b"{}")
        return answer.fault, json.loads(answer.payload)["errorMessage"]

    fault, message = running(use, own, forks=True)
    assert fault == "Crash"
    assert message.endswith("Runtime exited: exit status 3")


def test_cancelled_start_leaves_no_process_and_does_not_disturb_the_next_one(
    function: Callable[..., Function],
) -> None:
    async def use(runtime: Runtime) -> tuple[Any, set[int], set[int]]:
        first = await invoke(runtime)
        server = psutil.Process(psutil.Process(first["pid"]).ppid())
        starting = [asyncio.create_task(invoke(runtime)) for _ in range(2)]
        while not runtime._fork_server._replies:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        seen = await asyncio.gather(*(invoke(runtime) for _ in range(3)))
        return seen, {pid for pids in runtime.pids().values() for pid in pids}, running_children(server)

    seen, known, children = running(use, function(), forks=True)
    assert {each["pid"] for each in seen} == known == children


def running_children(server: psutil.Process) -> set[int]:
    return {child.pid for child in server.children() if child.status() != psutil.STATUS_ZOMBIE}
