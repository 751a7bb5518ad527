"""What several of BuildKit's packages use: times, statuses, bytes."""

from typing import Annotated

from boxship.wire.protobuf import Message


class Timestamp(Message, frozen=True):
    """``google.protobuf.Timestamp``."""

    seconds: Annotated[int, 1] = 0
    nanos: Annotated[int, 2] = 0

    @classmethod
    def of_ns(cls, nanoseconds: int) -> "Timestamp":
        seconds, nanos = divmod(nanoseconds, 1_000_000_000)
        return cls(seconds, nanos)

    @property
    def ns(self) -> int:
        return self.seconds * 1_000_000_000 + self.nanos


class Any(Message, frozen=True):
    """``google.protobuf.Any``."""

    type_url: Annotated[str, 1] = ""
    value: Annotated[bytes, 2] = b""


class RpcStatus(Message, frozen=True):
    """``google.rpc.Status``: how a call ended, with details for programs."""

    code: Annotated[int, 1] = 0
    message: Annotated[str, 2] = ""
    details: Annotated[tuple[Any, ...], 3] = ()


class Empty(Message, frozen=True):
    """A message without fields."""


class BytesMessage(Message, frozen=True):
    """A piece of a stream of bytes: of sessions, uploads, exported files, agents."""

    data: Annotated[bytes, 1] = b""
