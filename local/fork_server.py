"""The fork server starts functions with packages already imported: `fork_server.py CONTROL MODULE…`.

It imports the modules once, and forks for each request of the runner. Each function still has its own
process, environment, working directory, process group, output and command line, and imports its own code and
layers. One thing differs from a new interpreter: all functions have the same hash seed. A child becomes a new
interpreter (`exec`) if its imports would not have been the same, because

- the function has another value of a variable that a module or the interpreter read when the server started,
- or a folder of the function or its layers has a package with the name of an imported one.

CONTROL is the file descriptor of a SOCK_SEQPACKET socket. A request is JSON, with the file descriptor of the
function's output; its reply is `{"pid": …}`. When a process has ended, the server sends `{"pid": …,
"status": …}`, a status of waitpid(2). The server ends with the runner, and functions end with the server
(PR_SET_PDEATHSIG, see child.py).

This program runs on Linux only. It imports nothing of this project, so that functions cannot do so either.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping

PR_SET_PDEATHSIG = 1
MAX_REQUEST = 256 * 1024
# Variables that the interpreter, the dynamic linker and C libraries read. PYTHONPATH is applied below.
READ_BY_C = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "TZ")

LIBC = ctypes.CDLL(None)
SERVER = os.getpid()

_read: dict[str, str | None] = {}


class _Noting(type(os.environ)):  # type: ignore[misc]  # os._Environ
    """The environment while modules are imported: notes in `_read` what they read."""

    def __getitem__(self, name: str) -> str:
        _read[name] = None
        value: str = super().__getitem__(name)
        _read[name] = value
        return value


def preload(modules: list[str]) -> None:
    """Import the modules that are installed."""
    plain = os.environ.__class__
    os.environ.__class__ = _Noting
    try:
        for module in modules:
            try:
                importlib.import_module(module)
            except ImportError:
                continue
    finally:
        os.environ.__class__ = plain
    # The collector would touch, and so copy, the pages that all processes share.
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> tuple[dict[str, object], int] | None:
    """Fork for each request. Returns in the children, with the request and its output, and in the server
    when the runner has ended."""
    wake, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            for pid, status in _ended():
                control.send(json.dumps({"pid": pid, "status": status}).encode())
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST, 1)
            if not message:
                return None
            (output,) = descriptors
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(wake)
                os.close(waking)
                return json.loads(message), output
            _lead_group(pid)  # here too, because the runner may kill the group immediately
            os.close(output)
            control.send(json.dumps({"pid": pid}).encode())


def _ended() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


def _lead_group(pid: int) -> None:
    with contextlib.suppress(PermissionError, ProcessLookupError):  # it has called `exec`, or ended
        os.setpgid(pid, pid)


def become(request: Mapping[str, object], output: int) -> str:
    """Make this child the function's process. Returns the function's handler, or does not return."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != SERVER:
        os._exit(1)  # the server ended before the prctl call
    _lead_group(os.getpid())
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    folder, handler, environment = request["folder"], request["handler"], request["environment"]
    assert isinstance(folder, str)
    assert isinstance(handler, str)
    assert isinstance(environment, dict)
    os.chdir(folder)
    own_path = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if _needs_interpreter(environment, own_path):
        command = [sys.executable, "-m", "awslambdaric", handler]
        os.execve(command[0], command, environment)  # noqa: S606 - without a shell
    # Without the locale LANG, an interpreter sets LC_CTYPE (PEP 538), as this one did.
    inherited = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update({**inherited, **environment})
    sys.path[:0] = own_path
    _show_command(f"{sys.executable} -m awslambdaric {handler}")
    return handler


def _show_command(text: str) -> None:
    """Let ps show this command, and `pkill -f` find it, instead of the fork server's.

    Fields 48 and 49 of /proc/self/stat are the address of a process's arguments, see proc_pid_stat(5).
    """
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()  # from the third field on
    start, end = int(fields[45]), int(fields[46])
    if size := end - start:  # a kernel that hides the address shows 0
        ctypes.memset(start, 0, size)
        ctypes.memmove(start, text.encode(), min(len(text.encode()), size - 1))


def _needs_interpreter(environment: Mapping[str, str], own_path: list[str]) -> bool:
    if any(environment.get(name) != value for name, value in _read.items()):
        return True
    for name in {*environment, *os.environ} - {"PYTHONPATH"}:
        here = os.environ.get(name)
        there = environment.get(name, here if name == "LC_CTYPE" else None)
        if name.startswith(READ_BY_C) and there != here:
            return True
    imported = {name.partition(".")[0] for name in sys.modules}
    found = {
        name.partition(".")[0] for folder in own_path if os.path.isdir(folder) for name in os.listdir(folder)
    }
    return not imported.isdisjoint(found)


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    preload(sys.argv[2:])
    if served := serve(connection):
        connection.close()
        sys.argv = ["awslambdaric", become(*served)]
        del connection, served
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
