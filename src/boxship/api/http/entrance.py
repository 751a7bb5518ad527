"""Where a connection came in: what a listening socket says of everybody who connects to it."""

from dataclasses import dataclass
from enum import Enum, auto


class Tokens(Enum):
    """What a token that a request shows is for."""

    IGNORED = auto()
    TAKEN = auto()
    """Who shows one has its limits; who shows none has what the door gives."""
    DEMANDED = auto()
    """Nobody has anything here but what a token gives."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """One kind of door to the API.

    ``scope`` names the scope whose limits everybody has who comes in here; empty: no limits.
    """

    scope: str = ""
    tokens: Tokens = Tokens.IGNORED


MAIN = Entrance()
"""The door of those who may do everything, and whom nothing but the socket's mode tells apart."""
