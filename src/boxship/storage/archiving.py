"""Write files of a snapshot as a tar: the layer of what changed, or all that its container sees.

Entries are sorted, each directory before what is in it, and say nothing that is not in the files:
the same tree gives the same bytes. What a tar of a layer has beyond one of a tree:

* ``.wh.NAME`` for what was deleted, ``.wh..wh..opq`` in a directory that hides the one below it.
  They are all alike, whatever the file that stands for them in the snapshot.
* Not every directory that was only copied up on the way is a change, but each of them is there, as
  in Docker's layers: who unpacks it needs their modes and owners.

Sockets are left out: they mean nothing without their server. So are the attributes of overlayfs
itself and the label of SELinux, which belong to this machine. Holes are written as zeros, without
reading them: see ``tar/encoder.py`` for why.

A container may be writing meanwhile. A file that has gone is left out, one that has become shorter
is filled up with zeros, one that has grown is cut off where its header says; the archive as such is
always sound. Whoever needs one moment's state has to stop the container.
"""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from boxship.storage.chunks import CHUNK, Buffer
from boxship.storage.layered import LayeredTree, Node, reading
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.tar.encoder import encode_entry
from boxship.storage.tar.header import BLOCK, Entry, Kind
from boxship.storage.tar.writer import END
from boxship.storage.tree import Path, join
from boxship.storage.unpack import OPAQUE_MARK, WHITEOUT_PREFIX

