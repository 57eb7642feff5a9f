"""Kills the delivery workers of the running stack, to show that no delivery is lost:
`make kill-workers [STATE_DIR=] [FUNCTION=]`."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.settings import Problem, for_make, running_elsewhere, running_stack

WORKERS = ("DeliverFunction", "DeliverSlowFunction")


def main(state: Path) -> int:
    stack = running_stack(state)
    if stack is None:
        running = ", ".join(str(other) for other in running_elsewhere(state))
        also = f"STATE_DIR={running}" if running else "start one with `make run`"
        raise Problem(f"no stack is running with STATE_DIR={state}: {also}")
    functions = (os.environ.get("FUNCTION") or " ".join(WORKERS)).replace(",", " ").split()
    if unknown := sorted(set(functions) - stack["functions"].keys()):
        raise Problem(f"the template has no function {', '.join(unknown)}")
    killed = _kill(stack["pids"]["functions"], functions)
    if not killed:
        raise Problem(
            f"{' and '.join(functions)}: no process is running. Workers start with the first delivery "
            "and end after 5 idle minutes: publish an event, then try again"
        )
    print(f"killed {', '.join(f'{pid} ({function})' for pid, function in killed.items())}")
    if set(killed.values()) & set(WORKERS):
        print(_what_to_watch(stack, state))
    return 0


def _what_to_watch(stack: Mapping[str, Any], state: Path) -> str:
    seconds = stack["parameters"].get("DeliveryVisibilitySeconds", "180")
    return "\n".join(
        [
            f"Patchbay sends unfinished deliveries again after at most {seconds} seconds.",
            "The next delivery starts a new worker. Watch your receiver, or list the deliveries:",
            "",
            f'  curl -H "Authorization: Bearer $(make -s token WORKSPACE=acme{for_make(state)})" \\',
            f"    {stack['url']}/api/deliveries",
        ]
    )


def _kill(running: Mapping[str, list[int]], functions: list[str]) -> dict[int, str]:
    """Kill the processes of these functions. Returns the function of each process that was killed."""
    killed: dict[int, str] = {}
    for function in functions:
        for pid in running.get(function, []):
            try:
                # Each process of a function leads a process group. Another program may have reused its ID.
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                    killed[pid] = function
            except (ProcessLookupError, PermissionError):
                continue
    return killed
