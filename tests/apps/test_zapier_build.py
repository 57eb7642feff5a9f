"""The Zapier app is validated, built, packed and started by Zapier's own CLI, without an account."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from local.settings import ROOT
from tools.apps.zapier import FOLDER
from tools.node_packages import NEWER_NODE, newer_node

CLI = ROOT / ".tools/node/zapier-cli/node_modules/zapier-platform-cli/src/bin/run"


def test_zapiers_cli_builds_the_app(tmp_path: Path) -> None:
    node = newer_node()
    if node is None:
        pytest.skip(f"Zapier's CLI needs a newer Node: install Node {NEWER_NODE} or later")
    app = tmp_path / "app"
    shutil.copytree(ROOT / FOLDER, app, ignore=shutil.ignore_patterns("node_modules", "build"))
    # The same as after `npm install`: only the core, which runs the app at Zapier.
    shutil.copytree(ROOT / ".tools/node/zapier/node_modules", app / "node_modules", symlinks=True)

    def cli(*arguments: str) -> str:
        completed = subprocess.run(
            [str(node), str(CLI), *arguments],
            cwd=app,
            env={
                "PATH": f"{node.parent}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "TMPDIR": str(tmp_path),
                # Send nothing to Zapier.
                "DISABLE_ZAPIER_ANALYTICS": "1",
                "NO_UPDATE_NOTIFIER": "1",
                "ZAPIER_BASE_ENDPOINT": "http://127.0.0.1:9",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    assert "structurally sound" in cli("validate", "--without-style")
    # Skip validation: half of it needs Zapier's servers, and the line above does the other half. The last
    # step of `build` starts the packed app, which fails if a file of a dependency is missing.
    assert "Build complete!" in cli("build", "--skip-dep-install", "--skip-validation")

    with zipfile.ZipFile(app / "build/build.zip") as built:
        name = "zapier-app-definition.json"
        assert json.loads(built.read(name)) == json.loads((ROOT / FOLDER / name).read_text())
        packed = set(built.namelist())
    assert {"index.js", "package.json", "zapierwrapper.js"} <= packed
    with zipfile.ZipFile(app / "build/source.zip") as source:
        assert not [name for name in source.namelist() if name.startswith(("node_modules", "build"))]
