"""A client's session: what it offers to its builds, called over its own connection.

``Session`` is a ``ClientSide``. What a client doesn't serve answers UNIMPLEMENTED, which here means
"the client has none"; what it refuses with NOT_FOUND likewise.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote_plus

from boxship.api.buildkit.agent import Agent
from boxship.api.buildkit.layouts import Layout
from boxship.api.buildkit.receiving import Receiver
from boxship.api.buildkit.sending import Sender
from boxship.api.grpc.client import Client, ClientCall
from boxship.api.grpc.driver import read
from boxship.base.errors import (
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.distribution.credentials import Credentials
from boxship.engine.build.clientside import Selection, Synced
from boxship.engine.images.bridge import to_the_end
from boxship.oci.digest import Digest
from boxship.wire.buildkit import filesync, methods
from boxship.wire.buildkit.session import (
    UPLOAD_HOST,
    UPLOAD_PATH,
    CheckAgentRequest,
    CredentialsRequest,
    GetSecretRequest,
)
from boxship.wire.buildkit.wellknown import BytesMessage
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import encode

T = TypeVar("T")
CACHE_FROM, CACHE_TO, OCI_LAYOUT = "cache-from", "cache-to", "oci-layout"
"""How builds name layouts: ``cache-from:<directory>`` and ``oci-layout:<name>@<digest>`` are
brought, what has the metadata ``cache-to`` is given."""
_NONE = (Code.UNIMPLEMENTED, Code.NOT_FOUND)
_PIECE = 1024 * 1024
_GATHERING = 0.002
"""Seconds between looks at a list that comes: buildx sends forty entries at a time."""


class Session:
    """One client, as long as its connection stands."""

    def __init__(self, identifier: str, shared_key: str, on_close: Callable[[], None]) -> None:
        self.id = identifier
        self.identity = shared_key
        self.client = Client(on_close)
        self.cache_digests: dict[str, str] = {}
        """Which manifest is meant of the client's local caches, by their directory."""
        self.cache_manifest = b""
        """Descriptor of the local cache that was given to the client, which has to note it."""

    # ── its files ────────────────────────────────────────────────────────────────────────────

    async def sync(
        self,
        name: str,
        selection: Selection,
        target: str,
        transferred: Callable[[int], None] | None = None,
    ) -> Synced:
        """See ``ClientSide``. ``transferred`` hears how many bytes of contents have come."""
        if await self._fetched(name, target):
            return Synced()
        receiver = Receiver(target, f"{target}.list")
        try:
            async with self.client.call(methods.FILE_SYNC, _metadata(name, selection)) as call:
                await receive(call, receiver, transferred)
            return Synced(frozenset(receiver.changed))
        except GrpcError as error:
            if error.code in _NONE:
                raise NotFoundError(f"the client has no directory {name!r}: {error}") from error
            raise _explained(error) from error
        finally:
            receiver.close()

    async def _fetched(self, name: str, target: str) -> bool:
        """Bring a layout from a client that serves it as a store of blobs."""
        store, digest = self._layout(name)
        if not digest:
            return False
        try:
            await Layout(self.client, store).fetch(Digest.parse(digest), target)
        except GrpcError as error:
            if error.code in _NONE:
                return False
            raise _explained(error) from error
        return True

    def _layout(self, name: str) -> tuple[str, str]:
        """Return the client's store of that name, and the digest of what is wanted of it."""
        kind, _, rest = name.partition(":")
        if kind == CACHE_FROM:
            return f"local:{rest}", self.cache_digests.get(rest, "")
        if kind == OCI_LAYOUT:
            named, _, digest = rest.partition("@")
            return f"oci:{named.partition(':')[0]}", digest
        return "", ""

    async def upload(self, host: str, path: str) -> AsyncIterator[bytes]:
        """Yield what the client uploads under a URL's host and path (a context from its stdin)."""
        metadata = {UPLOAD_HOST: (host,), UPLOAD_PATH: (path,)}
        try:
            async with self.client.call(methods.UPLOAD, metadata) as call:
                while batch := await call.batch():
                    for message in batch:
                        yield read(message, BytesMessage).data
        except GrpcError as error:
            raise _explained(error) from error

    # ── its secrets ──────────────────────────────────────────────────────────────────────────

    async def secret(self, identifier: str) -> bytes | None:
        asked = self.client.ask(methods.GET_SECRET, GetSecretRequest(identifier))
        answer = await _or_none(asked)
        return None if answer is None else answer.data

    async def ssh(self, identifier: str) -> Agent | None:
        asked = self.client.ask(methods.CHECK_AGENT, CheckAgentRequest(identifier))
        try:
            if await _or_none(asked) is None:
                return None
        except InvalidArgumentError:  # "unset ssh forward key", of a client that has others
            return None
        return Agent(self.client, identifier)

    async def credentials(self, host: str) -> Credentials | None:
        answer = await _or_none(self.client.ask(methods.CREDENTIALS, CredentialsRequest(host)))
        if answer is None or not answer.secret:
            return None
        if answer.username:
            return Credentials(username=answer.username, password=answer.secret, server=host)
        return Credentials(identity_token=answer.secret, server=host)

    # ── what it gets ─────────────────────────────────────────────────────────────────────────

    async def send_file(self, chunks: AsyncIterator[bytes], metadata: Mapping[str, str]) -> None:
        try:
            async with self.client.call(methods.FILE_SEND, _output(metadata)) as call:
                async for chunk in chunks:
                    for at in range(0, len(chunk), _PIECE):
                        await call.send(encode(BytesMessage(bytes(chunk[at : at + _PIECE]))))
                await call.end()
        except GrpcError as error:
            raise _explained(error) from error

    async def send_directory(self, directory: str, metadata: Mapping[str, str]) -> None:
        if await self._stored(directory, metadata.get(CACHE_TO, "")):
            return
        sender = Sender(directory)
        try:
            async with self.client.call(methods.FILE_SEND_DIRECTORY, _output(metadata)) as call:
                await asyncio.gather(_send_all(call, sender.listing()), _answer_all(call, sender))
                await call.end()
        except GrpcError as error:
            if error.code == Code.UNIMPLEMENTED and await self._exported(directory):
                return
            raise _explained(error) from error

    async def _exported(self, directory: str) -> bool:
        """Give a layout to a client that takes it as blobs (``type=oci,tar=false``)."""
        try:
            await Layout(self.client, "export").store(directory)
        except (GrpcError, FileNotFoundError):
            return False
        return True

    async def _stored(self, directory: str, destination: str) -> bool:
        """Give a local cache to a client that takes it as blobs."""
        if not destination:
            return False
        try:
            store = Layout(self.client, f"local:{destination}")
            self.cache_manifest = await store.store(directory)
        except GrpcError as error:
            if error.code == Code.UNIMPLEMENTED:
                return False
            raise _explained(error) from error
        return True


