"""The local stack for tests:

with stack(tmp_path, parameters={"Environment": "dev"}) as s:
    httpx.get(f"{s.url}/api/health")
    s.client("dynamodb").scan(TableName=s.tables["WebhooksTable"])
    s.kill("DeliverFunction")
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local import settings
from local.services import child
from local.token import mint

STOP_SECONDS = 30
LOG = "run.log"
_NONE = {"pids": {"runner": 0}}


class RunningStack:
    """A `make run` process with its own data, endpoints and log, found by its state directory."""

    def __init__(self, state: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        """`process` is None in a process that uses the stack of another one, and does not stop it."""
        self.process = process
        self.state = state
        self.log = state / LOG
        described = self.describe()
        self.url: str = described["url"]
        self.queues: dict[str, str] = described["queues"]  # logical ID → URL
        self.tables: dict[str, str] = described["tables"]  # logical ID → name
        self.endpoints: dict[str, str] = described["endpoints"]

    def describe(self) -> dict[str, Any]:
        """The stack's current description, stack.json."""
        return dict(json.loads(settings.stack_file(self.state).read_text()))

    def client(self, service: str) -> Any:
        """A boto3 client with the functions' endpoints. `lambda` invokes functions."""
        return settings.client(service, self.endpoints)

    def invoke(self, function: str, event: Any = None) -> Any:
        """Invoke a function by logical ID, as a schedule would. Raises RuntimeError for its error."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event or {}))
        payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise RuntimeError(f"{function}: {payload}")
        return payload

    def token(
        self,
        workspace: str,
        *,
        role: str | None = None,
        scope: str | None = None,
        subject: str = "developer",
    ) -> str:
        """A JWT that the stack accepts. The role is owner unless a role or a scope is given."""
        return mint(self.state, workspace, role=role, scope=scope, subject=subject)

    def pids(self, function: str) -> list[int]:
        """The IDs of the function's current processes."""
        return list(self.describe()["pids"]["functions"].get(function, []))

    def kill(self, function: str, number: int = signal.SIGKILL) -> list[int]:
        """Send a signal to every process of a function, and return their IDs. After SIGKILL they have ended,
        and the next invocation starts a new one."""
        killed = []
        for pid in self.pids(function):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                killed.append(pid)
        while number == signal.SIGKILL and not set(killed).isdisjoint(self.pids(function)):
            time.sleep(0.01)  # the processes have ended; wait until stack.json says so
        return killed

    def output(self) -> str:
        """The stack's output so far."""
        return self.log.read_text()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop the stack, and return its exit code. Its data stays in the state directory."""
        assert self.process is not None, "another process started this stack"
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()


def eventually(probe: Callable[[], Any], seconds: float = 20) -> Any:
    """Return the first truthy result of the probe. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def stack(
    state_dir: Path,
    *,
    parameters: Mapping[str, object] | None = None,
    template: Path | None = None,
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, Mapping[str, str]] | None = None,
    port: int = 0,
    timeout: float = 60,
    command: Sequence[str] = ("run",),
) -> Iterator[RunningStack]:
    """Run the stack on a free port, or on `port`, and yield it when it is ready. Its log is
    `state_dir/run.log`. `environment` is for the runner, and `variables` are for functions, by logical ID.
    `command` is the command of the local stack, with its own options.
    Raises RuntimeError with the end of the log if the stack does not start."""
    state_dir.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "local", *command]
    line += ["--template", str(template or settings.ROOT / "template.yaml")]
    for name, value in (parameters or {}).items():
        line += ["--parameter", f"{name}={value}"]
    if variables:
        env_vars = state_dir / "env-vars.json"
        env_vars.write_text(json.dumps({name: dict(own) for name, own in variables.items()}))
        line += ["--env-vars", str(env_vars)]
    log = state_dir / LOG
    with log.open("ab") as output:
        process = subprocess.Popen(
            child(signal.SIGTERM, *line),
            cwd=settings.ROOT,
            env={
                **os.environ,
                "WARM": "0",
                **(environment or {}),
                "STATE_DIR": str(state_dir),
                "PORT": str(port),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout
    try:
        while (settings.running_stack(state_dir) or _NONE)["pids"]["runner"] != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the stack did not start:\n" + log.read_text()[-2000:])
            time.sleep(0.05)
        running = RunningStack(state_dir, process)
        yield running
        running.stop()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
