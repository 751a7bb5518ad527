"""Directories of clients, kept between builds so that only what changed has to travel.

::

    <data-root>/contexts/<key>/      one client's directory of one name
      tree/                          the files, as they were at the end of the last build
      tree.list                      what the client said of them, which a session keeps there
      listing                        what is in them (contents.py), so that none is looked at again
      listing.before                 the same as it was before the last sync: of what differs from
                                     it, the content is read

A build has its directory for itself until it ends: it reads from it whenever a step needs it. A
second build of the same client meanwhile gets another one of the same key. What is here can be
thrown away at any time; the next build sends it all again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from time import clock_gettime_ns

import msgspec

from boxship.base.files import write_atomic
from boxship.engine.build.clientside import ClientSide, Selection
from boxship.engine.build.contents import File, Listing, listed
from boxship.engine.images.bridge import to_the_end

_CLOCK_OF_FILES = 5
"""CLOCK_REALTIME_COARSE of clock_gettime(2), by which files get their times."""

_TREE, _LISTING, _BEFORE = "tree", "listing", "listing.before"
_decoder = msgspec.msgpack.Decoder(dict[str, File])


@dataclass(slots=True)
class Context:
    """A directory for one build. ``listing`` is made when somebody asks for it."""

    path: str
    home: str = ""
    """Where it is kept; empty: nowhere."""
    changed: tuple[str, ...] = ()
    """What is other than at the last listing, once it is listed; empty without an earlier one."""
    _listing: asyncio.Task[Listing] | None = field(default=None, repr=False)

    async def listing(self) -> Listing:
        """Say what is in it; the first who asks has it listed."""
        if self._listing is None:
            self._listing = asyncio.ensure_future(asyncio.to_thread(self._list))
        return await asyncio.shield(self._listing)

    async def ended(self) -> None:
        """Wait for who lists it: a thread can't be stopped, and would write of files that are the
        next build's by then."""
        if self._listing is not None:
            await to_the_end(asyncio.wait({self._listing}))

    def _list(self) -> Listing:
        still = _decoded(self.home, _LISTING)
        if still is not None:
            return Listing(still)
        known = _decoded(self.home, _BEFORE) or {}
        found = listed(self.path, known, clock_gettime_ns(_CLOCK_OF_FILES))
        if known:
            paths = {*known, *found.files}
            self.changed = tuple(
                sorted(p for p in paths if not _same(known.get(p), found.files.get(p)))
            )
        if self.home:
            content = msgspec.msgpack.encode(found.files)
            write_atomic(os.path.join(self.home, _LISTING), content, durable=False)
        return found


def _decoded(home: str, name: str) -> dict[str, File] | None:
    if home:
        with suppress(OSError, msgspec.DecodeError), open(os.path.join(home, name), "rb") as stream:
            return _decoder.decode(stream.read())
    return None


def _same(one: File | None, other: File | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.mode, one.content) == (other.mode, other.content)


class Contexts:
    """All directories that are kept. Belongs to the event loop."""

    def __init__(self, root: str, throw_away: Callable[[str], None], boot: str) -> None:
        """``root`` is made when needed; ``throw_away`` deletes a directory in its own time.

        Nothing here is flushed to the disk, so after another ``boot`` nothing of it is believed.
        """
        self._root = root
        self._boot = boot
        self._throw_away = throw_away
        self._busy: set[str] = set()

    @asynccontextmanager
    async def opened(
        self,
        client: ClientSide,
        name: str,
        selection: Selection,
        *,
        purpose: str = "",
        transferred: Callable[[int], None] | None = None,
    ) -> AsyncIterator[Context]:
        """Own a directory that is as the client's, as long as the ``with`` lasts.

        What is selected for one ``purpose`` is kept apart from what is for another.
        """
        lasting = f"{self._boot}\0{client.identity}\0{name}\0{purpose}"
        key = self._free(lasting if client.identity else os.urandom(16).hex())
        home = os.path.join(self._root, key)
        self._busy.add(key)
        try:
            os.makedirs(os.path.join(home, _TREE), 0o700, exist_ok=True)
            await _sync(home, client, name, selection, transferred)
            os.utime(home)
            context = Context(os.path.join(home, _TREE), home)
            try:
                yield context
            finally:
                await context.ended()
        finally:
            self._busy.discard(key)
            if not client.identity:
                self._throw_away(home)

    def _free(self, text: str) -> str:
        key = sha256(text.encode()).hexdigest()[:32]
        tried, number = key, 0
        while tried in self._busy:
            number += 1
            tried = f"{key}-{number}"
        return tried

    def all(self) -> list[tuple[str, os.stat_result, bool]]:
        """Return what is kept: path, when it was used (its times), and whether it is in use."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self._root) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found.append((entry.path, entry.stat(), entry.name in self._busy))
        return found

    def remove_named(self, name: str) -> bool:
        """Throw a directory away unless a build uses it; tell whether it went."""
        path = os.path.join(self._root, name)
        if name in self._busy or not os.path.isdir(path):
            return False
        self._throw_away(path)
        return True


async def _sync(
    home: str,
    client: ClientSide,
    name: str,
    selection: Selection,
    transferred: Callable[[int], None] | None,
) -> None:
    """Make the tree as the client's. A listing is there only while it is true.

    It is put aside before anything is written, in case the daemon is killed meanwhile.
    """
    now, before = os.path.join(home, _LISTING), os.path.join(home, _BEFORE)
    was_true = False
    with suppress(FileNotFoundError):
        os.replace(now, before)
        was_true = True
    synced = await client.sync(name, selection, os.path.join(home, _TREE), transferred)
    if was_true and synced.changed is not None and not synced.changed:
        os.replace(before, now)
