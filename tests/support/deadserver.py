"""A file system whose server does not answer: whoever looks at what is in it waits.

A FUSE file system of our own: unlike an NFS server's its death can be had, and ended, at once.
"""

import os
import select
import struct
import threading
from types import TracebackType
from typing import Self

from boxship.kernel.mounts import MNT_DETACH, mount, umount2

_INIT = 26
_REQUEST = struct.Struct("<IIQ")
"""Of ``fuse_in_header``: length, opcode, unique number."""
_READY = struct.pack("<IIIIHHII", 7, 31, 0, 0, 0, 0, 1 << 16, 1).ljust(64, b"\0")
"""``fuse_init_out`` of version 7.31."""
_AT_MOST = 5.0


class DeadServer:
    """`with DeadServer(directory) as server:`; what is asked there fails when it ends."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.asked = threading.Event()
        """Somebody waits for an answer."""

    def __enter__(self) -> Self:
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._stop, self._stopped = os.pipe()
        options = f"fd={self._fd},rootmode=40000,user_id=0,group_id=0"
        mount("dead", self._place, "fuse", 0, options)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def _serve(self) -> None:
        polled = select.poll()
        polled.register(self._stop, select.POLLIN)
        polled.register(self._fd, select.POLLIN)
        while self._stop not in dict(polled.poll()):
            _, opcode, unique = _REQUEST.unpack_from(os.read(self._fd, 1 << 17))
            if opcode == _INIT:
                os.write(self._fd, struct.pack("<IiQ", 16 + len(_READY), 0, unique) + _READY)
                continue
            self.asked.set()
            polled.unregister(self._fd)
            # Who is held up by us may be the one who would end this: not for ever.
            polled.poll(1000 * _AT_MOST)
            break
        os.close(self._fd)

    def end(self) -> None:
        """Let those who wait go on, with an error."""
        os.write(self._stopped, b".")
        self._thread.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        umount2(self._place, MNT_DETACH)
        os.close(self._stop)
        os.close(self._stopped)
