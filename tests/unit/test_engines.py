"""The prerequisites of `make test-engines`: Java, Maven, and what it downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.settings import Problem
from tools.engines import dynamodb_local, elasticmq, java

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Writes a program from a line of shell. PATH has no other programs."""
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
    assert java.version() == version


@pytest.mark.parametrize("first_line", ['java version "1.8.0_402"', 'openjdk version "11.0.22" 2024-01-16'])
def test_old_java_is_rejected(first_line: str, program: Program) -> None:
    program("java", f"echo '{first_line}' >&2")
    with pytest.raises(Problem, match="need Java 17 or later, but this is Java"):
        java.version()


def test_missing_java_is_reported(program: Program) -> None:
    with pytest.raises(
        Problem, match=r"Java not found: the engines need Java 17 or later \(install Java and Maven\)"
    ):
        java.version()
    program("java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")  # as on macOS without Java
    with pytest.raises(
        Problem, match=r"Java not found: the engines need Java 17 or later \(install Java and Maven\)"
    ):
        java.version()


def test_java_and_maven_are_installed_from_debian_without_questions(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    calls = tmp_path / "calls"
    program("java", "echo 'openjdk version \"21.0.5\"' >&2")
    (tmp_path / "bin/java").rename(tmp_path / "java")
    program("apt-get", f'echo "$DEBIAN_FRONTEND $@" >> {calls}; /bin/cp {tmp_path}/java {tmp_path}/bin/')
    assert java.version() == 21
    assert calls.read_text().splitlines() == [
        "noninteractive update -qq",
        "noninteractive install -qq --yes --no-install-recommends maven",
    ]


def test_failed_installation_is_one_line(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    program("apt-get", "echo 'E: no network' >&2; exit 100")
    with pytest.raises(Problem, match=r"Java not found: .*\(apt-get cannot install maven: E: no network\)$"):
        java.version()


def test_missing_maven_is_reported(tmp_path: Path, program: Program) -> None:
    with pytest.raises(
        Problem, match=r"Maven downloads ElasticMQ, but there is no mvn \(install Java and Maven\)"
    ):
        java.locate(elasticmq.PROGRAM, tmp_path / "downloads")


def test_configured_folder_must_have_the_jar(tmp_path: Path) -> None:
    folder = tmp_path / "amazon"
    folder.mkdir()
    with pytest.raises(Problem, match=r"no DynamoDBLocal\.jar in"):
        dynamodb_local.locate(str(folder), tmp_path)
    (folder / "DynamoDBLocal.jar").touch()
    assert dynamodb_local.locate(str(folder), tmp_path) == folder.resolve()


@pytest.fixture
def small(tmp_path: Path) -> java.Program:
    """A Java program that consists of one file."""
    sums = tmp_path / "small.sha256"
    sums.write_text(f"{hashlib.sha256(b'right').hexdigest()}  small.jar\n")
    return replace(elasticmq.PROGRAM, sums=sums)


def maven(content: str, code: int = 0) -> str:
    """The shell code of a fake Maven that copies one file with the content."""
    folder = "${last#-DoutputDirectory=}"
    return (
        f"echo maven-output; for each; do last=$each; done; /bin/mkdir {folder}; "
        f"printf {content} > {folder}/small.jar; exit {code}"
    )


def test_maven_downloads_once_after_the_notice(
    small: java.Program, tmp_path: Path, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program("mvn", maven("right"))
    folder = java.locate(small, tmp_path / "downloads", dynamodb_local.LICENSE)
    assert [path.name for path in folder.parent.iterdir()] == [small.version]
    output = capfd.readouterr().err
    assert output.index("License Agreement") < output.index("maven-output")

    program("mvn", "exit 1")
    assert java.locate(small, tmp_path / "downloads") == folder


@pytest.mark.parametrize(
    ("shell", "problem"),
    [
        (maven("right", code=1), "Maven could not download"),
        (maven("wrong"), r"differs from small\.sha256: small\.jar"),
        (maven("right").replace("small.jar", "other.jar"), r"differs from small\.sha256: other\.jar"),
    ],
)
def test_failed_or_changed_download_leaves_nothing_behind(
    shell: str, problem: str, small: java.Program, tmp_path: Path, program: Program
) -> None:
    program("mvn", shell)
    with pytest.raises(Problem, match=problem):
        java.locate(small, tmp_path / "downloads")
    assert list((tmp_path / "downloads").iterdir()) == []


def test_engine_that_exits_at_once_is_reported_with_its_output(tmp_path: Path, program: Program) -> None:
    program("java", "echo Unsupported class file major version; exit 1")
    with (
        pytest.raises(Problem, match=r"did not start .*\nUnsupported class file major version"),
        dynamodb_local.running(tmp_path, 17),
    ):
        pytest.fail("the engine is running")


@pytest.mark.parametrize(("version", "has_security_manager"), [(17, True), (23, True), (24, False)])
def test_security_manager_limits_connections_up_to_java_23(
    version: int, has_security_manager: bool, tmp_path: Path
) -> None:
    line = dynamodb_local.command(tmp_path, version, 8000, tmp_path / "policy")
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
