"""One 512-byte block of tar: numbers, names, checksum, and what the fields mean per dialect.

::

    0 name 100 mode 108 uid 116 gid 124 size 136 mtime 148 chksum 156 type 157 linkname 257
    257 magic+version 265 uname 297 gname 329 devmajor 337 devminor 345 prefix 500

    ustar, pax   magic "ustar\\0"    prefix at 345 (155 bytes)
    star         … and "tar\\0" at 508: prefix is 131 bytes
    GNU          magic "ustar  \\0"  no prefix; sparse map at 386, its continuation flag at 482,
                                     real size at 483
    v7           anything else       no fields beyond linkname
"""

import struct
from enum import Enum

import msgspec

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)

_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")
_USTAR, _GNU = b"ustar\0", b"ustar  \0"


class TarError(ValueError):
    """The archive breaks the format; the text says where."""


class Kind(Enum):
    """What an entry puts into the file system."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARD_LINK = "hard link"
    CHARACTER_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    FIFO = "fifo"
    OTHER = "other"
    """Something only its own dialect understands (a volume label, a dump directory)."""


KIND_OF_TYPE = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}

Extent = tuple[int, int]
"""Offset and length of a run of data within a file."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One member of an archive. Names are bytes, as the archive has them."""

    kind: Kind
    name: bytes
    link: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Length of the file, holes included."""
    mtime_ns: int = 0
    device: tuple[int, int] = (0, 0)
    xattrs: dict[str, bytes] = {}
    extents: tuple[Extent, ...] | None = None
    """Where the payload's bytes belong if the file is sparse; None: all from the start."""


class Header(msgspec.Struct, frozen=True, gc=False):
    """The fields of one block, before extended headers are applied."""

    type: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    device: tuple[int, int]
    gnu: bool


def parse_header(block: bytes) -> Header:
    """Read a block. Raise TarError when the checksum or a number is wrong."""
    (
        name, mode, uid, gid, size, mtime, checksum, type_, link,
        magic, _uname, _gname, major, minor, prefix, tail,
    ) = _FIELDS.unpack(block)  # fmt: skip
    expected = number(checksum)
    if sum(block) - sum(checksum) + 8 * 32 != expected and _signed_sum(block) != expected:
        raise TarError("not a tar header: the checksum does not match")
    name = name.partition(b"\0")[0]
    gnu = magic == _GNU
    if magic.startswith(_USTAR):
        prefix = prefix[:131] if tail.endswith(b"tar\0") else prefix
        prefix = prefix.partition(b"\0")[0]
        if prefix:
            name = prefix + b"/" + name
    device = (number(major), number(minor)) if type_ in b"34" else (0, 0)
    return Header(
        type_, name, link.partition(b"\0")[0], number(mode), number(uid), number(gid),
        number(size), number(mtime), device, gnu,
    )  # fmt: skip


def number(field: bytes) -> int:
    """Read octal digits, or GNU's base-256 for what octal cannot hold."""
    if field[0] & 0x80:
        # Two's complement without the marking bit.
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    digits = field.partition(b"\0")[0].strip(b" ") or field.strip(b" \0")
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise TarError(f"not a tar header: {digits!r} is not an octal number")


def _signed_sum(block: bytes) -> int:
    # Some old programs added up signed characters.
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    return signed - sum(b - 256 if b > 127 else b for b in block[148:156]) + 8 * 32


def sparse_map(fields: bytes) -> list[Extent]:
    """Read GNU sparse entries of 24 bytes each, up to the first unused one."""
    extents = []
    for at in range(0, len(fields) - 23, 24):
        if not fields[at]:
            break
        extents.append((number(fields[at : at + 12]), number(fields[at + 12 : at + 24])))
    return extents
