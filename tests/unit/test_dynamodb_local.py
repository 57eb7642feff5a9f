"""The prerequisites of `make test-engines`: Java and DynamoDB Local."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.settings import Problem
from tools import dynamodb_local

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Writes a program from a line of shell; the PATH has no others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, line: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)

    return make


@pytest.mark.parametrize(
    ("first_line", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('openjdk version "24-ea" 2025-03-18', 24),
    ],
)
def test_java_version_is_parsed(first_line: str, version: int, program: Program) -> None:
    program("java", f"echo '{first_line}' >&2; echo 'OpenJDK Runtime Environment (build 99)' >&2")
    assert dynamodb_local.java_version() == version


@pytest.mark.parametrize("first_line", ['java version "1.8.0_402"', 'openjdk version "11.0.22" 2024-01-16'])
def test_old_java_is_rejected(first_line: str, program: Program) -> None:
    program("java", f"echo '{first_line}' >&2")
    with pytest.raises(Problem, match="needs Java 17 or later, but this is Java"):
        dynamodb_local.java_version()


def test_missing_java_is_reported(program: Program) -> None:
    with pytest.raises(Problem, match="Java not found: DynamoDB Local needs Java 17 or later"):
        dynamodb_local.java_version()
    program("java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")  # as on macOS without Java
    with pytest.raises(Problem, match="Java not found: DynamoDB Local needs Java 17 or later"):
        dynamodb_local.java_version()


def test_missing_maven_is_reported_with_the_alternatives(tmp_path: Path, program: Program) -> None:
    with pytest.raises(Problem, match=r"no mvn: install it, or .* DYNAMODB_LOCAL="):
        dynamodb_local.locate(None, tmp_path / "downloads")


def test_configured_folder_must_have_the_jar(tmp_path: Path) -> None:
    folder = tmp_path / "amazon"
    folder.mkdir()
    with pytest.raises(Problem, match=r"no DynamoDBLocal\.jar in"):
        dynamodb_local.locate(str(folder), tmp_path)
    (folder / "DynamoDBLocal.jar").touch()
    assert dynamodb_local.locate(str(folder), tmp_path) == folder.resolve()


def test_maven_downloads_once_after_the_license_notice(
    tmp_path: Path, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program(
        "mvn", 'echo maven-output; for each; do last=$each; done; /bin/mkdir "${last#-DoutputDirectory=}"'
    )
    folder = dynamodb_local.locate(None, tmp_path / "downloads")
    assert [path.name for path in folder.parent.iterdir()] == [dynamodb_local.VERSION]
    output = capfd.readouterr().err
    assert output.index("License Agreement") < output.index("maven-output")

    program("mvn", "exit 1")
    assert dynamodb_local.locate(None, tmp_path / "downloads") == folder


def test_failed_download_leaves_nothing_behind(tmp_path: Path, program: Program) -> None:
    program("mvn", 'for each; do last=$each; done; /bin/mkdir "${last#-DoutputDirectory=}"; exit 1')
    with pytest.raises(Problem, match="Maven could not download"):
        dynamodb_local.locate(None, tmp_path / "downloads")
    assert list((tmp_path / "downloads").iterdir()) == []


def test_engine_that_exits_at_once_is_reported_with_its_output(tmp_path: Path, program: Program) -> None:
    program("java", "echo Unsupported class file major version; exit 1")
    with (
        pytest.raises(Problem, match=r"did not start .*\nUnsupported class file major version"),
        dynamodb_local.running(tmp_path, 17),
    ):
        pytest.fail("the engine is running")


@pytest.mark.parametrize(("java", "has_security_manager"), [(17, True), (23, True), (24, False)])
def test_security_manager_limits_connections_up_to_java_23(
    java: int, has_security_manager: bool, tmp_path: Path
) -> None:
    line = dynamodb_local.command(tmp_path, java, 8000, tmp_path / "policy")
    assert (f"-Djava.security.policy=={tmp_path / 'policy'}" in line) is has_security_manager
    assert ("-Djava.security.manager" in line) is has_security_manager  # Java 24 does not start with it


def test_command_line_of_amazons_download_and_of_mavens(tmp_path: Path) -> None:
    options = ["-port", "8000", "-inMemory", "-disableTelemetry"]
    mavens = dynamodb_local.command(tmp_path, 24, 8000, tmp_path)
    assert mavens == ["java", "-cp", f"{tmp_path}/*", dynamodb_local.MAIN_CLASS, *options]
    jar = tmp_path / "DynamoDBLocal.jar"
    jar.touch()
    libraries = f"-Djava.library.path={tmp_path}/DynamoDBLocal_lib"
    assert dynamodb_local.command(tmp_path, 24, 8000, tmp_path) == [
        "java",
        libraries,
        "-jar",
        str(jar),
        *options,
    ]
