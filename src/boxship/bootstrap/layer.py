"""A configured system as a layer whose bytes depend on its packages alone.

What the same packages leave differently at every installation is what a program writes about the
run itself: logs, caches, backups, identities of a machine. That goes. What is newer than the newest
package was written just now, and gets the newest package's date. Entries are sorted.
"""

import tarfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import IO

from boxship.bootstrap.stage import POLICY, WORKSHOP

# Docker's and other engines' own files in a container, and what they mount things on.
_OF_THE_ENGINE = (".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab")
_OF_THE_RUN = (
    POLICY,
    WORKSHOP,
    f"{WORKSHOP}/*",
    "dev/*",
    "proc/*",
    "sys/*",
    "tmp/*",
    "etc/*-",  # passwd-, shadow-: the files before the last change
    "etc/.pwd.lock",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/archives/lock",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt/lists/*_*",
    "var/lib/apt/lists/lock",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/*-old",
    "var/lib/dpkg/lock*",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/catalog/database",
    "var/log/alternatives.log",
    "var/log/apt/*",
    "var/log/bootstrap.log",
    "var/log/dpkg.log",
    "var/log/*/*.log",
)
_EMPTIED = frozenset({"etc/machine-id"})
"""Systemd fills it at the first boot if it is there and empty."""


def write_layer(system: str, layer: str, epoch: int) -> None:
    """Turn the tar of a file system into that of a layer; ``epoch`` is in Unix seconds."""
    with (
        tarfile.open(system, "r:") as source,
        tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as out,
    ):
        entries = {_name(entry.name): entry for entry in source if _stays(entry)}
        leaders = _leaders(entries)
        for name, entry in sorted(entries.items()):
            content = entries[_name(entry.linkname)] if entry.islnk() else entry
            leader = leaders.get(_name(content.name), name)
            if leader == name and content.isreg():
                out.addfile(*_file(source, _entry(name, content, epoch), content))
            else:
                out.addfile(_entry(name, content, epoch, leader))


def _entry(name: str, content: tarfile.TarInfo, epoch: int, leader: str = "") -> tarfile.TarInfo:
    """Describe a file; ``leader`` is the first of the names of one that has several."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = content.type, content.linkname
    if leader not in ("", name):
        entry.type, entry.linkname = tarfile.LNKTYPE, leader
    entry.mode, entry.uid, entry.gid = content.mode, content.uid, content.gid
    entry.mtime = min(int(content.mtime), epoch)
    entry.devmajor, entry.devminor = content.devmajor, content.devminor
    entry.pax_headers = {
        key: value
        for key, value in sorted(content.pax_headers.items())
        if key.startswith("SCHILY.xattr.")
    }
    return entry


def _file(
    source: tarfile.TarFile, entry: tarfile.TarInfo, content: tarfile.TarInfo
) -> tuple[tarfile.TarInfo, IO[bytes] | None]:
    entry.type = tarfile.REGTYPE
    entry.size = 0 if entry.name in _EMPTIED else content.size
    return entry, source.extractfile(content)


def _leaders(entries: Mapping[str, tarfile.TarInfo]) -> dict[str, str]:
    """For each file with several names, by the name that holds the content: the first in order."""
    names: dict[str, list[str]] = {}
    for name, entry in entries.items():
        if entry.islnk():
            target = _name(entry.linkname)
            names.setdefault(target, [target]).append(name)
    return {target: min(found) for target, found in names.items()}


def _name(name: str) -> str:
    return name.removeprefix("./").strip("/")


def _stays(entry: tarfile.TarInfo) -> bool:
    name = _name(entry.name)
    if name in ("", ".") or (name.startswith("run/") and not entry.isdir()):
        return False
    return not _matches(name, (*_OF_THE_ENGINE, *_OF_THE_RUN))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
