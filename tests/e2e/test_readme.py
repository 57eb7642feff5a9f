"""The README's quick start works, with all commands in one shell, and the README keeps its promises."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from local.settings import ROOT
from local.testing import RunningStack
from tests.reader import free_port, link_clone

QUICKSTART = re.compile(r"<!-- quickstart:begin -->\n(.*?)<!-- quickstart:end -->", re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
API_PORT, RECEIVER_PORT = "8787", "8788"
MOST_LINES = 130  # a reader has one minute


def quickstart() -> str:
    """Return the commands between the two comments as one script."""
    readme = ROOT / "README.md"
    match = QUICKSTART.search(readme.read_text()) if readme.is_file() else None
    assert match, "README.md has no <!-- quickstart:begin --> … <!-- quickstart:end -->"
    blocks: list[str] = BLOCK.findall(match[1])
    assert blocks, "the README's quick start has no ```sh block"
    return "\n".join(blocks)


def test_readme_is_short_and_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    named = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b", text))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named >= {"run", "test"}
    assert named <= targets, named - targets


def test_quick_start_works(running: RunningStack, tmp_path: Path) -> None:
    # The commands write files, so they run in a copy of the project.
    project = tmp_path / "project"
    project.mkdir()
    link_clone(project)
    # Replace the ports 8787 and 8788 with those of this test's stack and receiver.
    port = free_port()
    commands = quickstart()
    assert f"http://127.0.0.1:{API_PORT}/" in commands
    commands = commands.replace(f"127.0.0.1:{API_PORT}", running.url.removeprefix("http://"))
    commands = commands.replace(f"127.0.0.1:{RECEIVER_PORT}", f"127.0.0.1:{port}")

    # Wrappers that record the command lines, as `ps` would show them.
    shims, command_lines = tmp_path / "bin", tmp_path / "command_lines"
    shims.mkdir()
    for program in ("curl", "make", "python3"):
        shim = shims / program
        shim.write_text(
            f'#!/bin/sh\necho {program} "$@" >> {command_lines}\nexec {shutil.which(program)} "$@"\n'
        )
        shim.chmod(0o755)

    log = tmp_path / "output"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with log.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n{commands}"],
            cwd=project,
            env={
                **inherited,
                "STATE_DIR": str(running.state),
                "RECEIVER_PORT": port,
                "PATH": f"{shims}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = shell.wait(60)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # the receiver runs in the background

    printed = log.read_text()
    assert code == 0, printed
    received = re.search(r"POST_PUBLISHED\n(?:  .*\n)*?  signature +(\S.*)\n", printed)
    assert received, f"the receiver printed no delivery:\n{printed}"
    assert received[1] == "valid", printed
    assert '"status":"DELIVERED"' in printed, f"the last command does not show the delivery:\n{printed}"
    assert '"code":' not in printed.replace(" ", ""), f"a request failed:\n{printed}"
    arguments = command_lines.read_text()
    assert {line.partition(" ")[0] for line in arguments.splitlines()} >= {"curl", "make", "python3"}
    assert not re.search(r"whsec_|sk_test_|eyJ", arguments), "a secret is on a command line"
    jwt_secret = (running.state / "jwt-secret").read_text()
    for process in psutil.process_iter(["cmdline"]):
        assert jwt_secret not in " ".join(process.info["cmdline"] or []), process
