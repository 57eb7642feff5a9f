"""The scheduled run of the tasks of whole workspaces. Several can run concurrently: each task is claimed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from patchbay.clock import now_ms
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.tasks import service as tasks
from patchbay.workspaces import erasure, export

# One batch of deletions, or one part of a file, takes seconds. With less time left, none starts.
_RESERVE_MS = 20_000
# How long one task may run while others wait.
_SLICE_MS = 10_000
_MAX_TASKS = 100


def run_due(remaining_ms: Callable[[], int]) -> int:
    """Advance the tasks that are due, as far as time allows. Returns their number."""
    settings()  # an invalid configuration fails here, not in each task
    due = list(islice(tasks.due_of_workspaces(now_ms()), _MAX_TASKS))
    advanced = 0
    for position, (workspace_id, id) in enumerate(due):
        if remaining_ms() <= _RESERVE_MS:
            break
        is_last = position == len(due) - 1
        stop_at = _RESERVE_MS if is_last else max(remaining_ms() - _SLICE_MS, _RESERVE_MS)
        try:
            task = tasks.claim(workspace_id, id)
            if task is None:
                continue
            advance = erasure.advance if task.type == "workspace.erase" else export.advance
            advance(task, lambda stop_at=stop_at: remaining_ms() > stop_at)  # type: ignore[misc]
            advanced += 1
        except Exception:
            # An error in our code or in AWS. The task becomes due again.
            logger.exception("task failed", task=id, workspace=workspace_id)
    return advanced
