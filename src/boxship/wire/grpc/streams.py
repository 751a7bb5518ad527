"""What a connection remembers of one call."""

from dataclasses import dataclass, field

from boxship.wire.grpc.framing import Unframer
from boxship.wire.grpc.metadata import Pairs


@dataclass(slots=True)
class Stream:
    """A call that isn't over."""

    unframer: Unframer = field(default_factory=Unframer)
    held: int = 0
    """Bytes that came of messages that nobody has been told of yet."""
    queue: bytearray = field(default_factory=bytearray)
    """Messages with their prefixes, as far as they haven't left: many short ones share a frame."""
    answered: bool = False
    """Whether the first header block of the server has left, or has come."""
    input_ended: bool = False
    """Whether the client has sent its last message (servers know that)."""
    ends: bool = False
    """Whether nothing follows the queue but the end of the stream."""
    ended: bool = False
    """Whether that end has left; it may be asked for twice, when the peer makes room meanwhile."""
    trailers: Pairs | None = None
    """A server's end of the stream."""
    waiting: bool = False
    """Whether the peer had no room for all of the queue."""
