"""Traffic after the history: events through the API, with a key, and runs of actions that get an answer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from local import token
from local.demo import world
from local.demo.world import iso

_RUN_EVERY = 12  # events


@dataclass(frozen=True)
class Traffic:
    """The traffic in a workspace of the stack at `url`. `publisher` is the API key that publishes."""

    url: str
    state: Path
    workspace: str
    publisher: str
    receivers: str
    random: Random = field(default_factory=Random)

    async def run(self, per_minute: float) -> None:
        """Publish events until cancelled. Failures are ignored, because the stack may be reloading its
        code; its log has every request.
        """
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as http:
            for number in itertools.count(1):
                await asyncio.sleep(self.random.expovariate(per_minute / 60))
                with contextlib.suppress(httpx.HTTPError):
                    await self._publish(http)
                    if number % _RUN_EVERY == 0:
                        await self._run_action(http, number // _RUN_EVERY)

    async def _publish(self, http: httpx.AsyncClient) -> None:
        kind, data = world.event(self.random, iso(time.time() * 1000))
        body = {"type": kind, "data": data}
        (await http.post("/api/events", json=body, headers=_bearer(self.publisher))).raise_for_status()

    async def _run_action(self, http: httpx.AsyncClient, number: int) -> None:
        """Start a run as an automation does, and send the platform's answer some seconds later."""
        platform, action, given, output = world.run(number)
        body = {"input": given, "callbackUrl": f"{self.receivers}/good/{platform}/callback"}
        member = token.mint(self.state, self.workspace, role="member", subject=platform, hours=0.1)
        path = f"/api/automations/{platform}/actions/{action}"
        started = (await http.post(path, json=body, headers=_bearer(member))).raise_for_status()
        await asyncio.sleep(self.random.uniform(2, 6))
        answer = {"status": "SUCCEEDED", "output": output}
        operator = token.mint(self.state, "platform", role="owner", subject="svc_actions", hours=0.1)
        path = f"/api/actions/runs/{started.json()['id']}"
        (await http.put(path, json=answer, headers=_bearer(operator))).raise_for_status()


def _bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}
