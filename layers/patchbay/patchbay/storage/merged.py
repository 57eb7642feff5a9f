"""One list from several partitions that have the same kind of sort key, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.storage import dynamo
from patchbay.storage.dynamo import Row
from patchbay.storage.paging import Page


def merge(pages: Sequence[Page[Row]], sort_name: str, limit: int) -> Page[Row]:
    """The newest `limit` rows of pages that begin at the same position of their partitions.

    A page that ends early, because of a filter, hides rows of the others: those that are older than its end
    are left for the next page. The cursor is the sort key of the last merged row, or of that end; it
    continues every partition. Each page makes progress, so the merged page does too, even if it is empty.
    """
    ends = [dynamo.decode_cursor(page.next_cursor)[0] for page in pages if page.next_cursor]
    end = max(ends, default="")
    rows = sorted((row for page in pages for row in page.items), key=lambda row: row[sort_name], reverse=True)
    complete = [row for row in rows if row[sort_name] >= end]
    entries = [(row, dynamo.encode_cursor([row[sort_name]])) for row in complete[:limit]]
    if len(complete) > limit:
        return Page(entries, entries[-1][1])
    return Page(entries, dynamo.encode_cursor([end]) if end else None)
