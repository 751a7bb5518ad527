"""One end of a connection that keeps messages apart and carries descriptors.

Below the standard module ``socket``, whose enumerations and selectors take 5 ms to load.
"""

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGER = 4


class Channel(_socket.socket):
    """A SOCK_SEQPACKET socket; a ``with`` closes it."""

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send_with(self, message: bytes, descriptors: "Sequence[int]") -> None:
        """Send a message and duplicates of ``descriptors``."""
        numbers = b"".join(fd.to_bytes(_INTEGER, "little") for fd in descriptors)
        self.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)])

    def say(self, message: bytes) -> None:
        """Send a message; raise BrokenPipeError, without a signal, if nobody is there."""
        self.send(message, _socket.MSG_NOSIGNAL)

    def receive(self, size: int, descriptors: int = 1) -> tuple[bytes, list[int]]:
        """Return the next message, empty at the end, and what came with it, close-on-exec."""
        message, ancillary, _, _ = self.recvmsg(
            size, _socket.CMSG_SPACE(_INTEGER * descriptors), _socket.MSG_CMSG_CLOEXEC
        )
        return message, [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]


def channel_pair() -> tuple[Channel, Channel]:
    """Return two ends, connected and close-on-exec."""
    kind = _socket.SOCK_SEQPACKET
    ends = _socket.socketpair(_socket.AF_UNIX, kind | _socket.SOCK_CLOEXEC, 0)
    one, other = (Channel(_socket.AF_UNIX, kind, 0, end.detach()) for end in ends)
    return one, other
