"""The release check, the lock files and the environments. tests/deploy tests the real build."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import environment, release_check, sam_build

ROOT = Path(__file__).resolve().parents[2]
LAYER_LOCK = ROOT / "layers/dependencies/requirements.txt"
LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), LAYER_LOCK]
GOOD_PYC = release_check.PYC_HEADER + b"code"

# ── the release check ──


def elf(machine: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A deployable build of one function and one layer."""
    serverless = "AWS::Serverless::"
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Architecture": {"Type": "String", "Default": "arm64", "AllowedValues": ["arm64"]}},
        "Globals": {"Function": {"Runtime": "python3.13", "Layers": [{"Ref": "Layer"}]}},
        "Resources": {
            "Layer": {
                "Type": serverless + "LayerVersion",
                "Properties": {"ContentUri": "Layer", "LayerName": {"Fn::Sub": "${AWS::StackName}-library"}},
            },
            "Function": {
                "Type": serverless + "Function",
                "Properties": {"CodeUri": "Function", "Handler": "hello.handler"},
            },
        },
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    for module in ("Function/hello.py", "Layer/python/library.py"):
        source = tmp_path / module
        cache = source.parent / "__pycache__"
        cache.mkdir(parents=True)
        source.touch()
        (cache / f"{source.stem}.cpython-313.pyc").write_bytes(GOOD_PYC)
    (tmp_path / "Layer/python/native.so").write_bytes(elf(machine=183))
    return tmp_path


def check(build: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.release_check", str(build)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_release_check_accepts_a_good_build(build: Path) -> None:
    checked = check(build)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "ready to deploy: 1 functions" in checked.stdout


def test_release_check_rejects_a_missing_build(tmp_path: Path) -> None:
    checked = check(tmp_path / "nothing")
    assert checked.returncode == 1
    assert "run `make build`" in checked.stderr


@pytest.mark.parametrize(
    "pyc",
    [
        None,
        b"",
        (3495).to_bytes(2, "little") + GOOD_PYC[2:],  # Python 3.11
        GOOD_PYC[:4] + bytes(4) + GOOD_PYC[8:],  # checks the source's time, which never matches
        GOOD_PYC[:4] + (3).to_bytes(4, "little") + GOOD_PYC[8:],  # hashes the source on each import
    ],
    ids=["none", "empty", "3.11", "timestamp", "checked hash"],
)
def test_release_check_rejects_bytecode_that_the_runtime_ignores(build: Path, pyc: bytes | None) -> None:
    compiled = build / "Layer/python/__pycache__/library.cpython-313.pyc"
    compiled.unlink()
    if pyc is not None:
        compiled.write_bytes(pyc)
    checked = check(build)
    assert checked.returncode == 1
    assert "1 of 2 modules have no bytecode" in checked.stderr
    assert "PYTHON313=" in checked.stderr


@pytest.mark.parametrize(
    "library", [elf(machine=62), b"\xcf\xfa\xed\xfe" + bytes(16)], ids=["x86_64", "macOS"]
)
def test_release_check_rejects_a_library_for_another_machine(build: Path, library: bytes) -> None:
    (build / "Layer/python/native.so").write_bytes(library)
    [problem] = release_check.problems(release_check.read(build))
    assert "native.so is not built for Linux on arm64" in problem


def test_release_check_follows_the_architecture_of_the_build(build: Path) -> None:
    (build / "Layer/python/native.so").write_bytes(elf(machine=62))
    sam_build.tie(build / "template.yaml", "x86_64")
    assert release_check.problems(release_check.read(build)) == []


def test_release_check_rejects_a_function_over_lambdas_limit(build: Path) -> None:
    for part in ("Function", "Layer"):  # each is below the limit, together they exceed it
        with (build / part / "data").open("wb") as file:
            file.truncate(126 * 1024 * 1024)
    [problem] = release_check.problems(release_check.read(build))
    assert problem == "Function and its layers are 252.0 MB unzipped; Lambda's limit is 250 MB"


def test_release_check_rejects_a_stack_that_leaves_no_room_for_the_next_release(build: Path) -> None:
    path = build / "template.yaml"
    template = yaml.safe_load(path.read_text())
    queues = {f"Queue{n}": {"Type": "AWS::SQS::Queue"} for n in range(448)}
    template["Resources"] |= queues
    path.write_text(yaml.safe_dump(template))
    [problem] = release_check.problems(release_check.read(build))  # queues, function, its role, layer
    assert problem.startswith("the stack has 451 resources; a release may have 450")
    assert "Let functions with the same rights share a role" in problem


# ── lock files ──


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_has_hashes_and_no_lock_has_a_url_or_path(lock: Path) -> None:
    text = lock.read_text()
    blocks = re.findall(r"^\S+==.*(?:\n +.*)*", text, re.MULTILINE)
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|\s/", text)


def test_development_environment_has_the_versions_of_the_layer() -> None:
    shipped = pins(LAYER_LOCK)
    assert shipped == {name: pins(ROOT / "requirements/dev.txt").get(name) for name in shipped}


# ── the Makefile's environments ──


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with tools/environment.py and an empty lock file."""
    for folder in ("tools", "requirements"):
        (tmp_path / folder).mkdir()
    script = "tools/environment.py"
    (tmp_path / script).write_text((ROOT / script).read_text())
    (tmp_path / "requirements/ministack.txt").touch()
    return tmp_path


def install(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "tools/environment.py"), "ministack"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.timeout(300)
def test_environment_is_installed_once_and_again_after_a_failure(tree: Path) -> None:
    folder = tree / ".tools/ministack"
    lock = tree / "requirements/ministack.txt"

    lock.write_text("this is not a lock\n")
    broken = install(tree)
    assert broken.returncode == 1
    assert "failed; see above, then run make again" in broken.stderr.splitlines()[-1]
    (folder / "leftover").touch()

    lock.write_text("# nothing\n")
    first = install(tree)
    assert (first.returncode, first.stdout) == (0, "")
    assert "installing the local data services into .tools/ministack (once" in first.stderr
    assert not (folder / "leftover").exists()

    again = install(tree)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    assert environment.complete(folder, lock, same_python=True)
    lock.write_text("# something else\n")
    assert not environment.complete(folder, lock, same_python=False)


@pytest.mark.timeout(300)
def test_concurrent_makes_install_once(tree: Path) -> None:
    command = [sys.executable, str(tree / "tools/environment.py"), "ministack"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("installing") - said.count("is installing") == 1
