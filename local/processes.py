"""The processes of functions: new interpreters, or forks of a process with third-party packages imported."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from local.services import child
from local.template import Function

# Modules that functions import and that are slow to import, if they are installed. The C module
# of awslambdaric cannot be here, because it reads the address of the Runtime API when it is loaded.
PRELOADED = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
    "awslambdaric.lambda_runtime_marshaller",
    "certifi",
    "difflib",
    "h11",
    "pydantic.alias_generators",
    "pydantic.plugin._schema_validator",
    "pydantic.root_model",
    "pydantic.type_adapter",
    "tomllib",
    "zoneinfo",
)


class Process(Protocol):
    """A function's process. `returncode` is None while it runs, and negative for a signal."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    async def wait(self) -> int: ...


async def new_interpreter(function: Function, environment: Mapping[str, str], output: int) -> Process:
    """Start a process of a function with this environment. It writes to the file descriptor `output`."""
    return await asyncio.create_subprocess_exec(
        *child(signal.SIGKILL, sys.executable, "-m", "awslambdaric", function.handler),
        env=environment,
        cwd=function.code,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


class _Fork:
    """A process that the fork server started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self._status.result() if self._status.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._status)

    def ended(self, code: int) -> None:
        if not self._status.done():
            self._status.set_result(code)


class ForkServer:
    """Starts processes of functions through fork_server.py, which is started again if it ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` has the variables that all functions have with the same value."""
        self._environment = environment
        self._turn = asyncio.Lock()  # of requests: each waits for its reply, unless it is cancelled
        self._control: socket.socket | None = None  # None if the server does not run
        self._replies: deque[asyncio.Future[_Fork]] = deque()  # still pending
        self._running: dict[int, _Fork] = {}

    async def launch(self) -> None:
        """Start the server, so that its imports are done when a function is invoked."""
        async with self._turn:
            if self._control is None:
                await self._launch()

    async def start(self, function: Function, environment: Mapping[str, str], output: int) -> Process:
        """Start a process of a function with this environment. It writes to the file descriptor `output`."""
        request = {
            "folder": str(function.code),
            "handler": function.handler,
            "environment": dict(environment),
        }
        async with self._turn:
            control = self._control or await self._launch()
            try:
                socket.send_fds(control, [json.dumps(request).encode()], [output])
                reply: asyncio.Future[_Fork] = asyncio.get_running_loop().create_future()
                self._replies.append(reply)
                return await reply
            except OSError:  # the server ended, or the environment is too large for a message
                return await new_interpreter(function, environment, output)

    async def stop(self) -> None:
        """End the server, and with it all processes that it started."""
        async with self._turn:
            if self._control is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._server.kill()
                await self._server.wait()
                self._ended()

    async def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        program = str(Path(__file__).with_name("fork_server.py"))
        with theirs:
            self._server = await asyncio.create_subprocess_exec(
                *child(signal.SIGKILL, sys.executable, "-P", program, str(theirs.fileno()), *PRELOADED),
                env=self._environment,
                cwd=os.sep,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        asyncio.get_running_loop().add_reader(ours, self._receive, ours)
        self._control = ours
        return ours

    def _receive(self, control: socket.socket) -> None:
        try:
            message = control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._ended()
            return
        answer = json.loads(message)
        pid = answer["pid"]
        if "status" in answer:
            self._running.pop(pid).ended(os.waitstatus_to_exitcode(answer["status"]))
            return
        self._running[pid] = _Fork(pid)
        reply = self._replies.popleft()
        if reply.done():  # the request was cancelled, so no one else ends the process
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        else:
            reply.set_result(self._running[pid])

    def _ended(self) -> None:
        """The server has ended, so the kernel kills its children."""
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        for process in self._running.values():
            process.ended(-signal.SIGKILL)
        self._running.clear()
        for reply in self._replies:
            if not reply.done():
                reply.set_exception(ConnectionResetError("the fork server has ended"))
        self._replies.clear()
