"""The generated n8n node properties pass their check, and the check finds faults. tests/apps tests the nodes
with n8n's own tools.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import resources
from tools.apps import n8n
from tools.apps.n8n_check import problems

PARTS: tuple[Any, Any, Any] = (n8n.filter_fields(), n8n.resource_fields(), n8n.action_fields())


def test_properties_have_no_faults() -> None:
    assert problems(*PARTS) == []


def test_file_has_the_whole_catalogue() -> None:
    text = n8n.render()
    found = re.search(r"export const events: .*? = (\[.*?\n\]);", text, re.DOTALL)
    assert found is not None
    assert {event["value"] for event in json.loads(found[1])} == catalogue.TRIGGERS
    for resource in resources():
        assert f"choices(this, '{resource}')" in text
        assert f"\t{n8n.loader_of(resource)}(" in text


def named(fields: Any, name: str) -> Any:
    return next(field for field in fields if field["name"] == name)


Parts = tuple[Any, Any, Any]
# By name: a function that plants a fault in a copy, and the problem that the check must report.
FAULTS: dict[str, tuple[Callable[[Parts], Any], str]] = {
    "duplicate operation": (
        lambda parts: named(parts[1], "operation")["options"].extend(
            [{"name": "Z", "value": "create_post"}] * 2
        ),
        "duplicate operation create_post of account",
    ),
    "missing operation": (lambda parts: parts[1].pop(), "no operation"),
    "resource without operations": (
        lambda parts: named(parts[1], "resource")["options"].append({"name": "Zoo", "value": "zoo"}),
        "zoo has no operations",
    ),
    "default that is not an option": (
        lambda parts: named(parts[1], "resource").update(default="nope"),
        "its default is not an option",
    ),
    "unsorted options": (
        lambda parts: named(parts[1], "resource")["options"].reverse(),
        "its options are not sorted",
    ),
    "dropdown with an unknown method": (
        lambda parts: named(parts[2], "accountId")["typeOptions"].update(loadOptionsMethod="getNothing"),
        "unknown method getNothing",
    ),
    "dropdown that does not mention IDs": (
        lambda parts: named(parts[2], "accountId").update(displayName="Account"),
        "also accepts an ID",
    ),
    "missing field": (lambda parts: parts[2].remove(named(parts[2], "accountId")), "its fields are"),
    "optional field that the catalogue requires": (
        lambda parts: named(parts[2], "text").pop("required"),
        "its fields are",
    ),
    "unsorted additional fields": (
        lambda parts: named(parts[2][::-1], "additionalFields")["options"].reverse(),
        "its fields are not sorted",
    ),
    "name in lowercase": (
        lambda parts: named(parts[2], "text").update(displayName="the text"),
        "is not in title case",
    ),
    "description with a period": (
        lambda parts: named(parts[2], "text").update(description="It."),
        "ends with a period",
    ),
    "missing filter": (lambda parts: parts[0][0]["options"].pop(), "no filter for"),
    "filter for a field that the event does not have": (
        lambda parts: parts[0][0]["displayOptions"]["show"]["event"].append("WEBHOOK_DISABLED"),
        "which the event does not have",
    ),
    "text filter for a number": (
        lambda parts: named(parts[0][0]["options"], "value").update(type="string"),
        "the filter for value is not of type number",
    ),
    "list without an operation": (
        lambda parts: named(parts[1], "operation")["options"].pop(),
        "no operation lists accounts",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_check_finds_a_fault(name: str) -> None:
    plant, expected = FAULTS[name]
    parts = copy.deepcopy(PARTS)
    plant(parts)
    found = problems(*parts)
    assert any(expected in problem for problem in found), found


APP = ROOT / "apps/n8n"


def test_package_lock_matches_the_package_and_has_no_registry() -> None:
    package = json.loads((APP / "package.json").read_text())
    lock = json.loads((APP / "package-lock.json").read_text())
    root = lock["packages"][""]
    for name in ("name", "version", "devDependencies", "peerDependencies"):
        assert root[name] == package[name]
    assert not any("resolved" in package for package in lock["packages"].values())


def test_publish_workflow_releases_the_package() -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/publish-n8n.yml").read_text())["jobs"]["publish"]
    assert job["defaults"]["run"]["working-directory"] == "apps/n8n"
    assert "npm run release" in job["steps"][-1]["run"]
    assert json.loads((APP / "package.json").read_text())["scripts"]["release"] == "n8n-node release"
