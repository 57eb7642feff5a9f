"""When a webhook that fails is announced as failing. Tests only pure functions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from patchbay.receivers.health import Health


@given(limit=st.integers(1, 1000))
def test_each_warning_comes_once_on_the_way_to_the_limit(limit: int) -> None:
    health, percents = Health(), []
    for failures in range(1, limit + 1):
        warning = health.next_warning(failures, limit, resumed_at=0)
        if warning is not None:
            assert failures == warning.failures
            percents.append(warning.percent)
            health = Health(warned=warning.failures, warned_at=1)
        assert health.next_warning(failures, limit, resumed_at=0) is None
    reachable = [percent for percent in (50, 80) if -(-limit * percent // 100) < limit]
    assert percents == reachable


@given(limit=st.integers(5, 1000), failures=st.integers(0, 1100))
def test_skipped_warning_is_not_sent_later(limit: int, failures: int) -> None:
    warning = Health().next_warning(failures, limit, resumed_at=0)
    if warning is None:
        assert failures >= limit or failures * 2 < limit
        return
    assert warning.failures <= failures < limit
    later = Health(warned=warning.failures, warned_at=5)
    assert later.next_warning(failures, limit, resumed_at=4) is None
    # The webhook was enabled after the warning, so the warnings start over.
    assert later.next_warning(failures, limit, resumed_at=5) == warning


def test_webhook_with_a_warning_is_not_clean() -> None:
    assert not Health(warned=5, warned_at=1).is_clean()
    assert Health(failed_hour=5).is_clean()
