"""Streams that must be told when nobody reads them any more."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Self


class Guarded(AsyncIterator[bytes]):
    """A generator of chunks and what to release with it.

    A generator that was never started runs no ``finally`` when it is closed, so whatever was
    registered before the stream began is released here.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], release: Callable[[], object]) -> None:
        self._chunks = chunks
        self._release = release

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the generator and release."""
        try:
            await self._chunks.aclose()
        finally:
            self._release()
