"""Results to this machine, over ``FileSend.DiffCopy``: one file, or the files of a directory.

Which of the two follows from the output that was asked for; the builder names it by its place in
the request if there are several. A directory comes by ``fsutil``, in which we are the receiving
side now. What comes is not trusted: no name in it leads out of the directory, whatever links it
brings.
"""

import os
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import BinaryIO

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.client.buildkit.link import Call, Serve
from boxship.wire.buildkit import filesync, methods
from boxship.wire.buildkit.filesync import EXPORTER_ID, EXPORTER_METADATA, Packet, PacketType, Stat
from boxship.wire.buildkit.wellknown import BytesMessage
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import decode, encode

Target = Callable[[Call], None]
"""Takes what an exporter sends."""


CACHE_TO = f"{EXPORTER_METADATA}cache-to"
"""Metadata of a cache that is to lie in a directory of the client: which one."""


def file_send(
    targets: Mapping[str, Target], caches: Mapping[str, Target] | None = None
) -> dict[str, Serve]:
    """``targets`` by their place in the request, in decimal; ``caches`` by their directories."""

    def serve(call: Call) -> None:
        cache = call.metadata.first(CACHE_TO)
        if cache:
            if cache not in (caches or {}):
                raise NotFoundError(f"no cache was to be left in {cache!r}")
            (caches or {})[cache](call)
            return
        place = call.metadata.first(EXPORTER_ID)
        target = targets.get(place) if place else next(iter(targets.values()), None)
        if target is None:
            raise NotFoundError(f"nothing was to be sent here by exporter {place or 'unnamed'}")
        target(call)

    return {methods.FILE_SEND.path: serve}


def to_file(path: str) -> Target:
    """A file is written beside its place and renamed once it is whole."""

    def take(call: Call) -> None:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as device:
                _copy(call, device)
            return
        partial = f"{path}.partial-{secrets.token_hex(4)}"
        try:
            with open(partial, "xb") as file:
                _copy(call, file)
            os.rename(partial, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(partial)

    return take


def to_stream(stream: BinaryIO) -> Target:
    def take(call: Call) -> None:
        _copy(call, stream)
        stream.flush()

    return take


def _copy(call: Call, output: BinaryIO) -> None:
    while (message := call.receive()) is not None:
        output.write(decode(message, BytesMessage).data)


def to_directory(path: str) -> Target:
    """Files join those that are there; what has the same name is replaced."""

    def take(call: Call) -> None:
        os.makedirs(path, exist_ok=True)
        _Receiver(call, path).run()

    return take


class _Receiver:
    """One exchange. Files are asked for one after the other, once all stats are here."""

    def __init__(self, call: Call, root: str) -> None:
        self._call = call
        self._root = root
        self._stats: list[Stat] = []

    def run(self) -> None:
        while (packet := self._next()).type == PacketType.STAT and packet.stat is not None:
            self._stats.append(packet.stat)
        for number, found in enumerate(self._stats):
            self._make(number, found)
        self._settle_directories()
        self._call.send(encode(Packet(type=PacketType.FIN)))
        with suppress(GrpcError):
            while self._next().type != PacketType.FIN:
                pass

    def _next(self) -> Packet:
        message = self._call.receive()
        if message is None:
            raise GrpcError(Code.CANCELLED, "the builder ended before everything was here")
        packet = decode(message, Packet)
        if packet.type == PacketType.ERR:
            raise GrpcError(Code.UNKNOWN, packet.data.decode("utf-8", "replace"))
        return packet

    def _make(self, number: int, found: Stat) -> None:
        with ExitStack() as stack:
            parent, name = self._parent(found.path, stack)
            if found.mode & filesync.GO_DIRECTORY:
                _make_directory(parent, name)
                return
            _make_room(parent, name)
            if found.mode & filesync.GO_SYMLINK:
                os.symlink(found.linkname, name, dir_fd=parent)
                _set_time(parent, name, found)
            elif found.linkname:
                above, first = self._parent(found.linkname, stack)
                os.link(first, name, src_dir_fd=above, dst_dir_fd=parent, follow_symlinks=False)
            elif found.mode & filesync.GO_TYPE:
                if found.mode & filesync.GO_NAMED_PIPE:
                    os.mkfifo(name, found.mode & 0o777, dir_fd=parent)
            else:
                self._make_file(number, found, parent, name)

    def _make_file(self, number: int, found: Stat, parent: int, name: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            self._call.send(encode(Packet(type=PacketType.REQ, id=number)))
            while data := self._content(number):
                file.write(data)
            file.flush()
            os.fchmod(file.fileno(), found.mode & 0o777)
        _set_time(parent, name, found)

    def _content(self, number: int) -> bytes:
        """The next piece; empty at the end."""
        packet = self._next()
        if packet.type != PacketType.DATA or packet.id != number:
            raise GrpcError(Code.INTERNAL, f"the builder sent something else than file {number}")
        return packet.data

    def _settle_directories(self) -> None:
        """Modes and times of directories, now that nothing more is made in them."""
        for found in reversed(self._stats):
            if found.mode & filesync.GO_DIRECTORY:
                with ExitStack() as stack:
                    parent, name = self._parent(found.path, stack)
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                    directory = os.open(name, flags, dir_fd=parent)
                    stack.callback(os.close, directory)
                    os.fchmod(directory, found.mode & 0o777)
                    _set_time(parent, name, found)

    def _parent(self, path: str, stack: ExitStack) -> tuple[int, str]:
        """Descriptor of the directory that a path is in, reached without a link, and its name."""
        *above, name = path.split("/")
        if not name or any(part in ("", ".", "..") for part in (*above, name)):
            raise InvalidArgumentError(f"the builder sent a path that leads elsewhere: {path!r}")
        directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, directory)
        for part in above:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            directory = os.open(part, flags, dir_fd=directory)
            stack.callback(os.close, directory)
        return directory, name


def _make_directory(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=parent)
            os.mkdir(name, 0o700, dir_fd=parent)


def _make_room(parent: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _set_time(parent: int, name: str, found: Stat) -> None:
    moments = (found.modified_ns, found.modified_ns)
    os.utime(name, ns=moments, dir_fd=parent, follow_symlinks=False)
