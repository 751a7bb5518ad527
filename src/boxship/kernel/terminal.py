"""Pseudo-terminals."""

import errno
import fcntl
import os
import struct

# As in `termios`, which would be loaded for these three numbers at every start of a container.
_TIOCSCTTY = 0x540E
_TIOCGWINSZ = 0x5413
_TIOCSWINSZ = 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_TIOCGPTN = 0x80045430
PTMX_DEVICE = os.makedev(5, 2)
LARGEST = 0xFFFF
"""Lines or columns that a terminal can have."""


def open_peer(master: int) -> int:
    """Unlock a pty and return its other side without walking a path (Linux 4.13)."""
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def peer_number(master: int) -> int:
    """Return N of the peer's name ``/dev/pts/N``."""
    (number,) = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, struct.pack("i", 0)))
    return int(number)


def make_controlling(fd: int) -> None:
    """Make the terminal ``fd`` that of our session, which we lead."""
    fcntl.ioctl(fd, _TIOCSCTTY, 0)


def set_window_size(fd: int, height: int, width: int) -> None:
    """Tell a terminal its size in characters; the foreground process group gets SIGWINCH."""
    if not (0 <= height <= LARGEST and 0 <= width <= LARGEST):
        raise OSError(errno.EINVAL, f"a terminal of {height} lines by {width} columns")
    fcntl.ioctl(fd, _TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def window_size(fd: int) -> tuple[int, int]:
    """Return a terminal's height and width in characters."""
    raw = fcntl.ioctl(fd, _TIOCGWINSZ, bytes(8))
    height, width, _, _ = struct.unpack("HHHH", raw)
    return height, width
