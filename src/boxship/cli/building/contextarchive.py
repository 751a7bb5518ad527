"""A context as the classic builder takes it: a tar of the files that ``.dockerignore`` leaves.

A Dockerfile from elsewhere travels under a name that nobody has, and ``.dockerignore`` says of both
that they are not part of the context.
"""

import os
import secrets
import tarfile
import zlib
from collections.abc import Iterable, Iterator

from boxship.base.errors import InvalidArgumentError
from boxship.cli.members import content
from boxship.client.buildkit.directories import LocalDirectory, Selection
from boxship.dockerfile.ignore import patterns_in
from boxship.wire.buildkit import filesync
from boxship.wire.buildkit.filesync import Stat

_PIECE = 1 << 20
_IGNORE = ".dockerignore"
_GZIP = 31  # zlib's name for it


def pack(root: str, dockerfile: str, text: bytes | None) -> tuple[Iterator[bytes], str]:
    """Return the archive and the Dockerfile's name in it. ``text`` is a Dockerfile from elsewhere;
    without a ``root`` there is nothing but it."""
    if text is None:
        return _archive(root, _rules(root, dockerfile), {}, dockerfile), dockerfile
    name = f".dockerfile.{secrets.token_hex(10)}"
    added = {name: text}
    if root:
        rules = _read_rules(root)
        added[_IGNORE] = (rules + f"\n{_IGNORE}\n{name}\n").lstrip("\n").encode()
    patterns = (*_rules(root, ""), _IGNORE) if root else ()
    return _archive(root, patterns, added, ""), name


def _read_rules(root: str) -> str:
    try:
        with open(os.path.join(root, _IGNORE), encoding="utf-8-sig", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _rules(root: str, dockerfile: str) -> tuple[str, ...]:
    """The patterns, but for the two files that the builder needs itself."""
    patterns = patterns_in(_read_rules(root))
    if not patterns:
        return ()
    return (*patterns, *(f"!{name}" for name in (_IGNORE, dockerfile) if name))


def _archive(
    root: str, patterns: tuple[str, ...], added: dict[str, bytes], dockerfile: str
) -> Iterator[bytes]:
    source = LocalDirectory(root) if root else None
    seen_dockerfile = not dockerfile
    for found in source.walk(Selection(exclude=patterns)) if source is not None else ():
        seen_dockerfile = seen_dockerfile or found.path == dockerfile
        yield from _entry(root, found)
    if not seen_dockerfile:
        raise InvalidArgumentError(f"cannot find the Dockerfile {dockerfile} in the context")
    for name, data in added.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        yield _head(info) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entry(root: str, found: Stat) -> Iterator[bytes]:
    info = tarfile.TarInfo(found.path)
    info.mode = found.mode & 0o777 | _special(found.mode)
    info.mtime = found.modified_ns // 1_000_000_000
    if found.mode & filesync.GO_DIRECTORY:
        info.type = tarfile.DIRTYPE
    elif found.mode & filesync.GO_SYMLINK:
        info.type, info.linkname = tarfile.SYMTYPE, found.linkname
    elif found.mode & filesync.GO_NAMED_PIPE:
        info.type = tarfile.FIFOTYPE
    elif found.mode & filesync.GO_DEVICE:
        is_char = found.mode & filesync.GO_CHAR_DEVICE
        info.type = tarfile.CHRTYPE if is_char else tarfile.BLKTYPE
        info.devmajor, info.devminor = found.device_major, found.device_minor
    else:
        info.size = found.size
        yield _head(info)
        yield from content(os.path.join(root, found.path), found.size)
        return
    yield _head(info)


def _head(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _special(mode: int) -> int:
    bits = (
        (filesync.GO_SETUID, 0o4000),
        (filesync.GO_SETGID, 0o2000),
        (filesync.GO_STICKY, 0o1000),
    )
    return sum(bit for go, bit in bits if mode & go)


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same, by gzip."""
    stream = zlib.compressobj(wbits=_GZIP)
    for piece in pieces:
        if data := stream.compress(piece):
            yield data
    yield stream.flush()
