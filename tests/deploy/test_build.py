"""`sam build` of this project, and the release check on its output."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import python313, release_check, sam_build

ROOT = Path(__file__).resolve().parents[2]

# A separate make, even when the tests run under make.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARCHITECTURE"}
} | {"PYTHON": sys.executable, "SAM_CLI_TELEMETRY": "0", **python313.VARIABLES}
COMPILER = python313.find()  # `make` provides it where it can
if COMPILER:
    ENVIRONMENT["PYTHON313"] = COMPILER


def warnings(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("WARNING: no Python 3.13")]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The inputs of a build, copied out of the tree in which other tests run and write their bytecode."""
    tree = tmp_path / "sources"
    for folder in ("functions", "layers", "tools"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for file in ("template.yaml", "samconfig.toml", "openapi.json"):
        shutil.copy(ROOT / file, tree)
    return tree


@pytest.mark.timeout(600)
def test_sam_build_passes_the_release_check(sources: Path) -> None:
    sam = str(ROOT / ".tools/sam/bin/python")
    built = subprocess.run(
        [sam, "-m", "samcli", "build"],
        cwd=sources,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr

    build = release_check.read(sources / ".aws-sam/build")
    [untied] = [problem for problem in release_check.problems(build) if "Architecture" in problem]
    assert "build with `make build`" in untied
    sam_build.tie(sources / ".aws-sam/build/template.yaml", "arm64")
    build = release_check.read(sources / ".aws-sam/build")
    problems = release_check.problems(build)
    if COMPILER:
        assert problems == []
        assert not warnings(built.stderr)
    else:  # the build succeeds with one warning, and this is the only fault
        assert len(warnings(built.stderr)) == 1
        assert len(problems) == 1
        assert "have no bytecode" in problems[0]

    packages = [
        (build.folders[name], resource["Properties"]["Handler"])
        for name, resource in build.template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    assert packages
    for folder, handler in packages:
        module = handler.removesuffix(".handler").replace(".", "/") + ".py"
        assert (folder / module).is_file()
        assert not (folder / "Makefile").exists()
    assert (build.folders["PatchbayLayer"] / "python/patchbay/__init__.py").is_file()
    reference = build.folders["ReferenceLayer"] / "python/patchbay_reference"
    assert (reference / "openapi.json").read_bytes() == (ROOT / "openapi.json").read_bytes()
    assert {"reference.html", "reference.js", "errors.html", "scalar.js.gz"} <= set(os.listdir(reference))
    with_reference = [
        name
        for name, resource in build.template["Resources"].items()
        if {"Ref": "ReferenceLayer"} in resource["Properties"].get("Layers", [])
    ]
    console = build.folders["ConsoleLayer"] / "python/patchbay_console"
    sources_of_console = ROOT / "layers/console/patchbay_console"
    assert (console / "index.html").read_bytes() == (sources_of_console / "index.html").read_bytes()
    for asset in (sources_of_console / "assets").iterdir():
        stored = (console / "assets" / f"{asset.name}.gz").read_bytes()
        assert gzip.decompress(stored) == asset.read_bytes(), asset.name
    assert sorted(with_reference) == [
        "GetOpenApiFunction",
        "GetReferenceFileFunction",
        "GetReferenceFunction",
    ]
    assert (build.folders["DependenciesLayer"] / "python/boto3/__init__.py").is_file()


def build_patchbay_layer(
    sources: Path, artifacts: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    artifacts.mkdir()
    return subprocess.run(
        ["make", "build-PatchbayLayer"],
        cwd=sources / "layers/patchbay",
        env=ENVIRONMENT | environment | {"ARTIFACTS_DIR": str(artifacts)},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_layer_builds_without_python_313_and_warns_once(sources: Path, tmp_path: Path, python: str) -> None:
    built = build_patchbay_layer(sources, tmp_path / "layer", PYTHON313=python)
    assert [python in line for line in warnings(built.stdout)] == [True]
    assert not list(tmp_path.rglob("*.pyc"))


@pytest.mark.skipif(not COMPILER, reason="needs Python 3.13")
def test_bytecode_is_reproducible_and_has_the_paths_of_lambda(sources: Path, tmp_path: Path) -> None:
    def compiled(artifacts: Path) -> dict[Path, bytes]:
        build_patchbay_layer(sources, artifacts)
        return {path.relative_to(artifacts): path.read_bytes() for path in artifacts.rglob("*.pyc")}

    first = compiled(tmp_path / "first")
    assert first == compiled(tmp_path / "second")
    ids = first[Path("python/patchbay/__pycache__/ids.cpython-313.pyc")]
    assert ids.startswith(release_check.PYC_HEADER)
    assert b"/opt/python/patchbay/ids.py" in ids
