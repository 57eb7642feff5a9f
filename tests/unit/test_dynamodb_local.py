"""What `make test-engines` asks of a machine before there is an engine: Java, and DynamoDB Local itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.settings import Problem
from tools import dynamodb_local

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Makes a program from a line of shell; there are no others on the PATH."""
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
def test_the_version_of_java(first_line: str, version: int, program: Program) -> None:
    program("java", f"echo '{first_line}' >&2; echo 'OpenJDK Runtime Environment (build 99)' >&2")
    assert dynamodb_local.java_version() == version


@pytest.mark.parametrize("first_line", ['java version "1.8.0_402"', 'openjdk version "11.0.22" 2024-01-16'])
def test_an_old_java_is_refused(first_line: str, program: Program) -> None:
    program("java", f"echo '{first_line}' >&2")
    with pytest.raises(Problem, match="needs Java 17 or later, and this is Java"):
        dynamodb_local.java_version()


def test_no_java_is_a_problem(program: Program) -> None:
    with pytest.raises(Problem, match="Java 17 or later, and there is none"):
        dynamodb_local.java_version()
    program("java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")  # what macOS has
    with pytest.raises(Problem, match="Java 17 or later, and there is none"):
        dynamodb_local.java_version()


def test_without_a_copy_or_maven_it_says_what_to_do(tmp_path: Path, program: Program) -> None:
    with pytest.raises(Problem, match=r"no mvn: install it, or .* DYNAMODB_LOCAL="):
        dynamodb_local.locate(None, tmp_path / "fetched")


def test_a_folder_that_is_given_must_hold_it(tmp_path: Path) -> None:
    given = tmp_path / "amazon"
    given.mkdir()
    with pytest.raises(Problem, match=r"no DynamoDBLocal\.jar in"):
        dynamodb_local.locate(str(given), tmp_path)
    (given / "DynamoDBLocal.jar").touch()
    assert dynamodb_local.locate(str(given), tmp_path) == given.resolve()


def test_maven_fetches_once_and_the_licence_is_named_first(
    tmp_path: Path, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program("mvn", 'echo fetching; for each; do last=$each; done; /bin/mkdir "${last#-DoutputDirectory=}"')
    folder = dynamodb_local.locate(None, tmp_path / "fetched")
    assert [path.name for path in folder.parent.iterdir()] == [dynamodb_local.VERSION]
    said = capfd.readouterr().err
    assert said.index("License Agreement") < said.index("fetching")

    program("mvn", "exit 1")
    assert dynamodb_local.locate(None, tmp_path / "fetched") == folder


def test_a_fetch_that_fails_leaves_nothing_behind(tmp_path: Path, program: Program) -> None:
    program("mvn", 'for each; do last=$each; done; /bin/mkdir "${last#-DoutputDirectory=}"; exit 1')
    with pytest.raises(Problem, match="Maven could not fetch"):
        dynamodb_local.locate(None, tmp_path / "fetched")
    assert list((tmp_path / "fetched").iterdir()) == []


def test_an_engine_that_ends_at_once_says_why(tmp_path: Path, program: Program) -> None:
    program("java", "echo Unsupported class file major version; exit 1")
    with (
        pytest.raises(Problem, match=r"did not start .*\nUnsupported class file major version"),
        dynamodb_local.running(tmp_path, 17),
    ):
        pytest.fail("there is no engine")


@pytest.mark.parametrize(("java", "kept"), [(17, True), (23, True), (24, False)])
def test_only_this_machine_reaches_it_where_java_can_see_to_that(
    java: int, kept: bool, tmp_path: Path
) -> None:
    line = dynamodb_local.command(tmp_path, java, 8000, tmp_path / "policy")
    assert (f"-Djava.security.policy=={tmp_path / 'policy'}" in line) is kept
    assert ("-Djava.security.manager" in line) is kept  # later ones refuse to start with it


def test_amazons_folder_and_mavens_start_differently(tmp_path: Path) -> None:
    options = ["-port", "8000", "-inMemory", "-sharedDb", "-disableTelemetry"]
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
