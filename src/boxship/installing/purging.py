"""The end of an installation's data. Everything is looked at before the first file goes."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Sequence

from boxship.base.errors import ConflictError, InvalidArgumentError, UnavailableError
from boxship.base.files import opened
from boxship.installing.layout import Layout

_LOCK = "boxshipd.lock"
"""Every daemon leaves it in its roots: a directory without it is nobody's to remove."""


def roots(layout: Layout) -> list[str]:
    """Return the machine's data root and exec root, as ``daemon.json`` has them, and its own."""
    path = layout.outside(f"{layout.configuration}/daemon.json")
    configured: dict[str, object] = {}
    try:
        with open(path, encoding="utf-8") as stream:
            configured = json.loads(stream.read() or "{}")
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise InvalidArgumentError(f"{path}: {error}: which data is to go?") from error
    if not isinstance(configured, dict):
        raise InvalidArgumentError(f"{path}: an object is needed, as {{…}}: which data is to go?")
    found = []
    for key, default in (("data-root", "/var/lib/boxship"), ("exec-root", "/run/boxship")):
        place = layout.outside(str(configured.get(key, default)))
        if os.path.exists(f"{place}/{_LOCK}"):
            found.append(place)
    return found


def check_purge(places: Sequence[str]) -> None:
    """Raise ConflictError if containers run, or something is mounted below the places."""
    alive = [
        name
        for place in places
        for name in _entries(f"{place}/c")
        if _runs(f"{place}/c/{name}/shim.pid")
    ]
    if alive:
        shown = ", ".join(name[:12] for name in alive[:5])
        raise ConflictError(
            f"{len(alive)} containers run ({shown}): stop them first, by boxship stop"
        )
    mounted = sorted(path for path in _mounts() if _below(path, places))
    if mounted:
        raise ConflictError(f"still mounted: {', '.join(mounted[:5])}: unmount them first")


def check_free(places: Sequence[str]) -> None:
    """Raise ConflictError if a daemon works in one of the places: it has its lock.

    Those that the machine knows have been stopped; it does not know one with a pid file elsewhere.
    """
    for place in places:
        with contextlib.suppress(FileNotFoundError), opened(f"{place}/{_LOCK}", os.O_RDONLY) as fd:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                raise ConflictError(
                    f"a daemon (pid {holder}) works in {place}: stop it first, by kill {holder}"
                ) from None


def purge(places: Sequence[str], layout: Layout) -> None:
    """Remove the directories with all that is in them. UnavailableError: one can't be removed."""
    for place in (*places, layout.outside(layout.configuration)):
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UnavailableError(f"cannot remove {place}: {error}") from error


def _entries(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


def _runs(pid_file: str) -> bool:
    """Tell whether the process of a shim's pid file lives; its number alone may be another's."""
    try:
        with open(pid_file, encoding="ascii") as stream:
            pid, started = stream.read().split()
        with open(f"/proc/{int(pid)}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[19] == started
    except (OSError, ValueError, IndexError):
        return False


def _mounts() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return [line.split()[4] for line in stream]


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)
