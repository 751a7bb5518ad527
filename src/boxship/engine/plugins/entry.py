"""The way to plugins, which loads what it takes when somebody first asks for one."""

import asyncio
import os
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from boxship.engine.settings import PluginSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from boxship.engine.plugins.service import Plugins, Watcher


class PluginEntry:
    """Call it for the :class:`Plugins` of an engine."""

    def __init__(self, settings: PluginSettings) -> None:
        self._settings = settings
        self._users: list[Callable[[str], Iterable[str]]] = []
        self._watchers: list[Watcher] = []
        self.loaded: Plugins | None = None
        """``None``: nobody has asked for any yet."""

    @property
    def is_any(self) -> bool:
        """Tell whether there may be a plugin, without loading anything."""
        return self.loaded is not None or any(map(_has_entries, self._settings.directories))

    def __call__(self) -> "Plugins":
        if self.loaded is None:
            service = import_module("boxship.engine.plugins.service")
            self.loaded = cast("Plugins", service.Plugins(self._settings))
            for users in self._users:
                self.loaded.add_users(users)
            for watcher in self._watchers:
                self.loaded.watch(watcher)
        return self.loaded

    async def close(self, *, leave: bool) -> None:
        """Let go; ``leave``: containers go on, and with them processes of packages' plugins."""
        if not leave and _has_entries(self._settings.hosted):
            await asyncio.to_thread(self().stop_hosted)

    def add_users(self, users: "Callable[[str], Iterable[str]]") -> None:
        """Say whom to ask who uses plugins, as :meth:`Plugins.add_users`."""
        self._users.append(users)
        if self.loaded is not None:
            self.loaded.add_users(users)

    def watch(self, watcher: "Watcher") -> None:
        """Have somebody told about plugins, as :meth:`Plugins.watch`."""
        self._watchers.append(watcher)
        if self.loaded is not None:
            self.loaded.watch(watcher)


def _has_entries(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
