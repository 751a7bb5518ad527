"""What an endpoint may be asked for."""

from enum import Enum, auto


class Capability(Enum):
    """The words are those of ``hosts.toml``."""

    PULL = auto()
    """Content, by digest."""
    RESOLVE = auto()
    """What a tag means."""
    PUSH = auto()


EVERYTHING = frozenset(Capability)
READING = frozenset({Capability.PULL, Capability.RESOLVE})
