"""Sockets of scopes, opened and closed while the daemon serves.

::

    <exec root>/sockets/<scope>/boxship.sock      0660, or 0600 without a group

Each has a directory of its own. A container that is to have one gets the directory: the socket in
it is made anew with each daemon, and a mount of the old one would lead nowhere.
"""

import os
import shutil

from boxship.api.http.entrance import Entrance
from boxship.api.http.server import Server
from boxship.base.errors import UnavailableError
from boxship.daemon.listeners import group_id, open_unix
from boxship.engine.access.scope import Scope

_FILE = "boxship.sock"


class ScopeDoors:
    """See ``boxship.engine.access.service.Doors``."""

    def __init__(self, exec_root: str, server: Server) -> None:
        self._directory = f"{exec_root}/sockets"
        self._server = server

    def path(self, scope: Scope) -> str:
        """Return where a scope's socket is."""
        return f"{self._directory}/{scope.name}/{_FILE}"

    async def open(self, scope: Scope) -> None:
        """Let people in. InvalidArgumentError: there is no such group; else UnavailableError."""
        group = group_id(scope.group) if scope.group else None
        try:
            os.makedirs(f"{self._directory}/{scope.name}", 0o755, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"can't make the socket's directory: {error}") from error
        sock = open_unix(self.path(scope), group, 0o660 if scope.group else 0o600)
        await self._server.listen(sock, entrance=Entrance(scope.name))

    async def close(self, scope: Scope) -> None:
        """Let nobody in any more, and send those away who are in."""
        self._server.shut(Entrance(scope.name))
        shutil.rmtree(f"{self._directory}/{scope.name}", ignore_errors=True)
