"""`python -m local`: start, reload, restart, stop, and the other commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from standardwebhooks import Webhook

from local.settings import ROOT
from local.testing import RunningStack, eventually, stack

APP = Path(__file__).parent / "fixtures/local_app"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the app that tests may change."""
    folder = tmp_path_factory.mktemp("app") / "app"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def running(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with stack(tmp_path_factory.mktemp("state"), template=app / "template.yaml") as running:
        yield running


def local(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    return line


ADDED = """
  AddedFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.added.handler
      Environment: { Variables: { ADDED_TABLE: !Ref AddedTable } }
      Events:
        Route: { Type: HttpApi, Properties: { ApiId: !Ref Api, Method: GET, Path: /added } }
        Queue: { Type: SQS, Properties: { Queue: !GetAtt AddedQueue.Arn } }
        Once:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: at(WHEN)
            Input: '{"schedule": "<aws.scheduler.scheduled-time>"}'
  AddedQueue: { Type: AWS::SQS::Queue }
  AddedTable: { Type: AWS::Serverless::SimpleTable }
"""

HANDLER = """
import json, os, boto3

def handler(event, context):
    item = {"id": {"S": context.aws_request_id}, "event": {"S": json.dumps(event)}}
    boto3.client("dynamodb").put_item(TableName=os.environ["ADDED_TABLE"], Item=item)
    return "VERSION"
"""


def test_reload_adds_new_resources_and_code(app: Path, running: RunningStack) -> None:
    template = app / "template.yaml"
    assert httpx.get(f"{running.url}/added").status_code == 404
    (app / "functions/app/added.py").write_text(HANDLER.replace("VERSION", "first"))
    when = (datetime.now(UTC) + timedelta(seconds=6)).strftime("%Y-%m-%dT%H:%M:%S")
    template.write_text(template.read_text() + ADDED.replace("WHEN", when))
    assert eventually(lambda: httpx.get(f"{running.url}/added").json() == "first")

    described = running.describe()
    running.client("sqs").send_message(QueueUrl=described["queues"]["AddedQueue"], MessageBody="hi")

    def events() -> Any:
        table = described["tables"]["AddedTable"]
        items = running.client("dynamodb").scan(TableName=table)["Items"]
        return [json.loads(item["event"]["S"]) for item in items]

    assert eventually(lambda: [e for e in events() if "Records" in e])
    (scheduled,) = eventually(lambda: [e for e in events() if "schedule" in e])
    assert scheduled == {"schedule": f"{when}Z"}

    (app / "functions/app/added.py").write_text(HANDLER.replace("VERSION", "second"))
    assert eventually(lambda: httpx.get(f"{running.url}/added").json() == "second")
    (app / "layers/words/words.py").write_text('WORD = "a new word"')
    assert eventually(lambda: httpx.get(f"{running.url}/echo/fixed").json()["word"] == "a new word")


def test_invalid_template_keeps_the_previous_stack(app: Path, running: RunningStack) -> None:
    template = app / "template.yaml"
    good = template.read_text()
    for bad, message in [
        ("Resources: [", "template.yaml does not parse"),
        (good + "\n  New: { Type: AWS::Kinesis::Stream }\n", "AWS::Kinesis::Stream is not emulated"),
        (
            good.replace("FunctionResponseTypes: [ReportBatchItemFailures]", "FilterCriteria: {Filters: []}"),
            "FilterCriteria is not emulated",
        ),
        (good.replace("AttributeName: id, KeyType", "AttributeName: batch, KeyType"), "keys cannot"),
    ]:
        template.write_text(bad)
        while message not in running.output():  # until pytest's timeout
            time.sleep(0.05)
        assert httpx.get(f"{running.url}/echo/fixed").status_code == 200
    template.write_text(good)


def test_invoke_runs_one_function(app: Path, running: RunningStack, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"hello": 1}')
    arguments = ["invoke", "--template", str(app / "template.yaml")]
    result = local(*arguments, "EchoFunction", str(event), STATE_DIR=str(running.state))
    answer = json.loads(result.stdout)
    assert (result.returncode, answer["event"]) == (0, {"hello": 1})
    assert answer["environment"]["SEEN_TABLE"] == running.tables["SeenTable"]
    assert "a plain line" in result.stderr
    for option in ("-e", "--event"):  # as in `sam local`
        same = local(*arguments, "EchoFunction", option, str(event), STATE_DIR=str(running.state))
        assert json.loads(same.stdout)["event"] == {"hello": 1}
    event.write_text('{"authorization": "Bearer <make token WORKSPACE=acme>"}')
    filled = local(*arguments, "EchoFunction", str(event), STATE_DIR=str(running.state))
    bearer = json.loads(filled.stdout)["event"]["authorization"].removeprefix("Bearer ")
    key = OctKey.import_key((running.state / "jwt-secret").read_text())
    assert jwt.decode(bearer, key).claims["workspace_id"] == "acme"

    alone = local(
        *arguments, "ActFunction", STATE_DIR=str(tmp_path / "state")
    )  # starts its own data services
    assert (alone.returncode, json.loads(alone.stdout)["errorType"]) == (1, "KeyError")


def test_conflict_with_a_running_stack_is_one_line(running: RunningStack, tmp_path: Path) -> None:
    again = local("run", STATE_DIR=str(running.state), PORT="0")
    assert one_line(again).startswith(f"error: another stack is using {running.state}")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        conflict = local("run", STATE_DIR=str(tmp_path), PORT=str(port))
    assert one_line(conflict) == f"error: port {port} is in use: choose another with PORT=…"


@pytest.mark.parametrize("command", ["run", "token"])
def test_unusable_state_directory_is_one_line(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for state in (file, file / "below"):
        printed = one_line(local(command, STATE_DIR=str(state), PORT="0", WORKSPACE="acme"))
        assert printed == f"error: STATE_DIR must be a folder, and {state} is not one: set another STATE_DIR"


def test_deleted_state_directory_ends_the_stack_with_one_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with stack(state, template=APP / "template.yaml") as running, running.log.open() as log:
        assert running.process is not None
        shutil.rmtree(state)
        assert running.process.wait(20) == 1
        lines = log.read().splitlines()
    assert lines[-1].startswith(f"error: the state directory {state} was deleted")
    assert "Traceback" not in "".join(lines)
    assert not state.exists()


def test_invalid_settings_are_one_line(app: Path, tmp_path: Path) -> None:
    def run(*arguments: str, **environment: str) -> str:
        return one_line(local("run", *arguments, STATE_DIR=str(tmp_path), PORT="0", **environment))

    template = ("--template", str(app / "template.yaml"))
    for variable in ("PORT", "RECEIVER_PORT"):
        command = "run" if variable == "PORT" else "receiver"
        for port in ("70000", "-1", "http"):
            assert one_line(local(command, STATE_DIR=str(tmp_path), **{variable: port})) == (
                f"error: {variable} must be a number from 1 to 65535, not {port!r}"
            )
    assert "none.yaml not found" in run("--template", str(tmp_path / "none.yaml"))
    assert "ministack not found at /nowhere" in run(*template, MINISTACK="/nowhere")
    assert "no parameter Greetin" in run(*template, "--parameter", "Greetin=x")
    variables = tmp_path / "variables.json"
    assert "cannot read" in run(*template, "--env-vars", str(variables))
    variables.write_text('{"NoFunction": {"NAME": "value"}}')
    assert "no function NoFunction" in run(*template, "--env-vars", str(variables))
    assert run(*template, "--parameter", "Greeting=rude") == "error: Greeting must not be rude"


def test_kill_workers_kills_only_the_workers_of_this_stack(running: RunningStack, tmp_path: Path) -> None:
    state = {"STATE_DIR": str(running.state)}
    missing = one_line(local("kill-workers", STATE_DIR=str(tmp_path)))
    assert missing.startswith(f"error: no stack is running with STATE_DIR={tmp_path}")
    assert one_line(local("kill-workers", **state)) == (
        "error: the template has no function DeliverFunction, DeliverSlowFunction"
    )
    running.invoke("EchoFunction")
    (pid,) = running.pids("EchoFunction")
    killed = local("kill-workers", FUNCTION="EchoFunction", **state)
    assert (killed.returncode, killed.stdout) == (0, f"killed {pid} (EchoFunction)\n")
    assert eventually(lambda: running.pids("EchoFunction") == [])
    none = one_line(local("kill-workers", FUNCTION="EchoFunction", **state))
    assert none.startswith("error: EchoFunction: no process is running")
    running.invoke("EchoFunction")


def tree(running: RunningStack) -> list[psutil.Process]:
    runner = psutil.Process(running.describe()["pids"]["runner"])
    return [runner, *runner.children(recursive=True)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_ends_all_processes(tmp_path: Path, number: int) -> None:
    with stack(tmp_path, template=APP / "template.yaml") as running:
        with pytest.raises(httpx.ReadTimeout):  # a function is busy
            httpx.post(f"{running.url}/act", json={"act": "sleep"}, timeout=0.3)
        processes = tree(running)
        assert len(processes) == 4  # runner, ministack, fork server, function
        assert running.stop(number) == 0
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert not (tmp_path / "stack.json").exists()
    assert "Traceback" not in running.output()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
def test_killed_runner_ends_all_processes(tmp_path: Path) -> None:
    with stack(tmp_path, template=APP / "template.yaml") as running:
        running.invoke("EchoFunction")
        processes = tree(running)
        processes[0].kill()
        assert running.stop() == -signal.SIGKILL
    assert psutil.wait_procs(processes, timeout=15)[1] == []


def test_data_survives_a_restart(tmp_path: Path) -> None:
    template = APP / "template.yaml"
    with stack(tmp_path, template=template) as first:
        running = first
        table, queue = first.tables["SeenTable"], "DeadQueue"
        first.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "kept"}})
        sqs = first.client("sqs")
        for body, group in (("kept", {}), ("grouped", {"MessageGroupId": "acme"})):
            sqs.send_message(QueueUrl=first.queues[queue], MessageBody=body, **group)
        key = first.client("kms").describe_key(KeyId="alias/tests")["KeyMetadata"]["KeyId"]
        secret = first.client("secretsmanager").get_secret_value(SecretId="patchbay-Password")
        token = first.token("acme")
    with stack(tmp_path, template=template, parameters={"Greeting": "calm"}) as second:
        assert second.url != running.url
        assert second.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "kept"}})["Item"]
        received = second.client("sqs").receive_message(QueueUrl=second.queues[queue], MaxNumberOfMessages=10)
        assert sorted(message["Body"] for message in received["Messages"]) == ["grouped", "kept"]
        assert second.describe()["ids"]["Key"] == key
        again = second.client("secretsmanager").get_secret_value(SecretId="patchbay-Password")
        assert again["SecretString"] == secret["SecretString"]
        assert second.invoke("EchoFunction")["environment"]["GREETING"] == "hello, calmly"
        jwt.decode(token, OctKey.import_key((tmp_path / "jwt-secret").read_text()))


