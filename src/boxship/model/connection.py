"""A connection of a container that its egress rules looked at, as the log and the API tell it."""

from msgspec import Struct


class Connection(Struct, frozen=True):
    """``time`` is RFC 3339; ``verdict`` allow or deny; ``port`` 0 where the protocol has none.

    ``names`` are those that the container was told the destination for. ``repeated`` counts the
    same ones that were left out of the log before this one.
    """

    time: str
    verdict: str
    container: str
    name: str
    source: str
    destination: str
    protocol: str
    port: int = 0
    names: tuple[str, ...] = ()
    repeated: int = 0
