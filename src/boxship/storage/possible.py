"""What a header says of a file, as far as a file can be so. TarError: no file can."""

import os

from boxship.storage.tar.header import Entry, TarError

_LARGEST_ID = 2**32 - 2
_LARGEST_NS = 2**63 - 1
_LARGEST_MAJOR, _LARGEST_MINOR = 2**12 - 1, 2**20 - 1


def owner_of(entry: Entry) -> tuple[int, int]:
    """Return whose the file is to be."""
    if not (0 <= entry.uid <= _LARGEST_ID and 0 <= entry.gid <= _LARGEST_ID):
        raise TarError(f"{os.fsdecode(entry.name)!r} has an impossible owner")
    return entry.uid, entry.gid


def mode_of(entry: Entry) -> int:
    """Return its mode, without its kind."""
    # A header can say more than there are bits, in base 256 also something negative.
    return entry.mode & 0o7777


def device_of(entry: Entry) -> int:
    """Return the number of a device."""
    major, minor = entry.device
    if not (0 <= major <= _LARGEST_MAJOR and 0 <= minor <= _LARGEST_MINOR):
        raise TarError(f"{os.fsdecode(entry.name)!r} has an impossible device number")
    return os.makedev(major, minor)


def times_of(mtime_ns: int) -> tuple[int, int]:
    """Return access and modification time, for ``os.utime``."""
    # What no file system can hold becomes the epoch, as Docker does.
    ns = mtime_ns if -_LARGEST_NS <= mtime_ns <= _LARGEST_NS else 0
    return ns, ns
