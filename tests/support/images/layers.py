"""Layers out of whole systems: a system's tar made clean, and the difference of two of them."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

from support.images.archive import EPOCH, file

# Written at every run with times and inode numbers in it; no program misses them.
_UNSTABLE = ("var/cache/ldconfig/aux-cache", "var/log/", "dev/", "etc/machine-id")


def base(system: Path, destination: Path) -> None:
    """The whole of `system` as a layer."""
    with tarfile.open(system) as source, _create(destination) as out:
        for entry in _entries(source):
            _copy(source, entry, out)


def difference(older: Path, newer: Path, destination: Path) -> None:
    """What changed from `older` to `newer`, deletions as `.wh.` files."""
    with tarfile.open(older) as old, tarfile.open(newer) as new, _create(destination) as out:
        before = {entry.name: _identity(old, entry) for entry in _entries(old)}
        after = {entry.name: _identity(new, entry) for entry in _entries(new)}
        changed = {name for name in after if before.get(name) != after[name]}
        for entry in _entries(new):
            if entry.name in changed:
                # A hard link to a file of a lower layer can't be told in this one; its content can.
                _copy(new, entry, out, follow=entry.islnk() and entry.linkname not in changed)
        for name in _topmost(before.keys() - after.keys()):
            parent, _, last = name.rpartition("/")
            out.addfile(file(f"{parent}/.wh.{last}" if parent else f".wh.{last}", b"")[0])


def _create(destination: Path) -> tarfile.TarFile:
    return tarfile.open(destination, "w", format=tarfile.PAX_FORMAT)


def _entries(source: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for entry in source.getmembers():
        entry.name = entry.name.removeprefix("./")
        entry.pax_headers = {
            key: value
            for key, value in entry.pax_headers.items()
            if key.startswith("SCHILY.xattr.")  # all else is in the entry itself
        }
        if entry.islnk():
            entry.linkname = entry.linkname.removeprefix("./")
        if entry.name in ("", ".") or _is_unstable(entry.name):
            continue
        entry.mtime = min(int(entry.mtime), EPOCH)
        yield entry


def _is_unstable(name: str) -> bool:
    return any(name == one or (one.endswith("/") and name.startswith(one)) for one in _UNSTABLE)


def _identity(source: tarfile.TarFile, entry: tarfile.TarInfo) -> tuple[object, ...]:
    content = source.extractfile(entry) if entry.isreg() else None
    digest = hashlib.sha256(content.read()).digest() if content else b""
    return entry.type, entry.mode, entry.uid, entry.gid, entry.linkname, digest


def _copy(
    source: tarfile.TarFile, entry: tarfile.TarInfo, out: tarfile.TarFile, *, follow: bool = False
) -> None:
    content = source.extractfile(entry) if entry.isreg() or follow else None
    if follow:
        assert content is not None
        entry.size = source.getmember(entry.linkname).size
        entry.type, entry.linkname = tarfile.REGTYPE, ""
    out.addfile(entry, content)


def _topmost(names: set[str]) -> list[str]:
    """Without those whose parent is gone as well."""
    return sorted(name for name in names if name.rpartition("/")[0] not in names)
