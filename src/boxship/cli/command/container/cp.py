"""``boxship cp``: between a container and this machine, or a tar on the standard streams.

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

from boxship.base.errors import NotFoundError
from boxship.base.units import format_decimal_size
from boxship.cli import kinds
from boxship.cli.archive import read_pieces
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers
from boxship.client.containers import PathStat

FLAGS = (
    Flag("archive", "a", kinds.BOOL, "Give everything to the container's user"),
    Flag("follow-link", "L", kinds.BOOL, "Copy what a link leads to"),
    Flag("quiet", "q", kinds.BOOL, "Don't say what was copied"),
)


def run(session: Session, given: Invocation) -> int:
    source, target = given.arguments
    (from_container, from_path), (to_container, to_path) = _split(source), _split(target)
    if from_container and to_container:
        raise ExitError(FAILURE, "copying between containers is not supported")
    if not from_container and not to_container:
        raise ExitError(FAILURE, "must specify at least one container source")
    follow = given.values.on("follow-link")
    if from_container:
        size = _out(session, from_container, from_path, to_path, follow=follow)
    else:
        own = given.values.on("archive")
        size = _into(session, from_path, (to_container, to_path), follow=follow, own=own)
    if size is not None and not given.values.on("quiet"):
        where = target if to_container else os.path.abspath(to_path)
        session.warn(f"Successfully copied {format_decimal_size(size)} to {where}")
    return 0


def _split(argument: str) -> tuple[str, str]:
    """Part ``CONTAINER:PATH``; a path of this machine may have a colon behind a slash or dot."""
    if argument.startswith(("/", ".")) or ":" not in argument:
        return "", argument
    container, _, path = argument.partition(":")
    return container, path or "/"


def _is_content(path: str) -> bool:
    return path.endswith("/.") or path == "."


def _base(path: str) -> str:
    return posixpath.basename(posixpath.normpath(path)) or "/"


# ── from a container ─────────────────────────────────────────────────────────────────────────────


def _out(session: Session, container: str, path: str, target: str, *, follow: bool) -> int | None:
    """Copy out; return the bytes, None for a tar on standard output."""
    from boxship.cli.localfiles import unpack

    client, name = session.client, _base(path)
    found = containers.path_stat(client, container, path)
    if follow and found.is_link and found.link_target:
        path = found.link_target
        found = containers.path_stat(client, container, path)
    if target == "-":
        for piece in containers.read_files(client, container, path):
            sys.stdout.buffer.write(piece)
        return None
    directory, top = _local_place(target, path, name, found)
    return unpack(containers.read_files(client, container, path), directory, top)


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


# ── into a container ─────────────────────────────────────────────────────────────────────────────


def _into(
    session: Session, source: str, target: tuple[str, str], *, follow: bool, own: bool
) -> int | None:
    """Copy in; return the bytes, None for a tar from standard input."""
    from boxship.cli.localfiles import pack

    container, path = target
    there = _stat(session, container, path)
    if there is not None and there.is_link and there.link_target:
        path = there.link_target
        there = _stat(session, container, path)
    if source == "-":
        if there is None or not there.is_directory:
            raise ExitError(FAILURE, f'destination "{container}:{path}" must be a directory')
        containers.write_files(session.client, container, path, read_pieces("-"), own=own)
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
    containers.write_files(session.client, container, directory, pieces, own=own)
    return counted.size


def _stat(session: Session, container: str, path: str) -> PathStat | None:
    try:
        return containers.path_stat(session.client, container, path)
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


COMMAND = Command("[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-", Arity(2, 2), run, FLAGS)
