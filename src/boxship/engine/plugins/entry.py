"""The way to plugins, which loads what it takes when somebody first asks for one."""

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, cast

from boxship.engine.settings import PluginSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from boxship.engine.plugins.service import Plugins


class PluginEntry:
    """Call it for the :class:`Plugins` of an engine."""

    def __init__(self, settings: PluginSettings) -> None:
        self._settings = settings
        self._users: list[Callable[[str], Iterable[str]]] = []
        self.loaded: Plugins | None = None
        """``None``: nobody has asked for any yet."""

    def __call__(self) -> "Plugins":
        if self.loaded is None:
            service = import_module("boxship.engine.plugins.service")
            self.loaded = cast("Plugins", service.Plugins(self._settings))
            for users in self._users:
                self.loaded.add_users(users)
        return self.loaded

    def add_users(self, users: "Callable[[str], Iterable[str]]") -> None:
        """Say whom to ask who uses plugins, as :meth:`Plugins.add_users`."""
        self._users.append(users)
        if self.loaded is not None:
            self.loaded.add_users(users)
