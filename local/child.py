"""Starts a program that does not outlive the runner: `child.py SIGNAL RUNNER_PID PROGRAM ARG…`.

On Linux the kernel sends the signal when the runner is gone, even if it was killed (prctl(2),
PR_SET_PDEATHSIG, which survives exec). Elsewhere the runner's own stop is the only one. This is a
program of its own because `preexec_fn` is not safe in a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    number, runner, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != int(runner):
            sys.exit(1)  # it went before we could ask
    os.execvp(command[0], command)  # noqa: S606 - a shell has no part in this
