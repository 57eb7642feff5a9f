"""The installer of the Makefile's environments: what a user who interrupts it sees."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from local.settings import ROOT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_installation_is_one_line_and_ends_its_command(tmp_path: Path, number: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""\
            import sys
            from tools import environment

            def main():
                environment.say("started")
                environment.run([sys.executable, "-c", "import time; time.sleep(60)"])

            environment.start(main)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, program], env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "patchbay: started\n"
    while not (children := psutil.Process(process.pid).children()):
        time.sleep(0.01)
    process.send_signal(number)
    assert process.stderr.read() == "patchbay: interrupted; run make again to continue\n"
    assert process.wait(10) == 130
    assert psutil.wait_procs(children, timeout=5)[1] == []
