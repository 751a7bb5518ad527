"""Unpack an archive into a directory that is in use, as ``docker cp`` does.

Unlike a layer's it keeps nothing for later, replaces what is there, and knows no whiteouts. Names
stay below the directory; links on the way are followed as the container would follow them, within
its root.

Its container may be running, and put a link in the place of what was just made. So owner, mode and
attributes are given through a descriptor, never by a name that could lead out of the container.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError
from boxship.storage.compression import CompressionError
from boxship.storage.deleting import delete_within
from boxship.storage.layers import plain
from boxship.storage.possible import device_of, mode_of, owner_of, times_of
from boxship.storage.tar.header import Entry, Kind, TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tree import Parent, Path, RootedTree, UnsafePathError, join, split

Owners = Callable[[int, int], tuple[int, int]]

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = {
    Kind.CHARACTER_DEVICE: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
}
_TYPES = {**_NODES, Kind.DIRECTORY: stat.S_IFDIR}
_NOT_KEPT = ("trusted.overlay.", "user.overlay.")


@dataclass(frozen=True, slots=True)
class Extraction:
    """How to unpack. ``owners`` turns an entry's owner into the one on the disk."""

    owners: Owners
    keep_kinds: bool = False
    """A directory must not replace something else, nor the other way round."""
    whole: bool = False
    """The archive is of the whole directory: what it says of its own top is taken over, too."""


def extract(root: int, place: Path, chunks: Iterable[Buffer], how: Extraction) -> None:
    """Unpack a tar, plain or compressed, into the directory ``place`` below ``root``.

    InvalidArgumentError: what is wrong with the archive, or in its way; OSError: with the disk.
    """
    try:
        with plain(chunks) as stream, RootedTree(f"/proc/self/fd/{root}") as tree:
            _Extractor(tree, place, how).run(TarReader(ChunkReader(stream)))
    except (TarError, UnsafePathError, CompressionError, TruncatedError) as error:
        raise InvalidArgumentError(f"Error processing tar file: {error}") from error


