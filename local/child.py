"""Starts a program that does not outlive the runner: `child.py SIGNAL RUNNER_PID PROGRAM ARG…`.

On Linux, the kernel sends the signal when the runner ends, even if it was killed (prctl(2), PR_SET_PDEATHSIG,
which survives exec). On other systems, only the runner itself stops the program. This is a separate program
because `preexec_fn` is not safe in a process with threads.
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
            sys.exit(1)  # the runner ended before the prctl call
    os.execvp(command[0], command)  # noqa: S606 - without a shell
