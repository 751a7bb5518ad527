"""A netlink socket that sends batches and collects what the kernel says.

The kernel works through a request inside ``sendmsg(2)``, so when that returns, every answer is
waiting (only a dump goes on while it is read). Nothing here therefore waits, and an answer that is
missing is an error instead of a hang. Of a batch the last message alone asks for an
acknowledgement: refusals are reported in any case, and fifty acknowledgements less are fifty
allocations less.
"""

import errno
import os
import socket
import threading
from collections.abc import Iterable, Sequence

from boxship.base.closing import Closing
from boxship.net.netlink import codec
from boxship.net.netlink.codec import Answer, Message

ROUTE = 0
SOCK_DIAG = 4
NETFILTER = 12
GENERIC = 16

_SOL_NETLINK = 270
_ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK, _GET_STRICT_CHK = 1, 10, 11, 12
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_CAPPED, _HAS_ATTRIBUTES = 0x100, 0x200
_ERROR_TEXT = 1
_BUFFER = 1 << 16
_MOST_ATTEMPTS = 5


class NetlinkError(OSError):
    """The kernel refused. ``errno`` is its number; the text names operation, object and reason.

    ``position`` is the index in the batch of the message that was refused, ``reason`` the kernel's
    own words (extended acknowledgement) or "".
    """

    def __init__(self, number: int, message: Message, reason: str = "", position: int = 0) -> None:
        super().__init__(number, os.strerror(number))
        self.operation, self.subject = message.operation, message.subject
        self.reason, self.position = reason, position

    def __str__(self) -> str:
        what = f"{self.operation} {self.subject}".rstrip()
        return f"{what}: {self.strerror}" + (f" ({self.reason})" if self.reason else "")


class NetlinkSocket(Closing):
    """A socket of one netlink protocol in the network namespace of the thread that made it.

    It stays in that namespace, whichever thread uses it, and keeps it alive. Thread-safe: requests
    of several threads follow one another. ``groups`` are multicast groups to listen to; a socket
    that listens is for ``receive`` alone.
    """

    def __init__(self, protocol: int, *, groups: Iterable[int] = ()) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        self._lock = threading.Lock()
        self._sequence = 0
        self._room = 100_000
        try:
            for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor, for ``poll`` and the like."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The number that the kernel knows this socket by, as in ``Answer.port``."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self._socket.close()

    def request(
        self, messages: Sequence[Message], *, acknowledged: int | None = None
    ) -> list[Answer]:
        """Send all in one datagram, and return what was answered beside acknowledgements.

        Not for dumps. ``acknowledged`` is the index of the message that asks for it, if not the
        last: with nf_tables the one before the batch's end, which older kernels never acknowledge.
        Raises ``NetlinkError`` for the first that was refused; whether those after it were carried
        out is up to the subsystem: routing does, nf_tables takes all or nothing.
        """
        if not messages:
            return []
        with self._lock:
            first = self._sequence + 1
            self._sequence += len(messages)
            last = len(messages) - 1 if acknowledged is None else acknowledged
            self._send(_batch(messages, first, last))
            return self._collect(messages, first, first + last)

    def dump(self, message: Message) -> list[Answer]:
        """Return all parts of an answer; begins again if the kernel's tables changed meanwhile."""
        with self._lock:
            for _ in range(_MOST_ATTEMPTS):
                self._sequence += 1
                flags = codec.REQUEST | codec.DUMP
                self._send(codec.encoded(message, self._sequence, flags))
                answers, interrupted = self._parts(message)
                if not interrupted:
                    return answers
            raise NetlinkError(errno.EBUSY, message, "the tables keep changing")

    def receive(self) -> list[Answer]:
        """Wait for notifications. ``OSError`` ENOBUFS: some were lost, look at everything."""
        return list(codec.decoded(self._socket.recv(_BUFFER)))

    def _send(self, data: bytes) -> None:
        if len(data) > self._room:
            # Bookkeeping counts against it as well, hence twice.
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 2 * len(data))
            self._room = len(data)
        self._socket.sendto(data, (0, 0))

    def _collect(self, messages: Sequence[Message], first: int, last: int) -> list[Answer]:
        answers: list[Answer] = []
        refused: NetlinkError | None = None
        answered = False
        while (data := self._waiting()) is not None:
            for answer in codec.decoded(data):
                position = answer.sequence - first
                if not 0 <= position < len(messages):
                    continue  # of a request that was given up
                if answer.kind != codec.ERROR:
                    answers.append(answer)
                    continue
                answered = answered or answer.sequence == last
                refused = refused or _refusal(answer, messages[position], position)
        if refused is not None:
            raise refused
        if not answered:
            raise NetlinkError(errno.EPROTO, messages[-1], "the kernel did not answer")
        return answers

    def _parts(self, message: Message) -> tuple[list[Answer], bool]:
        answers: list[Answer] = []
        interrupted = False
        while (data := self._waiting()) is not None:
            for answer in codec.decoded(data):
                if answer.sequence != self._sequence:
                    continue
                interrupted = interrupted or bool(answer.flags & codec.DUMP_INTERRUPTED)
                if answer.kind == codec.DONE:
                    _raise_if_refused(answer, message)
                    return answers, interrupted
                if answer.kind == codec.ERROR:
                    _raise_if_refused(answer, message)
                    return answers, interrupted
                answers.append(answer)
        raise NetlinkError(errno.EPROTO, message, "the kernel's answer has no end")

    def _waiting(self) -> bytes | None:
        try:
            return self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None


def _batch(messages: Sequence[Message], first: int, acknowledged: int) -> bytes:
    parts = []
    for number, message in enumerate(messages):
        flags = codec.REQUEST | codec.ACK if number == acknowledged else codec.REQUEST
        parts.append(codec.encoded(message, first + number, flags))
    return b"".join(parts)


def _raise_if_refused(answer: Answer, message: Message) -> None:
    if (refused := _refusal(answer, message, 0)) is not None:
        raise refused


def _refusal(answer: Answer, message: Message, position: int) -> NetlinkError | None:
    """Read NLMSG_ERROR (or the number in NLMSG_DONE); None is an acknowledgement."""
    number = codec.I32.unpack_from(answer.body)[0] if len(answer.body) >= codec.I32.size else 0
    if number == 0:
        return None
    reason = ""
    if answer.flags & _HAS_ATTRIBUTES:
        start = codec.I32.size
        if answer.kind == codec.ERROR:
            (length,) = codec.U32.unpack_from(answer.body, start)
            start += codec.HEADER.size if answer.flags & _CAPPED else codec.aligned(length)
        reason = codec.string(codec.parse(answer.body, start).get(_ERROR_TEXT, b""))
    return NetlinkError(-number, message, reason, position)