class _Extractor:
    def __init__(self, tree: RootedTree, place: Path, how: Extraction) -> None:
        self._tree = tree
        self._place = place
        self._how = how
        self._times: list[tuple[Path, int]] = []

    def run(self, archive: TarReader) -> None:
        while entry := archive.next():
            archive.take_framing()
            path = split(entry.name)
            if path and entry.kind is not Kind.OTHER:
                parent = self._tree.directory((*self._place, *path[:-1]))
                self._put(parent, path, entry, archive)
            elif not path and entry.kind is Kind.DIRECTORY and self._how.whole:
                self._dress_top(entry)
            while archive.read():
                pass
        for _ in archive.tail():
            pass
        self._tree.forget()
        for path, mtime_ns in reversed(self._times):
            parent = self._tree.directory(path[:-1], make=False)
            ns = times_of(mtime_ns)
            os.utime(path[-1] if path else b".", ns=ns, dir_fd=parent.fd, follow_symlinks=False)

    def _dress_top(self, entry: Entry) -> None:
        top = self._tree.directory(self._place)
        self._dress(b"/proc/self/fd/%d" % top.fd, entry)
        self._times.insert(0, ((), entry.mtime_ns))

    def _put(self, parent: Parent, path: Path, entry: Entry, archive: TarReader) -> None:
        name = path[-1]
        if entry.kind is Kind.HARD_LINK:
            self._link(parent, name, entry)
            return
        stays = self._make_room(parent, name, entry)
        if entry.kind is Kind.FILE:
            self._write(parent, name, entry, archive)
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.link, name, dir_fd=parent.fd)
            self._dress_link(parent, name, entry)
        else:
            if entry.kind is not Kind.DIRECTORY:
                node = _NODES[entry.kind] | 0o600
                os.mknod(name, node, device_of(entry), dir_fd=parent.fd)
            elif not stays:
                os.mkdir(name, 0o700, dir_fd=parent.fd)
            self._dress_named(parent, name, entry)

    def _make_room(self, parent: Parent, name: bytes, entry: Entry) -> bool:
        """Remove what is in the way; True if a directory stays for one."""
        try:
            found = os.lstat(name, dir_fd=parent.fd)
        except FileNotFoundError:
            return False
        there, comes = stat.S_ISDIR(found.st_mode), entry.kind is Kind.DIRECTORY
        if there and comes:
            return True
        if self._how.keep_kinds and there != comes:
            what = ("non-directory", "directory")
            shown = os.fsdecode(join(split(entry.name)))
            raise InvalidArgumentError(
                f'Error processing tar file: cannot overwrite {what[there]} "{shown}" with '
                f"{what[comes]}"
            )
        if there:
            delete_within(parent.fd, name)
        else:
            os.unlink(name, dir_fd=parent.fd)
        return False

    def _write(self, parent: Parent, name: bytes, entry: Entry, archive: TarReader) -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=parent.fd)
        with open(fd, "wb", buffering=0) as target:
            for offset, length in entry.extents or ((0, entry.size),):
                target.seek(offset)
                left = length
                while left and (piece := archive.read(left)):
                    left -= len(piece)
                    while piece:
                        piece = piece[target.write(piece) or 0 :]
            target.truncate(entry.size)
            self._dress(b"/proc/self/fd/%d" % fd, entry)

    def _link(self, parent: Parent, name: bytes, entry: Entry) -> None:
        target = split(entry.link)
        if not target:
            raise TarError(f"{os.fsdecode(entry.name)!r} is a hard link to the archive's root")
        source = self._tree.directory((*self._place, *target[:-1]), make=False)
        if (source.path, target[-1]) == (parent.path, name):
            return
        self._make_room(parent, name, entry)
        os.link(target[-1], name, src_dir_fd=source.fd, dst_dir_fd=parent.fd, follow_symlinks=False)

    def _dress_named(self, parent: Parent, name: bytes, entry: Entry) -> None:
        fd = os.open(name, _LOOK, dir_fd=parent.fd)
        try:
            if stat.S_IFMT(os.fstat(fd).st_mode) != _TYPES[entry.kind]:
                raise FileExistsError(errno.EEXIST, "something else was put there meanwhile", name)
            self._dress(b"/proc/self/fd/%d" % fd, entry)
        finally:
            os.close(fd)
        if entry.kind is Kind.DIRECTORY:
            self._times.append(((*parent.path, name), entry.mtime_ns))

    def _dress(self, opened: bytes, entry: Entry) -> None:
        """``opened`` is a descriptor's name in /proc, which leads to nothing else."""
        os.chown(opened, *self._how.owners(*owner_of(entry)))
        os.chmod(opened, mode_of(entry))
        self._set_attributes(opened, entry, follow=True)
        if entry.kind is not Kind.DIRECTORY:
            os.utime(opened, ns=times_of(entry.mtime_ns))

    def _dress_link(self, parent: Parent, name: bytes, entry: Entry) -> None:
        owners = self._how.owners(*owner_of(entry))
        os.chown(name, *owners, dir_fd=parent.fd, follow_symlinks=False)
        path = b"/proc/self/fd/%d/%s" % (parent.fd, name)
        self._set_attributes(path, entry, follow=False)
        times = times_of(entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=parent.fd, follow_symlinks=False)

    @staticmethod
    def _set_attributes(path: bytes, entry: Entry, *, follow: bool) -> None:
        for key, value in entry.xattrs.items():
            if not key.startswith(_NOT_KEPT):
                _set_attribute(path, key, value, follow=follow)


def _set_attribute(path: bytes, key: str, value: bytes, *, follow: bool) -> None:
    try:
        os.setxattr(path, key, value, follow_symlinks=follow)
    except PermissionError:
        if not key.startswith("user."):
            raise
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # dropped, as Docker does
            raise
