"""This machine's side of ``boxship cp``: a tree as an archive, and an archive as a tree.

What comes from a container is not trusted: no name in it leads out of the place that was asked for,
whatever links it brings along.
"""

import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator

from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.members import content

_PIECE = 1 << 20


def pack(source: str, base: str, name: str) -> Iterator[bytes]:
    """Yield a tar of ``source``, whose top is called ``name``; ``base`` is for messages.

    A name of ``.`` gives what is in a directory. Sockets are left out.
    """
    seen: dict[tuple[int, int], str] = {}
    for path, shown in _below(source, name):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            continue
        info = _header(path, shown, found, seen)
        if info is None:
            continue
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.isreg() and info.size:
            yield from content(path, info.size, f"{base}: ")
    yield bytes(2 * tarfile.BLOCKSIZE)


def _below(source: str, name: str) -> Iterator[tuple[str, str]]:
    yield source, name
    if os.path.islink(source) or not os.path.isdir(source):
        return
    for directory, folders, files in os.walk(source):
        links = [folder for folder in folders if os.path.islink(os.path.join(directory, folder))]
        folders[:] = sorted(folder for folder in folders if folder not in links)
        inside = os.path.relpath(directory, source)
        for entry in sorted([*folders, *links, *files]):
            shown = os.path.normpath(os.path.join(name, inside, entry))
            yield os.path.join(directory, entry), shown


def _header(
    path: str, shown: str, found: os.stat_result, seen: dict[tuple[int, int], str]
) -> tarfile.TarInfo | None:
    if stat.S_ISSOCK(found.st_mode):
        return None
    info = tarfile.TarInfo(shown)
    info.mode, info.uid, info.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    info.mtime = found.st_mtime
    first = seen.setdefault((found.st_dev, found.st_ino), shown)
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif found.st_nlink > 1 and first != shown:
        info.type, info.linkname = tarfile.LNKTYPE, first
    elif stat.S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
    else:
        _describe_node(info, found)
    return info


def _describe_node(info: tarfile.TarInfo, found: os.stat_result) -> None:
    kinds = {stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE}
    info.type = kinds.get(stat.S_IFMT(found.st_mode), tarfile.FIFOTYPE)
    info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)


def unpack(pieces: Iterable[bytes], target: str, top: str) -> int:
    """Unpack an archive of one file or tree into ``target``, its top called ``top``.

    ``top`` may be ``.``: what is in the tree goes into ``target``. Files belong to whoever calls
    this. Return the bytes of all files.
    """
    total = 0
    times: list[tuple[str, float]] = []
    root = os.path.realpath(target)
    with tarfile.open(fileobj=_Stream(pieces), mode="r|") as archive:
        for member in archive:
            total += member.size
            path = _place(root, top, member.name)
            if member.islnk():
                member.linkname = os.path.relpath(_place(root, top, member.linkname), root)
            _make_room(path, member)
            if member.isdir():
                times.append((path, member.mtime))
            _extract(archive, member, root, path)
    for path, moment in reversed(times):
        os.utime(path, (moment, moment))
    return total


def _place(root: str, top: str, name: str) -> str:
    """Return where an entry goes: the first part of its name is ``top`` instead."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not name.startswith(("/", "./")) and name != ".":
        parts = parts[1:]
    path = os.path.normpath(os.path.join(root, top, *parts))
    above = os.path.realpath(os.path.dirname(path)) if path != root else root
    if ".." in parts or not f"{above}/".startswith(f"{root}/".replace("//", "/")):
        raise ExitError(FAILURE, f"the archive leads out of {root}: {name}")
    return path


def _make_room(path: str, member: tarfile.TarInfo) -> None:
    if not os.path.lexists(path):
        return
    is_directory = os.path.isdir(path) and not os.path.islink(path)
    if member.isdir() != is_directory:
        what = ("non-directory", "directory")
        raise ExitError(
            FAILURE,
            f"cannot overwrite {what[is_directory]} {path!r} with {what[member.isdir()]}",
        )
    if not is_directory:
        os.unlink(path)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, root: str, path: str) -> None:
    member.name = os.path.relpath(path, root)
    member.uid, member.gid = os.geteuid(), os.getegid()
    archive.extract(member, root, numeric_owner=True, filter="fully_trusted")


class _Stream(io.RawIOBase):
    """Pieces as a file to read from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, left = [], size
        while left:
            if not self._rest:
                self._rest = bytes(next(self._pieces, b""))
                if not self._rest:
                    break
            parts.append(self._rest[:left])
            self._rest = self._rest[left:]
            left -= len(parts[-1])
        return b"".join(parts)
