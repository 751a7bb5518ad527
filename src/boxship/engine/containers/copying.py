"""``docker cp``: look at a path of a container, read it as an archive, unpack an archive there.

Paths mean what they mean to the container: links are followed within its root, and what is mounted
into it is there. One that runs is looked at through its own mounts. One that does not is mounted
for the purpose, where nobody else is (``runtime/viewing.py``), and cannot be started or removed
meanwhile. Whatever a path ends in, it is never followed out of the container.
"""

import asyncio
import errno
import os
import posixpath
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from boxship.base.errors import (
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.containers import users
from boxship.engine.containers.commit import check_readable
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import PathStat
from boxship.engine.containers.viewed import viewed
from boxship.engine.images.bridge import consume, outbound, to_the_end
from boxship.engine.settings import UserMaps
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.oci.runtime import IdMapping
from boxship.runtime.users import UnknownUserError, read_database, resolve_user
from boxship.runtime.viewing import View, making_files_as
from boxship.storage.archiving import subtree_tar
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.extracting import Extraction, Owners, extract
from boxship.storage.tree import split

_NOBODY = 65534
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV})
"""The last two: links in a circle, and the kernel's own links in /proc, which lead anywhere."""
_FAULTS_OF_ARCHIVES = frozenset(
    {
        *(errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG),
        *(errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.EFBIG),
    }
)


class Spot:
    """A path of the container, opened: the directory it is in and its name there.

    ``name`` is empty for one that ends in a slash or a dot: the directory itself is meant, and if
    it is a link, what that leads to. ``shown`` is the name that clients see.
    """

    def __init__(self, root: int, path: str) -> None:
        cleaned = posixpath.normpath(f"/{path.lstrip('/')}")
        ends = path.endswith(("/", "/.")) or path == "." or cleaned == "/"
        above, name = (cleaned, "") if ends else posixpath.split(cleaned)
        self.name = name
        is_dot = path == "." or path.endswith("/.")
        self.shown = "." if is_dot else posixpath.basename(cleaned) or "/"
        self.directory = openat2(root, above, _DIRECTORY, RESOLVE_IN_ROOT)

    def look(self) -> os.stat_result:
        if not self.name:
            return os.fstat(self.directory)
        return os.lstat(self.name, dir_fd=self.directory)


async def look(context: Context, container: Container, path: str) -> PathStat:
    """Return what is at a path. NotFoundError: nothing."""
    async with _viewed(context, container, path) as view:
        return await to_the_end(asyncio.to_thread(stat_in, view, _name(container), path))


def read(context: Context, container: Container, path: str) -> AsyncIterator[Buffer]:
    """Write what is at a path as a tar, under the last part of the path."""
    check_readable(container, "copy from")
    return _read(context, container, path)


async def _read(context: Context, container: Container, path: str) -> AsyncIterator[Buffer]:
    async with _viewed(context, container, path) as view:
        owners = _owners(context, container, inverse=True)
        async for chunk in outbound(coalesced(archive_of(view, _name(container), path, owners))):
            yield chunk
    context.announcer.say(container.record, "archive-path")


async def write(
    context: Context,
    container: Container,
    path: str,
    archive: AsyncIterator[bytes],
    *,
    keep_kinds: bool,
    own: bool,
) -> None:
    """Unpack an archive in a directory; ``own``: everything is to be its user's."""
    record = container.record
    async with _viewed(context, container, path) as view:

        def unpack(chunks: Iterator[Buffer]) -> None:
            owners = _owners(context, container)
            if own and record.config.user:
                owners = _everything_is(_user_of(view, record), owners)
            what = "container rootfs" if record.host.readonly_rootfs else "mounted volume"
            with making_files_as(*_maker(context, container)):
                how = Extraction(owners, keep_kinds)
                unpack_in(view, (_name(container), what), path, chunks, how)

        await consume(archive, unpack)
    context.announcer.say(record, "extract-to-dir")


@asynccontextmanager
async def _viewed(context: Context, container: Container, path: str) -> AsyncIterator[View]:
    if not path:
        raise InvalidArgumentError("bad parameter: path cannot be empty")
    async with viewed(context, container) as view:
        yield view


def _name(container: Container) -> str:
    return f"container {container.record.name}"


@contextmanager
def _spot(view: View, owner: str, path: str, *, writing: bool = False) -> Iterator[Spot]:
    """Open a path of ``owner``. NotFoundError names both."""
    if "\0" in path:
        raise InvalidArgumentError("bad parameter: path has a null byte in it")
    if view.missing:
        _check_had(view, owner, path)
    try:
        spot = Spot(view.root, path)
    except OSError as error:
        if writing and error.errno == errno.ENOTDIR:
            raise InvalidArgumentError("extraction point is not a directory") from error
        raise _not_found(path.rstrip("/") if writing else path, owner, error) from error
    try:
        if (spot.name or writing) and os.fstat(spot.directory).st_dev in view.kernels:
            raise _missing(path.rstrip("/") if writing else path, owner)
        yield spot
    finally:
        os.close(spot.directory)