_log = logging.getLogger(__name__)

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
    stat.S_IFIFO: Kind.FIFO,
}
_DEVICES = (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
_OTHERS = ("trusted.overlay.", "user.overlay.", "security.selinux", "security.ima", "security.evm")
_ZEROS = memoryview(bytes(CHUNK))
_SMALL = 64 * 1024
_WHITEOUT_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Hidden:
    """A name that a layer hides; the mark that says so is the path's last part."""

    path: Path


Item = Node | Hidden


class Notes(Protocol):
    """Who wants to know what an archive is made of, while it is written."""

    def entry(self, entry: Entry) -> None:
        """An entry begins."""
        ...

    def framing(self, data: Buffer) -> None:
        """Bytes that are in no file."""
        ...

    def file(self, path: bytes, size: int) -> None:
        """The next bytes are those of a file."""
        ...

    def left_out(self, path: Path) -> None:
        """A file for which archives of this kind have no words."""
        ...


class _NoNotes:
    def entry(self, entry: Entry) -> None: ...
    def framing(self, data: Buffer) -> None: ...
    def file(self, path: bytes, size: int) -> None: ...
    def left_out(self, path: Path) -> None: ...


_NO_NOTES: Notes = _NoNotes()


def layer_tar(
    snapshots: SnapshotDriver, key: str, notes: Notes = _NO_NOTES, latest_ns: int | None = None
) -> Iterator[Buffer]:
    """Yield the tar of what a snapshot has over what it was made of.

    Applied to that, it gives what the container sees. Nothing but the two blocks of the end if
    nothing was written. With ``latest_ns`` no time in it is after that. UnreadableError: the
    snapshot has been removed, or the disk fails.
    """
    with (
        reading(),
        snapshots.difference(key) as written,
        LayeredTree((written,), snapshots.opaque) as tree,
    ):
        top = os.stat(snapshots.below(key)[0])
        root = (tree.root(),) if _differs(tree.root().found, top) else ()
        archiver = Archiver(tree, notes=notes, latest_ns=latest_ns)
        yield from archiver.write(chain(root, _written(tree, notes)))
        snapshots.below(key)  # NotFoundError: it is being deleted, perhaps since long
        notes.framing(END)
        yield END


def tree_tar(snapshots: SnapshotDriver, key: str) -> Iterator[Buffer]:
    """Yield the tar of all that the container sees, but what is mounted there.

    UnreadableError: the snapshot has been removed, or the disk fails.
    """
    with (
        reading(),
        snapshots.difference(key) as written,
        LayeredTree((written, *snapshots.below(key)), snapshots.opaque) as tree,
    ):
        yield from Archiver(tree).write(_everything(tree))
        snapshots.below(key)
        yield END


def stack_pieces(
    directories: Sequence[str], opaque: str, prefix: bytes = b"", latest_ns: int | None = None
) -> Iterator[Buffer]:
    """Yield a tar's entries of all that layers (their trees, topmost first) show together.

    Names begin with the directory ``prefix``; the end of the archive is for the caller. With
    ``latest_ns`` no time in it is after that. UnreadableError: the disk fails.
    """

    def name(path: Path) -> bytes:
        return b"/".join((prefix, *path)) if prefix else join(path)

    with reading(), LayeredTree(directories, opaque) as tree:
        yield from Archiver(tree, name, latest_ns=latest_ns).write(_everything(tree))


def difference_pieces(directory: str, opaque: str, prefix: bytes) -> Iterator[Buffer]:
    """Yield a tar's entries of an upper directory of overlayfs, in the words of a layer.

    The directory itself is the first of them. Names begin with the directory ``prefix``; the end of
    the archive is for the caller. UnreadableError: the disk fails.
    """

    def name(path: Path) -> bytes:
        return b"/".join((prefix, *path))

    with reading(), LayeredTree((directory,), opaque) as tree:
        yield from Archiver(tree, name).write(chain((tree.root(),), _written(tree, _NO_NOTES)))


def subtree_tar(
    directory: int,
    name: bytes,
    shown: bytes,
    owners: Callable[[int, int], tuple[int, int]],
    closed: frozenset[int] = frozenset(),
) -> Iterator[Buffer]:
    """Yield the tar of ``name`` in an open directory (empty: the directory) and what is in it.

    Entries are named from ``shown`` on; ``owners`` says whose they are to be. Of file systems that
    are ``closed`` (``st_dev``) there is the top alone. UnreadableError: the disk fails.
    """
    with reading(), LayeredTree((f"/proc/self/fd/{directory}",)) as tree:
        top = tree.root()
        if name:
            top = Node((name,), os.lstat(name, dir_fd=directory), (0,))
        renaming = _Renaming(shown, len(top.path))
        yield from Archiver(tree, renaming, owners).write(_from(tree, top, closed))
        yield END


class _Renaming:
    """The names of a subtree's files: the first ``skipped`` parts are ``shown`` otherwise."""

    def __init__(self, shown: bytes, skipped: int) -> None:
        self._shown = shown
        self._skipped = skipped

    def __call__(self, path: Path) -> bytes:
        inside = path[self._skipped :]
        return b"/".join((self._shown.rstrip(b"/"), *inside)) if inside else self._shown


def _everything(tree: LayeredTree) -> Iterator[Node]:
    """Yield all files of a stack but its root, each directory before what is in it."""
    found = _from(tree, tree.root())
    next(found)
    yield from found


def _from(tree: LayeredTree, top: Node, closed: frozenset[int] = frozenset()) -> Iterator[Node]:
    levels = [iter((top,))]
    while levels:
        node = next(levels[-1], None)
        if node is None:
            levels.pop()
            continue
        yield node
        if node.is_directory and node.found.st_dev not in closed:
            levels.append(iter(tree.children(node).values()))


def _written(tree: LayeredTree, notes: Notes) -> Iterator[Item]:
    """Yield what is in the own directory of a snapshot, in the words of a layer."""
    levels = [iter(_own_entries(tree, (), notes))]
    while levels:
        item = next(levels[-1], None)
        if item is None:
            levels.pop()
            continue
        yield item
        if isinstance(item, Node) and item.is_directory:
            if tree.is_opaque(0, item.path):
                yield Hidden((*item.path, OPAQUE_MARK))
            levels.append(iter(_own_entries(tree, item.path, notes)))


def _own_entries(tree: LayeredTree, directory: Path, notes: Notes) -> Iterator[Item]:
    for entry in tree.entries(0, directory):
        if entry.whiteout:
            yield Hidden((*directory, WHITEOUT_PREFIX + entry.name))
        elif _can_be_said((*directory, entry.name)):
            yield Node((*directory, entry.name), entry.found, (0,))
        else:
            notes.left_out((*directory, entry.name))


def _differs(ours: os.stat_result, below: os.stat_result) -> bool:
    return (ours.st_mode, ours.st_uid, ours.st_gid) != (below.st_mode, below.st_uid, below.st_gid)


def _can_be_said(path: Path) -> bool:
    """A layer has no words for a file whose name is that of a whiteout: it would hide another."""
    if any(part.startswith(WHITEOUT_PREFIX) for part in path):
        if path[-1].startswith(WHITEOUT_PREFIX):
            _log.warning("left out of the layer, because of its name: %r", os.fsdecode(join(path)))
        return False
    return True


class Archiver:
    """Writes files of one stack. The first of several hard links is the file, as in any tar."""

    def __init__(
        self,
        tree: LayeredTree,
        name: Callable[[Path], bytes] = join,
        owners: Callable[[int, int], tuple[int, int]] = lambda uid, gid: (uid, gid),
        *,
        notes: Notes = _NO_NOTES,
        latest_ns: int | None = None,
    ) -> None:
        self._tree = tree
        self._name = name
        self._owners = owners
        self._notes = notes
        self._latest_ns = latest_ns
        self._links: dict[tuple[int, int], bytes] = {}

    def write(self, items: Iterable[Item]) -> Iterator[Buffer]:
        """Yield headers and payloads; the end of the archive is for the caller."""
        for item in items:
            if isinstance(item, Hidden):
                yield self._header(Entry(Kind.FILE, self._name(item.path), mode=_WHITEOUT_MODE))
                continue
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile; nothing is written yet
                yield from self._file(item)

    def _file(self, node: Node) -> Iterator[Buffer]:
        kind = _KINDS.get(stat.S_IFMT(node.found.st_mode))
        if kind is None:
            self._notes.left_out(node.path)
            return
        with self._tree.looking(node) as fd:
            found = os.fstat(fd)
            entry = self._entry(node, kind, found, fd)
            if entry.kind is not Kind.FILE or not entry.size:
                yield self._header(entry)
                return
            source = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                yield self._header(entry)
                self._notes.file(join(node.path), entry.size)
                yield from _payload(source, found)
                padding = bytes(-entry.size % BLOCK)
                self._notes.framing(padding)
                yield padding
            finally:
                os.close(source)

    def _header(self, entry: Entry) -> Buffer:
        header = encode_entry(entry)
        self._notes.entry(entry)
        self._notes.framing(header)
        return header

    def _entry(self, node: Node, kind: Kind, found: os.stat_result, fd: int) -> Entry:
        name, link, size = self._name(node.path), b"", 0
        if found.st_nlink > 1 and kind is not Kind.DIRECTORY:
            first = self._links.setdefault((found.st_dev, found.st_ino), name)
            if first != name:
                kind, link = Kind.HARD_LINK, first
        if kind is Kind.SYMLINK:
            link = os.readlink(b"", dir_fd=fd)
        elif kind is Kind.FILE:
            size = found.st_size
        device = (os.major(found.st_rdev), os.minor(found.st_rdev)) if kind in _DEVICES else (0, 0)
        xattrs = {} if kind is Kind.HARD_LINK else _attributes(fd)
        owner = self._owners(found.st_uid, found.st_gid)
        mtime_ns = found.st_mtime_ns
        if self._latest_ns is not None and mtime_ns > self._latest_ns:
            mtime_ns = self._latest_ns
        return Entry(
            kind, name, link, stat.S_IMODE(found.st_mode), *owner,
            size, mtime_ns, device, xattrs,
        )  # fmt: skip


def _attributes(fd: int) -> dict[str, bytes]:
    path = f"/proc/self/fd/{fd}"
    try:
        names = os.listxattr(path)
        return {name: os.getxattr(path, name) for name in names if not name.startswith(_OTHERS)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA, errno.EPERM):
            return {}
        raise


def _payload(fd: int, found: os.stat_result) -> Iterator[Buffer]:
    """Yield exactly as many bytes as the file had when it was looked at."""
    at, size = 0, found.st_size
    sparse = found.st_blocks * 512 < size and size > _SMALL
    while at < size:
        data = _next_data(fd, at, size) if sparse else at
        yield from _zeros(data - at)
        at = data
        end = _next_hole(fd, at, size) if sparse else size
        while at < end:
            piece = os.pread(fd, min(CHUNK, end - at), at)
            if not piece:  # it has become shorter
                yield from _zeros(size - at)
                return
            at += len(piece)
            yield piece


def _next_data(fd: int, at: int, size: int) -> int:
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise


def _next_hole(fd: int, at: int, size: int) -> int:
    try:
        return min(os.lseek(fd, at, os.SEEK_HOLE), size)
    except OSError as error:
        if error.errno == errno.ENXIO:  # cut off in between; reading will find out
            return size
        raise


def _zeros(count: int) -> Iterator[Buffer]:
    while count > 0:
        piece = _ZEROS[: min(count, CHUNK)]
        count -= len(piece)
        yield piece
