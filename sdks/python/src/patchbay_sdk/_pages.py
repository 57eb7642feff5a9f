"""Pages of lists, and iteration over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list. Iterating over it yields the items of this page and all following pages.

    A page may have fewer items than `limit`, or none, and still have a `next_cursor`.
    """

    items: list[T]
    next_cursor: str | None
    _load: Callable[[str], Page[T]]

    def next_page(self) -> Page[T] | None:
        """The page after this one, or None."""
        return None if self.next_cursor is None else self._load(self.next_cursor)

    def pages(self) -> Iterator[Page[T]]:
        """This page and all pages after it."""
        page: Page[T] | None = self
        while page is not None:
            yield page
            page = page.next_page()

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


@dataclass(frozen=True)
class LoadedPage(Generic[T]):
    """A page that an `AsyncPage` loaded."""

    items: list[T]
    next_cursor: str | None


class AsyncPage(Generic[T]):
    """A page of a list, loaded when it is awaited or iterated over.

    `await page` has its `items` and `next_cursor`; `async for item in page` yields the items of this page and of all
    pages after it.
    """

    def __init__(self, load: Callable[[str | None], Awaitable[LoadedPage[T]]]) -> None:
        self._load = load

    def __await__(self) -> Generator[Any, None, LoadedPage[T]]:
        return self._load(None).__await__()

    async def pages(self) -> AsyncIterator[LoadedPage[T]]:
        """This page and all pages after it."""
        page = await self
        yield page
        while page.next_cursor is not None:
            page = await self._load(page.next_cursor)
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item
