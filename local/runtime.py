"""Runs functions as Lambda does: awslambdaric processes, one invocation each at a time, kept warm.

Every process has a Runtime API of its own (a socket): whatever speaks on it is that process.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.services import child
from local.settings import CREDENTIALS, ENDPOINT_VARIABLES, HOST, REGION, Problem
from local.template import Function

# Of one function, where it reserves no concurrency: more than the machine can run only start slower. For what
# waits more than it computes, PROCESSES sets another bound.
MAX_PROCESSES = int(os.environ.get("PROCESSES") or min(10, max(4, 2 * (os.cpu_count() or 1))))
IDLE_SECONDS = 300
INIT_SECONDS = 30  # Lambda allows 10; a busy laptop may need more
MAX_PAYLOAD = 6 * 1024 * 1024  # of a synchronous invocation, either way
_HEADER_LIMIT = 2 * 1024 * 1024  # an error's X-Ray header alone may have 1 MB
_LINE_LIMIT = 256 * 1024

Output = Callable[[str, str], None]


@dataclass(frozen=True)
class Answer:
    """What an invocation came to. `fault` is None, or how it failed: the function's own error
    (`Unhandled`), `Timeout`, or `Crash`; then the payload is Lambda's error object."""

    payload: bytes
    fault: str | None = None


def _failure(fault: str, kind: str, message: str) -> Answer:
    return Answer(json.dumps({"errorType": kind, "errorMessage": message}).encode(), fault)


