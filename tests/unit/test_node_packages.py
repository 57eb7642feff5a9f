"""What the installer of Node packages does on machines that cannot run all of them."""

from __future__ import annotations

import pytest

from tools import node_packages


@pytest.mark.parametrize(
    ("system", "machine", "node", "compiler", "said"),
    [
        ("Linux", "x86_64", 20, True, None),
        ("Linux", "aarch64", 20, True, None),
        ("Linux", "riscv64", 22, True, "it needs Node 24 or later"),
        ("Darwin", "arm64", 22, True, "it needs Node 24 or later"),
        ("Darwin", "arm64", 24, True, None),
        ("Linux", "x86_64", 24, False, "a C++ compiler"),
    ],
)
def test_a_whole_n8n_is_passed_over_where_it_cannot_run(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    system: str,
    machine: str,
    node: int,
    compiler: bool,
    said: str | None,
) -> None:
    installed: list[str] = []
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("shutil.which", lambda name: name if compiler or name != "c++" else None)
    monkeypatch.setattr(node_packages, "node_version", lambda: node)
    monkeypatch.setattr(node_packages, "complete", lambda *_: bool(installed.append("n8n")) or True)
    node_packages.main(["n8n-server"])
    assert installed == ([] if said else ["n8n"])
    assert (said or "") in "".join(capfd.readouterr())
