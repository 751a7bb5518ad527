"""``boxship why``: why something is as it is, and who holds it, over all kinds of objects.

Containers have a recorded past (``story.py`` puts it into words). What holds an image,
a volume, a network, a port or the disk is nobody's record: it follows from all records as they are,
and is looked up when somebody asks.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from boxship.base.clock import format_ns
from boxship.base.errors import BoxshipError, NotFoundError
from boxship.base.ids import short_id
from boxship.engine.containers import explain, logstate
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.logstate import LogState
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.containers.usage import Usage
from boxship.engine.images.service import ImageService
from boxship.engine.records import history
from boxship.engine.records.database import Database
from boxship.engine.why import portusers, story
from boxship.model.image import ImageDetail, ImageQuery
from boxship.model.why import Holder, Taking, Why

_MOST_TAKINGS = 50


class Reasons:
    """Answers for one engine. Belongs to the event loop."""

    def __init__(self, context: Context, images: ImageService, database: Database) -> None:
        self._context = context
        self._images = images
        self._database = database
        self._usage = Usage(context.shelf, context.trash)

    # ── containers ───────────────────────────────────────────────────────────────────────────

    async def container(self, reference: str) -> Why:
        """Say why it runs or does not. NotFoundError: nothing of it is known, not even its end.

        One that was removed is answered for as long as its last rows are kept, by its name or id.
        """
        try:
            found = self._context.shelf.find(reference)
        except NotFoundError:
            return await self._gone(reference)
        past = story.events(await self._context.shelf.happenings(found))
        record = found.record
        reason = story.reason(record, past)
        return Why(
            kind="container",
            id=record.id,
            name=record.name,
            status=record.status.value,
            answer=reason.answer,
            facts=(*reason.evidence, *_of_log(await logstate.state(self._context, found))),
            holders=tuple(self._holders_of(found)),
            takes=tuple(self._held_by(record)),
            past=story.moments(past, record),
        )

    async def _gone(self, reference: str) -> Why:
        rows = await history.of_gone(self._database, "container", reference.removeprefix("/"))
        if not rows:
            raise NotFoundError(f"No such container: {reference}")
        past = story.events(rows)
        reason = story.of_gone(past)
        return Why(
            kind="container",
            id=rows[-1].id,
            name=past[-1].fact.name,
            status="removed",
            answer=reason.answer,
            facts=reason.evidence,
            past=story.moments(past, None),
        )

    def _holders_of(self, container: Container) -> Iterator[Holder]:
        """Those who can't go on as they are without it."""
        for other in self._records():
            modes = {
                "network": other.host.network_mode,
                "pid": other.host.pid_mode,
                "ipc": other.host.ipc_mode,
            }
            for kind, mode in modes.items():
                if joined_container(mode) == container.id:
                    yield _container(other, f"has its {kind} namespace")
            if any(link.container_id == container.id for link in other.links):
                yield _container(other, "has a link to it")

    def _held_by(self, record: ContainerRecord) -> Iterator[Taking]:
        """What others can't have, or would lose, because of it."""
        for port in record.ports if record.state.alive else ():
            address = f"{port.host_address}:" if port.host_address else ""
            name = f"{address}{port.host_first}/{port.protocol}"
            yield Taking("port", name, -1, f"published from its port {port.container_first}")
        for point in record.mounts:
            if point.volume_id:
                yield Taking("volume", point.name, -1, _mounted(point))
        for endpoint in record.endpoints:
            why = f"has {endpoint.ipv4} there" if endpoint.ipv4 else "is connected to it"
            yield Taking("network", endpoint.network, -1, why)
        yield Taking("image", record.image_ref or record.image_id, -1, "stands on its layers")

    # ── images, volumes, networks ────────────────────────────────────────────────────────────

    async def image(self, reference: str) -> Why:
        """Say who holds an image. NotFoundError."""
        found = self._images.inspect(reference)
        holders = [*self._users_of_image(found.id), *self._children_of(found.id)]
        removable = not holders
        names = ", ".join(found.tags) or "no name"
        return Why(
            kind="image",
            id=found.id,
            name=found.tags[0] if found.tags else "",
            status="unused" if removable else "in use",
            answer=_kept("Nobody", holders),
            facts=(f"It has {names}.", self._image_size(found), _since(found)),
            holders=tuple(holders),
        )

    def _users_of_image(self, image_id: str) -> Iterator[Holder]:
        for record in self._records():
            if record.image_id == image_id:
                yield _container(record, f"was made of it, and is {record.status}")

    def _children_of(self, image_id: str) -> Iterator[Holder]:
        for row in self._images.list(ImageQuery(all=True)):
            if row.parent_id == image_id:
                name = row.tags[0] if row.tags else ""
                yield Holder("image", row.id, name, "was built on it")

    def _image_size(self, found: ImageDetail) -> str:
        query = ImageQuery(all=True, shared_size=True)
        row = next((row for row in self._images.list(query) if row.id == found.id), None)
        if row is None:
            return f"It takes {found.size} bytes."
        alone = max(0, row.size - row.shared_size)
        return f"It takes {row.size} bytes, {alone} of which nothing else shares."

    async def volume(self, name: str) -> Why:
        """Say who holds a volume. NotFoundError."""
        view = self._context.volumes.inspect(name)
        record = view.record
        holders = [
            _container(user, f"{_mounted(point)}, and is {user.status}")
            for user in self._records()
            for point in user.mounts
            if point.volume_id == record.id
        ]
        kind = "anonymous" if record.anonymous else "named"
        used = f"It was last used at {format_ns(record.last_used_ns)}."
        return Why(
            kind="volume",
            id=record.id,
            name=record.name,
            status="in use" if holders else "unused",
            answer=_kept("Nobody", holders),
            facts=(
                f"It is {kind}; its files are at {view.mountpoint}.",
                *((used,) if record.last_used_ns else ()),
            ),
            holders=tuple(holders),
        )

    async def network(self, reference: str) -> Why:
        """Say who holds a network. NotFoundError."""
        record = self._context.networks.find(reference)
        detail = self._context.networks.inspect(record.id)
        leased = {lease.tenant.id for lease in detail.leases}
        holders = [
            _container(
                user,
                f"is on it with {endpoint.ipv4 or endpoint.ipv6 or 'no address'}"
                if user.id in leased
                else "will be on it when it is started",
            )
            for user in self._records()
            for endpoint in user.endpoints
            if endpoint.network_id == record.id
        ]
        fact = "It belongs to the daemon, and can't be removed." if record.predefined else ""
        return Why(
            kind="network",
            id=record.id,
            name=record.name,
            status="in use" if leased else "unused",
            answer=_kept("Nobody", holders),
            facts=(fact,) if fact else (),
            holders=tuple(holders),
        )

    # ── ports and disk ───────────────────────────────────────────────────────────────────────

    async def port(self, number: int, protocol: str) -> Why:
        """Say who holds a port of the host: a container, or a process of the host itself."""
        holders = [
            _container(record, f"publishes its port {inside} there")
            for record in self._records()
            if record.state.alive
            for port in record.ports
            if port.protocol == protocol
            for inside, outside in port.pairs()
            if outside == number
        ]
        if not holders:
            found = await asyncio.to_thread(portusers.users, number, protocol)
            holders = [
                Holder("process", str(user.pid), user.command, f"listens at {user.address}")
                for user in found
            ]
        return Why(
            kind="port",
            id=f"{number}/{protocol}",
            name=f"{number}/{protocol}",
            status="in use" if holders else "free",
            answer=_kept("Nobody", holders),
            holders=tuple(holders),
        )

    async def disk(self) -> Why:
        """Say what takes most of the disk, and what keeps it from going."""
        takes = [*self._images_on_disk()]
        takes += await asyncio.to_thread(lambda: list(self._containers_on_disk(self._records())))
        for use in await self._context.volumes.usage():
            keeps = f"{use.references} containers have it" if use.references else "nobody has it"
            takes.append(Taking("volume", use.view.record.name, use.size, keeps))
        takes.sort(key=lambda taking: -taking.size)
        free = sum(t.size for t in takes if t.why == _NOBODY and t.size > 0)
        total = sum(t.size for t in takes if t.size > 0)
        return Why(
            kind="disk",
            id="",
            name=self._context.settings.data_root,
            answer=f"{total} bytes are taken, {free} of which nobody needs",
            takes=tuple(takes[:_MOST_TAKINGS]),
        )

    def _images_on_disk(self) -> Iterator[Taking]:
        used = {use.image_id for use in self._usage.image_uses()}
        for row in self._images.list(ImageQuery(all=True, shared_size=True)):
            name = row.tags[0] if row.tags else short_id(row.id.removeprefix("sha256:"))
            keeps = "containers are made of it" if row.id in used else _NOBODY
            yield Taking("image", name, max(0, row.size - row.shared_size), keeps)

    def _containers_on_disk(self, records: Iterable[ContainerRecord]) -> Iterator[Taking]:
        for record in records:
            keeps = "it runs" if record.state.running else _NOBODY
            written = explain.written(self._context, record)
            yield Taking("container", record.name, written, keeps)
            with contextlib.suppress(OSError, BoxshipError):
                if size := _logged(record, self._context.paths):
                    yield Taking("log", record.name, size, "kept as long as its container")

    def _records(self) -> list[ContainerRecord]:
        return [container.record for container in self._context.shelf]


