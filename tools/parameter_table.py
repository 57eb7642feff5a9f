"""Writes the table of the template's parameters into docs/deployment.md. `make derived`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.settings import ROOT
from tools.page import with_tables

_PAGE = "docs/deployment.md"
TARGET = ROOT / _PAGE


def render() -> str:
    """Return the page with the table of template.yaml's parameters."""
    parameters = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    rows = ["| Parameter | Default | Values | |", "|---|---|---|---|"]
    rows += [_row(name, rules) for name, rules in parameters.items()]
    return with_tables(_PAGE, "parameters", rows)


def _row(name: str, rules: Mapping[str, Any]) -> str:
    default = str(rules["Default"]) if "Default" in rules else "**none**"
    shown = f"`{default}`" if "Default" in rules and default else default
    return f"| `{name}` | {shown} | {_values(rules)} | {rules['Description']} |"


def _values(rules: Mapping[str, Any]) -> str:
    if "AllowedValues" in rules:
        return ", ".join(f"`{value}`" for value in rules["AllowedValues"])
    if "MinValue" in rules:
        return f"{rules['MinValue']} to {rules['MaxValue']}"
    return f"up to {rules['MaxLength']} characters" if "MaxLength" in rules else ""


if __name__ == "__main__":
    TARGET.write_text(render())
