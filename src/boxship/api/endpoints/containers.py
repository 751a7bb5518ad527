"""Containers: create, look, change, remove."""

from msgspec import UNSET, structs

from boxship.api.call import EMPTY, NO_CONTENT, Call
from boxship.api.endpointwishes import wish_of
from boxship.api.http.messages import Answer
from boxship.api.views import containers as views
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import ContainerQuery, CreateContainer, PortChange
from boxship.wire import containers as shapes
from boxship.wire.containers import ContainerRow


async def create(call: Call) -> Answer:
    body = await call.body(shapes.CreateBody)
    created = await call.backend.containers.create(
        CreateContainer(
            config=shapes.config_of(body),
            host=shapes.host_config_of(body, call.version),
            name=call.text("name").removeprefix("/") or None,
            endpoints=tuple(
                wish_of(name, wish)
                for name, wish in shapes.endpoints_of(body, call.version).items()
            ),
            platform=(call.text("platform") or None) if call.version >= 41 else None,
            by=call.requester,
        )
    )
    return call.json(shapes.CreateAnswer(created.id, created.warnings), 201)


async def list_containers(call: Call) -> Answer:
    limit = call.integer("limit") or 0
    query = ContainerQuery(all=call.boolean("all"), limit=limit, filters=call.filters())
    rows = list_rows(call, query)
    if call.boolean("size"):
        rows = [await with_sizes(call, row) for row in rows]
    return call.json_list(rows)


async def with_sizes(call: Call, row: ContainerRow) -> ContainerRow:
    """Add the bytes written, and those with the image's; one removed meanwhile has none."""
    try:
        written, whole = await call.backend.containers.sizes(row.id)
    except NotFoundError:  # removed meanwhile
        return row
    return structs.replace(row, size_rw=written or UNSET, size_root_fs=whole)


def list_rows(call: Call, query: ContainerQuery) -> list[ContainerRow]:
    """Return the rows of a list."""
    names = _ImageNames(call)
    now = call.backend.clock.now_ns()
    records = call.backend.containers.list(query)
    decided_by = call.backend.containers.port_decided_by
    return [views.container_row(record, now, names.of, decided_by) for record in records]


class _ImageNames:
    """How a container's image is shown: as it was asked for, while that name still means it."""

    def __init__(self, call: Call) -> None:
        self._images = call.backend.images
        self._meaning: dict[str, str] = {}

    def of(self, record: ContainerRecord) -> str:
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


async def inspect(call: Call) -> Answer:
    containers = call.backend.containers
    record = containers.get(call.target)
    execs, storage = containers.execs(record.id), containers.storage(record.id)
    view = views.container_inspect(record, execs, storage, containers.links(record.id))
    if call.boolean("size"):
        written, whole = await containers.sizes(record.id)
        view = structs.replace(view, size_rw=written, size_root_fs=whole)
    return call.json(view)


async def top(call: Call) -> Answer:
    table = await call.backend.containers.top(call.target, call.text("ps_args") or "-ef")
    return call.json(shapes.TopAnswer(table.titles, table.rows))


async def explain(call: Call) -> Answer:
    """Say what it is made of; beyond Docker."""
    return call.json(await call.backend.containers.explain(call.target))


async def start(call: Call) -> Answer:
    checkpoint = None
    if name := call.text("checkpoint"):
        if not call.backend.system.daemon.experimental:
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
