"""Builds the console and the pages of connect links: `make console`, `make lint-console`, `make console-dev`.

The bundle goes into layers/console/patchbay_console, which is in the repository, so that `make run` and
`make build` need only Python. Its manifest.json has a hash of the bundle's sources, which a test compares
with them, without Node.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.settings import ROOT

SOURCES = ROOT / "console"
BUNDLE = ROOT / "layers/console/patchbay_console"
MANIFEST = "manifest.json"
PACKAGES = ROOT / ".tools/node/console/node_modules"
# The limit of what a browser loads before the first page: scripts and styles, gzipped.
BUDGET = 160 * 1024
ENTRY = "index.html"
# Vite's own list of the files that each entry loads. It is not a part of the bundle.
_GRAPH = "build.json"
# These files have only types, so they do not change the bundle.
_TYPES_ONLY = {"schema.ts", "models.ts"}
# The scripts of console/package.json that a command runs.
_SCRIPTS = {"check": ("lint", "types", "test"), "format": ("format",), "dev": ("dev",)}
_IGNORED = {"node_modules", "README.md", ".gitignore"}


def source_files() -> Iterator[Path]:
    """The inputs of the bundle: the sources, the lock file, and the client of the TypeScript SDK."""
    for folder in (SOURCES, ROOT / "sdks/typescript/src"):
        for parent, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name not in _IGNORED]
            for name in files:
                if name not in _IGNORED and name not in _TYPES_ONLY:
                    yield Path(parent, name)


def source_digest() -> str:
    """A hash of the names and the contents of the sources."""
    digest = hashlib.sha256()
    for file in sorted(source_files()):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def built_digest(bundle: Path = BUNDLE) -> str | None:
    """The hash of the sources that the bundle was built from, or None if there is no bundle."""
    try:
        manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    except OSError:
        return None
    digest = manifest.get("sources")
    return digest if isinstance(digest, str) else None


def build(bundle: Path = BUNDLE) -> None:
    """Build into the folder, and remove everything else from it. Exits if the base exceeds the budget."""
    link_packages()
    digest = source_digest()
    run(["npm", "run", "--silent", "build", "--", "--logLevel", "warn"], CONSOLE_OUT=str(bundle))
    graph = json.loads((bundle / _GRAPH).read_text("utf-8"))
    (bundle / _GRAPH).unlink()
    (bundle / MANIFEST).write_text(json.dumps({"sources": digest}, indent=2) + "\n", "utf-8")
    sizes = {name: zipped_size(bundle / name) for name in base_files(graph)}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"  {size / 1024:6.1f} KB  {name}")
    total = sum(sizes.values())
    print(f"patchbay: the base has {total / 1024:.1f} KB of {BUDGET / 1024:.0f} KB, gzipped")
    if total > BUDGET:
        sys.exit(
            "patchbay: the base bundle is over budget; load code that only one page needs with that page "
            "(lazyRouteComponent)"
        )


def base_files(graph: Mapping[str, Mapping[str, Sequence[str] | str]]) -> set[str]:
    """The scripts and styles of the console's entry, without those that a page loads later."""
    found: set[str] = set()
    chunks, waiting = set[str](), [ENTRY]
    while waiting:
        key = waiting.pop()
        if key not in chunks:
            chunks.add(key)
            chunk = graph[key]
            found |= {str(chunk["file"]), *chunk.get("css", ())}
            waiting += chunk.get("imports", ())
    return found


def zipped_size(file: Path) -> int:
    return len(gzip.compress(file.read_bytes(), 9))


def link_packages() -> None:
    """Link the packages that `make` installed to the place where Node looks for them."""
    link = SOURCES / "node_modules"
    if not link.is_symlink() and not link.exists():
        link.symlink_to(os.path.relpath(PACKAGES, SOURCES), target_is_directory=True)


def run(command: Sequence[str], **environment: str) -> None:
    """Run a command in console/; exit if it fails."""
    completed = subprocess.run(command, cwd=SOURCES, env={**os.environ, **environment})
    if completed.returncode:
        sys.exit(completed.returncode)


def main(arguments: Sequence[str]) -> None:
    match arguments:
        case []:
            build()
        case [command] if command in _SCRIPTS:
            link_packages()
            for script in _SCRIPTS[command]:
                run(["npm", "run", "--silent", script])
        case _:
            sys.exit("usage: .venv/bin/python -m tools.console [check | format | dev]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
