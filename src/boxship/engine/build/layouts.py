"""Images in OCI layouts that the client keeps: brought here as a directory, and loaded."""

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from boxship.base.errors import NotFoundError
from boxship.engine.build.clientside import ClientSide, Selection
from boxship.engine.build.contexts import Contexts
from boxship.engine.images.bridge import to_the_end
from boxship.engine.images.service import ImageService
from boxship.model.image import LoadedImage
from boxship.oci.platform import Platform
from boxship.storage.chunks import CHUNK


@dataclass(frozen=True, slots=True)
class Layouts:
    """Loads what one client has."""

    images: ImageService
    contexts: Contexts
    client: ClientSide

    async def load(
        self, name: str, stack: AsyncExitStack, platforms: Collection[Platform] = ()
    ) -> str:
        """Return the id of the image in the client's directory ``name``. NotFoundError."""
        context = await stack.enter_async_context(
            self.contexts.opened(self.client, name, Selection())
        )
        archive = os.path.join(os.path.dirname(context.path), "archive.tar")
        try:
            await to_the_end(asyncio.to_thread(_archive, context.path, archive))
            loading = self.images.load(_chunks(archive), platforms)
            found = [event.id async for event in loading if isinstance(event, LoadedImage)]
        finally:
            with suppress(FileNotFoundError):
                os.unlink(archive)
        if not found:
            raise NotFoundError(f"{name}: there is no image in it")
        return found[0]


def _archive(directory: str, target: str) -> None:
    """Write a directory as a tar; what an earlier one of that name was is gone."""
    with tarfile.open(target, mode="w") as archive:
        for name in sorted(os.listdir(directory)):
            archive.add(os.path.join(directory, name), name)


async def _chunks(path: str) -> AsyncIterator[bytes]:
    stream = await asyncio.to_thread(open, path, "rb")
    try:
        while data := await asyncio.to_thread(stream.read, CHUNK):
            yield data
    finally:
        stream.close()
