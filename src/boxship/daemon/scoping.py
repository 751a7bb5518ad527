"""Scopes plugged into the daemon; what they need is loaded with the first of them."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from boxship.api.authorization import Scopes
from boxship.api.backend import Backend
from boxship.api.http.server import Server
from boxship.engine.engine import Engine

if TYPE_CHECKING:
    from boxship.engine.access.service import Access


class Scoping:
    """The scopes of one daemon, and the way in by them."""

    def __init__(self, engine: Engine, exec_root: str) -> None:
        self._engine = engine
        self._exec_root = exec_root
        self._server: Server | None = None
        self._entry: Scopes | None = None

    async def open(self, server: Server) -> None:
        """Open the sockets that there are, and later ones on the same server."""
        self._server = server
        if self._engine.has_scopes:
            await self.access.open_doors()

    @property
    def access(self) -> "Access":
        """All scopes, which can open their sockets."""
        access = self._engine.access
        if not access.has_doors and self._server is not None:
            doors = import_module("boxship.daemon.doors")
            access.set_doors(doors.ScopeDoors(self._exec_root, self._server))
        return access

    def entry(self, backend: Backend) -> Scopes:
        """Who answers requests within scopes."""
        if self._entry is None:
            entry = import_module("boxship.api.scoped.entry")
            self._entry = cast("Scopes", entry.ScopedEntry(self.access, backend))
        return self._entry
