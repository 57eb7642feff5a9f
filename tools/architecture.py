"""Ties a build to its architecture: `python -m tools.architecture .aws-sam/build/template.yaml arm64`.

The layers have libraries for one architecture, and the parameter Architecture tells Lambda which one to run. In the
built template, the parameter takes only the value of the build, so that no deployment can combine the two wrongly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from samtranslator.yaml_helper import yaml_parse

PARAMETER = "Architecture"


def tie(template: Path, architecture: str) -> None:
    """Let the parameter of a built template take only this value."""
    document = yaml_parse(template.read_text())
    document["Parameters"][PARAMETER] |= {"Default": architecture, "AllowedValues": [architecture]}
    template.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))


if __name__ == "__main__":
    tie(Path(sys.argv[1]), sys.argv[2])
