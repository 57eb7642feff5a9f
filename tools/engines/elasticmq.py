"""ElasticMQ, an independent implementation of SQS: https://github.com/softwaremill/elasticmq (Apache 2.0)."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from local.settings import ACCOUNT, HOST, REGION
from tools.engines import java

PROGRAM = java.Program(
    "ElasticMQ",
    group="org.elasticmq",
    artifact="elasticmq-server_3",
    version="1.7.1",
    sums=Path(__file__).with_name("elasticmq.sha256"),
)
# Tests have few messages, and each of their workers has its own ElasticMQ.
MEMORY = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def _settings(port: int) -> str:
    return f"""\
include classpath("application.conf")
node-address {{ host = "{HOST}", port = {port} }}
rest-sqs {{ bind-hostname = "{HOST}", bind-port = {port}, sqs-limits = strict }}
aws {{ region = {REGION}, accountId = "{ACCOUNT}" }}
"""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run an ElasticMQ without queues during the block, and yield its URL. `folder` has its jars."""
    port = java.free_port()
    url = f"http://{HOST}:{port}"

    def is_ready() -> None:
        httpx.get(url, params={"Action": "ListQueues"}, trust_env=False, timeout=2).raise_for_status()

    with tempfile.TemporaryDirectory() as temporary:
        settings = Path(temporary, "settings.conf")
        settings.write_text(_settings(port))
        command = ["java", *MEMORY, f"-Dconfig.file={settings}", "-cp", str(folder.resolve() / "*")]
        command.append("org.elasticmq.server.Main")
        with java.running(PROGRAM.name, command, Path(temporary), is_ready):
            yield url
