"""Checkpoints, which are experimental: the daemon has to be told to have them."""

from boxship.api.call import CREATED, NO_CONTENT, Call
from boxship.api.http.messages import Answer
from boxship.base.errors import NotFoundError, NotImplementedYetError
from boxship.wire import containers as shapes


def _check_enabled(call: Call) -> None:
    if not call.backend.system.release.experimental:
        raise NotImplementedYetError(
            "This experimental feature is disabled by default. Start the Docker daemon in "
            "experimental mode in order to enable it."
        )


async def create(call: Call) -> Answer:
    _check_enabled(call)
    body = await call.body(shapes.CheckpointBody)
    await call.backend.containers.checkpoint(
        call.target, body.checkpoint_id, body.checkpoint_dir, leave_running=not body.exit
    )
    return CREATED


async def list_checkpoints(call: Call) -> Answer:
    _check_enabled(call)
    names = call.backend.containers.checkpoints(call.target, call.text("dir"))
    return call.json_list([shapes.CheckpointRow(name) for name in names])


async def remove(call: Call) -> Answer:
    """Remove one; the route's variable is the container, ``/checkpoints/`` and the name."""
    container, noun, name = (*call.target.split("/", 2), "", "")[:3]
    if noun != "checkpoints" or not name or "/" in name:
        raise NotFoundError("page not found")
    _check_enabled(call)
    await call.backend.containers.remove_checkpoint(container, name, call.text("dir"))
    return NO_CONTENT


ROUTES = (
    ("POST", "/containers/{id}/checkpoints", create),
    ("GET", "/containers/{id}/checkpoints", list_checkpoints),
    ("DELETE", "/containers/{id...}", remove),
)
