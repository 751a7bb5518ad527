"""Scopes, their sockets and tokens, in requests and answers. Docker has no such thing."""

from msgspec import Struct


class SocketBody(Struct, frozen=True, rename="pascal"):
    """``POST /boxship/sockets/create``: what a scope is to be.

    ``allow`` as people write it: ``containers:read,logs``. With ``token`` it has a token instead of
    a socket.
    """

    name: str = ""
    allow: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    token: bool = False
    group: str = ""


class SocketRow(Struct, frozen=True, rename="pascal"):
    """A scope. ``kind`` is ``socket`` or ``token``; ``path`` is empty for a token."""

    name: str
    kind: str
    allow: tuple[str, ...]
    labels: dict[str, str]
    path: str
    group: str
    created: str


class SocketMade(SocketRow, frozen=True, rename="pascal"):
    """A new scope; its ``token`` is told this once."""

    token: str = ""