def _check_had(view: View, owner: str, path: str) -> None:
    """UnavailableError: the path leads to, or through, what could not be mounted."""
    way = [each for each in posixpath.normpath(f"/{path.lstrip('/')}").split("/") if each]
    for length in range(1, len(way) + 1):
        last = os.O_NOFOLLOW if length == len(way) and not path.endswith(("/", "/.")) else 0
        try:
            fd = openat2(view.root, "/".join(way[:length]), os.O_PATH | last, RESOLVE_IN_ROOT)
        except OSError:
            return
        try:
            why = view.missing.get(os.fstat(fd).st_dev)
        finally:
            os.close(fd)
        if why is not None:
            raise UnavailableError(f"cannot reach {path} in {owner}: {why}")


def _not_found(path: str, owner: str, error: OSError) -> Exception:
    if error.errno == errno.ENAMETOOLONG:
        return InvalidArgumentError("bad parameter: path is too long for a file's name")
    return _missing(path, owner) if error.errno in _MISSING else error


def _missing(path: str, owner: str) -> NotFoundError:
    return NotFoundError(f"Could not find the file {path} in {owner}")


def stat_in(view: View, owner: str, path: str) -> PathStat:
    """Return what is at a path of a view; ``owner`` is for messages. NotFoundError: nothing."""
    with _spot(view, owner, path) as spot:
        try:
            found = spot.look()
        except OSError as error:
            raise _not_found(path, owner, error) from error
        is_link = stat.S_ISLNK(found.st_mode)
        target = _target(view.root, spot) if is_link else ""
        return PathStat(spot.shown, found.st_size, found.st_mode, found.st_mtime_ns, target)


def _target(root: int, spot: Spot) -> str:
    """Return where a link leads to, as the container sees it, whether or not there is anything."""
    here = "/" + os.fsdecode(b"/".join(_place(root, spot.directory)))
    link = os.readlink(spot.name, dir_fd=spot.directory)
    wanted = posixpath.normpath(posixpath.join(here, link))
    try:
        fd = openat2(root, wanted, os.O_PATH, RESOLVE_IN_ROOT)
    except OSError:
        return "/" + wanted.lstrip("/")
    try:
        return "/" + os.fsdecode(b"/".join(_place(root, fd)))
    finally:
        os.close(fd)


def _place(root: int, fd: int) -> tuple[bytes, ...]:
    """Return the real path of what is open, below the root."""
    top, found = (os.readlink(f"/proc/self/fd/{each}".encode()) for each in (root, fd))
    return split(found[len(top) :] if top != b"/" else found)


def archive_of(view: View, owner: str, path: str, owners: Owners) -> Iterator[Buffer]:
    """Yield the tar of what is at a path of a view. Errors as of :func:`stat_in`."""
    with _spot(view, owner, path) as spot:
        try:
            spot.look()
        except OSError as error:
            raise _not_found(path, owner, error) from error
        shown = os.fsencode(spot.shown)
        name = os.fsencode(spot.name)
        closed = view.kernels | view.missing.keys()
        yield from subtree_tar(spot.directory, name, shown, owners, closed)


def unpack_in(
    view: View, owner: tuple[str, str], path: str, chunks: Iterator[Buffer], how: Extraction
) -> None:
    """Unpack an archive in a directory of a view; ``owner`` and its files are for messages."""
    name, what = owner
    with _spot(view, name, f"{path.rstrip('/')}/", writing=True) as spot, _understood(what):
        extract(view.root, _place(view.root, spot.directory), chunks, how)


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """Say why nothing can be written."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EROFS:
            raise ForbiddenError(f"{what} is marked read-only") from error
        if error.errno in _FAULTS_OF_ARCHIVES | _MISSING:
            raise InvalidArgumentError(f"Error processing tar file: {error}") from error
        raise


def _user_of(view: View, record: ContainerRecord) -> tuple[int, int]:
    passwd, group = (read_database(view.root, f"/etc/{name}") for name in ("passwd", "group"))
    try:
        found = resolve_user(record.config.user, passwd, group)
    except UnknownUserError as error:
        raise InvalidArgumentError(str(error)) from error
    return found.uid, found.gid


def _everything_is(user: tuple[int, int], owners: Owners) -> Owners:
    return lambda _uid, _gid: owners(*user)


def _owners(context: Context, container: Container, *, inverse: bool = False) -> Owners:
    """Return how owners in archives and on what is viewed correspond.

    Only one that runs shows other owners than are on the disk, and only if its users are mapped.
    """
    maps = users.maps_of(container.record.host, context.settings)
    if maps is None or not container.record.state.alive:
        return lambda uid, gid: (uid, gid)
    return _through(maps, inverse=inverse)


def _maker(context: Context, container: Container) -> tuple[int, int]:
    """Return who can make files in what is viewed: its root."""
    if not container.record.state.alive:
        return (0, 0)
    return users.root_of(container.record, context.settings)


def _through(maps: UserMaps, *, inverse: bool) -> Owners:
    def mapped(number: int, entries: tuple[IdMapping, ...]) -> int:
        for entry in entries:
            pair = (entry.container_id, entry.host_id)
            source, target = pair[::-1] if inverse else pair
            if source <= number < source + entry.size:
                return target + number - source
        if inverse:
            return _NOBODY
        raise InvalidArgumentError(f"no user or group {number} in the container's user namespace")

    return lambda uid, gid: (mapped(uid, maps.uids), mapped(gid, maps.gids))
