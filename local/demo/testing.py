"""The demo for tests, such as those of the console in a browser:

with demo(tmp_path, rows=10_000, now_ms=NOW) as d:
    page.goto(d.platform)          # signs a user in, and embeds the console
    page.goto(d.link("viewer"))    # the console alone
    d.stack.token("demo", role="member")

The same amounts, seed and end give the same history, except for secrets, tokens and ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import direct, sign_in
from local.demo.history import WORKSPACE, Amount
from local.demo.run import MARK, task_for, write_history
from local.testing import RunningStack, stack

# Enough for a test, and written in a few seconds.
HOURS, EVENTS = 8, 60


@dataclass(frozen=True)
class Demo:
    """A running demo. `platform` is the address that signs a user in; `provider` and `receivers` are URLs."""

    stack: RunningStack
    platform: str
    provider: str
    receivers: str
    workspace: str = WORKSPACE

    def link(self, role: str, **options: Any) -> str:
        """The link of a new portal session for a user with this role. It works once."""
        making = sign_in.new_session(self.stack.url, self.stack.state, self.workspace, role, options)
        return str(asyncio.run(making)["link"])


@contextlib.contextmanager
def demo(
    state_dir: Path,
    *,
    hours: int = HOURS,
    events: int = EVENTS,
    rows: int = 0,
    seed: int | None = None,
    now_ms: int | None = None,
    per_minute: float = 0,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    timeout: float = 180,
) -> Iterator[Demo]:
    """Run the demo until the block ends: `events` over `hours` that end at `now_ms`, `rows` more events and
    deliveries of one webhook, and `per_minute` events afterwards. The rest is as in `local.testing.stack`.
    """
    given = {"hours": hours, "events": events, "rows": rows, "seed": seed, "now": now_ms}
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    with stack(
        state_dir,
        parameters=parameters,
        environment={"PLATFORM_PORT": "0", "CI": "1", **(environment or {})},
        port=port,
        timeout=timeout,
        command=("demo", *options, f"--per-minute={per_minute}"),
    ) as running:
        yield Demo(running, **json.loads((state_dir / MARK).read_text()))


def seed(
    running: RunningStack, *, platform: str, provider: str, receivers: str, amount: Amount | None = None
) -> dict[str, Any]:
    """Write a history into a running stack, while its schedules and workers run too. The fakes are given as
    URLs; the provider must run. Returns what was written, in `counts`.
    """
    task = task_for(
        direct.template_of(running),
        running.endpoints,
        amount or Amount(int(time.time() * 1000), HOURS, EVENTS),
        running.state,
        platform=platform,
        provider=provider,
        receivers=receivers,
    )
    return asyncio.run(write_history(task, lambda *_: None))