def test_token_prints_only_the_token(tmp_path: Path) -> None:
    state = {"STATE_DIR": str(tmp_path)}
    result = local("token", WORKSPACE="acme", **state)
    assert result.returncode == 0
    assert result.stderr.startswith(f"warning: no stack is running with STATE_DIR={tmp_path}")
    (printed,) = result.stdout.splitlines()
    secret = tmp_path / "jwt-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    key = OctKey.import_key(secret.read_text())
    token = jwt.decode(printed, key, algorithms=["HS256"])
    assert token.claims["workspace_id"] == "acme"
    assert token.claims["role"] == "owner"
    assert {"iss", "aud", "sub"} <= token.claims.keys()
    assert token.claims["exp"] - token.claims["iat"] == 12 * 3600

    scoped = local("token", WORKSPACE="acme", SCOPE="events:publish webhooks:read", **state)
    claims = jwt.decode(scoped.stdout.strip(), key).claims
    assert claims["scope"] == "events:publish webhooks:read"
    assert "role" not in claims

    missing = local("token", WORKSPACE="", **state)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert len(missing.stderr.splitlines()) == 1
    wrong = local("token", WORKSPACE="acme", ROLE="boss", **state)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: ROLE must be owner, admin, member or viewer, not 'boss'\n"


def test_token_of_another_state_directory_names_the_running_stack(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with stack(tmp_path / "state", template=APP / "template.yaml", port=port) as running:
        right = local("token", WORKSPACE="acme", STATE_DIR=str(running.state))
        assert (right.returncode, right.stderr) == (0, "")
        other = local("token", WORKSPACE="acme", STATE_DIR=str(tmp_path / "other"))
        command = f"make token WORKSPACE=acme STATE_DIR={running.state}"
        assert f"  for {running.url}: {command}" in other.stderr.splitlines()


@pytest.fixture
def receiver() -> Iterator[Callable[..., tuple[str, subprocess.Popen[str]]]]:
    started: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> tuple[str, subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "receiver"],
            cwd=ROOT,
            env={**os.environ, "PORT": "0", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().split()[2], process

    yield start
    for process in started:
        process.kill()
        process.communicate()


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_receiver_prints_whether_a_signature_is_valid(
    receiver: Callable[..., tuple[str, subprocess.Popen[str]]],
) -> None:
    url, process = receiver(SECRET=SECRET)
    body = '{"type": "POST_PUBLISHED", "data": {}}'
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }
    assert httpx.post(url, content=body, headers=headers).status_code == 200
    assert httpx.post(url, content=body + " ", headers=headers).status_code == 200
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    first, second = printed.split("POST_PUBLISHED\n")[1:]
    assert "webhook-id  msg_1" in first
    assert "signature   valid" in first
    assert "signature   INVALID" in second


def test_receiver_answers_with_the_status_and_mentions_the_missing_secret(
    receiver: Callable[..., tuple[str, subprocess.Popen[str]]],
) -> None:
    url, process = receiver(STATUS="503", SECRET="")
    assert httpx.post(url, content=b"{}").status_code == 503
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=10)
    assert "not checked: set SECRET_FILE=" in printed
    assert one_line(local("receiver", SECRET="whsec_é")).startswith(
        "error: SECRET does not contain a signing secret"
    )


