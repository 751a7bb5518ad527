"""A volume plugin: every volume is a tmpfs of its own, with a size.

Its files are gone when nobody has it mounted any more, so it suits scratch space and secrets.
"""

import argparse
import ctypes
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from boxship.plugin.sdk.serving import RefusedError, serve
from boxship.plugin.sdk.volumes import Volume, VolumePlugin

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOSUID_NODEV = 0x2 | 0x4
_DETACH = 2


@dataclass
class _Kept:
    size: str
    created_at: str
    callers: set[str] = field(default_factory=set)


class RamVolumes(VolumePlugin):
    """Volumes by name; ``home`` is the directory that they are mounted in."""

    def __init__(self, home: str = "/run/ramvolumes") -> None:
        self._home = home
        self._lock = threading.Lock()
        self._volumes: dict[str, _Kept] = {}

    def create(self, name: str, options: Mapping[str, str]) -> None:
        unknown = set(options) - {"size"}
        if unknown:
            raise RefusedError(f"unknown option {sorted(unknown)[0]!r}: there is size")
        if "/" in name:
            raise RefusedError(f"{name!r}: a volume's name has no slash here")
        with self._lock:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._volumes.setdefault(name, _Kept(options.get("size", "16m"), now))

    def remove(self, name: str) -> None:
        with self._lock:
            if self._known(name).callers:
                raise RefusedError(f"{name} is mounted")
            del self._volumes[name]
        shutil.rmtree(self._place(name), ignore_errors=True)

    def mount(self, name: str, caller: str) -> str:
        place = self._place(name)
        with self._lock:
            kept = self._known(name)
            if not kept.callers:
                os.makedirs(place, 0o755, exist_ok=True)
                _mount_tmpfs(place, kept.size)
            kept.callers.add(caller)
        return place

    def unmount(self, name: str, caller: str) -> None:
        with self._lock:
            kept = self._known(name)
            kept.callers.discard(caller)
            if not kept.callers:
                _LIBC.umount2(os.fsencode(self._place(name)), _DETACH)

    def get(self, name: str) -> Volume:
        with self._lock:
            return self._shown(name, self._known(name))

    def list(self) -> list[Volume]:
        with self._lock:
            return [self._shown(name, kept) for name, kept in self._volumes.items()]

    def _known(self, name: str) -> _Kept:
        kept = self._volumes.get(name)
        if kept is None:
            raise RefusedError(f"no such volume: {name}")
        return kept

    def _shown(self, name: str, kept: _Kept) -> Volume:
        mounted = self._place(name) if kept.callers else ""
        return Volume(name, mounted, kept.created_at, {"size": kept.size})

    def _place(self, name: str) -> str:
        return f"{self._home}/{name}"


def _mount_tmpfs(place: str, size: str) -> None:
    options = f"size={size},mode=0755".encode()
    if _LIBC.mount(b"tmpfs", os.fsencode(place), b"tmpfs", _NOSUID_NODEV, options) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise RefusedError(f"a tmpfs of size {size} cannot be mounted: {reason}")


def main() -> None:
    """Serve the plugin until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", default="/run/docker/plugins/ramvolumes.sock")
    parser.add_argument("--home", default="/run/ramvolumes")
    arguments = parser.parse_args()
    serve(arguments.socket, RamVolumes(arguments.home))


if __name__ == "__main__":
    main()
