"""Write the header of any kind of entry, so that nothing of it is lost and the bytes depend on
nothing else.

A ustar block holds what fits; a pax extended header before it holds what does not: long or
non-ASCII names, times with fractions or before 1970, extended attributes, great sizes and numbers.
Names of users and groups are left out: they would be those of this machine.
"""

import re
from functools import lru_cache
from struct import Struct

from boxship.storage.tar.header import BLOCK, Entry, Kind

_TYPES = {
    Kind.FILE: b"0",
    Kind.HARD_LINK: b"1",
    Kind.SYMLINK: b"2",
    Kind.CHARACTER_DEVICE: b"3",
    Kind.BLOCK_DEVICE: b"4",
    Kind.DIRECTORY: b"5",
    Kind.FIFO: b"6",
}
_NAME = 100
_OCTAL_7, _OCTAL_11 = 8**7, 8**11
_NS = 1_000_000_000
_PLAIN = re.compile(rb"[\x20-\x7e]*")
_RECORDS_NAME = b"PaxHeaders.0/entry"
_USTAR = Struct("100s 8s 8s 8s 12s 12s 8s 1s 100s 8s 64x 8s 8s 167x")
"""Name, mode, uid, gid, size, mtime, checksum, type, link, magic and version, (names of owners),
major, minor, (prefix). A field that is shorter is filled up with NUL."""

Records = dict[bytes, bytes]


def encode_entry(entry: Entry) -> bytes:
    """Return all that stands before the payload. A directory's name gets its slash here.

    ``extents`` are not looked at: sparse forms of tar are not written, because not all who keep
    layers give them back as they were.
    """
    name = entry.name + b"/" if entry.kind is Kind.DIRECTORY else entry.name
    records = _records(entry, name)
    block = _block(entry, name)
    if not records:
        return block
    payload = b"".join(_record(key, records[key]) for key in sorted(records))
    return b"".join((_extension(len(payload)), payload, bytes(-len(payload) % BLOCK), block))


@lru_cache(maxsize=256)
def _extension(size: int) -> bytes:
    """Return the header of an extended header: most trees have a few sizes of them."""
    return _block(Entry(Kind.FILE, _RECORDS_NAME, size=size), _RECORDS_NAME, b"x")


def _records(entry: Entry, name: bytes) -> Records:
    records: Records = {}
    if not _fits(name):
        records[b"path"] = name
    if not _fits(entry.link):
        records[b"linkpath"] = entry.link
    if entry.mtime_ns % _NS or not 0 <= entry.mtime_ns // _NS < _OCTAL_11:
        records[b"mtime"] = _seconds(entry.mtime_ns)
    for key, value, limit in (
        (b"uid", entry.uid, _OCTAL_7),
        (b"gid", entry.gid, _OCTAL_7),
        (b"size", entry.size, _OCTAL_11),
    ):
        if value >= limit:
            records[key] = b"%d" % value
    for attribute, content in entry.xattrs.items():
        records[b"SCHILY.xattr." + attribute.encode(errors="surrogateescape")] = content
    return records


def _fits(name: bytes) -> bool:
    return len(name) <= _NAME and _PLAIN.fullmatch(name) is not None


def _seconds(ns: int) -> bytes:
    whole, rest = divmod(abs(ns), _NS)
    text = b"%s%d" % (b"-" if ns < 0 else b"", whole)
    return text + (b".%09d" % rest).rstrip(b"0") if rest else text


def _record(key: bytes, value: bytes) -> bytes:
    """``length key=value\\n``, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(entry: Entry, name: bytes, kind: bytes = b"") -> bytes:
    """Return the ustar block; a field that an extended header has to replace holds what it can."""
    seconds = entry.mtime_ns // _NS
    block = _USTAR.pack(
        name[:_NAME],
        b"%07o" % (entry.mode & 0o7777),
        b"%07o" % (entry.uid if entry.uid < _OCTAL_7 else 0),
        b"%07o" % (entry.gid if entry.gid < _OCTAL_7 else 0),
        b"%011o" % (entry.size if entry.size < _OCTAL_11 else 0),
        b"%011o" % (seconds if 0 <= seconds < _OCTAL_11 else 0),
        b" " * 8,
        kind or _TYPES[entry.kind],
        entry.link[:_NAME],
        b"ustar\00000",
        b"%07o" % entry.device[0],
        b"%07o" % entry.device[1],
    )
    return b"%s%06o\0 %s" % (block[:148], sum(block), block[156:])
