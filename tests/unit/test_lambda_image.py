"""The image of `sam local`: what the user is told on a machine that cannot provide it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import lambda_image


@pytest.mark.parametrize(
    ("docker", "text"),
    [
        (None, "needs Docker: install it and start it"),
        ("exit 1", "needs Docker: start it, or add the user to its group"),
    ],
    ids=["not installed", "does not run"],
)
def test_machine_without_docker_gets_one_line(
    docker: str | None, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if docker:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{docker}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        lambda_image.main(["x86_64"])
    assert str(stopped.value) == f"patchbay: `sam local` {text}"
