"""Where a connection came in: what a listening socket says of everybody who connects to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entrance:
    """One kind of door to the API.

    ``scope`` names the scope that everybody has who comes in here; empty: no limits.
    ``by_token``: nobody has anything here but what the token of a request allows.
    """

    scope: str = ""
    by_token: bool = False


MAIN = Entrance()
"""The door of those who may do everything."""
