"""Promise 10 for workspaces: attacks beside a healthy workspace, a short form of `benchmarks.neighbours`.

With four processes of each worker, each of these attacks would take all of them for 14 s and longer if it
could. The times here tell that from a busy machine, and nothing finer.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest

from benchmarks import neighbours
from benchmarks.loopback import Receivers, receivers
from local.testing import RunningStack, stack

ATTACKS = {
    "slow": neighbours.Flood(says="", webhooks=12, behaviour="slow", seconds=8),
    "retries": neighbours.Retries(says="", failed=10, seconds=8),
}
# Half of what an attempt to one of the attacker's receivers takes.
MOST_SECONDS = 7

Place = tuple[RunningStack, Receivers]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A stack with few processes, and the receivers."""
    folder = tmp_path_factory.mktemp("stack")
    with receivers() as at, stack(folder, **neighbours.bounds(4)) as running:
        yield running, at


@pytest.mark.parametrize("name", ATTACKS)
def test_a_healthy_workspace_beside_an_attack_gets_all_its_deliveries_in_time(
    name: str, place: Place
) -> None:
    healthy, attacker = (neighbours.Tenant(*place, f"{role}-{name}") for role in ("healthy", "attacker"))
    result = neighbours.measure_on(
        neighbours.Scene(*place, healthy, attacker), ATTACKS[name], alone_seconds=1
    )
    assert result.beside.lost == 0
    assert statistics.median(result.beside.seconds) < MOST_SECONDS
    assert result.beside.newcomers
    assert max(result.beside.newcomers) < neighbours.STRAGGLERS_SECONDS
    assert result.ending.expected
    assert result.ending.dead == result.ending.lost == 0
