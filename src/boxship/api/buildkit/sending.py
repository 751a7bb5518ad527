"""A directory of ours that goes to a client: the sender of ``boxship.wire.buildkit.filesync``.

Packets in, packets out, as with the receiver; blocking, it belongs in a thread.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from boxship.base.errors import InvalidArgumentError
from boxship.wire.buildkit import filesync
from boxship.wire.buildkit.filesync import Packet, PacketType, Stat
from boxship.wire.protobuf import DecodeError, decode, encode

_PIECE = 32 * 1024
_KINDS = {
    stat.S_IFDIR: filesync.GO_DIRECTORY,
    stat.S_IFLNK: filesync.GO_SYMLINK,
    stat.S_IFIFO: filesync.GO_NAMED_PIPE,
    stat.S_IFSOCK: filesync.GO_SOCKET,
    stat.S_IFBLK: filesync.GO_DEVICE,
    stat.S_IFCHR: filesync.GO_DEVICE | filesync.GO_CHAR_DEVICE,
    stat.S_IFREG: 0,
}
_SPECIAL_BITS = (
    (stat.S_ISUID, filesync.GO_SETUID),
    (stat.S_ISGID, filesync.GO_SETGID),
    (stat.S_ISVTX, filesync.GO_STICKY),
)


@dataclass(slots=True)
class Sender:
    """Sends what is below ``root``: first ``listing``, then ``answer`` to each packet."""

    root: str
    done: bool = False
    _files: dict[int, str] = field(default_factory=dict)
    _links: dict[tuple[int, int], str] = field(default_factory=dict)

    def listing(self) -> Iterator[bytes]:
        """Yield the STAT packets, the last of which says that it is the last."""
        for number, (path, found) in enumerate(self._walk("")):
            entry = self._stat(path, found)
            if stat.S_ISREG(found.st_mode) and not entry.linkname:
                self._files[number] = path
            yield encode(Packet(PacketType.STAT, stat=entry))
        yield encode(Packet(PacketType.STAT))

    def answer(self, data: bytes) -> Iterator[bytes]:
        """Yield what a packet of the client's asks for. InvalidArgumentError: it is wrong."""
        try:
            packet = decode(data, Packet)
        except DecodeError as error:
            raise InvalidArgumentError(f"the client sent a broken packet: {error}") from error
        if packet.type == PacketType.REQ:
            yield from self._content(packet.id)
        elif packet.type == PacketType.FIN:
            self.done = True
            yield encode(Packet(PacketType.FIN))
        elif packet.type == PacketType.ERR:
            reason = packet.data.decode(errors="replace")
            raise InvalidArgumentError(f"the client could not take the files: {reason}")

    def _walk(self, directory: str) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(os.path.join(self.root, directory)) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        for entry in found:
            path = f"{directory}/{entry.name}" if directory else entry.name
            yield path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(path)

    def _stat(self, path: str, found: os.stat_result) -> Stat:
        mode = stat.S_IMODE(found.st_mode) & 0o777 | _KINDS[stat.S_IFMT(found.st_mode)]
        for ours, theirs in _SPECIAL_BITS:
            if found.st_mode & ours:
                mode |= theirs
        device = stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode)
        return Stat(
            path=path,
            mode=mode,
            uid=found.st_uid,
            gid=found.st_gid,
            size=found.st_size if stat.S_ISREG(found.st_mode) else 0,
            modified_ns=found.st_mtime_ns,
            linkname=self._linkname(path, found),
            device_major=os.major(found.st_rdev) if device else 0,
            device_minor=os.minor(found.st_rdev) if device else 0,
        )

    def _linkname(self, path: str, found: os.stat_result) -> str:
        if stat.S_ISLNK(found.st_mode):
            return os.readlink(os.path.join(self.root, path))
        if not stat.S_ISREG(found.st_mode) or found.st_nlink < 2:
            return ""
        first = self._links.setdefault((found.st_dev, found.st_ino), path)
        return "" if first == path else first

    def _content(self, number: int) -> Iterator[bytes]:
        path = self._files.pop(number, None)
        if path is None:
            raise InvalidArgumentError(f"the client asked for a file that there is not: {number}")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(os.path.join(self.root, path), flags), "rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield encode(Packet(PacketType.DATA, id=number, data=piece))
        yield encode(Packet(PacketType.DATA, id=number))
