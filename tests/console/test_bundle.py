"""The bundle in the repository matches a build of its sources."""

from __future__ import annotations

from pathlib import Path

from tools import console


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_a_build_repeats_the_bundle_byte_for_byte(tmp_path: Path) -> None:
    console.build(tmp_path / "bundle")
    built, kept = contents(tmp_path / "bundle"), contents(console.BUNDLE)
    assert built.keys() == kept.keys(), "stale: run `make console`"
    assert [name for name in kept if built[name] != kept[name]] == [], "stale: run `make console`"
