"""A plugin that can be asked for one capability."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from boxship.base.files import opened
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path that a plugin has named, on the host: ``path`` below ``root``.

    What lies below ``root`` is the plugin's to write, links included; so these lead nowhere beyond
    it. Without a ``root`` the plugin sees what the host sees.
    """

    root: str
    path: str

    def __str__(self) -> str:
        return self.root + self.path

    def open_directory(self) -> int:
        """Return a descriptor (``O_PATH``) of the directory. OSError: there is none."""
        flags = os.O_PATH | os.O_DIRECTORY
        if not self.root:
            return os.open(self.path, flags | os.O_CLOEXEC)
        with opened(self.root, flags) as root:
            return openat2(root, self.path.lstrip("/") or ".", flags, RESOLVE_IN_ROOT)


def _as_it_is(path: str) -> HostPath:
    return HostPath("", path)


@dataclass(frozen=True, eq=False)
class Provider:
    """``name`` is the whole one (``vieux/sshfs:latest``), which records keep."""

    name: str
    capabilities: frozenset[Capability]
    client: PluginClient
    managed: bool = False
    host_path: Callable[[str], HostPath] = _as_it_is
    """Where on the host a path is that the plugin names: it may see a file system of its own."""
