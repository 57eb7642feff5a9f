"""Java programs from Maven Central: what they need, their download, and their process.

A download has exactly the files in the program's `.sha256` file, with the SHA-256 given there. For a new
version, write that file with `sha256sum *` in a folder that Maven made.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from local.services import child
from local.settings import HOST, Problem
from tools import debian

OLDEST_JAVA = 17
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
START_SECONDS = 60
STOP_SECONDS = 15
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>patchbay</groupId>
  <artifactId>engine</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>{group}</groupId>
      <artifactId>{artifact}</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""


@dataclass(frozen=True)
class Program:
    """A program on Maven Central. `sums` has the SHA-256 of each file of the download."""

    name: str
    group: str
    artifact: str
    version: str
    sums: Path


def say(message: str) -> None:
    print(f"test-engines: {message}", file=sys.stderr, flush=True)


# ── prerequisites ────────────────────────────────────────────────────────────────────────────────────


def version() -> int:
    """Return the major version of Java. As root on Debian, installs one if none runs. Raises `Problem` if
    there is none, or it is too old.
    """
    found, reason = _runs("java"), ""
    if not found:
        reason = _install()
        found = _runs("java")
    if not found:
        raise Problem(f"Java not found: the engines need Java {OLDEST_JAVA} or later ({reason})")
    if found < OLDEST_JAVA:
        raise Problem(f"the engines need Java {OLDEST_JAVA} or later, but this is Java {found}")
    return found


def _install() -> str:
    """Install Java and Maven if possible. Returns why it is not possible, or an empty string."""
    try:
        debian.install(["maven"], "Java and Maven", seconds=60)  # Maven's package needs Java's
    except debian.Unavailable as reason:
        return str(reason)
    return ""


def _runs(command: str) -> int:
    """The major version of a Java, or 0 if it does not run."""
    try:
        output = subprocess.run([command, "-version"], capture_output=True, text=True).stderr
    except FileNotFoundError:
        return 0
    # `version "17.0.15"`, `"24-ea"`, `"1.8.0_402"`. The `java` of macOS only prints that Java is missing.
    match = re.search(r'version "(\d+)', output)
    return int(match[1]) if match else 0


# ── downloads ────────────────────────────────────────────────────────────────────────────────────────


def locate(program: Program, downloads: Path, notice: Sequence[str] = ()) -> Path:
    """Return the folder of a program's jars in `downloads`, which has a folder for each version. Downloads
    them if needed, after a notice. Raises `Problem`.
    """
    folder = (downloads / program.version).resolve()
    if not folder.is_dir():
        _download(program, folder, notice)
    return folder


def _download(program: Program, folder: Path, notice: Sequence[str]) -> None:
    """Copy a program and its dependencies with Maven into a folder that does not exist yet."""
    if not shutil.which("mvn") and (reason := _install()):
        raise Problem(f"Maven downloads {program.name}, but there is no mvn ({reason})")
    say(f"downloading {program.name} {program.version} with Maven into {folder} (once, about 30 s, 60 MB)")
    for line in notice:
        say(line)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        pom, jars = Path(temporary, "pom.xml"), Path(temporary, "jars")
        pom.write_text(_POM.format(group=program.group, artifact=program.artifact, version=program.version))
        maven = ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(pom)]
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        if subprocess.run([*maven, COPY_DEPENDENCIES, *options], stdout=sys.stderr).returncode:
            raise Problem(f"Maven could not download {program.name}; see above, then run it again")
        check(jars, program)
        try:
            jars.rename(folder)  # atomic
        except OSError:
            if not folder.is_dir():  # it exists if another make was faster
                raise


def check(folder: Path, program: Program) -> None:
    """Raises `Problem` unless a folder has exactly the files of the program, with their checksums."""
    lines = (line.split() for line in program.sums.read_text().splitlines())
    expected = {name: digest for digest, name in lines}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    wrong = sorted(name for name, _ in expected.items() ^ found.items())
    if wrong:
        raise Problem(
            f"the download of {program.name} {program.version} differs from {program.sums.name}: {wrong[0]}"
        )


# ── processes ────────────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], folder: Path, is_ready: Callable[[], object]
) -> Iterator[Path]:
    """Run a program during the block, which starts when `is_ready` no longer raises. Yields the file of its
    output, which is in the folder. Raises `Problem` if it does not start.
    """
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            child(signal.SIGTERM, *command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C stops the tests, which need the engine until they end
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                is_ready()
                break
            except (BotoCoreError, ClientError, httpx.HTTPError) as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Problem(f"{name} did not start ({error}):\n{log.read_text()}") from None
                time.sleep(0.1)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
