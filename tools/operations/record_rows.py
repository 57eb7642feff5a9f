"""Records the rows and messages that a release leaves behind: `make record-rows RELEASE=<commit or tag>`.

After a release, run this for it and commit the file. tests/integration/test_upgrade.py then loads it into the
tables of later versions. tests/upgrade/recorder.py runs in a copy of the release's tree, with the packages
of this one.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local.settings import ROOT, Problem
from tools.operations import stack as stacks

RECORDER = ROOT / "tests/upgrade/recorder.py"
TARGET = ROOT / "tests/upgrade/rows.json.gz"


def main() -> int:
    release = stacks.setting("RELEASE")
    if not release:
        raise Problem("set the release: RELEASE=v1.2.0")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        archive = tree / "tree.tar"
        made = subprocess.run(["git", "archive", "-o", archive, release], cwd=ROOT)
        if made.returncode:
            raise Problem(f"git has no {release}")
        subprocess.run(["tar", "xf", archive.name], cwd=tree, check=True)
        (tree / ".tools").symlink_to(ROOT / ".tools")
        test = tree / "tests/integration/test_recorder.py"
        test.write_text(RECORDER.read_text())
        rows = tree / "rows.json"
        print(f"record-rows: running the tour of {release}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "--show-capture=no", str(test)]
        done = subprocess.run(command, cwd=tree, env={**os.environ, "RECORD_ROWS": str(rows)})
        if done.returncode:
            raise Problem(f"the tour of {release} failed; see above")
        TARGET.write_bytes(gzip.compress(rows.read_bytes(), 9, mtime=0))
    print(f"record-rows: wrote {TARGET.relative_to(ROOT)}, {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    stacks.run("record-rows", main)
