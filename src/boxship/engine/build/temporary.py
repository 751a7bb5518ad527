"""Directories that a build has for itself while it lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from boxship.engine.images.bridge import to_the_end
from boxship.storage.disposal import Disposal
from boxship.storage.root import StorageRoot


@asynccontextmanager
async def temporary(root: StorageRoot, disposal: Disposal) -> AsyncIterator[str]:
    """Own a fresh directory below the store's ``tmp``. OSError: the disk refuses it.

    It goes whatever happens, also when the client hangs up while a thread is about to make it.
    """
    made: list[str] = []
    try:
        await to_the_end(asyncio.to_thread(lambda: made.append(root.new_temporary())))
        yield made[0]
    finally:
        disposal.add(made)
