"""Runs tests on Amazon's DynamoDB Local instead of moto's and ministack's DynamoDB: `make test-engines`.

Amazon's license forbids redistribution, so this project does not include DynamoDB Local. Set
`DYNAMODB_LOCAL` to the folder of Amazon's download; otherwise Maven downloads it.
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

# The race needs a DynamoDB that counts correctly; the others use every table and every function. The README's
# quick start is left out: it tests the README. All stacks of a run share the tables of one engine; each test
# has its own workspace, which keeps them apart. The local runner's tests are left out: they test ministack.
TESTS = [
    *(f"tests/e2e/test_{name}.py" for name in ("race", "publish_to_receiver", "kill", "samples")),
    "tests/integration",
    "--ignore-glob=tests/integration/test_local_*",
]

VERSION = "3.1.0"
OLDEST_JAVA = 17
DOWNLOADS = Path(".tools/dynamodb-local")  # a folder for each version
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

# DynamoDB Local listens on every interface, and no option prevents it. Java's security manager, which exists
# up to Java 23, closes connections from other machines, and prevents outgoing ones.
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


# ── prerequisites ────────────────────────────────────────────────────────────────────────────────────


def java_version() -> int:
    """Return the major version of the Java on the PATH. Raises `Problem` if none runs, or it is too old."""
    try:
        output = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    except FileNotFoundError:
        output = ""
    # `version "17.0.15"`, `"24-ea"`, `"1.8.0_402"`. The `java` of macOS only prints that Java is missing.
    match = re.search(r'version "(\d+)', output)
    if not match:
        raise Problem(f"Java not found: DynamoDB Local needs Java {OLDEST_JAVA} or later; install it")
    version = int(match[1])
    if version < OLDEST_JAVA:
        raise Problem(f"DynamoDB Local needs Java {OLDEST_JAVA} or later, but this is Java {version}")
    return version


def locate(configured: str | None, downloads: Path) -> Path:
    """Return the folder of DynamoDB Local: the configured one, or the download, which is made if needed."""
    if configured:
        folder = Path(configured).expanduser().resolve()
        if not (folder / "DynamoDBLocal.jar").is_file():
            raise Problem(f"no DynamoDBLocal.jar in {folder} (DYNAMODB_LOCAL)")
        return folder
    folder = (downloads / VERSION).resolve()
    if not folder.is_dir():
        download(folder)
    return folder


def download(folder: Path) -> None:
    """Copy DynamoDB Local and its dependencies with Maven into a folder that does not exist yet."""
    if not shutil.which("mvn"):
        raise Problem(
            "Maven downloads DynamoDB Local, but there is no mvn: install it, or download DynamoDB Local "
            "from Amazon and set its folder: make test-engines DYNAMODB_LOCAL=<folder of DynamoDBLocal.jar>"
        )
    say(f"downloading DynamoDB Local {VERSION} with Maven into {folder} (once, about 30 s, 60 MB)")
    say("it is under Amazon's DynamoDB Local License Agreement (LICENSE.txt in its jar): to install or")
    say("use it you need an AWS account, and you must not redistribute it")
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
            raise Problem("Maven could not download DynamoDB Local; see above, then run it again")
        try:
            jars.rename(folder)  # atomic
        except OSError:
            if not folder.is_dir():  # it exists if another make was faster
                raise


# ── the engine ───────────────────────────────────────────────────────────────────────────────────────


def command(folder: Path, java: int, port: int, policy: Path) -> list[str]:
    """The command line of DynamoDB Local in a folder of Amazon's download or of Maven's."""
    line = ["java"]
    if java <= LAST_JAVA_WITH_SECURITY_MANAGER:
        line += ["-Djava.security.manager", f"-Djava.security.policy=={policy}"]
    if (jar := folder / "DynamoDBLocal.jar").is_file():
        line += [f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(jar)]
    else:
        line += ["-cp", str(folder / "*"), MAIN_CLASS]
    return [*line, "-port", str(port), "-inMemory", "-disableTelemetry"]


@contextlib.contextmanager
def running(folder: Path, java: int) -> Iterator[str]:
    """Run an empty DynamoDB Local during the block, and yield its URL."""
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
                start_new_session=True,  # Ctrl-C stops the tests, which need the engine until they end
            )
        try:
            url = f"http://{HOST}:{port}"
            wait_until_ready(url, process, log)
            version = re.search(r"^Version:\s*(\S+)", log.read_text(), re.MULTILINE)
            say(f"the engine is DynamoDB Local {version[1] if version else ''} at {url}, from {folder}")
            if java > LAST_JAVA_WITH_SECURITY_MANAGER:
                say(f"note: on Java {java}, other machines can connect to it while the tests run")
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
    """The number of rows in each table of an engine."""
    dynamodb = client("dynamodb", {"*": url})
    names = (name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"])
    scan = dynamodb.get_paginator("scan")
    return {
        name: sum(page["Count"] for page in scan.paginate(TableName=name, Select="COUNT")) for name in names
    }


# ── the tests ────────────────────────────────────────────────────────────────────────────────────────


def run_tests(url: str, arguments: Sequence[str]) -> int:
    """Run the tests with every stack on the engine, and return pytest's exit code."""
    # Ctrl-C also reaches pytest, which stops its stacks and ends. The engine runs until then.
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
        folder = locate(os.environ.get("DYNAMODB_LOCAL"), ROOT / DOWNLOADS)
        with running(folder, java) as url:
            code = run_tests(url, arguments)
            rows = rows_by_table(url)
    except Problem as problem:
        say(str(problem))
        return 1
    except BotoCoreError as error:
        say(f"DynamoDB Local does not answer: {error}")
        return 1
    if not any(rows.values()):
        say("no test wrote a row into DynamoDB Local: the tests ran on another engine")
        return code or 1
    say(f"the tests left {sum(rows.values())} rows in {len(rows)} tables of DynamoDB Local")
    return code


def terminated(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # runs the `finally` blocks, unlike the signal itself


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
