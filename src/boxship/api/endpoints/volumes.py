"""Volumes: create, look, remove."""

from boxship.api.call import NO_CONTENT, Call
from boxship.api.http.messages import Answer
from boxship.api.views import volumes as views
from boxship.base.errors import NoSwarmManagerError, UnavailableError
from boxship.engine.volumes.requests import VolumeQuery
from boxship.wire import volumes as shapes


async def list_volumes(call: Call) -> Answer:
    found = await call.backend.volumes.survey(VolumeQuery(call.filters()))
    rows = tuple(map(views.row, found.views))
    return call.json(shapes.VolumeList(rows, found.warnings or None))


async def inspect_volume(call: Call) -> Answer:
    return call.json(views.row(await call.backend.volumes.look(call.target)))


async def create_volume(call: Call) -> Answer:
    body = await call.optional_body(shapes.VolumeBody)
    if body.cluster_volume_spec is not None and call.version >= 42:
        raise NoSwarmManagerError()
    made = await call.backend.volumes.create(views.create_request(body))
    if made.record.remote:
        made = await call.backend.volumes.look(made.record.name)
    return call.json(views.row(made), 201)


async def update_volume(_call: Call) -> Answer:
    raise UnavailableError("volume update only valid for cluster volumes, but swarm is unavailable")


async def remove_volume(call: Call) -> Answer:
    await call.backend.volumes.remove(call.target, force=call.boolean("force"))
    return NO_CONTENT


ROUTES = (
    ("GET", "/volumes", list_volumes),
    ("POST", "/volumes/create", create_volume),
    ("GET", "/volumes/{name}", inspect_volume),
    ("PUT", "/volumes/{name}", update_volume),
    ("DELETE", "/volumes/{name}", remove_volume),
)
