"""Where a managed plugin's things lie::

<data-root>/plugins/                   storage of its own (``storage/root.py``): blobs are kept
    containers/, snapshots/ …          as of containers; a plugin's tree is a plain directory
    propagated/<id>/                   what it mounts in its propagated mount
<exec-root>/plugins/                   shims and the like, as of containers
    s/<12 digits of the id>/<socket>   its socket: short, because a socket's path is bounded
"""

import contextlib
import os
import posixpath
import shutil
from collections.abc import Collection
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.base.ids import short_id
from boxship.engine.managed.record import PluginRecord
from boxship.engine.plugins import measuring
from boxship.engine.plugins.provider import HostPath
from boxship.kernel import mounts as k
from boxship.plugin.capability import Capability

RUN = "/run/docker/plugins"
"""Where a plugin finds the directory of its socket."""
_LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (unix(7))."""


@dataclass(frozen=True)
class Places:
    """The directories of all plugins."""

    data_root: str
    exec_root: str
    metrics: str
    """The directory of the engine's metrics (``engine/plugins/measuring.py``)."""

    @classmethod
    def below(cls, data_root: str, exec_root: str) -> "Places":
        """Return the places of the engine that has these roots."""
        metrics = measuring.directory(exec_root)
        return cls(f"{data_root}/plugins", f"{exec_root}/plugins", metrics)

    @staticmethod
    def collects(record: PluginRecord) -> bool:
        """Tell whether a plugin is to see the engine's metrics."""
        return Capability.METRICS.interface in record.types

    def run(self, record: PluginRecord) -> str:
        """Return the directory of its socket."""
        return f"{self.exec_root}/s/{short_id(record.id)}"

    def socket(self, record: PluginRecord) -> str:
        return f"{self.run(record)}/{record.config.interface.socket}"

    def check(self, record: PluginRecord) -> None:
        """Raise InvalidArgumentError if no socket can have the path of the plugin's."""
        length = len(os.fsencode(self.socket(record)))
        if length > _LONGEST_SOCKET:
            raise InvalidArgumentError(
                f"plugin {record.name}: the path of its socket would have {length} bytes, "
                f"{_LONGEST_SOCKET} at most: start the daemon with a shorter --exec-root"
            )

    def propagated(self, record: PluginRecord) -> str:
        return f"{self.data_root}/propagated/{record.id}"

    def prepare(self, record: PluginRecord) -> None:
        """Make both, before the plugin starts. OSError.

        A socket of an earlier run goes: who binds it again would be told that it is in use.
        """
        shutil.rmtree(self.run(record), ignore_errors=True)
        os.makedirs(self.run(record), 0o700)
        if self.collects(record):
            os.makedirs(f"{self.metrics}/{posixpath.basename(RUN)}", 0o755, exist_ok=True)
        if record.config.propagated_mount:
            place = self.propagated(record)
            os.makedirs(place, 0o755, exist_ok=True)
            if not _is_mounted(place):
                k.mount(place, place, "", k.MS_BIND)
            k.mount("", place, "", k.MS_SHARED)  # also after a daemon that was killed in between

    def strangers(self, known: Collection[str]) -> list[str]:
        """Clear what plugins have left that are not ``known``; return what is to be thrown away."""
        short = {short_id(plugin_id) for plugin_id in known}
        for name, path in _entries(f"{self.exec_root}/s"):
            if name not in short:
                shutil.rmtree(path, ignore_errors=True)
        left = [
            path for name, path in _entries(f"{self.data_root}/propagated") if name not in known
        ]
        for path in left:
            _unmount(path)
        return left

    def let_go(self, record: PluginRecord) -> None:
        """Unmount what it had mounted, after its end."""
        _unmount(self.propagated(record))
        shutil.rmtree(self.run(record), ignore_errors=True)


def host_path(
    record: PluginRecord, path: str, propagated: str, tree: str, metrics: str = ""
) -> HostPath:
    """Return where on the host a path is that a plugin names, which sees another file system.

    Below its propagated mount, in a mount from the host, or among its own files. Pure.
    """
    path = posixpath.normpath(f"/{path.lstrip('/')}")
    places = [
        (mount.destination, mount.source)
        for mount in record.settings.mounts
        if mount.source and mount.type == "bind"
    ]
    if record.config.propagated_mount:
        places.append((record.config.propagated_mount, propagated))
    if metrics:
        places.append((measuring.INSIDE, metrics))
    mapped = [(posixpath.normpath(inside), outside) for inside, outside in places]
    for inside, outside in sorted(mapped, key=lambda place: len(place[0]), reverse=True):
        if path == inside or path.startswith(f"{inside}/"):
            return HostPath(outside, path[len(inside) :])
    return HostPath(tree, path)


def _entries(directory: str) -> list[tuple[str, str]]:
    try:
        return [(name, f"{directory}/{name}") for name in os.listdir(directory)]
    except FileNotFoundError:
        return []


def _unmount(path: str) -> None:
    with contextlib.suppress(OSError):
        while _is_mounted(path):
            k.umount2(path, k.MNT_DETACH)


def _is_mounted(path: str) -> bool:
    """Tell whether something is mounted on ``path``, be it a part of the same file system."""
    written = path.replace(" ", "\\040")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return any(line.split(" ", 5)[4] == written for line in file)
