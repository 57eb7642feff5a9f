"""Puts the script of the reference page into its layer: `.venv/bin/python -m tools.openapi.vendor VERSION`.

The script is that of the npm package @scalar/api-reference, unchanged and compressed. It is in the
repository, so that `sam build` needs neither Node nor a registry. `scalar.toml` records the version, npm's
digest of the package, and the digest of the script, which a test compares.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from local.settings import ROOT
from tools.openapi.texts import FOLDER

PACKAGE = "@scalar/api-reference"
SCRIPT = "package/dist/browser/standalone.js"
TARGET = ROOT / "layers/reference/patchbay_reference/scalar.js.gz"
RECORD = FOLDER / "scalar.toml"


def main(version: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--json", f"{PACKAGE}@{version}"]
        packed = json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout)[0]
        archive = Path(folder, packed["filename"])
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if integrity != packed["integrity"]:
            sys.exit(f"patchbay: {PACKAGE} {version} does not have the digest that npm announces")
        with tarfile.open(archive) as files:
            member = files.extractfile(SCRIPT)
            if member is None:
                sys.exit(f"patchbay: {PACKAGE} {version} has no {SCRIPT}")
            script = member.read()
    TARGET.write_bytes(gzip.compress(script, compresslevel=9, mtime=0))
    RECORD.write_text(
        f"# The script of the reference page, from the npm package {PACKAGE}: see vendor.py.\n"
        f'version = "{version}"\n'
        f'integrity = "{integrity}"\n'
        f'sha256 = "{hashlib.sha256(script).hexdigest()}"\n'
    )
    print(f"patchbay: wrote {TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes of {len(script)}")


if __name__ == "__main__":
    main(sys.argv[1])
