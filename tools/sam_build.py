"""Builds the template with SAM: `.venv/bin/python -m tools.sam_build FOLDER [ARCHITECTURE]`.

The layers have libraries for one architecture, and the parameter Architecture tells Lambda which one to run.
In the built template, the parameter takes only the value of the build, so no deployment can mix
architectures. Without an argument, the architecture is this machine's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from samtranslator.yaml_helper import yaml_parse

from tools import debian, environment

ROOT = Path(environment.ROOT)
SAM = [str(ROOT / ".tools/sam/bin/python"), "-m", "samcli"]
PARAMETER = "Architecture"
ARCHITECTURES = sorted(debian.NAMES)


def build(folder: Path, architecture: str, *resources: str) -> None:
    """Build the template, or only these of its resources, into a folder. Exits if SAM fails."""
    # SAM runs make itself. It must not inherit this make's settings, and needs a Python that has pip.
    unset = {"MAKELEVEL", "MAKEFLAGS", "MFLAGS"}
    variables = {name: value for name, value in os.environ.items() if name not in unset}
    variables |= {"PYTHON": sys.executable, "ARCHITECTURE": architecture, "SAM_CLI_TELEMETRY": "0"}
    command = [*SAM, "build", *resources, "--build-dir", str(folder)]
    command += ["--parameter-overrides", f"{PARAMETER}={architecture}"]
    if code := subprocess.run(command, cwd=ROOT, env=variables).returncode:
        sys.exit(code)
    tie(folder / "template.yaml", architecture)


def tie(template: Path, architecture: str) -> None:
    """Restrict the parameter of a built template to this value."""
    document = yaml_parse(template.read_text())
    document["Parameters"][PARAMETER] |= {"Default": architecture, "AllowedValues": [architecture]}
    write(template, document)


def write(template: Path, document: object) -> None:
    template.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))


def main(folder: str, architecture: str | None = None) -> None:
    chosen = architecture or debian.native()
    if chosen not in ARCHITECTURES:
        sys.exit(f"patchbay: ARCHITECTURE must be {' or '.join(ARCHITECTURES)}, not {chosen}")
    build(Path(folder), chosen)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
