"""What happens on a gRPC connection, as ``connection.Connection`` tells it."""

from dataclasses import dataclass

from boxship.wire.grpc.metadata import Metadata
from boxship.wire.grpc.status import Status


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The peer calls ``path`` (``/package.Service/Method``). Of servers."""

    stream: int
    path: str
    metadata: Metadata
    timeout: float | None
    """Seconds in which the caller wants it done."""


@dataclass(frozen=True, slots=True)
class HeadersReceived:
    """The answer to a call begins. Of clients."""

    stream: int
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class MessagesReceived:
    """Messages of a call, in order.

    The peer may send ``size`` bytes more once ``Connection.consumed`` has heard of them.
    """

    stream: int
    messages: list[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The caller has sent its last message. Of servers."""

    stream: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over, with the server's status or a reset. Of clients."""

    stream: int
    status: Status
    trailers: Metadata


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """The caller doesn't want an answer any more. Of servers."""

    stream: int


@dataclass(frozen=True, slots=True)
class Drained:
    """All that was queued for a call has left: more may be sent."""

    stream: int


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """No call goes on, and none can be made; ``reason`` is for a person."""

    reason: str


Event = (
    CallStarted
    | HeadersReceived
    | MessagesReceived
    | InputEnded
    | CallEnded
    | CallCancelled
    | Drained
    | ConnectionClosed
)
