"""The kept results of the SAM transform are used exactly when a new transform would have the same result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from local import transform
from local.settings import Problem

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Seen: { Type: String, Default: first }
  Unseen: { Type: String, Default: "1" }
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: { Handler: echo.handler, Runtime: python3.13, CodeUri: functions, FunctionName: !Ref Unseen }
  Table:
    Type: AWS::Serverless::SimpleTable
    Properties: { TableName: !Ref Seen }
"""
Result = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], Result]:
    """Reads the template, with kept results of this test only."""
    monkeypatch.setattr(transform, "KEPT", tmp_path / "kept")
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return lambda given: transform.transformed(path, given)


@pytest.fixture
def transforms(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The parameter values of each transform that ran."""
    made: list[dict[str, str]] = []
    really = transform._transform

    def noting(document: transform.Document, values: Any) -> transform.Document:
        made.append(dict(values))
        return really(document, values)

    monkeypatch.setattr(transform, "_transform", noting)
    return made


def test_result_is_kept(read: Callable[[Mapping[str, str]], Result], transforms: list[Any]) -> None:
    first = read({})
    assert read({}) == first
    assert len(transforms) == 1
    assert first[0]["Seen"] == {"Type": "String", "Default": "first"}
    assert first[1]["Resources"]["Echo"]["Type"] == "AWS::Lambda::Function"
    assert first[1]["Resources"]["Echo"]["Properties"]["Code"] == {"S3Bucket": "local", "S3Key": "functions"}


def test_result_is_used_for_other_values_only_if_the_translator_did_not_read_them(
    tmp_path: Path, read: Callable[[Mapping[str, str]], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "template.yaml"
    given: list[Mapping[str, str]] = [
        {},
        {"Seen": "second"},
        {"Unseen": "2"},
        {"Seen": "second", "Unseen": "3"},
        {"Undeclared": "x"},
        {},
    ]
    kept = [read(values) for values in given]
    monkeypatch.setattr(transform, "_load", lambda file: [])
    assert kept == [transform.transformed(path, values) for values in given]


def test_changed_template_is_transformed_again(
    tmp_path: Path, read: Callable[[Mapping[str, str]], Result], transforms: list[Any]
) -> None:
    read({})
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("functions", "other"))
    assert read({})[1]["Resources"]["Echo"]["Properties"]["Code"]["S3Key"] == "other"
    assert len(transforms) == 2


def test_invalid_templates_are_not_kept(tmp_path: Path, read: Callable[[Mapping[str, str]], Result]) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {Echo: {Type: AWS::Serverless::Function}}")
    for _ in range(2):
        with pytest.raises(Problem, match="Echo"):
            read({})
    assert not (tmp_path / "kept").exists()


def test_damaged_file_is_replaced(
    tmp_path: Path, read: Callable[[Mapping[str, str]], Result], transforms: list[Any]
) -> None:
    first = read({})
    (file,) = (tmp_path / "kept").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.write_text(file.read_text()[:-5])
    assert read({}) == first
    assert read({}) == first
    assert len(transforms) == 2


def test_only_the_newest_files_are_kept(
    tmp_path: Path, read: Callable[[Mapping[str, str]], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transform, "_MAX_FILES", 2)
    for number in range(3):
        (tmp_path / "template.yaml").write_text(TEMPLATE + f"# {number}\n")
        read({})
    assert len(list((tmp_path / "kept").iterdir())) == 2
