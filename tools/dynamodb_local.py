"""Runs end-to-end tests on Amazon's DynamoDB Local instead of ministack's DynamoDB: `make test-engines`.

Amazon's licence lets nobody pass DynamoDB Local on, so it is no part of this project: whoever wants these
tests says where theirs is (`DYNAMODB_LOCAL`, the folder of Amazon's download), or has Maven fetch it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from local.services import child
from local.settings import ENDPOINT_VARIABLES, HOST, ROOT, Problem, client

# The race needs a DynamoDB that counts right, the others every table and every function. The README's
# quick start is left out: it is about the README. All stacks of a run share the tables of one engine;
# what keeps them apart is that each test has a workspace of its own.
TESTS = [f"tests/e2e/test_{name}.py" for name in ("race", "main_job", "kill", "samples")]

VERSION = "3.1.0"
OLDEST_JAVA = 17
FETCHED = Path(".tools/dynamodb-local")  # a folder for each version
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>patchbay</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>software.amazon.dynamodb</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

# DynamoDB Local listens on every interface and has no option against it. Java's security manager, which is
# there up to Java 23, closes connections that do not come from this machine, and lets it open none itself.
LAST_JAVA_WITH_SECURITY_MANAGER = 23
POLICY = f"""\
grant {{
  permission java.net.SocketPermission "{HOST}", "accept";
  permission java.net.SocketPermission "localhost:1024-", "listen,resolve";
  permission java.io.FilePermission "<<ALL FILES>>", "read,write,delete,execute,readlink";
  permission java.lang.RuntimePermission "*";
  permission java.lang.management.ManagementPermission "monitor";
  permission java.lang.reflect.ReflectPermission "*";
  permission java.net.NetPermission "*";
  permission java.security.SecurityPermission "*";
  permission java.util.PropertyPermission "*", "read,write";
  permission java.util.logging.LoggingPermission "control";
  permission javax.management.MBeanPermission "*", "*";
  permission javax.management.MBeanServerPermission "*";
  permission javax.management.MBeanTrustPermission "*";
}};
"""

START_SECONDS = 30
STOP_SECONDS = 15


def say(message: str) -> None:
    print(f"test-engines: {message}", file=sys.stderr, flush=True)


# ── what has to be here ──────────────────────────────────────────────────────────────────────────────


def java_version() -> int:
    """The major version of the Java on the PATH. Raises `Problem` when none runs or it is too old."""
    try:
        shown = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    except FileNotFoundError:
        shown = ""
    # `version "17.0.15"`, `"24-ea"`, `"1.8.0_402"`. macOS has a `java` that only says that there is none.
    found = re.search(r'version "(\d+)', shown)
    if not found:
        raise Problem(f"DynamoDB Local runs on Java {OLDEST_JAVA} or later, and there is none: install one")
    version = int(found[1])
    if version < OLDEST_JAVA:
        raise Problem(f"DynamoDB Local needs Java {OLDEST_JAVA} or later, and this is Java {version}")
    return version


def locate(given: str | None, fetched: Path) -> Path:
    """The folder of DynamoDB Local: the one given, or else the fetched one, fetched now if need be."""
    if given:
        folder = Path(given).expanduser().resolve()
        if not (folder / "DynamoDBLocal.jar").is_file():
            raise Problem(f"there is no DynamoDBLocal.jar in {folder} (DYNAMODB_LOCAL)")
        return folder
    folder = (fetched / VERSION).resolve()
    if not folder.is_dir():
        fetch(folder)
    return folder


def fetch(folder: Path) -> None:
    """Has Maven copy DynamoDB Local and what it needs into a folder that is not there yet."""
    if not shutil.which("mvn"):
        raise Problem(
            "DynamoDB Local is fetched with Maven, and there is no mvn: install it, or download DynamoDB "
            "Local from Amazon and say where: make test-engines DYNAMODB_LOCAL=<folder of DynamoDBLocal.jar>"
        )
    say(f"Maven fetches DynamoDB Local {VERSION} into {folder} (once, about 30 s, 60 MB)")
    say("it comes under Amazon's DynamoDB Local License Agreement (LICENSE.txt in its jar): to install or")
    say("use it you need an AWS account, and you must not pass it on")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        pom, jars = Path(temporary, "pom.xml"), Path(temporary, "jars")
        pom.write_text(POM)
        maven = [
            "mvn",
            "--batch-mode",
            "--quiet",
            "--strict-checksums",
            "--file",
            str(pom),
        ]
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        if subprocess.run([*maven, COPY_DEPENDENCIES, *options], stdout=sys.stderr).returncode:
            raise Problem("Maven could not fetch DynamoDB Local; see above, then run it again")
        try:
            jars.rename(folder)  # whole or not at all
        except OSError:
            if not folder.is_dir():  # it is there when another make was faster
                raise


# ── the engine ───────────────────────────────────────────────────────────────────────────────────────


def command(folder: Path, java: int, port: int, policy: Path) -> list[str]:
    """The command line of DynamoDB Local from a folder, Amazon's or Maven's."""
    line = ["java"]
    if java <= LAST_JAVA_WITH_SECURITY_MANAGER:
        line += ["-Djava.security.manager", f"-Djava.security.policy=={policy}"]
    if (jar := folder / "DynamoDBLocal.jar").is_file():
        line += [f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(jar)]
    else:
        line += ["-cp", str(folder / "*"), MAIN_CLASS]
    return [*line, "-port", str(port), "-inMemory", "-sharedDb", "-disableTelemetry"]


@contextlib.contextmanager
def running(folder: Path, java: int) -> Iterator[str]:
    """An empty DynamoDB Local, for as long as the block; its URL."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as temporary:
        policy, log = Path(temporary, "policy"), Path(temporary, "log")
        policy.write_text(POLICY)
        with log.open("wb") as output:
            process = subprocess.Popen(
                child(signal.SIGTERM, *command(folder, java, port, policy)),
                cwd=temporary,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests, which still need it to stop theirs
            )
        try:
            url = f"http://{HOST}:{port}"
            wait_until_ready(url, process, log)
            version = re.search(r"^Version:\s*(\S+)", log.read_text(), re.MULTILINE)
            say(f"the engine is DynamoDB Local {version[1] if version else ''} at {url}, from {folder}")
            if java > LAST_JAVA_WITH_SECURITY_MANAGER:
                say(f"note: on Java {java} it can be reached from other machines too while the tests run")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            rows_by_table(url)
        except (BotoCoreError, ClientError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Problem(f"DynamoDB Local did not start ({error}):\n{log.read_text()}") from None
            time.sleep(0.1)
        else:
            return


def rows_by_table(url: str) -> dict[str, int]:
    """How many rows each table of an engine holds."""
    dynamodb = client("dynamodb", {"*": url})
    names = (name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"])
    scan = dynamodb.get_paginator("scan")
    return {
        name: sum(page["Count"] for page in scan.paginate(TableName=name, Select="COUNT")) for name in names
    }


# ── the tests ────────────────────────────────────────────────────────────────────────────────────────


def run_tests(url: str, arguments: Sequence[str]) -> int:
    """pytest's exit code, with every stack of the tests on the engine."""
    # Ctrl-C reaches pytest too, which stops its stacks and ends; the engine is there until then.
    signal.signal(signal.SIGINT, lambda *_: None)
    pytest = subprocess.Popen(
        child(signal.SIGINT, sys.executable, "-m", "pytest", *TESTS, *arguments),
        cwd=ROOT,
        env={**os.environ, ENDPOINT_VARIABLES["dynamodb"]: url},
    )
    try:
        return pytest.wait()
    finally:
        if pytest.poll() is None:
            pytest.send_signal(signal.SIGINT)
            pytest.wait()


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, terminated)
    try:
        java = java_version()
        folder = locate(os.environ.get("DYNAMODB_LOCAL"), ROOT / FETCHED)
        with running(folder, java) as url:
            code = run_tests(url, arguments)
            held = rows_by_table(url)
    except Problem as problem:
        say(str(problem))
        return 1
    except BotoCoreError as error:
        say(f"DynamoDB Local answers no more: {error}")
        return 1
    if not any(held.values()):
        say("no test put a row into DynamoDB Local: whatever they ran on, it was not this engine")
        return code or 1
    say(f"the tests left {sum(held.values())} rows in {len(held)} tables of DynamoDB Local")
    return code


def terminated(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # unlike the signal's own end, it lets everything be stopped


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
