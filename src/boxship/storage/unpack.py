"""Unpack one layer's tar into a directory that overlayfs can use as a lower layer.

What differs from a plain ``tar -x``:

* Names stay inside, whatever links the archive brings along (``tree.py``).
* A whiteout ``.wh.NAME`` becomes a character device 0:0, ``.wh..wh..opq`` the xattr
  ``trusted.overlay.opaque`` on its directory. A whiteout speaks of the layers below only: with
  NAME in the same layer, a directory NAME is made opaque and anything else just stays.
* Nothing is lost for the rebuild: an entry that replaces an earlier one moves it to ``shadow/``.
* Extended attributes of overlayfs itself are not taken from an archive: they could show parts of
  other layers (``redirect``) or hide files.

Order per file: data, owner, xattrs (chown clears capabilities), mode (chown clears setuid, and an
access list that contradicts the mode yields to it, as in Docker), times.
Directories get their times at the end, when nothing is written into them any more.
"""

import errno
import os
import stat
from collections.abc import Callable

import msgspec

from boxship.storage.deleting import delete_tree
from boxship.storage.possible import device_of, mode_of, owner_of, times_of
from boxship.storage.recipe import RecipeWriter
from boxship.storage.rights import Rights
from boxship.storage.stack import hides, make_whiteout, tree_size, whiteout_attribute
from boxship.storage.tar.header import Entry, Kind, TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tree import Parent, Path, RootedTree, join, split

WHITEOUT_PREFIX = b".wh."
OPAQUE_MARK = b".wh..wh..opq"
_META_PREFIX = b".wh..wh."
_OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICE_TYPES = {
    Kind.CHARACTER_DEVICE: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
}


class Unpacked(msgspec.Struct, frozen=True):
    """What came out of a tar. ``size`` counts as Docker does: file and link contents, once."""

    size: int
    entries: int
    shadows: dict[int, bytes]


