"""One list from several partitions whose pages are filtered and end early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from patchbay.storage import dynamo
from patchbay.storage.merged import merge
from patchbay.storage.paging import Page

PARTITIONS = st.lists(st.dictionaries(st.integers(0, 60), st.booleans(), max_size=30), max_size=4)


def read(rows: dict[int, bool], after: str | None, limit: int, count: int) -> Page[dynamo.Row]:
    """A page of the rows that match, newest first: up to `limit` of the next `count` rows."""
    keys = sorted((key for key in rows if after is None or f"{key:02}" < after), reverse=True)
    seen = keys[:count]
    found = [{"id": f"{key:02}"} for key in seen if rows[key]]
    end = f"{seen[-1]:02}" if len(keys) > count else None
    if len(found) > limit:
        found = found[:limit]
        end = found[-1]["id"]
    return Page([(row, "-") for row in found], dynamo.encode_cursor([end]) if end else None)


@given(PARTITIONS, st.integers(1, 5), st.integers(1, 7))
def test_merged_pages_have_every_matching_row_once_in_order(
    partitions: list[dict[int, bool]], limit: int, count: int
) -> None:
    # Each key is in only one partition, like an ID.
    taken: set[int] = set()
    for rows in partitions:
        for key in taken.intersection(rows):
            del rows[key]
        taken.update(rows)
    after, found, steps = None, list[str](), 0
    while True:
        page = merge([read(rows, after, limit, count) for rows in partitions], "id", limit)
        assert len(page.items) <= limit
        assert [dynamo.decode_cursor(cursor) for _, cursor in page.entries] == [
            [row["id"]] for row in page.items
        ]
        found += [row["id"] for row in page.items]
        if page.next_cursor is None:
            break
        (position,) = dynamo.decode_cursor(page.next_cursor, 1)
        assert after is None or position < after, "no progress"
        after, steps = position, steps + 1
    matching = {key for rows in partitions for key, matches in rows.items() if matches}
    assert found == [f"{key:02}" for key in sorted(matching, reverse=True)]


def test_merge_of_nothing_is_the_end() -> None:
    assert merge([], "id", 5) == Page([], None)