def test_receivers_secret_is_on_no_command_line(
    receiver: Callable[..., tuple[str, subprocess.Popen[str]]], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    url, process = receiver(SECRET_FILE=str(file))
    now = datetime.now(UTC)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("msg_1", now, "{}")
    assert httpx.post(url, content="{}", headers=headers).status_code == 200
    for running in psutil.process_iter(["cmdline"]):
        assert SECRET not in " ".join(running.info["cmdline"] or []), running
    process.send_signal(signal.SIGINT)
    assert "signature   valid" in process.communicate(timeout=10)[0]

    file.write_text("whsec_é")
    assert one_line(local("receiver", SECRET_FILE=str(file))) == (
        f"error: {file} does not contain a signing secret (whsec_ and base64)"
    )
    assert one_line(local("receiver", SECRET_FILE=str(tmp_path))).startswith("error: cannot read SECRET_FILE")


def test_make_receiver_has_the_port_of_the_command_line() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for more, expected in (({}, "local receiver"), ({"RECEIVER_PORT": "1"}, "RECEIVER_PORT= .venv")):
        arguments = ["make", "--dry-run", "receiver", *(["PORT=9000"] if more else [])]
        printed = subprocess.check_output(arguments, cwd=ROOT, env={**environment, **more}, text=True)
        assert expected in printed
        assert ("RECEIVER_PORT=" in printed) == bool(more)


def test_make_rejects_a_secret_on_its_command_line() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    refused = subprocess.run(
        ["make", "receiver", "SECRET=whsec_MQ=="], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "ps shows it to every user of this machine" in refused.stderr
    assert "MQ==" not in refused.stdout + refused.stderr
    as_variable = subprocess.run(
        ["make", "--dry-run", "receiver"],
        cwd=ROOT,
        env={**environment, "SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "local receiver" in as_variable.stdout
    assert SECRET not in as_variable.stdout


def test_encryption_key_is_rejected_at_start() -> None:
    assert one_line(local("run", ENCRYPTION_KEY="x")).startswith("error: ENCRYPTION_KEY is set")
