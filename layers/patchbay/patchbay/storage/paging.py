"""One page of a list. `dynamo.page` reads pages and encodes their cursors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, each with the cursor that continues after it, and the cursor of the next page (None at the
    end of the list). If a filter removed items after the last one, the next page starts after those.
    """

    entries: Sequence[tuple[Item, str]]
    next_cursor: str | None

    @property
    def items(self) -> list[Item]:
        return [item for item, _ in self.entries]

    def map(self, convert: Callable[[Item], Other | None]) -> Page[Other]:
        """The page with `convert(item)` for each item; None drops the item."""
        entries = ((convert(item), cursor) for item, cursor in self.entries)
        return Page([(item, cursor) for item, cursor in entries if item is not None], self.next_cursor)
