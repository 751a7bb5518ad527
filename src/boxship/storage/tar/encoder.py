"""Write the header of any kind of entry, so that nothing of it is lost and the bytes depend on
nothing else.

A ustar block holds what fits; a pax extended header before it holds what does not: long or
non-ASCII names, times with fractions or before 1970, extended attributes, great sizes and numbers.
Names of users and groups are left out: they would be those of this machine.
"""

import re

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
    extension = Entry(Kind.FILE, _RECORDS_NAME, size=len(payload))
    return b"".join(
        (_block(extension, _RECORDS_NAME, b"x"), payload, bytes(-len(payload) % BLOCK), block)
    )


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
    block = bytearray(BLOCK)
    block[0 : min(len(name), _NAME)] = name[:_NAME]
    block[100:108] = b"%07o\0" % (entry.mode & 0o7777)
    block[108:116] = b"%07o\0" % (entry.uid if entry.uid < _OCTAL_7 else 0)
    block[116:124] = b"%07o\0" % (entry.gid if entry.gid < _OCTAL_7 else 0)
    block[124:136] = b"%011o\0" % (entry.size if entry.size < _OCTAL_11 else 0)
    block[136:148] = b"%011o\0" % (seconds if 0 <= seconds < _OCTAL_11 else 0)
    block[148:156] = b" " * 8
    block[156:157] = kind or _TYPES[entry.kind]
    block[157 : 157 + min(len(entry.link), _NAME)] = entry.link[:_NAME]
    block[257:265] = b"ustar\00000"
    block[329:337] = b"%07o\0" % entry.device[0]
    block[337:345] = b"%07o\0" % entry.device[1]
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
