"""A plugin that can be asked for one capability."""

from collections.abc import Callable
from dataclasses import dataclass

from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient


def _as_it_is(path: str) -> str:
    return path


@dataclass(frozen=True, eq=False)
class Provider:
    """``name`` is the whole one (``vieux/sshfs:latest``), which records keep."""

    name: str
    capabilities: frozenset[Capability]
    client: PluginClient
    managed: bool = False
    host_path: Callable[[str], str] = _as_it_is
    """Where on the host a path is that the plugin names: it may see a file system of its own."""
