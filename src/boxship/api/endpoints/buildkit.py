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


def _door(call: Call) -> "Door":
    from boxship.api.buildkit.door import Door

    return call.backend.kept.get(Door, lambda: Door(call.backend))


ROUTES = (
    ("POST", "/grpc", grpc),
    ("POST", "/session", session),
)
