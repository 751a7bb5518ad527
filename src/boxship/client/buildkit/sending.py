"""Directories to the builder: the sending side of ``fsutil``, over ``FileSync.DiffCopy``.

The exchange is drawn in ``boxship.wire.buildkit.filesync``. The builder compares sizes, modes and
times with what it kept of the last build, and asks for the content of what differs only.
"""

import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from urllib.parse import unquote_plus

from boxship.base.errors import NotFoundError
from boxship.client.buildkit.directories import Selection, Source
from boxship.client.buildkit.link import Call, Serve
from boxship.wire.buildkit import methods
from boxship.wire.buildkit.filesync import (
    DIR_NAME,
    ENCODED,
    EXCLUDE_PATTERNS,
    FOLLOW_PATHS,
    GO_TYPE,
    INCLUDE_PATTERNS,
    Packet,
    PacketType,
)
from boxship.wire.grpc.metadata import Metadata
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import decode, encode

_PIECE = 256 * 1024
_AT_ONCE = 256  # stats between two looks at what is asked for
_NOTHING_MORE = encode(Packet(type=PacketType.STAT))
_OVER = encode(Packet(type=PacketType.FIN))


def file_sync(sources: Mapping[str, Source]) -> dict[str, Serve]:
    """Serve directories by the names that the builder knows them by."""

    def serve(call: Call) -> None:
        name = call.metadata.first(DIR_NAME)
        source = sources.get(name)
        if source is None:
            raise NotFoundError(f"no access allowed to dir {name!r}")
        try:
            _Sender(call, source).run(_selection(call.metadata))
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            reason = f"{what}{(error.strerror or str(error)).lower()}"
            with suppress(GrpcError):
                call.send(encode(Packet(type=PacketType.ERR, data=reason.encode())))
            raise

    return {methods.FILE_SYNC.path: serve}


def _selection(metadata: Metadata) -> Selection:
    return Selection(
        _values(metadata, INCLUDE_PATTERNS),
        _values(metadata, EXCLUDE_PATTERNS),
        _values(metadata, FOLLOW_PATHS),
    )


def _values(metadata: Metadata, name: str) -> tuple[str, ...]:
    """Values that no header may be come as in a form (a plus is a space), and say so."""
    values = metadata.get(name, ())
    if metadata.first(name + ENCODED) == "1":
        return tuple(unquote_plus(value, errors="surrogateescape") for value in values)
    return values


class _Sender:
    """One exchange."""

    def __init__(self, call: Call, source: Source) -> None:
        self._call = call
        self._source = source
        self._paths: list[str] = []
        self._wanted: deque[int] = deque()
        self._over = False

    def run(self, selection: Selection) -> None:
        stats = self._source.walk(selection)
        while some := list(islice(stats, _AT_ONCE)):
            self._call.send_all([encode(Packet(type=PacketType.STAT, stat=each)) for each in some])
            # What is no plain file can't be asked for; the builder counts it nevertheless.
            self._paths += ["" if each.mode & GO_TYPE else each.path for each in some]
            self._look(wait=False)
        self._call.send(_NOTHING_MORE)
        while not self._over:
            if not self._wanted:
                self._look(wait=True)
            while self._wanted:
                self._send_content(self._wanted.popleft())
        self._call.send(_OVER)

    def _look(self, *, wait: bool) -> None:
        """Take what the builder has asked for; it may ask before it has heard of everything."""
        while not self._over:
            try:
                message = self._call.receive(None if wait else 0)
            except TimeoutError:
                return
            if message is None:
                raise GrpcError(Code.CANCELLED, "the builder went away")
            packet = decode(message, Packet)
            if packet.type == PacketType.REQ:
                self._wanted.append(packet.id)
            elif packet.type == PacketType.FIN:
                self._over = True
            elif packet.type == PacketType.ERR:
                raise GrpcError(Code.UNKNOWN, packet.data.decode("utf-8", "replace"))
            wait = False

    def _send_content(self, number: int) -> None:
        path = self._paths[number] if 0 <= number < len(self._paths) else ""
        if not path:
            raise GrpcError(Code.INVALID_ARGUMENT, f"there is no file number {number}")
        with self._source.open(path) as file:
            while piece := file.read(_PIECE):
                self._call.send(encode(Packet(type=PacketType.DATA, id=number, data=piece)))
        self._call.send(encode(Packet(type=PacketType.DATA, id=number)))


def shared_key(node: str, directory: str) -> str:
    """Tell directories of machines apart, and let the same be known again."""
    import hashlib  # noqa: PLC0415 - builds of remote contexts need none

    return hashlib.sha256(f"{node}:{os.path.realpath(directory)}".encode()).hexdigest()
