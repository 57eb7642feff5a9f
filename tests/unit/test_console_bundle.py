"""The console's bundle: whether it is up to date, and which files its base has. No test needs Node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import console


def test_the_bundle_in_the_repository_is_made_of_these_sources() -> None:
    assert console.built_digest() == console.source_digest(), "run `make console` and commit the bundle"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in ("console/src/a.ts", "console/node_modules/b.js", "sdks/typescript/src/generated/schema.ts"):
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(path)
    monkeypatch.setattr(console, "ROOT", tmp_path)
    monkeypatch.setattr(console, "SOURCES", tmp_path / "console")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("console/src/a.ts", True),
        ("console/package-lock.json", True),
        ("sdks/typescript/src/http.ts", True),
        ("console/README.md", False),
        ("console/node_modules/b.js", False),
        ("sdks/typescript/src/generated/schema.ts", False),
    ],
)
def test_the_hash_covers_what_the_bundle_is_made_of(sources: Path, path: str, counts: bool) -> None:
    before = console.source_digest()
    (sources / path).write_text("changed")
    assert (console.source_digest() != before) is counts


def test_a_renamed_source_changes_the_hash(sources: Path) -> None:
    before = console.source_digest()
    (sources / "console/src/a.ts").rename(sources / "console/src/b.ts")
    assert console.source_digest() != before


def test_there_is_no_hash_without_a_bundle(tmp_path: Path) -> None:
    assert console.built_digest(tmp_path) is None


def test_the_base_has_what_the_entry_loads_at_once() -> None:
    graph = {
        "index.html": {"file": "index.js", "css": ["index.css"], "imports": ["_shared.js"]},
        "_shared.js": {"file": "shared.js", "css": ["shared.css"], "imports": ["index.html"]},
        "src/Page.tsx": {"file": "page.js", "imports": ["_shared.js"]},
    }
    assert console.base_files(graph) == {"index.js", "index.css", "shared.js", "shared.css"}
