"""Promise 10 for workspaces: attacks next to a healthy workspace, a short form of `benchmarks.neighbours`.

Without protection, each of these attacks would occupy all four processes of each worker for at least 14 s.
The limits here only distinguish that from a busy machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest

from benchmarks import neighbours
from benchmarks.loopback import Receivers, receivers
from local.testing import RunningStack, stack

ATTACKS = {
    "slow": neighbours.Flood(says="", webhooks=12, behavior="slow", seconds=8),
    "retries": neighbours.Retries(says="", failed=10, seconds=8),
}
# Half the duration of an attempt to one of the attacker's receivers.
MAX_SECONDS = 7

Environment = tuple[RunningStack, Receivers]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A stack with few processes, and the receivers."""
    folder = tmp_path_factory.mktemp("stack")
    with receivers() as at, stack(folder, **neighbours.bounds(4)) as running:
        yield running, at


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_does_not_delay_a_healthy_workspace(name: str, environment: Environment) -> None:
    healthy, attacker = (
        neighbours.Tenant(*environment, f"{role}-{name}") for role in ("healthy", "attacker")
    )
    result = neighbours.measure_on(
        neighbours.Scene(*environment, healthy, attacker), ATTACKS[name], alone_seconds=1
    )
    assert result.beside.lost == 0
    assert statistics.median(result.beside.seconds) < MAX_SECONDS
    assert result.beside.newcomers
    assert max(result.beside.newcomers) < neighbours.STRAGGLERS_SECONDS
    assert result.ending.expected
    assert result.ending.dead == result.ending.lost == 0
