"""A directory that comes from a client: it is compared with what is here, and made equal.

The protocol is drawn in ``boxship.wire.buildkit.filesync``. This is the receiver, without I/O of
its own but on the directory: packets in, packets out. ::

    STAT a, STAT a/b, STAT c … ──► compare with the directory, remove what isn't named
                               ◄── REQ id                      for each file that differs
    DATA id …, DATA id (empty) ──► written, given its times
                               ◄── FIN                         when all has come

Nothing that a client sends can leave the directory: a path has to be relative, clean and in order,
and its parent has to have come before as a directory, which then is a real one. Links are made and
never followed. Blocking: it belongs in a thread.
"""

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field

from boxship.api.buildkit.lists import KeptList
from boxship.base.errors import InvalidArgumentError
from boxship.wire.buildkit import filesync
from boxship.wire.buildkit.filesync import Packet, PacketType, Stat
from boxship.wire.protobuf import DecodeError, decode, encode

_FIN = encode(Packet(PacketType.FIN))
_SPECIAL_BITS = (
    (filesync.GO_SETUID, stat.S_ISUID),
    (filesync.GO_SETGID, stat.S_ISGID),
    (filesync.GO_STICKY, stat.S_ISVTX),
)
_MOST_AT_ONCE = 64
"""Files that are open; clients send four."""
_KEPT_ATTRIBUTES = ("user.", "security.capability")


@dataclass(slots=True)
class _Directory:
    """A directory whose content is being listed."""

    path: str
    there: dict[str, os.stat_result]
    """What it has had in it, and has not been named yet."""
    last: str = ""
    made: Stat | None = None


@dataclass(slots=True)
class _Wanted:
    """A file that was asked for."""

    stat: Stat
    fd: int = -1


