"""Terminals: handing a pty's master to who asked for it, or being its user's end ourselves."""

import os
import select
import signal
import socket
import termios
import tty

from boxship.kernel.terminal import set_window_size, window_size

_ONLCR = 0o4
_CHUNK = 32768


def be_our_terminal(master: int) -> None:
    """Prepare a pty that we will show on our own terminal, before anybody looks at it.

    It has our terminal's size, and newlines come out as they went in: ours sees to the carriage
    returns.
    """
    if os.isatty(0):
        set_window_size(master, *window_size(0))
    attributes = termios.tcgetattr(master)
    attributes[1] &= ~_ONLCR
    termios.tcsetattr(master, termios.TCSANOW, attributes)


def send_master(path: str, master: int) -> None:
    """Send the master to the unix socket ``path``, named as others name it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as endpoint:
        directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_CLOEXEC)
        try:
            # A path may be longer than a socket's address can be.
            endpoint.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        finally:
            os.close(directory)
        socket.send_fds(endpoint, [b"/dev/ptmx"], [master])


class Proxy:
    """Our terminal and a container's pty, connected until the process has ended."""

    def __init__(self, master: int, pidfd: int) -> None:
        self._master, self._pidfd = master, pidfd
        self._saved = termios.tcgetattr(0) if os.isatty(0) else None

    def run(self) -> None:
        """Copy both ways; return when the process has ended and all it said is written."""
        self._resize()
        signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        try:
            if self._saved:
                tty.setraw(0)
            self._copy()
        finally:
            if self._saved:
                termios.tcsetattr(0, termios.TCSAFLUSH, self._saved)

    def _resize(self) -> None:
        if self._saved:
            set_window_size(self._master, *window_size(0))

    def _copy(self) -> None:
        """Copy until the process has ended and the pty is empty.

        What is typed waits in a buffer while the process does not read it, so that neither what
        the process says nor its end goes unnoticed meanwhile.
        """
        os.set_blocking(self._master, False)
        typed, listening, ended = b"", True, False
        while True:
            poller = select.poll()
            poller.register(self._master, select.POLLIN | (select.POLLOUT if typed else 0))
            if listening and not typed:
                poller.register(0, select.POLLIN)
            if not ended:
                poller.register(self._pidfd, select.POLLIN)
            ready = dict(poller.poll(0 if ended else None))
            ended = ended or self._pidfd in ready
            events = ready.get(self._master, 0)
            if events & ~select.POLLOUT:
                said = _read(self._master)
                if not said:
                    return
                _write_all(1, said)
            elif ended:
                return
            if 0 in ready:
                typed = _read(0)
                listening = bool(typed)
            elif events & select.POLLOUT:
                typed = typed[_write(self._master, typed) :]


def _read(fd: int) -> bytes:
    """Return what is there; nothing at its end, which for a pty is an error."""
    try:
        return os.read(fd, _CHUNK)
    except OSError:  # EIO: nobody has the other side any more
        return b""


def _write(fd: int, data: bytes) -> int:
    """Return how many bytes were taken; all, when nobody will ever read them."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0
    except OSError:  # EIO
        return len(data)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
