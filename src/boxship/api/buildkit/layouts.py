"""OCI layouts of clients, blob by blob: local caches.

A directory here becomes as much of a client's layout as one of its images needs, and the other way
round. Blobs that are there already don't travel; what comes is verified by its digest.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from boxship.api.buildkit.layoutfiles import LayoutFiles
from boxship.api.grpc.client import Client
from boxship.api.grpc.driver import read
from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.bridge import to_the_end
from boxship.oci.digest import Digest
from boxship.wire.buildkit import methods
from boxship.wire.buildkit.content import (
    STORE,
    InfoRequest,
    ReadRequest,
    WriteAction,
    WriteRequest,
    WriteResponse,
)
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import encode


class Layout:
    """One layout of a client."""

    def __init__(self, client: Client, store: str) -> None:
        self._client = client
        self._metadata = {STORE: (store,)}

    async def fetch(self, root: Digest, target: str) -> None:
        """Make ``target`` a layout with the image (or index) ``root`` and all that it names.

        GrpcError: the client has no such layout or blob; InvalidArgumentError: it is damaged.
        """
        files = LayoutFiles(target)
        await self._fetch_document(root, files)
        await asyncio.to_thread(files.complete, root)

    async def store(self, source: str) -> bytes:
        """Give the client the blobs of the layout ``source``; return its manifest's descriptor."""
        files = LayoutFiles(source)
        for digest in await asyncio.to_thread(files.blobs):
            if not await self._has(digest):
                await self._write(digest, files)
        return msgspec.json.encode(await asyncio.to_thread(files.first))

    async def _fetch_document(self, digest: Digest, files: LayoutFiles) -> None:
        await self._fetch_blob(digest, files)
        named = await asyncio.to_thread(files.named, digest)
        for document in named.documents:
            await self._fetch_document(document, files)
        for blob in named.blobs:
            await self._fetch_blob(blob, files)

    async def _fetch_blob(self, digest: Digest, files: LayoutFiles) -> None:
        if await asyncio.to_thread(files.has, digest):
            return
        incoming = await asyncio.to_thread(files.incoming, digest)
        whole = False
        try:
            async for data in self._read(digest):
                await to_the_end(asyncio.to_thread(incoming.write, data))
            whole = True
        finally:
            incoming.close(whole=whole)

    async def _read(self, digest: Digest) -> AsyncIterator[bytes]:
        async with self._client.call(methods.CONTENT_READ, self._metadata) as call:
            await call.send(encode(ReadRequest(str(digest))))
            call.half_close()
            while batch := await call.batch():
                for message in batch:
                    yield read(message, methods.CONTENT_READ.answer).data

    async def _has(self, digest: Digest) -> bool:
        try:
            await self._client.ask(methods.CONTENT_INFO, InfoRequest(str(digest)), self._metadata)
        except GrpcError as error:
            if error.code == Code.NOT_FOUND:
                return False
            raise
        return True

    async def _write(self, digest: Digest, files: LayoutFiles) -> None:
        size, ref, offset = files.size(digest), f"boxship-{digest.hex}", 0
        pieces = files.pieces(digest)
        async with self._client.call(methods.CONTENT_WRITE, self._metadata) as call:
            done = False
            while not done:
                data = await asyncio.to_thread(next, pieces, b"")
                done = offset + len(data) == size or not data
                action = WriteAction.COMMIT if done else WriteAction.WRITE
                asked = WriteRequest(action, ref, size, str(digest), offset, data)
                await call.send(encode(asked))
                offset += len(data)
                answer = await call.receive_as(WriteResponse)
                if answer.offset != offset:
                    raise InvalidArgumentError(f"the client took {answer.offset} of {offset} bytes")
            await call.end()