@dataclass(slots=True)
class Receiver:
    """Makes the directory ``root`` equal to what comes. ``close`` it, whatever happens."""

    root: str
    list_path: str = ""
    """Where the client's list is kept, by which an unchanged directory is known; empty: nowhere."""
    received: int = 0
    """Bytes of contents that came."""
    changed: set[str] = field(default_factory=set)
    """Paths that differed, or are gone."""
    listed: bool = False
    """Whether the client's list has come to its end."""
    done: bool = False
    """Whether both sides have all."""
    _open: list[_Directory] = field(default_factory=list)
    _regular: set[str] = field(default_factory=set)
    _wanted: dict[int, _Wanted] = field(default_factory=dict)
    _coming: set[str] = field(default_factory=set)
    """Paths of those."""
    _begun: int = 0
    """How many of them are open."""
    _late: list[tuple[str, Stat]] = field(default_factory=list)
    _next: int = 0
    _list: KeptList | None = None

    def feed(self, packets: list[bytes]) -> list[bytes]:
        """Take packets; return those to send. InvalidArgumentError: the client's are wrong."""
        if self._list is None:
            self._list = KeptList(self.list_path, self.root)
        if not self.listed:
            packets = self._list.take(packets)
            if self._list.is_equal:
                self.listed = True
                return [_FIN]
        if packets and not self._open and not self.listed:
            self._open.append(_Directory("", self._look("")))
        return self._decoded(packets, self._list)

    def _decoded(self, packets: list[bytes], kept: KeptList) -> list[bytes]:
        replies: list[bytes] = []
        listed: list[bytes] = []
        for data in packets:
            try:
                packet = decode(data, Packet)
            except DecodeError as error:
                raise InvalidArgumentError(f"the client sent a broken packet: {error}") from error
            if packet.type == PacketType.STAT:
                listed.append(data)
            self._take(packet, replies)
        kept.note(listed)
        if _FIN in replies:
            kept.keep()
        return replies

    def close(self) -> None:
        """Let go of the files that have not come whole."""
        if self._list is not None:
            self._list.close()
        for wanted in self._wanted.values():
            if wanted.fd >= 0:
                os.close(wanted.fd)
        self._wanted.clear()

    def _take(self, packet: Packet, replies: list[bytes]) -> None:
        if packet.type == PacketType.STAT and packet.stat is not None:
            self._entry(packet.stat, replies)
        elif packet.type == PacketType.STAT:
            self._end_of_list(replies)
        elif packet.type == PacketType.DATA:
            self._content(packet, replies)
        elif packet.type == PacketType.FIN:
            self.done = True
        elif packet.type == PacketType.ERR:
            reason = packet.data.decode(errors="replace")
            raise InvalidArgumentError(f"the client could not send its files: {reason}")

    # ── the list ─────────────────────────────────────────────────────────────────────────────

    def _entry(self, entry: Stat, replies: list[bytes]) -> None:
        if self.listed:
            raise InvalidArgumentError(f"the client sent {entry.path!r} after the end of its list")
        number, self._next = self._next, self._next + 1
        parent, name = self._enter(entry.path)
        before = parent.there.pop(name, None)
        kind = entry.mode & filesync.GO_TYPE
        if kind == filesync.GO_DIRECTORY:
            self._directory(entry, before)
            return
        if kind == 0:
            self._regular.add(entry.path)
        if before is not None:
            if _same(entry, before) and self._same_link(entry):
                return
            self._remove(entry.path, before)
        self.changed.add(entry.path)
        if kind == 0 and not entry.linkname:
            self._wanted[number] = _Wanted(entry)
            self._coming.add(entry.path)
            replies.append(encode(Packet(PacketType.REQ, id=number)))
        else:
            self._make(entry, kind)

    def _enter(self, path: str) -> tuple[_Directory, str]:
        """Return the directory that a path is in, which is the one listed now or one above."""
        above, _, name = path.rpartition("/")
        if not name or name in (".", "..") or path[0] == "/" or "\0" in path:
            raise InvalidArgumentError(f"the client sent an invalid path: {path!r}")
        while self._open[-1].path != above:
            if len(self._open) == 1:
                raise InvalidArgumentError(
                    f"the client sent {path!r} without its directory, or out of order"
                )
            self._leave()
        parent = self._open[-1]
        if os.fsencode(name) <= os.fsencode(parent.last) and parent.last:
            raise InvalidArgumentError(f"the client sent {path!r} out of order or twice")
        parent.last = name
        return parent, name

    def _leave(self) -> None:
        """End a directory: what hasn't been named is gone at the client."""
        directory = self._open.pop()
        for name, before in directory.there.items():
            path = f"{directory.path}/{name}" if directory.path else name
            self._remove(path, before)
            self.changed.add(path)
        if directory.made is not None:
            self._late.append((directory.path, directory.made))

    def _directory(self, entry: Stat, before: os.stat_result | None) -> None:
        there: dict[str, os.stat_result] = {}
        if before is not None and stat.S_ISDIR(before.st_mode):
            there = self._look(entry.path)
            if stat.S_IMODE(before.st_mode) != _permissions(entry):
                self.changed.add(entry.path)
        else:
            if before is not None:
                self._remove(entry.path, before)
            os.mkdir(self._at(entry.path), 0o700)
            self.changed.add(entry.path)
        self._open.append(_Directory(entry.path, there, made=entry))

    def _end_of_list(self, replies: list[bytes]) -> None:
        if self.listed:
            raise InvalidArgumentError("the client ended its list twice")
        while self._open:
            self._leave()
        self.listed = True
        self._finish(replies)

    def _look(self, path: str) -> dict[str, os.stat_result]:
        with os.scandir(self._at(path)) as entries:
            return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}

    def _same_link(self, entry: Stat) -> bool:
        if not entry.linkname:
            return True
        path = self._at(entry.path)
        if entry.mode & filesync.GO_SYMLINK:
            return os.readlink(path) == entry.linkname
        self._check_link(entry)
        if entry.linkname in self._coming:  # it will be another file
            return False
        return os.path.samestat(os.lstat(path), os.lstat(self._at(entry.linkname)))

    # ── making ───────────────────────────────────────────────────────────────────────────────

    def _make(self, entry: Stat, kind: int) -> None:
        path = self._at(entry.path)
        if kind == filesync.GO_SYMLINK:
            os.symlink(entry.linkname, path)
        elif kind == 0:
            self._check_link(entry)
            if entry.linkname in self._coming:  # its content is still on the way
                self._late.append((entry.path, entry))
                return
            os.link(self._at(entry.linkname), path, follow_symlinks=False)
            return
        elif kind == filesync.GO_NAMED_PIPE:
            os.mkfifo(path)
        else:
            # Sockets and devices: nothing in an image is made of them.
            return
        self._dress(entry, path)

    def _check_link(self, entry: Stat) -> None:
        if entry.linkname not in self._regular:
            raise InvalidArgumentError(
                f"the client sent {entry.path!r} as a link to {entry.linkname!r}, which it has not"
                " sent before"
            )

    def _content(self, packet: Packet, replies: list[bytes]) -> None:
        wanted = self._wanted.get(packet.id)
        if wanted is None:
            raise InvalidArgumentError(
                f"the client sent a file that was not asked for: {packet.id}"
            )
        if wanted.fd < 0:
            self._begun += 1
            if self._begun > _MOST_AT_ONCE:
                raise InvalidArgumentError(
                    f"the client sends more than {_MOST_AT_ONCE} files at the same time"
                )
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            wanted.fd = os.open(self._at(wanted.stat.path), flags, 0o600)
        if packet.data:
            self.received += len(packet.data)
            _write(wanted.fd, packet.data)
            return
        del self._wanted[packet.id]
        self._begun -= 1
        self._coming.discard(wanted.stat.path)
        os.close(wanted.fd)
        self._dress(wanted.stat, self._at(wanted.stat.path))
        self._finish(replies)

    def _finish(self, replies: list[bytes]) -> None:
        if not self.listed or self._wanted:
            return
        for path, entry in self._late:  # times of directories last, when nothing is made in them
            if entry.mode & filesync.GO_TYPE == 0:
                os.link(self._at(entry.linkname), self._at(path), follow_symlinks=False)
        for path, entry in self._late:
            if entry.mode & filesync.GO_TYPE:
                self._dress(entry, self._at(path))
        replies.append(_FIN)

    def _dress(self, entry: Stat, path: str) -> None:
        if not entry.mode & filesync.GO_SYMLINK:
            os.chmod(path, _permissions(entry))
            for name, value in entry.xattrs.items():
                if name.startswith(_KEPT_ATTRIBUTES):
                    with suppress(OSError):  # not every file system has them
                        os.setxattr(path, name, value)
        os.utime(path, ns=(entry.modified_ns, entry.modified_ns), follow_symlinks=False)

    def _remove(self, path: str, before: os.stat_result) -> None:
        if stat.S_ISDIR(before.st_mode):
            shutil.rmtree(self._at(path))
        else:
            os.unlink(self._at(path))

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root


def _same(entry: Stat, before: os.stat_result) -> bool:
    """Whether what is here has the client's kind, mode, size and time."""
    if entry.mode & filesync.GO_SYMLINK:
        return stat.S_ISLNK(before.st_mode)
    if entry.mode & filesync.GO_NAMED_PIPE:
        return stat.S_ISFIFO(before.st_mode)
    return (
        stat.S_ISREG(before.st_mode)
        and entry.modified_ns == before.st_mtime_ns
        and entry.size == before.st_size
        and _permissions(entry) == stat.S_IMODE(before.st_mode)
    )


def _permissions(entry: Stat) -> int:
    mode = entry.mode & 0o777
    for theirs, ours in _SPECIAL_BITS:
        if entry.mode & theirs:
            mode |= ours
    return mode


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
