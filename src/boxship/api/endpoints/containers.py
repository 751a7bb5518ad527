"""Containers: create, look, change, remove."""

from collections.abc import Awaitable, Mapping
from functools import cache

from boxship.api.call import EMPTY, NO_CONTENT, Call
from boxship.api.endpointwishes import wish_of
from boxship.api.http.messages import Answer, Response
from boxship.api.views import containers as views
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers.ports import host_ends
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import ContainerQuery, CreateContainer, PortChange
from boxship.wire import containers as shapes
from boxship.wire.adapt import adapted
from boxship.wire.containers import ContainerRow
from boxship.wire.creation import creation_of

Sizes = Mapping[str, tuple[int, int]]


async def create(call: Call) -> Answer:
    body = await call.body(shapes.CreateBody)
    unified = call.backend.system.host.cgroup_version == 2
    asked = creation_of(body, call.version, unified_cgroups=unified)
    created = await call.backend.containers.create(
        CreateContainer(
            config=asked.config,
            host=asked.host,
            name=call.text("name").removeprefix("/") or None,
            endpoints=tuple(wish_of(name, wish) for name, wish in asked.endpoints.items()),
            platform=(call.text("platform") or None) if call.version >= 41 else None,
            by=call.requester,
            shallow_read_only=asked.shallow_read_only,
        )
    )
    return call.json(shapes.CreateAnswer(created.id, (*created.warnings, *asked.warnings)), 201)


def list_containers(call: Call) -> Answer | Awaitable[Answer]:
    limit = call.integer("limit") or 0
    query = ContainerQuery(all=call.boolean("all"), limit=limit, filters=call.filters())
    records = call.backend.containers.list(query)
    if call.boolean("size"):
        return _list_with_sizes(call, records)
    return _listed(call, records, {})


async def _list_with_sizes(call: Call, records: list[ContainerRecord]) -> Answer:
    sizes = await call.backend.containers.sizes(tuple(record.id for record in records))
    return _listed(call, records, sizes)


def _listed(call: Call, records: list[ContainerRecord], sizes: Sizes) -> Answer:
    facts = _Facts(call, sizes)
    return call.joined([_row(call, record, facts.of(record)) for record in records])


def _row(call: Call, record: ContainerRecord, facts: views.RowFacts) -> bytes:
    return call.backend.views.get(
        ("row", record.id, call.version),
        (record, facts),
        lambda: adapted(views.container_row(record, facts), call.version),
    )


async def all_rows(call: Call) -> list[ContainerRow]:
    """Return the rows of all containers, with their sizes."""
    records = call.backend.containers.list(ContainerQuery(all=True))
    sizes = await call.backend.containers.sizes(tuple(record.id for record in records))
    facts = _Facts(call, sizes)
    return [views.container_row(record, facts.of(record)) for record in records]


class _Facts:
    """What rows show that is not in records, at one moment. One removed meanwhile has no sizes.

    A container's image is shown as it was asked for, while that name still means it.
    """

    def __init__(self, call: Call, sizes: Sizes) -> None:
        self._images = call.backend.images
        self._meaning: dict[str, str] = {}
        self._now_ns = call.backend.clock.now_ns()
        self._sizes = sizes
        self._decided_by = cache(call.backend.containers.port_decided_by)

    def of(self, record: ContainerRecord) -> views.RowFacts:
        return views.RowFacts(
            self._image(record),
            views.status_text(record.state, self._now_ns),
            self._firewalls(record) if record.ports else (),
            self._sizes.get(record.id),
        )

    def _firewalls(self, record: ContainerRecord) -> tuple[tuple[str, str], ...]:
        addresses = dict.fromkeys(address for address, _ in host_ends(record))
        return tuple((address, self._decided_by(address)) for address in addresses)

    def _image(self, record: ContainerRecord) -> str:
        asked = record.image_ref
        if not asked:
            return record.image_id
        if asked not in self._meaning:
            self._meaning[asked] = self._resolve(asked)
        return asked if self._meaning[asked] == record.image_id else record.image_id

    def _resolve(self, reference: str) -> str:
        try:
            return str(self._images.resolve(reference).id)
        except (NotFoundError, InvalidArgumentError):
            return ""


def inspect(call: Call) -> Answer | Awaitable[Answer]:
    record = call.backend.containers.get(call.target)
    return _inspect_with_sizes(call, record) if call.boolean("size") else _inspected(call, record)


async def _inspect_with_sizes(call: Call, record: ContainerRecord) -> Answer:
    sizes = await call.backend.containers.sizes((record.id,))
    return _inspected(call, call.backend.containers.get(record.id), sizes.get(record.id))


