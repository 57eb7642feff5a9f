"""Amazon's DynamoDB Local.

Amazon's license forbids redistribution, so this project does not include DynamoDB Local. Set
`DYNAMODB_LOCAL` to the folder of Amazon's download; otherwise Maven downloads it.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.settings import HOST, REGION, Problem
from tools.engines import java

PROGRAM = java.Program(
    "DynamoDB Local",
    group="software.amazon.dynamodb",
    artifact="DynamoDBLocal",
    version="3.1.0",
    sums=Path(__file__).with_name("dynamodb-local.sha256"),
)
LICENSE = [
    "it is under Amazon's DynamoDB Local License Agreement (LICENSE.txt in its jar): to install or",
    "use it you need an AWS account, and you must not redistribute it",
]
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"

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


def locate(configured: str | None, downloads: Path) -> Path:
    """Return the folder of DynamoDB Local: the configured one, or the download, which is made if needed."""
    if configured:
        folder = Path(configured).expanduser().resolve()
        if not (folder / "DynamoDBLocal.jar").is_file():
            raise Problem(f"no DynamoDBLocal.jar in {folder} (DYNAMODB_LOCAL)")
        return folder
    return java.locate(PROGRAM, downloads, LICENSE)


def command(folder: Path, version: int, port: int, policy: Path) -> list[str]:
    """The command line of DynamoDB Local in a folder of Amazon's download or of Maven's."""
    line = ["java"]
    if version <= LAST_JAVA_WITH_SECURITY_MANAGER:
        line += ["-Djava.security.manager", f"-Djava.security.policy=={policy}"]
    if (jar := folder / "DynamoDBLocal.jar").is_file():
        line += [f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(jar)]
    else:
        line += ["-cp", str(folder / "*"), MAIN_CLASS]
    return [*line, "-port", str(port), "-inMemory", "-disableTelemetry"]


@contextlib.contextmanager
def running(folder: Path, version: int) -> Iterator[str]:
    """Run an empty DynamoDB Local during the block, on a Java of this major version, and yield its URL."""
    port = java.free_port()
    url = f"http://{HOST}:{port}"
    with tempfile.TemporaryDirectory() as temporary:
        policy = Path(temporary, "policy")
        policy.write_text(POLICY)
        line = command(folder, version, port, policy)
        with java.running(PROGRAM.name, line, Path(temporary), lambda: tables(url, "local")) as log:
            found = re.search(r"^Version:\s*(\S+)", log.read_text(), re.MULTILINE)
            java.say(f"DynamoDB Local {found[1] if found else ''} runs at {url}, from {folder}")
            if version > LAST_JAVA_WITH_SECURITY_MANAGER:
                java.say(f"note: on Java {version}, other machines can connect to it while the tests run")
            yield url


def tables(url: str, access_key: str) -> list[str]:
    """The tables of an access key: DynamoDB Local separates the tables of each access key."""
    dynamodb: Any = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}),
    )
    names: list[str] = dynamodb.list_tables()["TableNames"]
    return names
