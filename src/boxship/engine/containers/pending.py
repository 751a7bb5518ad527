"""Clients that attached before the start: held here until the shim takes their connections.

A client may go away meanwhile. Reading to find out is not possible, because what it has typed
belongs to the container; so an epoll of our own watches for hang-up and nothing else. (A TCP client
that closes looks like one that has merely ended its input; the shim finds out when it writes.)
"""

import asyncio
import contextlib
import os
import select
from collections.abc import Callable
from dataclasses import dataclass, field

from boxship.runtime.messages import Attachment


@dataclass(eq=False)
class PendingAttachment:
    """One such client. Owns ``fd`` until :meth:`close` or :meth:`take`."""

    fd: int
    attachment: Attachment
    watch: "HangupWatch"
    on_hangup: Callable[["PendingAttachment"], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.watch.add(self)

    def take(self) -> int:
        """Give the descriptor to the caller."""
        self.watch.discard(self.fd)
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Hang up."""
        if self.fd >= 0:
            os.close(self.take())


class HangupWatch:
    """Tells when a waiting client has hung up. Belongs to one event loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, PendingAttachment] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._look)

    def add(self, attachment: PendingAttachment) -> None:
        self._waiting[attachment.fd] = attachment
        self._epoll.register(attachment.fd, select.EPOLLHUP | select.EPOLLERR)

    def discard(self, fd: int) -> None:
        if self._waiting.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def close(self) -> None:
        """Hang up on everybody and stop watching."""
        for attachment in tuple(self._waiting.values()):
            attachment.close()
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            attachment = self._waiting.get(fd)
            if attachment is not None:
                attachment.close()
                attachment.on_hangup(attachment)