def _inspected(call: Call, record: ContainerRecord, sizes: tuple[int, int] | None = None) -> Answer:
    containers = call.backend.containers
    execs, links = containers.execs(record.id), containers.links(record.id)
    lost = containers.lost_log_lines(record.id)
    facts = views.InspectFacts(tuple(execs), links, sizes, lost)
    key, made_of = ("inspect", record.id, call.version), (record, facts)
    body = call.backend.views.find(key, made_of)
    if body is None:
        storage = containers.storage(record.id)
        shown = views.container_inspect(record, facts, storage, own_mac=call.version < 52)
        body = adapted(shown, call.version) + b"\n"
        if storage:  # it stays where it is; but what is missing may be repaired
            call.backend.views.keep(key, made_of, body)
    return Response(body=body)


async def top(call: Call) -> Answer:
    table = await call.backend.containers.top(call.target, call.text("ps_args") or "-ef")
    return call.json(shapes.TopAnswer(table.titles, table.rows))


async def explain(call: Call) -> Answer:
    """Say what it is made of; beyond Docker."""
    return call.json(await call.backend.containers.explain(call.target))


async def start(call: Call) -> Answer:
    checkpoint = None
    if name := call.text("checkpoint"):
        if not call.backend.system.release.experimental:
            raise InvalidArgumentError("checkpoint is only supported in experimental mode")
        checkpoint = (name, call.text("checkpoint-dir"))
    keys = call.text("detachKeys") or None
    steps = await call.backend.containers.start(
        call.target, detach_keys=keys, checkpoint=checkpoint, by=call.requester
    )
    if call.boolean("trace"):  # beyond Docker: boxship run --trace
        return call.json(shapes.StartTrace(tuple(views.step_time(step) for step in steps)))
    return NO_CONTENT


async def stop(call: Call) -> Answer:
    await call.backend.containers.stop(
        call.target, signal=_signal(call), timeout=call.integer("t"), by=call.requester
    )
    return NO_CONTENT


async def restart(call: Call) -> Answer:
    await call.backend.containers.restart(
        call.target, signal=_signal(call), timeout=call.integer("t"), by=call.requester
    )
    return NO_CONTENT


def _signal(call: Call) -> str | None:
    return (call.text("signal") or None) if call.version >= 42 else None


async def kill(call: Call) -> Answer:
    signal = call.text("signal") or "SIGKILL"
    await call.backend.containers.kill(call.target, signal, by=call.requester)
    return NO_CONTENT


async def pause(call: Call) -> Answer:
    await call.backend.containers.pause(call.target, by=call.requester)
    return NO_CONTENT


async def unpause(call: Call) -> Answer:
    await call.backend.containers.unpause(call.target, by=call.requester)
    return NO_CONTENT


async def rename(call: Call) -> Answer:
    await call.backend.containers.rename(call.target, call.text("name").removeprefix("/"))
    return NO_CONTENT


async def update(call: Call) -> Answer:
    body = await call.optional_body(shapes.UpdateBody)
    wanted = shapes.updates_of(body, call.version)
    ports = PortChange(body.publish_add or {}, body.publish_remove or ())
    warnings = await call.backend.containers.update(call.target, wanted, ports)
    return call.json(shapes.UpdateAnswer(warnings or None))


async def remove(call: Call) -> Answer:
    await call.backend.containers.remove(
        call.target,
        force=call.boolean("force"),
        volumes=call.boolean("v"),
        link=call.boolean("link"),
        by=call.requester,
    )
    return NO_CONTENT


async def resize(call: Call) -> Answer:
    await call.backend.containers.resize(call.target, call.characters("h"), call.characters("w"))
    return EMPTY


ROUTES = (
    ("POST", "/containers/create", create),
    ("GET", "/containers/json", list_containers),
    ("GET", "/containers/{id}/json", inspect),
    ("GET", "/containers/{id}/top", top),
    ("GET", "/containers/{id}/explain", explain),
    ("POST", "/containers/{id}/start", start),
    ("POST", "/containers/{id}/stop", stop),
    ("POST", "/containers/{id}/restart", restart),
    ("POST", "/containers/{id}/kill", kill),
    ("POST", "/containers/{id}/pause", pause),
    ("POST", "/containers/{id}/unpause", unpause),
    ("POST", "/containers/{id}/rename", rename),
    ("POST", "/containers/{id}/update", update),
    ("POST", "/containers/{id}/resize", resize),
    ("DELETE", "/containers/{id}", remove),
)