class Unpacker:
    """Unpacks one archive into ``<layer>/diff``, writing the recipe on the way."""

    def __init__(
        self, layer: str, recipe: RecipeWriter, rights: Rights, *, contents: bool = True
    ) -> None:
        """Without ``contents`` files get their sizes and no data."""
        self._layer = layer
        self._rights = rights
        self._recipe = recipe
        self._contents = contents
        self._tree = RootedTree(os.path.join(layer, "diff"))
        self._directory_times: dict[Path, int] = {}
        self._left_out: set[Path] = set()
        """Device nodes that nobody can make here."""
        self._shadows: dict[int, bytes] = {}
        self._shadow_count = 0
        self._size = 0
        self._entries = 0
        self._make: dict[Kind, Callable[[Parent, bytes, Entry, TarReader], None]] = {
            Kind.FILE: self._file,
            Kind.DIRECTORY: self._make_directory,
            Kind.SYMLINK: self._symlink,
            Kind.HARD_LINK: self._hard_link,
            Kind.CHARACTER_DEVICE: self._node,
            Kind.BLOCK_DEVICE: self._node,
            Kind.FIFO: self._node,
        }

    def run(self, archive: TarReader) -> Unpacked:
        """Unpack everything. Raise TarError, UnsafePathError or OSError naming the entry."""
        with self._tree:
            while entry := archive.next():
                self._recipe.framing(archive.take_framing())
                self._entries += 1
                self._unpack(entry, archive)
                while useless := archive.read():
                    self._recipe.framing(useless)
            for piece in archive.tail():
                self._recipe.framing(piece)
            self._set_directory_times()
        if self._shadow_count:
            self._size = tree_size(os.path.join(self._layer, "diff"))
        return Unpacked(self._size, self._entries, self._shadows)

    def _unpack(self, entry: Entry, archive: TarReader) -> None:
        path = split(entry.name)
        try:
            if not path:
                self._root(entry)
            elif path[-1].startswith(WHITEOUT_PREFIX):
                self._whiteout(self._tree.parent(path), path[-1])
            elif entry.kind is not Kind.OTHER:
                self._make[entry.kind](self._tree.parent(path), path[-1], entry, archive)
        except OSError as error:
            named = f"{os.strerror(error.errno or 0)}: unpacking {os.fsdecode(entry.name)!r}"
            if error.errno == errno.EINVAL and not self._rights.trusted:
                named += f" (is its owner {entry.uid}:{entry.gid} in this user namespace?)"
            raise OSError(error.errno, named) from error

    def _root(self, entry: Entry) -> None:
        if entry.kind is Kind.DIRECTORY:
            self._apply(self._tree.fd, entry)
            self._directory_times[()] = entry.mtime_ns

    def _file(self, parent: Parent, name: bytes, entry: Entry, archive: TarReader) -> None:
        try:
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent.fd)
        except FileExistsError:
            parent = self._evict(parent, name)
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent.fd)
        try:
            if archive.payload_left or entry.size:
                self._fill(fd, entry, archive, join((*parent.path, name)))
            self._apply(fd, entry)
            os.utime(fd, ns=times_of(entry.mtime_ns))
        finally:
            os.close(fd)
        self._size += entry.size

    def _fill(self, fd: int, entry: Entry, archive: TarReader, path: bytes) -> None:
        if not self._contents:
            os.ftruncate(fd, entry.size)
            while archive.read():
                pass
            return
        if entry.extents is None:
            self._recipe.file(path, entry.size)
            while piece := archive.read():
                _write(fd, piece)
            return
        self._recipe.sparse(path, entry.extents)
        for offset, length in entry.extents:
            os.lseek(fd, offset, os.SEEK_SET)
            left = length
            while left:
                piece = archive.read(left)
                left -= len(piece)
                _write(fd, piece)
        os.ftruncate(fd, entry.size)

    def _make_directory(self, parent: Parent, name: bytes, entry: Entry, _: TarReader) -> None:
        opaque = False
        try:
            os.mkdir(name, 0o700, dir_fd=parent.fd)
        except FileExistsError:
            found = os.lstat(name, dir_fd=parent.fd)
            if not stat.S_ISDIR(found.st_mode):
                attribute = whiteout_attribute(self._rights.opaque)
                opaque = hides(parent.fd, name, found, attribute)
                parent = self._evict(parent, name)
                os.mkdir(name, 0o700, dir_fd=parent.fd)
        fd = os.open(name, _OPEN_DIRECTORY, dir_fd=parent.fd)
        try:
            self._apply(fd, entry)
            if opaque:
                os.setxattr(fd, self._rights.opaque, b"y")
        finally:
            os.close(fd)
        self._directory_times[(*parent.path, name)] = entry.mtime_ns

    def _symlink(self, parent: Parent, name: bytes, entry: Entry, _: TarReader) -> None:
        parent = self._vacate(parent, name)
        os.symlink(entry.link, name, dir_fd=parent.fd)
        self._size += len(entry.link)
        self._apply_by_name(parent, name, entry)

    def _hard_link(self, parent: Parent, name: bytes, entry: Entry, _: TarReader) -> None:
        target = split(entry.link)
        if not target:
            raise TarError(f"{os.fsdecode(entry.name)!r} is a hard link to the archive's root")
        source = self._tree.directory(target[:-1], make=False)
        if (source.path, target[-1]) == (parent.path, name):
            return  # to itself, as some writers do for a repeated name
        parent = self._vacate(parent, name)
        source = self._tree.directory(target[:-1], make=False)
        if (*source.path, target[-1]) in self._left_out:
            self._left_out.add((*parent.path, name))
            return
        if stat.S_ISDIR(os.lstat(target[-1], dir_fd=source.fd).st_mode):
            raise TarError(f"{os.fsdecode(entry.name)!r} is a hard link to a directory")
        os.link(target[-1], name, src_dir_fd=source.fd, dst_dir_fd=parent.fd, follow_symlinks=False)
        self._apply_to_linked(parent, name, entry)

    def _node(self, parent: Parent, name: bytes, entry: Entry, _: TarReader) -> None:
        parent = self._vacate(parent, name)
        if not self._rights.devices and entry.kind is not Kind.FIFO and any(entry.device):
            self._left_out.add((*parent.path, name))
            return
        mode = _DEVICE_TYPES[entry.kind] | mode_of(entry)
        os.mknod(name, mode, device_of(entry), dir_fd=parent.fd)
        self._apply_by_name(parent, name, entry)
        os.chmod(name, mode_of(entry), dir_fd=parent.fd)

    def _whiteout(self, parent: Parent, mark: bytes) -> None:
        if mark == OPAQUE_MARK:
            os.setxattr(parent.fd, self._rights.opaque, b"y")
            return
        if mark.startswith(_META_PREFIX):
            return  # aufs' own bookkeeping
        name = mark[len(WHITEOUT_PREFIX) :]
        if name in (b"", b".", b".."):
            raise TarError(f"{os.fsdecode(mark)!r} is a whiteout of nothing")
        try:
            make_whiteout(parent.fd, name, self._rights.opaque)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(name, dir_fd=parent.fd).st_mode):
                with_fd = os.open(name, _OPEN_DIRECTORY, dir_fd=parent.fd)
                try:
                    os.setxattr(with_fd, self._rights.opaque, b"y")
                finally:
                    os.close(with_fd)

    def _vacate(self, parent: Parent, name: bytes) -> Parent:
        """Make sure that nothing is called ``name``."""
        try:
            os.lstat(name, dir_fd=parent.fd)
        except FileNotFoundError:
            return parent
        return self._evict(parent, name)

    def _evict(self, parent: Parent, name: bytes) -> Parent:
        """Move what is in the way to ``shadow/<n>``, for the rebuild; return the parent anew."""
        path = (*parent.path, name)
        needed = self._recipe.forget(join(path))
        shadow = os.path.join(self._layer, "shadow", str(self._shadow_count))
        os.makedirs(os.path.dirname(shadow), exist_ok=True)
        was_directory = stat.S_ISDIR(os.lstat(name, dir_fd=parent.fd).st_mode)
        os.rename(name, shadow, src_dir_fd=parent.fd)
        for number, rest in needed.items():
            self._shadows[number] = b"shadow/%d%s" % (self._shadow_count, rest)
        if not needed:
            _delete(shadow)
        self._shadow_count += 1
        if was_directory:
            for directory in [d for d in self._directory_times if d[: len(path)] == path]:
                del self._directory_times[directory]
        self._tree.forget()
        return self._tree.directory(parent.path)

    def _apply(self, fd: int, entry: Entry) -> None:
        os.fchown(fd, *owner_of(entry))
        for key, value in entry.xattrs.items():
            self._set_xattr(fd, key, value)
        os.fchmod(fd, mode_of(entry))

    def _apply_by_name(self, parent: Parent, name: bytes, entry: Entry) -> None:
        """For what cannot be opened for the purpose: links, devices, fifos."""
        os.chown(name, *owner_of(entry), dir_fd=parent.fd, follow_symlinks=False)
        if entry.xattrs:
            path = b"/proc/self/fd/%d/%s" % (parent.fd, name)
            for key, value in entry.xattrs.items():
                self._set_xattr(path, key, value)
        os.utime(name, ns=times_of(entry.mtime_ns), dir_fd=parent.fd, follow_symlinks=False)

    def _apply_to_linked(self, parent: Parent, name: bytes, entry: Entry) -> None:
        """A hard link's own header counts for the file, as in Docker and containerd.

        Only what differs is changed: chown, even to the same owner, would drop capabilities.
        """
        found = os.lstat(name, dir_fd=parent.fd)
        if (found.st_uid, found.st_gid) != owner_of(entry):
            os.chown(name, *owner_of(entry), dir_fd=parent.fd, follow_symlinks=False)
            found = os.lstat(name, dir_fd=parent.fd)
        path = b"/proc/self/fd/%d/%s" % (parent.fd, name)
        for key, value in entry.xattrs.items():
            self._set_xattr(path, key, value)
            found = os.lstat(name, dir_fd=parent.fd)
        mode = mode_of(entry)
        if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) != mode:
            os.chmod(name, mode, dir_fd=parent.fd)
        os.utime(name, ns=times_of(entry.mtime_ns), dir_fd=parent.fd, follow_symlinks=False)

    def _set_xattr(self, target: int | bytes, key: str, value: bytes) -> None:
        if key.startswith(_OVERLAY_XATTRS):
            return
        try:
            if isinstance(target, int):
                os.setxattr(target, key, value)
            else:
                os.setxattr(target, key, value, follow_symlinks=False)
        except OSError as error:
            # Attributes that this file system or this kind of file does not have (user.* on links),
            # or that are the host's root's to give, are dropped, as Docker does; the recipe keeps
            # them.
            refused = error.errno == errno.EPERM and (
                key.startswith("user.") or not self._rights.trusted
            )
            if error.errno != errno.ENOTSUP and not refused:
                raise

    def _set_directory_times(self) -> None:
        self._tree.forget()
        for path, mtime_ns in self._directory_times.items():
            fd = self._tree.open_real(path, _OPEN_DIRECTORY)
            try:
                os.utime(fd, ns=times_of(mtime_ns))
            finally:
                os.close(fd)


def _write(fd: int, data: memoryview) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def _delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        delete_tree(path)
    else:
        os.unlink(path)
