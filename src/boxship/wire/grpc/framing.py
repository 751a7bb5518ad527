"""Messages on a stream of bytes: one byte "compressed", four bytes length, the message.

``LONGEST`` is what BuildKit's own ends accept; who sends more is cut off before it is all here.
"""

from boxship.wire.grpc.status import Code, GrpcError

LONGEST = 16 * 1024 * 1024
_PREFIX = 5


def framed(message: bytes) -> bytes:
    """Return a message with its prefix."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Unframer:
    """Takes bytes as they come and returns messages as they become whole."""

    __slots__ = ("_buffer", "_longest")

    def __init__(self, longest: int = LONGEST) -> None:
        self._buffer = b""
        self._longest = longest

    @property
    def waiting(self) -> int:
        """How many bytes there are of a message that isn't whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now. GrpcError for a prefix that can't be."""
        if self._buffer:
            data = self._buffer + data
        messages = []
        at, end = 0, len(data)
        while end - at >= _PREFIX:
            length = int.from_bytes(data[at + 1 : at + _PREFIX], "big")
            self._check(data[at], length)
            if end - at - _PREFIX < length:
                break
            at += _PREFIX
            messages.append(data[at : at + length])
            at += length
        self._buffer = data[at:] if at else data
        return messages

    def _check(self, compressed: int, length: int) -> None:
        if compressed:
            raise GrpcError(Code.UNIMPLEMENTED, "compressed messages are not supported")
        if length > self._longest:
            raise GrpcError(
                Code.RESOURCE_EXHAUSTED,
                f"a message of {length} bytes is longer than the {self._longest} allowed",
            )