class Worker:
    """One process of one function."""

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        output: Output,
        gone: Callable[[Worker], None],
    ) -> None:
        self.function = function
        self.idle_since = time.monotonic()
        self._gone = gone
        self._environment = environment
        self._output = output
        self._ready = asyncio.Event()
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    async def spawn(self) -> None:
        """Starts the process."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_HEADER_LIMIT)
        address = "{}:{}".format(*self._server.sockets[0].getsockname())
        self.process = await asyncio.create_subprocess_exec(
            *child(signal.SIGKILL, sys.executable, "-m", "awslambdaric", self.function.handler),
            env={**self._environment, "AWS_LAMBDA_RUNTIME_API": address},
            cwd=self.function.code,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._logs = asyncio.create_task(self._read_logs())
        self._exit = asyncio.create_task(self._exited())

    async def ready(self) -> None:
        """Waits until the process asks for its first invocation.
        Raises `InitError` with the answer to give, if it does not come to that."""
        if self._ready.is_set():
            return
        ready = asyncio.create_task(self._ready.wait())
        await self._first(ready, self._answer, seconds=INIT_SECONDS)
        ready.cancel()
        if not self._ready.is_set():
            answer = self._answer.result() if self._answer.done() else None
            await self.kill()
            raise InitError(answer or _failure("Crash", "Runtime.ExitError", "the process ended in its init"))

    async def invoke(self, payload: bytes) -> Answer:
        """One invocation; past the function's timeout the process is killed."""
        request_id = str(uuid.uuid4())
        timeout = self.function.timeout
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((time.time() + timeout) * 1000)}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self.function.arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {trace_id()};Sampled=0\r\n"
            "\r\n"
        )
        self._inbox.put_nowait(head.encode() + payload)
        await self._first(self._answer, seconds=timeout)
        if self._answer.done():
            return self._answer.result()
        if self._exit.done():
            code = self.process.returncode or 0
            how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            return _failure(
                "Crash",
                "Runtime.ExitError",
                f"RequestId: {request_id} Error: Runtime exited: {how}",
            )
        await self.kill()
        return _failure(
            "Timeout", "Sandbox.Timedout", f"{request_id} Task timed out after {timeout}.00 seconds"
        )

    async def _first(self, *awaited: asyncio.Future[Any], seconds: float) -> None:
        """Waits for the first of these, or for the end of the process."""
        await asyncio.wait({*awaited, self._exit}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self._exit
        self._server.close()

    async def _exited(self) -> None:
        await self.process.wait()
        self._server.close()
        self._inbox.put_nowait(None)
        self._gone(self)
        # A grandchild may hold the pipe open: what the process itself wrote is read within moments.
        await asyncio.wait({self._logs}, timeout=1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = head[0].split(" ")[1]
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                # Header and body in one write, or delayed acknowledgements cost 40 ms a call.
                writer.write(await self._respond(path, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process went, which `_exited` tells
        finally:
            writer.close()

    async def _respond(self, path: str, body: bytes) -> bytes:
        if path.endswith("/invocation/next"):
            self._ready.set()
            invocation = await self._inbox.get()
            if invocation is None:
                raise ConnectionResetError("the process has ended")
            return invocation
        status = HTTPStatus.ACCEPTED
        if path.endswith("/response") and len(body) > MAX_PAYLOAD:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            message = f"Response payload size exceeded maximum ({MAX_PAYLOAD} bytes)."
            self._settle(_failure("Unhandled", "Function.ResponseSizeTooLarge", message))
        elif path.endswith("/response"):
            self._settle(Answer(body))
        elif path.endswith("/error"):
            self._settle(Answer(body, "Unhandled"))
        else:
            status = HTTPStatus.NOT_FOUND
        text = b'{"status":"OK"}'
        return (
            f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        ).encode() + text

    def _settle(self, answer: Answer) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)

    async def _read_logs(self) -> None:
        assert self.process.stdout is not None
        rest = b""
        while chunk := await self.process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_LIMIT:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._output(self.function.logical_id, line.decode(errors="replace"))
        if rest:
            self._output(self.function.logical_id, rest.decode(errors="replace"))


class InitError(Exception):
    """The process did not come up; `answer` is what the invocation gets."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.payload)
        self.answer = answer


class Pool:
    """The processes of one function. `changed` is called when one came or went."""

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        output: Output,
        changed: Callable[[], None],
    ) -> None:
        self.function = function
        self.environment = environment
        self.capacity = min(function.reserved_concurrency or MAX_PROCESSES, MAX_PROCESSES)
        self.workers: set[Worker] = set()
        self.closing = False  # no process is kept for another invocation
        self._output = output
        self._changed = changed
        self._idle: list[Worker] = []
        self._slots = asyncio.Semaphore(self.capacity)
        self._ends: set[asyncio.Task[None]] = set()

    async def invoke(self, payload: bytes) -> Answer:
        async with self._slots:
            # The one last used comes first: the others may be let go.
            worker = self._idle.pop() if self._idle else await self._start()
            reusable = False
            try:
                await worker.ready()
                answer = await worker.invoke(payload)
                reusable = worker.alive and not self.closing
            except InitError as error:
                answer = error.answer
            finally:
                if reusable:
                    worker.idle_since = time.monotonic()
                    self._idle.append(worker)
                else:
                    await worker.kill()
            if answer.fault in ("Crash", "Timeout"):  # the process cannot tell of these itself
                message = json.loads(answer.payload)["errorMessage"]
                self._output(self.function.logical_id, f"[ERROR]\t-\t-\t{message}")
            return answer

    def end_idle(self, idle_for: float = 0) -> None:
        """Ends the processes that have had nothing to do for so many seconds."""
        oldest = time.monotonic() - idle_for
        ending = [worker for worker in self._idle if worker.idle_since <= oldest]
        self._idle = [worker for worker in self._idle if worker not in ending]
        for worker in ending:
            task = asyncio.create_task(worker.kill())
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

    async def _start(self) -> Worker:
        worker = Worker(self.function, self.environment, self._output, self._gone)
        await worker.spawn()
        self.workers.add(worker)
        self._changed()
        return worker

    def _gone(self, worker: Worker) -> None:
        self.workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._changed()


class Runtime:
    """All functions. `changed`, if set, is called when processes came or went."""

    def __init__(self, output: Output) -> None:
        self.pools: dict[str, Pool] = {}
        self.changed: Callable[[], None] | None = None
        self._output = output
        self._closing: set[Pool] = set()
        self._reaper = asyncio.create_task(self._reap())

    def update(
        self, functions: Mapping[str, Function], endpoints: Mapping[str, str], changed: set[Path]
    ) -> None:
        """Takes these functions from now on. Processes of functions that are gone, are declared
        otherwise, or may read one of the `changed` files end after their current invocation."""
        old, self.pools = self.pools, {}
        for logical_id, function in functions.items():
            environment = environment_of(function, endpoints)
            folders = (function.code, *function.layers)
            touched = any(path.is_relative_to(folder) for path in changed for folder in folders)
            pool = old.get(logical_id)
            if pool is None or touched or (pool.function, pool.environment) != (function, environment):
                pool = Pool(function, environment, self._output, self._processes_changed)
            self.pools[logical_id] = pool
        for logical_id, pool in old.items():
            if self.pools.get(logical_id) is not pool:
                pool.closing = True
                self._closing.add(pool)
                pool.end_idle()

    async def invoke(self, logical_id: str, payload: bytes) -> Answer:
        """Invokes a function. Its failures are answers, not exceptions."""
        if logical_id not in self.pools:
            raise Problem(f"there is no function {logical_id}")
        return await self.pools[logical_id].invoke(payload)

    def pids(self) -> dict[str, list[int]]:
        """The process ids of each function that has processes."""
        return {
            logical_id: sorted(worker.process.pid for worker in pool.workers)
            for logical_id, pool in self.pools.items()
            if pool.workers
        }

    async def stop(self) -> None:
        """Ends every process now, invocations in them included."""
        self._reaper.cancel()
        workers = [worker for pool in (*self.pools.values(), *self._closing) for worker in pool.workers]
        await asyncio.gather(*(worker.kill() for worker in workers))

    def _processes_changed(self) -> None:
        self._closing = {pool for pool in self._closing if pool.workers}
        if self.changed:
            self.changed()

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(IDLE_SECONDS / 10)
            for pool in self.pools.values():
                pool.end_idle(IDLE_SECONDS)


def trace_id() -> str:
    """A new X-Ray trace id, as a header carries it."""
    return f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"


def environment_of(function: Function, endpoints: Mapping[str, str]) -> dict[str, str]:
    """A function's environment variables: the template's, Lambda's own, and the local endpoints, unless the
    function has its own.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    return {
        **CREDENTIALS,
        **{variable: endpoints[service] for service, variable in ENDPOINT_VARIABLES.items()},
        **dict(function.environment),
        "AWS_CONFIG_FILE": os.devnull,  # the developer's own account has no part in this
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "PYTHONPATH": os.pathsep.join(_import_path(function)),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # The one setting that no template has: receivers on this machine may be delivered to.
        "PATCHBAY_ALLOW_LOOPBACK_TARGETS": "1",
    }


def _import_path(function: Function) -> list[str]:
    """The function's folder, then its layers' (a built layer has its packages under `python/`).
    Third-party packages come from the Python that runs this."""
    path = [str(function.code)]
    for layer in function.layers:
        path += [str(folder) for folder in (layer / "python", layer) if folder.is_dir()]
    return path
