from __future__ import annotations

from patchbay.rate_limits.lru_cache import LruCache


def test_least_recently_used_entry_is_dropped() -> None:
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_total_weight_is_bounded() -> None:
    cache: LruCache[str, int] = LruCache(10)
    for key, weight in (("a", 4), ("b", 4), ("a", 2), ("c", 4)):
        cache.put(key, weight, weight)
    assert [cache.get(key) for key in "abc"] == [2, 4, 4]
    cache.put("d", 5, 5)
    assert [cache.get(key) for key in "abcd"] == [None, None, 4, 5]
    cache.remove("d")
    cache.put("e", 6, 6)
    assert [cache.get(key) for key in "ce"] == [4, 6]
    cache.put("oversized", 11, 11)
    assert len(cache) == 0
    cache.put("f", 10, 10)
    assert cache.get("f") == 10
