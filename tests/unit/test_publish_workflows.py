"""The workflows that publish packages."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from local.settings import ROOT

WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").iterdir()}
JOBS = {f"{name}: {job}": steps for name, file in WORKFLOWS.items() for job, steps in file["jobs"].items()}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_runs_for_tags_and_has_no_permissions(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert list(WORKFLOWS[name][True]) == ["push"]  # YAML 1.1 reads `on` as true
    assert list(WORKFLOWS[name][True]["push"]) == ["tags"]


@pytest.mark.parametrize("name", JOBS)
def test_job_can_only_sign_and_keeps_no_credentials(name: str) -> None:
    job = JOBS[name]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["steps"][0]["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("name", JOBS)
def test_job_publishes_only_the_version_that_the_tag_names(name: str) -> None:
    [check] = [step for step in JOBS[name]["steps"] if step.get("name", "").startswith("Check that the tag")]
    [prefix] = re.findall(r"[a-z0-9-]+-v(?=\$\(|\}|\*)", check["run"])
    tags = [tag for file in WORKFLOWS.values() for tag in file[True]["push"]["tags"]]
    assert f"{prefix}*" in tags


def test_typescript_package_and_its_lock_have_one_version() -> None:
    folder = ROOT / "sdks/typescript"
    package, lock = (
        json.loads((folder / name).read_text()) for name in ("package.json", "package-lock.json")
    )
    assert lock["packages"][""]["version"] == package["version"]
