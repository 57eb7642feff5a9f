from __future__ import annotations

from patchbay.rate_limits.lru_cache import LruCache


def test_what_was_used_least_lately_gives_way() -> None:
    memory: LruCache[str, int] = LruCache(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_weights_are_bounded_together() -> None:
    memory: LruCache[str, int] = LruCache(10)
    for key, weight in (("a", 4), ("b", 4), ("a", 2), ("c", 4)):
        memory.put(key, weight, weight)
    assert [memory.get(key) for key in "abc"] == [2, 4, 4]
    memory.put("d", 5, 5)
    assert [memory.get(key) for key in "abcd"] == [None, None, 4, 5]
    memory.remove("d")
    memory.put("e", 6, 6)
    assert [memory.get(key) for key in "ce"] == [4, 6]
    memory.put("whale", 11, 11)
    assert len(memory) == 0
    memory.put("f", 10, 10)
    assert memory.get("f") == 10
