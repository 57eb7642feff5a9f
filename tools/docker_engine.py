"""Docker for the tests that need it: the running engine, or Debian's, which is started and stopped here."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools import debian

_START_SECONDS = 60
_STOP_SECONDS = 30
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


class Unavailable(Exception):
    """Docker, or the emulation of another processor, cannot run here. The message says what to do."""


def require() -> None:
    """Raise `Unavailable` if Docker does not run."""
    if not shutil.which("docker"):
        raise Unavailable("install it and start it")
    if not _answers():
        raise Unavailable("start it, or add the user to its group")


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Run Docker during the block. As root on Debian, installs it if needed. Raises `Unavailable`."""
    if _answers():
        yield
        return
    if os.geteuid():
        raise Unavailable("Docker does not run, or not for this user: start it, or add the user to its group")
    # The engine, and the iptables that it calls, are in folders that only root's PATH has.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if not shutil.which("dockerd", path=path):
        _install("docker.io", "Docker")
    if not (command := shutil.which("dockerd", path=path)):
        raise Unavailable("Debian's package docker.io has no dockerd: install Docker Engine")
    with tempfile.TemporaryFile() as log:
        engine = subprocess.Popen(
            [command], env={**os.environ, "PATH": path}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _answers():
                if engine.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    lines = log.read().decode(errors="replace").strip().splitlines()
                    raise Unavailable(f"Docker does not start here: {lines[-1] if lines else 'no output'}")
                time.sleep(0.2)
            yield
        finally:
            engine.terminate()
            try:
                engine.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                engine.kill()
                engine.wait()


def emulate_arm64() -> None:
    """Let this machine run programs for arm64, in containers too. Raises `Unavailable`."""
    if os.uname().machine in ("aarch64", "arm64") or (_BINFMT / "qemu-aarch64").exists():
        return
    if os.geteuid():
        raise Unavailable("arm64 is not emulated here: install qemu-user-static")
    if not _RULE.exists():
        _install("qemu-user-static", "the emulation of arm64")
    try:
        if not (_BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)], check=True)
        if not (_BINFMT / "qemu-aarch64").exists():  # the package registers it only under systemd
            (_BINFMT / "register").write_text(_RULE.read_text())
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"arm64 cannot be emulated here: {error}") from None


def _answers() -> bool:
    if not shutil.which("docker"):
        return False
    return not subprocess.run(["docker", "info"], capture_output=True).returncode


def _install(package: str, what: str) -> None:
    try:
        debian.install([package], what, seconds=30)
    except debian.Unavailable as reason:
        raise Unavailable(str(reason)) from None