async def receive(
    call: ClientCall, receiver: Receiver, transferred: Callable[[int], None] | None
) -> None:
    while packets := await call.batch(0 if receiver.listed else _GATHERING):
        before = receiver.received
        # To its end even if nobody waits any more: its files are closed then, and perhaps removed.
        for reply in await to_the_end(asyncio.to_thread(receiver.feed, packets)):
            await call.send(reply)
        if transferred is not None and receiver.received != before:
            transferred(receiver.received)
        if receiver.done:
            await call.end()
            return
    raise UnavailableError("the client stopped sending its files")


async def _send_all(call: ClientCall, packets: Iterator[bytes]) -> None:
    while batch := await to_the_end(asyncio.to_thread(_some, packets)):
        for packet in batch:
            await call.send(packet)


def _some(packets: Iterator[bytes]) -> list[bytes]:
    """Return the next packets, up to a megabyte of them."""
    batch, size = [], 0
    for packet in packets:
        batch.append(packet)
        size += len(packet)
        if size > _PIECE:
            break
    return batch


async def _answer_all(call: ClientCall, sender: Sender) -> None:
    while not sender.done:
        packet = await call.receive()
        if packet is None:
            raise UnavailableError("the client stopped taking files")
        await _send_all(call, sender.answer(packet))


def _metadata(name: str, selection: Selection) -> dict[str, list[str]]:
    """Return the metadata that asks for a directory; what no header may be is percent-encoded.

    BuildKit does so with what isn't ASCII. Other clients decode whatever says that it is encoded,
    and white space at the ends of a header's value doesn't arrive.
    """
    metadata = {filesync.DIR_NAME: [name]}
    patterns = (
        (filesync.INCLUDE_PATTERNS, selection.include),
        (filesync.EXCLUDE_PATTERNS, selection.exclude),
        (filesync.FOLLOW_PATHS, selection.follow),
    )
    metadata.update({key: list(values) for key, values in patterns if values})
    for key, values in list(metadata.items()):
        if not all(_is_plain(value) for value in values):
            metadata[key] = [quote_plus(value, errors="surrogateescape") for value in values]
            metadata[key + filesync.ENCODED] = ["1"]
    return metadata


def _is_plain(value: str) -> bool:
    """Whether it arrives as it is in a header (RFC 9113, section 8.2.1)."""
    return value.isascii() and value.isprintable() and value == value.strip()


def _output(metadata: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the metadata of a result: which of the client's outputs it is for, and what it is."""
    return {
        name if name == filesync.EXPORTER_ID else filesync.EXPORTER_METADATA + name: [value]
        for name, value in metadata.items()
    }


async def _or_none(asked: Awaitable[T]) -> T | None:
    """Return the answer, or None if the client doesn't know of such things."""
    try:
        return await asked
    except GrpcError as error:
        if error.code in _NONE:
            return None
        raise _explained(error) from error


def _explained(error: GrpcError) -> Exception:
    if error.code in (Code.UNAVAILABLE, Code.CANCELLED):
        return UnavailableError(f"the client of the build has gone: {error}")
    return InvalidArgumentError(str(error) or f"the client refused with status {error.code.name}")
