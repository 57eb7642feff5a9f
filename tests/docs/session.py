"""A reader's terminal: runs the blocks of a page in order, in one shell and one folder.

The folder looks like the repository, in which the documentation tells readers to work. The test has its own
stack, receiver and workspace, so it replaces their addresses in the commands.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.settings import ROOT
from local.testing import RunningStack
from tests.docs.blocks import PROGRAMS, SHELLS, Block
from tests.reader import free_port, link_clone

SECONDS = 60
TSX = ROOT / ".tools/node/sdk/node_modules/.bin/tsx"
# Modules, because they allow `await` at the top level.
_SUFFIXES = {"python": "py", "ts": "mts", "js": "mjs"}
_END = "\x1e"  # comes after a block's output, and before its exit code


class Failed(AssertionError):
    """A block did not do what the page says. The message has the block, and what it printed."""


class Session:
    def __init__(self, folder: Path, stack: RunningStack, workspace: str, packages: Path | None) -> None:
        """`packages` is a folder of Node packages that programs can import."""
        self._folder = folder
        link_clone(folder)
        if packages:
            (folder / "node_modules").symlink_to(packages)
        (folder / ".curlrc").write_text("no-progress-meter\n")  # curl shows no meter on a terminal either
        self._replaced = {
            "127.0.0.1:8787": stack.url.removeprefix("http://"),
            "PORT=8787": f"PORT={stack.url.rpartition(':')[2]}",
            "8788": free_port(),
            "WORKSPACE=acme": f"WORKSPACE={workspace}",
        }
        self._background: dict[str, subprocess.Popen[bytes]] = {}
        self._printed = ""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PATCHBAY"))
        }
        self._environment = inherited | {
            "STATE_DIR": str(stack.state),
            "RECEIVER_PORT": self._replaced["8788"],
            "PATH": f"{folder / '.bin'}:{folder / '.venv/bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "sdks/python/src"),
            "PYTHONUNBUFFERED": "1",
            "CURL_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
        }
        _install_command_line(folder / ".bin/patchbay")
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._type("set -a -o pipefail")

    def close(self) -> None:
        for process in [*self._background.values(), self._shell]:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()

    def run(self, block: Block) -> None:
        """Do what a reader does with a block. Raises `Failed`."""
        code = self._own(block.code)
        if block.directive == "output":
            if not matches(code, self._printed):
                raise Failed(
                    f"{block.where} shows\n{code}\nbut the command before it printed\n{self._printed}"
                )
        elif block.title:
            file = self._folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code)
        elif block.port:
            self._start(block, code)
        elif block.language in SHELLS:
            self._expect(block, code)
        elif block.language in PROGRAMS:
            name = f"block-{block.line}.{_SUFFIXES[block.language]}"
            (self._folder / name).write_text(code)
            self._expect(block, f"python {name}" if block.language == "python" else f"{TSX} {name}")

    def _own(self, code: str) -> str:
        for published, own in self._replaced.items():
            code = code.replace(published, own)
        return code

    def _expect(self, block: Block, command: str) -> None:
        self._printed, status = self._type(command)
        if (status != 0) is not block.directive.startswith("fails"):
            raise Failed(f"{block.where} exited with {status}:\n{command}\n{self._printed}")
        refused = re.search(r'"type":\s*"[^"]*/docs/errors#', self._printed)
        if refused and not block.directive.startswith("fails"):
            raise Failed(f"{block.where}: a request failed:\n{command}\n{self._printed}")

    def _type(self, command: str) -> tuple[str, int]:
        """Run a command in the shell, and return what it printed and its exit code."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nprintf '{_END}%s\\n' \"$?\"\n".encode())
        self._shell.stdin.flush()
        os.set_blocking(self._shell.stdout.fileno(), False)
        printed, deadline = "", time.monotonic() + SECONDS
        while not (ended := re.search(f"{_END}(\\d+)\n", printed)):
            if time.monotonic() > deadline:
                raise Failed(f"after {SECONDS} s, this still runs:\n{command}\n{printed}")
            if self._shell.poll() is not None:
                raise Failed(f"the shell ended in:\n{command}\n{printed}")
            printed += (self._shell.stdout.read() or b"").decode(errors="replace")
            time.sleep(0.02)
        return printed[: ended.start()], int(ended[1])

    def _start(self, block: Block, command: str) -> None:
        port = self._own(block.port)
        if port in self._background:
            before = self._background.pop(port)
            os.killpg(before.pid, signal.SIGKILL)
            before.wait()
        variables, _ = self._type("export -p")
        log = self._folder / f".background-{block.line}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"{variables}\n{command}"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._background[port] = process
        self._type(f"LOG={shlex.quote(str(log))}")
        deadline = time.monotonic() + SECONDS
        while not listens(int(port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{block.where}: nothing listens on {block.port}:\n{command}\n{log.read_text()}")
            time.sleep(0.05)


def _install_command_line(path: Path) -> None:
    """Install the command of `pip install 'patchbay-sdk[cli]'`, but run it from the sources."""
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nexec python -m patchbay_sdk "$@"\n')
    path.chmod(0o755)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def matches(shown: str, printed: str) -> bool:
    """Return whether a page shows what was printed: JSON with the same fields and types, or the same text."""
    try:
        wanted, found = json.loads(shown), json.loads(printed)
    except ValueError:
        pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown.strip()))
        return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
    return _same_shape(wanted, found)


def _same_shape(wanted: Any, found: Any) -> bool:
    """A page may leave out fields with `"…": "…"`, and items of a list with `"…"`."""
    if wanted == "…":
        return True
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        names = wanted.keys() - {"…"}
        complete = "…" in wanted or names == found.keys()
        return (
            complete
            and names <= found.keys()
            and all(_same_shape(wanted[name], found[name]) for name in names)
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return all(any(_same_shape(each, other) for other in found) for each in wanted if each != "…")
    if isinstance(wanted, str) and isinstance(found, str):
        constant = re.fullmatch("[A-Z_]+|true|false", wanted)
        return wanted == found if constant else True
    if wanted is None or found is None:
        return wanted is found
    return isinstance(wanted, bool) is isinstance(found, bool) and isinstance(
        wanted, int | float
    ) is isinstance(found, int | float)
