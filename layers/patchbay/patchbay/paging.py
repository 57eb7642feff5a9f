"""A page of a list, of whatever it lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, each with the cursor that continues after it, and the cursor of the next page (None at the
    end of the list). The next page may begin further on than after the last item: what lies between was left
    out by a filter.
    """

    entries: Sequence[tuple[Item, str]]
    next_cursor: str | None

    @property
    def items(self) -> list[Item]:
        return [item for item, _ in self.entries]

    def map(self, make: Callable[[Item], Other | None]) -> Page[Other]:
        """The page of what `make` makes of each item, without those of which it makes None."""
        made = ((make(item), cursor) for item, cursor in self.entries)
        return Page([(item, cursor) for item, cursor in made if item is not None], self.next_cursor)
