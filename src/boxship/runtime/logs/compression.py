"""Compressing a log file that was rotated, in a process of its own.

::

    x.log.1 ──► x.log.gz.new ──rename──► x.log.1.gz, and x.log.1 is unlinked

There is no moment at which a reader finds neither. The header of the gzip file tells what was
compressed, for readers who knew the file (extra field ``BX``, big endian: eight bytes for its
inode, and four for the CRC-32 of its first 64 bytes, since an inode's number is used again).
"""

import binascii
import contextlib
import os
import signal
import struct
from typing import Final, NamedTuple, NoReturn

TEMPORARY: Final = ".gz.new"
"""In the place of the number."""

_LEVEL: Final = 1
_CHUNK: Final = 1 << 20
_FEXTRA: Final = 4
_FIXED: Final = struct.Struct("<4BI2B")
"""RFC 1952, 2.3: ID1 ID2 CM FLG MTIME XFL OS."""
_EXTRA: Final = struct.Struct("<H2sH8s4s")
_HEAD: Final = 64
HEADER: Final = _FIXED.size + _EXTRA.size


class Compression:
    """A process that compresses ``path`` to ``path.gz``. Raise OSError when there can be none."""

    def __init__(self, path: str) -> None:
        self._temporary = f"{os.path.splitext(path)[0]}{TEMPORARY}"
        self._pid = os.fork()
        if self._pid == 0:
            _be_compressor(path, self._temporary)

    def is_over(self) -> bool:
        """Tell whether it has ended, well or not."""
        with contextlib.suppress(ChildProcessError):  # somebody else has collected it
            return os.waitpid(self._pid, os.WNOHANG)[0] != 0
        return True

    def stop(self) -> None:
        """End it, now; what is not compressed stays as it is."""
        if not self.is_over():
            os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)


class Identity(NamedTuple):
    """What tells a log file from another one."""

    inode: int
    head: int
    """CRC-32 of its first bytes, which have a time in them."""


def identity(fd: int) -> Identity:
    """Return that of an open file that was not compressed."""
    return Identity(os.fstat(fd).st_ino, binascii.crc32(os.pread(fd, _HEAD, 0)))


def original(header: bytes) -> Identity | None:
    """Return that of what was compressed, from the first ``HEADER`` bytes of its file."""
    if len(header) < HEADER or header[3] != _FEXTRA:
        return None
    length, name, size, inode, head = _EXTRA.unpack_from(header, _FIXED.size)
    if (length, name, size) != (16, b"BX", 12):
        return None
    return Identity(int.from_bytes(inode, "big"), int.from_bytes(head, "big"))


def _be_compressor(path: str, temporary: str) -> NoReturn:
    """Nothing of the shim's own may run on from here, and what it has open stays its own."""
    try:
        os.closerange(3, 1 << 20)
        os.nice(10)
        with open(path, "rb") as source:
            _compress(source.fileno(), temporary)
            if os.stat(path).st_ino == os.fstat(source.fileno()).st_ino:
                os.rename(temporary, f"{path}.gz")
                os.unlink(path)
    except OSError:  # the disk is full: it stays as it is
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    finally:
        os._exit(0)


def _compress(source: int, temporary: str) -> None:
    import zlib

    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o640), "wb") as out:
        inode, head = identity(source)
        out.write(_FIXED.pack(0x1F, 0x8B, 8, _FEXTRA, 0, 0, 255))
        out.write(_EXTRA.pack(16, b"BX", 12, inode.to_bytes(8, "big"), head.to_bytes(4, "big")))
        crc = size = 0
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        while data := os.read(source, _CHUNK):
            crc, size = zlib.crc32(data, crc), size + len(data)
            out.write(packer.compress(data))
        out.write(packer.flush())
        out.write(struct.pack("<II", crc, size & 0xFFFFFFFF))
