"""BuildKit's door; what is behind it is imported when the first client comes."""

from typing import TYPE_CHECKING

from boxship.api.call import Call
from boxship.api.http.messages import Answer

if TYPE_CHECKING:
    from boxship.api.buildkit.door import Door


async def grpc(call: Call) -> Answer:
    """Take a connection on which the client calls us."""
    from boxship.api.grpc.upgrade import check_upgrade

    check_upgrade(call)
    return await _door(call).serve(call)


async def session(call: Call) -> Answer:
    """Take a connection on which we call the client."""
    from boxship.api.buildkit.sessions import offered
    from boxship.api.grpc.upgrade import check_upgrade

    check_upgrade(call)
    return await _door(call).open_session(call, offered(call))


async def build_in_session(call: Call) -> Answer:
    """Build as version 2 of ``POST /build`` has it; what is uploaded for a build comes so, too."""
    from boxship.api.buildkit.sessionbuild import build_in_session as build

    door = _door(call)
    return await build(call, door.sessions, door.uploading)


def _door(call: Call) -> "Door":
    from boxship.api.buildkit.door import Door

    return call.backend.kept.get(Door, lambda: Door(call.backend))


ROUTES = (
    ("POST", "/grpc", grpc),
    ("POST", "/session", session),
)
