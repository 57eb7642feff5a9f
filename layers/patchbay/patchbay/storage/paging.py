"""One page of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, each with the cursor that continues after it, and the cursor of the next page (None at the
    end of the list). If a filter left out items behind the last one, the next page starts after those.
    """

    entries: Sequence[tuple[Item, str]]
    next_cursor: str | None

    @property
    def items(self) -> list[Item]:
        return [item for item, _ in self.entries]

    def map(self, make: Callable[[Item], Other | None]) -> Page[Other]:
        """The page with `make(item)` in place of each item; None leaves the item out."""
        made = ((make(item), cursor) for item, cursor in self.entries)
        return Page([(item, cursor) for item, cursor in made if item is not None], self.next_cursor)
