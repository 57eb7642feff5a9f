"""What is made for the n8n nodes passes our check, and the check finds what it is for. On n8n's own tools
they are tried in tests/apps.
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


def test_nothing_is_wrong_with_it() -> None:
    assert problems(*PARTS) == []


def test_the_file_has_all_of_the_catalogue() -> None:
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
# A fault each, planted in a copy, and what is to be said of it.
FAULTS: dict[str, tuple[Callable[[Parts], Any], str]] = {
    "an operation twice": (
        lambda parts: named(parts[1], "operation")["options"].extend(
            [{"name": "Z", "value": "create_post"}] * 2
        ),
        "operation create_post of account twice",
    ),
    "an operation is gone": (lambda parts: parts[1].pop(), "no operation"),
    "a resource without operations": (
        lambda parts: named(parts[1], "resource")["options"].append({"name": "Zoo", "value": "zoo"}),
        "zoo has no operations",
    ),
    "a default that is no option": (
        lambda parts: named(parts[1], "resource").update(default="nope"),
        "its default is no option",
    ),
    "options out of order": (
        lambda parts: named(parts[1], "resource")["options"].reverse(),
        "its options are not in order",
    ),
    "nobody loads a dropdown": (
        lambda parts: named(parts[2], "accountId")["typeOptions"].update(loadOptionsMethod="getNothing"),
        "nobody loads getNothing",
    ),
    "a dropdown that does not say that it takes an ID": (
        lambda parts: named(parts[2], "accountId").update(displayName="Account"),
        "takes an ID, too",
    ),
    "a field is gone": (lambda parts: parts[2].remove(named(parts[2], "accountId")), "its fields are"),
    "a required field is optional": (
        lambda parts: named(parts[2], "text").pop("required"),
        "its fields are",
    ),
    "additional fields out of order": (
        lambda parts: named(parts[2][::-1], "additionalFields")["options"].reverse(),
        "its fields are not in order",
    ),
    "a name in lower case": (
        lambda parts: named(parts[2], "text").update(displayName="the text"),
        "is not in title case",
    ),
    "a full stop": (lambda parts: named(parts[2], "text").update(description="It."), "no full stop"),
    "a filter is gone": (lambda parts: parts[0][0]["options"].pop(), "no filter for"),
    "a filter of an event that has no such field": (
        lambda parts: parts[0][0]["displayOptions"]["show"]["event"].append("WEBHOOK_DISABLED"),
        "which it does not have",
    ),
    "a filter that gives a text for a number": (
        lambda parts: named(parts[0][0]["options"], "value").update(type="string"),
        "the filter for value gives no number",
    ),
    "a list that nobody reads": (
        lambda parts: named(parts[1], "operation")["options"].pop(),
        "nothing lists accounts",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    plant, words = FAULTS[name]
    parts = copy.deepcopy(PARTS)
    plant(parts)
    found = problems(*parts)
    assert any(words in problem for problem in found), found


APP = ROOT / "apps/n8n"


def test_the_package_is_locked_and_names_no_registry() -> None:
    package = json.loads((APP / "package.json").read_text())
    lock = json.loads((APP / "package-lock.json").read_text())
    root = lock["packages"][""]
    for name in ("name", "version", "devDependencies", "peerDependencies"):
        assert root[name] == package[name]
    assert not any("resolved" in one for one in lock["packages"].values())


def test_it_is_published_by_a_workflow_that_may_sign_and_nothing_else() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish-n8n.yml").read_text())
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["publish"]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["defaults"]["run"]["working-directory"] == "apps/n8n"
    assert "npm run release" in job["steps"][-1]["run"]
    assert json.loads((APP / "package.json").read_text())["scripts"]["release"] == "n8n-node release"
