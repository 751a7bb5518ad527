"""Copies of files between a container or volume and this machine, or a tar on the streams.

``owner`` is the object's own path in the API: ``/containers/NAME`` or ``/volumes/NAME``.

Where a copy goes, as in Docker (and cp -r)::

    source       destination is…   a directory          a file     not there
    file                           into it              replaces   under that name; not with a "/"
    directory                      into it              refused    under that name
    directory/.                    its content into it  refused    its content, in a new directory
"""

import os
import posixpath
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from boxship.base.errors import NotFoundError
from boxship.base.units import format_decimal_size
from boxship.cli.archive import read_pieces
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.client import paths
from boxship.client.paths import PathStat


@dataclass(frozen=True)
class Place:
    """One side of a copy: a path of an object, or of this machine if there is no ``owner``."""

    owner: str
    path: str
    shown: str

    @classmethod
    def parse(cls, argument: str, kind: str) -> Self:
        """Part ``NAME:PATH``; a path of this machine may have a colon behind a slash or dot."""
        if argument.startswith(("/", ".")) or ":" not in argument:
            return cls("", argument, argument)
        name, _, path = argument.partition(":")
        return cls(f"/{kind}s/{name}", path or "/", argument)


def copy(
    session: Session, source: Place, target: Place, *, follow: bool, own: bool, quiet: bool
) -> None:
    """Copy from an object to this machine or the other way round, and say so."""
    if source.owner:
        size = _out(session, source.owner, source.path, target.path, follow=follow)
    else:
        size = _into(session, source.path, target, follow=follow, own=own)
    if size is not None and not quiet:
        where = target.shown if target.owner else os.path.abspath(target.path)
        session.warn(f"Successfully copied {format_decimal_size(size)} to {where}")


def _is_content(path: str) -> bool:
    return path.endswith("/.") or path == "."


def _base(path: str) -> str:
    return posixpath.basename(posixpath.normpath(path)) or "/"


# ── from an object ───────────────────────────────────────────────────────────────────────────────


def _out(session: Session, owner: str, path: str, target: str, *, follow: bool) -> int | None:
    """Copy out; return the bytes, None for a tar on standard output."""
    from boxship.cli.localfiles import unpack

    client, name = session.client, _base(path)
    found = paths.path_stat(client, owner, path)
    if follow and found.is_link and found.link_target:
        path = found.link_target
        found = paths.path_stat(client, owner, path)
    if target == "-":
        for piece in paths.read_files(client, owner, path):
            sys.stdout.buffer.write(piece)
        return None
    directory, top = _local_place(target, path, name, found)
    return unpack(paths.read_files(client, owner, path), directory, top)


def _local_place(target: str, path: str, name: str, found: PathStat) -> tuple[str, str]:
    """Decide which directory to unpack in, and what the top is called there."""
    if os.path.isdir(target):
        return target, "." if _is_content(path) and found.is_directory else name
    if os.path.lexists(target) and found.is_directory:
        raise ExitError(FAILURE, "cannot copy directory")
    if target.endswith("/") and not found.is_directory:
        raise ExitError(FAILURE, f"destination directory {target} must be a directory that exists")
    directory = os.path.dirname(target.rstrip("/")) or "."
    if not os.path.isdir(directory):
        raise ExitError(FAILURE, f"invalid output path: directory {directory!r} does not exist")
    return directory, os.path.basename(target.rstrip("/"))


# ── into an object ───────────────────────────────────────────────────────────────────────────────


def _into(session: Session, source: str, target: Place, *, follow: bool, own: bool) -> int | None:
    """Copy in; return the bytes, None for a tar from standard input."""
    from boxship.cli.localfiles import pack

    owner, path = target.owner, target.path
    there = _stat(session, owner, path)
    if there is not None and there.is_link and there.link_target:
        path = there.link_target
        there = _stat(session, owner, path)
    if source == "-":
        if there is None or not there.is_directory:
            raise ExitError(
                FAILURE, f'destination "{posixpath.basename(owner)}:{path}" must be a directory'
            )
        paths.write_files(session.client, owner, path, read_pieces("-"), own=own)
        return None
    if not os.path.lexists(source):
        raise ExitError(FAILURE, f"lstat {os.path.abspath(source)}: no such file or directory")
    name = os.path.basename(os.path.abspath(source)) or "."
    if follow or _is_content(source) or source.endswith("/"):
        real = os.path.realpath(source)
    else:
        real = source
    is_directory = os.path.isdir(real) and not os.path.islink(real)
    directory, top = _remote_place(source, name, path, there, is_directory=is_directory)
    counted = _Counted()
    pieces = counted.count(pack(real, source, top))
    paths.write_files(session.client, owner, directory, pieces, own=own)
    return counted.size


def _stat(session: Session, owner: str, path: str) -> PathStat | None:
    try:
        return paths.path_stat(session.client, owner, path)
    except NotFoundError:
        return None


def _remote_place(
    source: str, name: str, path: str, there: PathStat | None, *, is_directory: bool
) -> tuple[str, str]:
    if there is not None and there.is_directory:
        return path, "." if is_directory and _is_content(source) else name
    if there is not None and is_directory:
        raise ExitError(FAILURE, "cannot copy directory")
    if path.endswith("/") and not is_directory:
        raise ExitError(FAILURE, "no such directory")
    directory, base = posixpath.split(posixpath.normpath(f"/{path}"))
    return directory, base


class _Counted:
    """Counts what goes through."""

    def __init__(self) -> None:
        self.size = 0

    def count(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            yield piece