_NOBODY = "nobody has it"


def _of_log(state: LogState) -> Iterator[str]:
    """Say what is wrong with a container's log, if anything."""
    if state.waits:
        yield f"It waits to write its output, since log driver {state.driver} does not keep up."
    if state.trouble:
        yield f"Log driver {state.driver} delivers nothing: {state.trouble}."
    if lost := state.losses.lines:
        yield f"{lost} lines of its output did not get into its log: {state.losses.reason}."


def _logged(record: ContainerRecord, paths: Paths) -> int:
    """Return the bytes of its log, with what has been rotated."""
    place = log_place(record, paths)
    return sum(file.size for file in logstate.files_of(place.path)) if place is not None else 0


def _container(record: ContainerRecord, how: str) -> Holder:
    return Holder("container", record.id, record.name, how)


def _mounted(point: MountPoint) -> str:
    return f"has it mounted at {point.destination}" + ("" if point.read_write else ", read-only")


def _since(found: ImageDetail) -> str:
    last = f", and a container last needed it at {format_ns(found.last_used_ns)}"
    return f"It was made at {format_ns(found.created_ns)}{last if found.last_used_ns else ''}."


def _kept(nobody: str, holders: list[Holder]) -> str:
    """Return the first holder, and how many more there are."""
    if not holders:
        return f"{nobody} holds it"
    first = holders[0]
    name = first.name or short_id(first.id.removeprefix("sha256:"))
    more = f", and {len(holders) - 1} more hold it" if len(holders) > 1 else ""
    return f"The {first.kind} {name} {first.how}{more}"
