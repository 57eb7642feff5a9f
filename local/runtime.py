"""Runs functions as Lambda does: warm awslambdaric processes, each with one invocation at a time.

Every process has its own Runtime API (a socket), which identifies the process.
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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from typing import Any

from local.processes import ForkServer, Process, new_interpreter
from local.settings import CREDENTIALS, ENDPOINT_VARIABLES, HOST, REGION, Problem
from local.template import Function

# The limit of a function without reserved concurrency. More processes than the machine can run would only
# start more slowly. Set PROCESSES for functions that wait more than they compute.
MAX_PROCESSES = int(os.environ.get("PROCESSES") or min(10, max(4, 2 * (os.cpu_count() or 1))))
IDLE_SECONDS = 300
_WARM_SECONDS = 0.2  # between two checks whether requests leave time to warm functions
INIT_SECONDS = 30  # Lambda allows 10; a busy laptop may need more
MAX_PAYLOAD = 6 * 1024 * 1024  # of a synchronous invocation's request or response
_HEADER_LIMIT = 2 * 1024 * 1024  # an error's X-Ray header alone can have 1 MB
_LINE_LIMIT = 256 * 1024

Output = Callable[[str, str], None]
# Starts a process of a function: with its environment, and the file descriptor that it writes to.
Start = Callable[[Function, Mapping[str, str], int], Awaitable[Process]]


@dataclass(frozen=True)
class Answer:
    """The result of an invocation. `fault` is None, or the kind of failure: the function's own error
    (`Unhandled`), `Timeout` or `Crash`. The payload of a failure is Lambda's error object."""

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
        self._refused = False  # a response was too large, which makes awslambdaric exit

    async def spawn(self, start: Start) -> None:
        """Start the process."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_HEADER_LIMIT)
        address = "{}:{}".format(*self._server.sockets[0].getsockname())
        environment = {**self._environment, "AWS_LAMBDA_RUNTIME_API": address}
        reading, writing = os.pipe()
        try:
            self.process = await start(self.function, environment, writing)
        finally:
            os.close(writing)
            self._logs = asyncio.create_task(self._read_logs(reading))
        self._exit = asyncio.create_task(self._exited())

    async def ready(self) -> None:
        """Wait until the process requests its first invocation.
        Raises `InitError` with the result for the caller if it does not."""
        if self._ready.is_set():
            return
        ready = asyncio.create_task(self._ready.wait())
        await self._first(ready, self._answer, seconds=INIT_SECONDS)
        ready.cancel()
        if not self._ready.is_set():
            answer = self._answer.result() if self._answer.done() else None
            await self.kill()
            raise InitError(
                answer or _failure("Crash", "Runtime.ExitError", "the process ended during its init")
            )

    async def invoke(self, payload: bytes) -> Answer:
        """Run one invocation. After the function's timeout, the process is killed."""
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
        """Wait for the first of these, or for the end of the process."""
        await asyncio.wait({*awaited, self._exit}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None and not self._refused

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
        # A grandchild may keep the pipe open; the output of the process itself is read within moments.
        await asyncio.wait({self._logs}, timeout=1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = head[0].split(" ")[1]
                headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                # One write for header and body: otherwise, delayed acknowledgments cost 40 ms per call.
                writer.write(await self._respond(path, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process ended; `_exited` handles it
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
            self._refused = True
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

    async def _read_logs(self, pipe: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), FileIO(pipe)
        )
        rest = b""
        while chunk := await reader.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_LIMIT:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._output(self.function.logical_id, line.decode(errors="replace"))
        if rest:
            self._output(self.function.logical_id, rest.decode(errors="replace"))
        transport.close()


class InitError(Exception):
    """The process did not start. `answer` is the result of the invocation."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.payload)
        self.answer = answer


class Pool:
    """The processes of one function. `changed` is called when a process starts or ends."""

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        output: Output,
        changed: Callable[[], None],
        start: Start,
    ) -> None:
        self.function = function
        self.environment = environment
        self._start_process = start
        self.capacity = min(function.reserved_concurrency or MAX_PROCESSES, MAX_PROCESSES)
        self.workers: set[Worker] = set()
        self.closing = False  # no process is reused
        self._output = output
        self._changed = changed
        self._idle: list[Worker] = []
        self._slots = asyncio.Semaphore(self.capacity)
        self._ends: set[asyncio.Task[None]] = set()

    async def invoke(self, payload: bytes) -> Answer:
        async with self._slots:
            # Reuse the most recently used one, so that the others become idle.
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
            if answer.fault in ("Crash", "Timeout"):  # the process cannot log these itself
                message = json.loads(answer.payload)["errorMessage"]
                self._output(self.function.logical_id, f"[ERROR]\t-\t-\t{message}")
            return answer

    async def warm(self) -> None:
        """Start a process, if none runs, so that the next invocation does not wait for it."""
        async with self._slots:
            if self.workers:
                return
            worker = await self._start()
            try:
                await worker.ready()
            except InitError:
                return  # the next invocation reports it
            except BaseException:
                await worker.kill()
                raise
            worker.idle_since = time.monotonic()
            self._idle.append(worker)
            if self.closing:
                self.end_idle()

    def end_idle(self, idle_for: float = 0) -> None:
        """End the processes that have been idle for at least `idle_for` seconds."""
        oldest = time.monotonic() - idle_for
        ending = [worker for worker in self._idle if worker.idle_since <= oldest]
        self._idle = [worker for worker in self._idle if worker not in ending]
        for worker in ending:
            task = asyncio.create_task(worker.kill())
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

    async def _start(self) -> Worker:
        worker = Worker(self.function, self.environment, self._output, self._gone)
        await worker.spawn(self._start_process)
        self.workers.add(worker)
        self._changed()
        return worker

    def _gone(self, worker: Worker) -> None:
        self.workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._changed()


class Runtime:
    """All functions. `changed`, if set, is called when processes start or end."""

    def __init__(self, output: Output) -> None:
        self.pools: dict[str, Pool] = {}
        self.changed: Callable[[], None] | None = None
        self._output = output
        self._closing: set[Pool] = set()
        self._reaper = asyncio.create_task(self._reap())
        self._fork_server: ForkServer | None = None

    async def prepare(self) -> None:
        """Start the fork server, which starts functions faster. Without it, each is a new interpreter."""
        if sys.platform == "linux":  # on macOS, system libraries do not allow `fork` without `exec`
            self._fork_server = ForkServer(_same_for_all())
            await self._fork_server.launch()

    def update(
        self, functions: Mapping[str, Function], endpoints: Mapping[str, str], changed: set[Path]
    ) -> None:
        """Replace the functions. The processes of functions that were removed or changed, or that may have
        read one of the `changed` files, end after their current invocation.
        """
        old, self.pools = self.pools, {}
        for logical_id, function in functions.items():
            environment = environment_of(function, endpoints)
            folders = (function.code, *function.layers)
            touched = any(path.is_relative_to(folder) for path in changed for folder in folders)
            pool = old.get(logical_id)
            if pool is None or touched or (pool.function, pool.environment) != (function, environment):
                start = self._fork_server.start if self._fork_server else new_interpreter
                pool = Pool(function, environment, self._output, self._processes_changed, start)
            self.pools[logical_id] = pool
        for logical_id, pool in old.items():
            if self.pools.get(logical_id) is not pool:
                pool.closing = True
                self._closing.add(pool)
                pool.end_idle()

    async def invoke(self, logical_id: str, payload: bytes) -> Answer:
        """Invoke a function. Its failures are results, not exceptions."""
        if logical_id not in self.pools:
            raise Problem(f"unknown function: {logical_id}")
        return await self.pools[logical_id].invoke(payload)

    async def warm(self, logical_ids: Iterable[str], busy: Callable[[], bool]) -> None:
        """Start a process of each of these functions, one after the other, while the stack is not `busy`."""
        for logical_id in logical_ids:
            while busy():  # noqa: ASYNC110 - many things end this
                await asyncio.sleep(_WARM_SECONDS)
            if logical_id in self.pools:
                await self.pools[logical_id].warm()

    def pids(self) -> dict[str, list[int]]:
        """The process IDs of each function that has processes."""
        return {
            logical_id: sorted(worker.process.pid for worker in pool.workers)
            for logical_id, pool in self.pools.items()
            if pool.workers
        }

    async def stop(self) -> None:
        """End every process now, even during an invocation."""
        self._reaper.cancel()
        workers = [worker for pool in (*self.pools.values(), *self._closing) for worker in pool.workers]
        await asyncio.gather(*(worker.kill() for worker in workers))
        if self._fork_server:
            await self._fork_server.stop()

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
    """A new X-Ray trace ID, in the form of the header."""
    return f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"


def environment_of(function: Function, endpoints: Mapping[str, str]) -> dict[str, str]:
    """A function's environment variables: the template's, Lambda's own, and the local endpoints, unless the
    function sets its own endpoints.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    return {
        **CREDENTIALS,
        **{variable: endpoints[service] for service, variable in ENDPOINT_VARIABLES.items()},
        **dict(function.environment),
        **_same_for_all(),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "PYTHONPATH": os.pathsep.join(_import_path(function)),
    }


def _same_for_all() -> dict[str, str]:
    """The environment variables that have the same value in all functions."""
    return {
        "AWS_CONFIG_FILE": os.devnull,  # never use the developer's own account
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # The only setting that is not in a template: deliveries to receivers on this machine are allowed.
        "PATCHBAY_ALLOW_LOOPBACK_TARGETS": "1",
    }


def _import_path(function: Function) -> list[str]:
    """The folders of the function and its layers (a built layer has its packages in `python/`).
    Third-party packages are those of this Python."""
    path = [str(function.code)]
    for layer in function.layers:
        path += [str(folder) for folder in (layer / "python", layer) if folder.is_dir()]
    return path
