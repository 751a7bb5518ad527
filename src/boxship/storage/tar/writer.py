"""Write tar archives whose bytes depend on nothing but what they hold.

Headers are ustar, owner 0:0, as little as a reader needs. Sizes beyond octal's 8 GiB are written in
base 256, which every reader of today understands.
"""

from boxship.storage.tar.header import BLOCK

_OCTAL_LIMIT = 8**11
END = bytes(2 * BLOCK)
"""Two zero blocks end an archive."""


def file_header(name: str, size: int, *, mode: int = 0o644, mtime: int = 0) -> bytes:
    """Return the header of a regular file; its payload and :func:`padding` must follow."""
    return _header(name, b"0", size, mode, mtime)


def directory_header(name: str, *, mode: int = 0o755, mtime: int = 0) -> bytes:
    """Return the header of a directory; ``name`` ends with a slash."""
    return _header(name, b"5", 0, mode, mtime)


def padding(size: int) -> bytes:
    """Return what follows a payload of ``size`` bytes."""
    return bytes(-size % BLOCK)


def _header(name: str, kind: bytes, size: int, mode: int, mtime: int) -> bytes:
    raw = name.encode()
    if len(raw) > 100:
        raise ValueError(f"name too long for a plain header: {name}")
    block = bytearray(BLOCK)
    block[0 : len(raw)] = raw
    block[100:108] = b"%07o\0" % mode
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = _size(size)
    block[136:148] = b"%011o\0" % mtime
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\00000"
    block[329:337] = block[337:345] = b"0000000\0"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _size(size: int) -> bytes:
    if size < _OCTAL_LIMIT:
        return b"%011o\0" % size
    return b"\x80" + size.to_bytes(11, "big")
