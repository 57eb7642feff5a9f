"""The linters of `make release-check` find a fault."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from local.settings import ROOT, Problem
from tools import stack_check


@pytest.mark.parametrize(
    ("action", "resource", "finding"),
    [
        ("dynamodb:GetRow", "arn:aws:dynamodb:us-east-1:000000000000:table/t", "UNKNOWN_ACTION"),
        ("dynamodb:GetItem", "arn:aws:sqs:us-east-1:000000000000:q", "RESOURCE_MISMATCH"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:000000000000:table/t", None),
    ],
)
def test_parliament_finds_wrong_rights(
    tmp_path: Path, action: str, resource: str, finding: str | None
) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
    }
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": {"Rights": policy}}))
    found = stack_check.lint_policies(stack_check.longest(path))
    assert [line.split()[2] for line in found] == ([finding] if finding else [])


def test_linters_that_fail_are_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sam/bin/cfn-lint", "deploy/bin/python"):
        program = tmp_path / ".tools" / name
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setattr(stack_check, "ROOT", tmp_path)
    template = ROOT / "template.yaml"
    with pytest.raises(Problem, match="cfn-lint failed: broken"):
        stack_check.lint_template(template)
    with pytest.raises(Problem, match="parliament failed: broken"):
        stack_check.lint_policies(stack_check.longest(template))


def test_policies_of_the_template_have_no_fault() -> None:
    assert stack_check.lint_policies(stack_check.longest(ROOT / "template.yaml")) == []


def test_cfn_lint_finds_a_wrong_property(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Resources: { Queue: { Type: 'AWS::SQS::Queue', Properties: { Visible: 3 } } }")
    [problem] = stack_check.lint_template(path)
    assert "E3002" in problem
