"""The generated pages of docs/reference are up to date and complete."""

from __future__ import annotations

from collections import Counter

from samtranslator.yaml_helper import yaml_parse

from local.settings import ROOT
from tools.docs import reference


def test_pages_are_up_to_date() -> None:
    stale = [path for path, text in reference.pages().items() if (ROOT / path).read_text() != text]
    assert stale == [], "run `make derived`"


def test_every_parameter_is_in_one_group() -> None:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert Counter(name for group in groups for name in group["Parameters"]) == Counter(
        template["Parameters"].keys()
    )
