"""The Python SDK as a package: built, installed into an empty environment, run against the local stack."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.settings import ROOT
from local.testing import RunningStack
from tests.e2e.test_readme import API_PORT
from tests.receivers import receiver
from tests.sdks.reference import code_samples

SOURCE = ROOT / "sdks" / "python"
README = (SOURCE / "README.md").read_text()
QUICK_START = re.compile(
    r"<!-- quickstart:begin -->\n```python\n(.*?)```\n<!-- quickstart:end -->", re.DOTALL
)
SETTINGS = re.compile(r"^```sh\n(export .*?)^```$", re.DOTALL | re.MULTILINE)
MOST_LINES = 8
LARGEST_WHEEL = 150_000  # bytes


def run(*command: str | Path, folder: Path, code: int = 0, settings: Mapping[str, str] | None = None) -> str:
    """Run a command that must exit with `code`. Returns its output. `settings` are environment variables."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "PATCHBAY", "PYTHON"))
    }
    completed = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "NO_COLOR": "1", **(settings or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    assert completed.returncode == code, f"{command}\n{completed.stdout}"
    return completed.stdout


def environment(folder: Path, *packages: str) -> Path:
    """Create a virtual environment with the packages, and return its folder of programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    install(folder / "bin", *packages)
    return folder / "bin"


def install(programs: Path, *packages: str) -> None:
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet", "--no-compile")
    run(*pip, "--disable-pip-version-check", *packages, folder=programs)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist and of the wheel that `python -m build` builds from it."""
    root = tmp_path_factory.mktemp("build")
    source = root / "python"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", ".*", "dist"))
    run(
        environment(root / "env", "build") / "python", "-m", "build", "-o", root / "dist", source, folder=root
    )
    return root / "dist"


@pytest.fixture(scope="module")
def programs(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, but without the extra `cli`."""
    [wheel] = packages.glob("*.whl")
    return environment(tmp_path_factory.mktemp("user") / "env", str(wheel))


@pytest.fixture(scope="module")
def settings(running: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The variables that the README's commands export, run as written except for the port."""
    commands = SETTINGS.search(README)
    assert commands, "the README has no commands that export settings"
    text = commands[1]
    assert f"http://127.0.0.1:{API_PORT}\n" in text
    text = text.replace(f"http://127.0.0.1:{API_PORT}", running.url)
    printed = run(
        "bash",
        "-c",
        f"set -eu\n{text}\nenv | grep ^PATCHBAY",
        folder=ROOT,
        settings={"STATE_DIR": str(running.state)},
    )
    exported = dict(line.split("=", 1) for line in printed.splitlines())
    assert exported.keys() == {"PATCHBAY_URL", "PATCHBAY_API_KEY"}
    return {**exported, "PATCHBAY_CONFIG": str(tmp_path_factory.mktemp("config") / "credentials.json")}


def test_packages_have_what_they_need_and_no_more(packages: Path) -> None:
    [wheel], [sdist] = packages.glob("*.whl"), packages.glob("*.tar.gz")
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {"patchbay_sdk/py.typed", "patchbay_sdk/resources.py", "patchbay_sdk/cli/app.py"} <= files
    assert {name.partition("/")[0].partition("-")[0] for name in files} == {"patchbay_sdk"}
    assert not any("test_" in name for name in files)
    assert wheel.stat().st_size < LARGEST_WHEEL
    assert wheel.name.endswith("-py3-none-any.whl")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "pyproject.toml", "src/patchbay_sdk/py.typed"} <= inside
    print(f"\nwheel: {wheel.stat().st_size:,} bytes")


def test_samples_of_the_reference_are_typed(tmp_path: Path) -> None:
    for number, sample in enumerate(code_samples("python")):
        (tmp_path / f"sample_{number}.py").write_text(sample + "\n")
    environment = {"MYPYPATH": str(SOURCE / "src")}
    run(sys.executable, "-m", "mypy", "--strict", ".", folder=tmp_path, settings=environment)


def test_quick_start_delivers_a_verified_event(
    programs: Path, settings: Mapping[str, str], tmp_path: Path
) -> None:
    code = QUICK_START.search(README)
    assert code, "the README has no quick start"
    lines = [line for line in code[1].splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES
    (tmp_path / "quick_start.py").write_text(code[1])
    started = time.monotonic()
    printed = run(programs / "python", "quick_start.py", folder=tmp_path, settings=settings)
    seconds = time.monotonic() - started
    assert "type='POST_PUBLISHED'" in printed
    assert "post_id='post_42'" in printed
    print(f"\nquick start: a verified delivery after {seconds:.2f} s, with {len(lines)} lines of code")


def test_import_needs_neither_the_models_nor_the_command_line(programs: Path, tmp_path: Path) -> None:
    code = (
        "import sys, patchbay_sdk; print(*sorted({'boto3', 'pydantic', 'typer', 'rich'} & set(sys.modules)))"
    )
    assert run(programs / "python", "-c", code, folder=tmp_path).strip() == ""


def test_command_without_its_extra_says_what_to_install(programs: Path, tmp_path: Path) -> None:
    printed = run(programs / "patchbay", "whoami", folder=tmp_path, code=1)
    assert printed == "The command line needs typer. Install it: pip install 'patchbay-sdk[cli]'\n"


def test_command_line(
    running: RunningStack, packages: Path, programs: Path, settings: Mapping[str, str], tmp_path: Path
) -> None:
    [wheel] = packages.glob("*.whl")
    install(programs, f"{wheel}[cli]")

    def patchbay(*arguments: str, code: int = 0) -> str:
        return run(programs / "patchbay", *arguments, folder=tmp_path, code=code, settings=settings)

    assert patchbay("--version").startswith("patchbay 1.")
    assert "acme" in patchbay("whoami")
    assert "POST_PUBLISHED" in patchbay("events", "types")
    (tmp_path / "patchbay.toml").write_text(
        '[[webhooks]]\nname = "Declared"\nurl = "http://127.0.0.1:9999/hook"\neventTypes = ["POST_FAILED"]\n'
        'retryConfig = { maxRetries = 1 }\n[[keys]]\nname = "Declared"\nscopes = ["events:publish"]\n'
    )
    patchbay("ensure", "--check", code=6)
    assert "whsec_" in patchbay("ensure", "--yes")
    patchbay("ensure", "--check")
    with receiver() as inbox:
        created = patchbay("--json", "webhooks", "create", "Mine", inbox.url, "--type", "POST_PUBLISHED")
        webhook = json.loads(created.splitlines()[0])
        patchbay("trigger", "POST_PUBLISHED", "--set", "network=linkedin")
        [request] = inbox.wait_for(1)
        assert request.json()["data"]["network"] == "linkedin"
        headers = [
            f"--header={name}: {request.headers[name]}"
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        ]
        (tmp_path / "body").write_bytes(request.body)
        secret = {"PATCHBAY_SECRET": webhook["secret"]}
        run(programs / "patchbay", "verify", "body", *headers, folder=tmp_path, settings=secret)
        delivery = request.headers["webhook-id"]
        assert delivery in patchbay("deliveries", "list", "--webhook", webhook["id"])
        assert "200" in patchbay("deliveries", "show", webhook["id"], delivery)
        patchbay("deliveries", "retry", webhook["id"], delivery, "--force")
        inbox.wait_for(2)
        again = ("deliveries", "replay", webhook["id"], "--since", "1h", "-s", "DELIVERED")
        assert patchbay(*again, "--dry-run") == "Would send  1\n"
        assert "RUNNING" in patchbay(*again, "--no-wait")
        running.invoke("SweepDeliveriesFunction")  # normally, it runs every minute
        inbox.wait_for(3)
    patchbay("webhooks", "delete", webhook["id"], code=1)
    patchbay("webhooks", "delete", webhook["id"], "--yes")
    patchbay("webhooks", "show", webhook["id"], code=4)
    patchbay("--url", "http://127.0.0.1:1", "whoami", code=5)


RECEIVERS = """
import base64, datetime, json, os, sys
import standardwebhooks
sys.path.insert(0, sys.argv[1])
secret = os.environ["PATCHBAY_SECRET"]
body = json.dumps({"id": "evt_1", "type": "POST_PUBLISHED", "timestamp": "2026-11-27T09:30:00Z",
                   "data": {"postId": "p", "network": "linkedin", "text": "Hé"}}, ensure_ascii=False)
now = datetime.datetime.now(datetime.timezone.utc)
headers = {"webhook-id": "dlv_1", "webhook-timestamp": str(int(now.timestamp())),
           "webhook-signature": standardwebhooks.Webhook(secret).sign("dlv_1", now, body)}
raw = body.encode()
forged = raw + b" "

from fastapi.testclient import TestClient
from fastapi_receiver import app as fastapi_app
with TestClient(fastapi_app) as client:
    print([client.post("/hook", content=body, headers=headers).status_code for body in (raw, forged)])

from flask_receiver import app as flask_app
with flask_app.test_client() as client:
    print([client.post("/hook", data=body, headers=headers).status_code for body in (raw, forged)])

from lambda_receiver import handler
text = raw.decode()
encoded = {"headers": headers, "body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
plain = {"headers": headers, "body": text, "isBase64Encoded": False}
print([handler(request, None)["statusCode"] for request in (encoded, plain, {**plain, "body": "{}"})])
"""


def test_example_receivers_verify(programs: Path, tmp_path: Path) -> None:
    install(programs, "fastapi", "flask")
    (tmp_path / "receivers.py").write_text(RECEIVERS)
    printed = run(
        programs / "python",
        "receivers.py",
        SOURCE / "examples",
        folder=tmp_path,
        settings={"PATCHBAY_SECRET": "whsec_" + "QUJD" * 8, "PYTHONWARNINGS": "ignore"},
    )
    assert printed.splitlines() == [
        "dlv_1 published on linkedin",
        "[204, 400]",
        "dlv_1 POST_PUBLISHED",
        "[204, 400]",
        "dlv_1 POST_PUBLISHED",
        "dlv_1 POST_PUBLISHED",
        "[204, 204, 400]",
    ]
