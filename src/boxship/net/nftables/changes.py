"""What other programs do to nf_tables, as the kernel announces it."""

import errno
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass

from boxship.net.netlink.codec import Answer, parse, string
from boxship.net.netlink.sockets import NETFILTER, NetlinkSocket
from boxship.net.nftables import numbers
from boxship.net.nftables.numbers import Kind

_BODY = 4
_STRUCTURE = frozenset((
    Kind.NEW_TABLE, Kind.DELETE_TABLE, Kind.NEW_CHAIN, Kind.DELETE_CHAIN,
    Kind.NEW_RULE, Kind.DELETE_RULE,
))  # fmt: skip
_IN_SETS = frozenset((Kind.NEW_SET, Kind.DELETE_SET, Kind.NEW_ELEMENT, Kind.DELETE_ELEMENT))


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody has changed a table; ``structure`` is more than elements of sets."""

    family: int
    table: str
    structure: bool


class Changes:
    """Changes in the namespace of the thread that makes this, from then on."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETFILTER, groups=(numbers.GROUP_NFTABLES,))
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._socket.fileno(), select.POLLIN)
        self._poll.register(self._stop, select.POLLIN)

    def wait(self, not_by: Iterable[int], timeout: float | None) -> set[Change] | None:
        """Return what others than the sockets of these ports changed, after ``timeout`` nothing.

        None: ``stop`` was called. ``OSError`` ENOBUFS: some changes were lost.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(end - time.monotonic(), 0) * 1000
            ready = dict(self._poll.poll(left))
            if self._stop in ready:
                return None
            if not ready:
                return set()
            if found := changed(self._socket.receive(), not_by):
                return found

    def stop(self) -> None:
        """Have ``wait`` return None, now and always; from any thread."""
        os.eventfd_write(self._stop, 1)

    def close(self) -> None:
        """Let go of the kernel's side."""
        self._socket.close()
        os.close(self._stop)


def changed(answers: Iterable[Answer], not_by: Iterable[int]) -> set[Change]:
    """Return the changes in these notifications, but for those that such ports have caused."""
    ours = frozenset(not_by)
    return {
        Change(answer.body[0], string(parse(answer.body, _BODY).get(1, b"")), structure)
        for answer in answers
        if answer.port not in ours
        and ((structure := answer.kind in _STRUCTURE) or answer.kind in _IN_SETS)
    }


def were_lost(error: OSError) -> bool:
    """Tell whether an error of ``wait`` says that the socket's buffer was full."""
    return error.errno == errno.ENOBUFS
