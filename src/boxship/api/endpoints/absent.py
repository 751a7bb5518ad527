"""Routes of the Engine API that Boxship doesn't serve yet: what they say instead.

They are named one by one, so that a client learns "not yet" and not "no such page".
"""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.base.errors import (
    NoSwarmManagerError,
    NotImplementedYetError,
    UnavailableError,
)

_NOT_YET = (
    ("GET", "/images/{name...}/attestations"),
    ("POST", "/swarm/init"),
    ("POST", "/swarm/join"),
)

_SWARM = (
    ("GET", "/swarm"),
    ("GET", "/swarm/unlockkey"),
    ("POST", "/swarm/update"),
    ("POST", "/swarm/unlock"),
    *(("GET", f"/{noun}") for noun in ("configs", "nodes", "secrets", "services", "tasks")),
    *(("GET", f"/{n}/{{id}}") for n in ("configs", "nodes", "secrets", "services", "tasks")),
    *(("POST", f"/{noun}/create") for noun in ("configs", "secrets", "services")),
    *(("POST", f"/{n}/{{id}}/update") for n in ("configs", "nodes", "secrets", "services")),
    *(("DELETE", f"/{noun}/{{id}}") for noun in ("configs", "nodes", "secrets", "services")),
    *(("GET", f"/{noun}/{{id}}/logs") for noun in ("services", "tasks")),
)


async def not_yet(call: Call) -> Answer:
    request = call.request
    raise NotImplementedYetError(
        f"{request.method} {request.path} is not implemented in this version of Boxship"
    )


async def no_manager(_call: Call) -> Answer:
    raise NoSwarmManagerError()


async def no_swarm(_call: Call) -> Answer:
    raise UnavailableError("This node is not part of a swarm")


ROUTES = (
    ("POST", "/swarm/leave", no_swarm),
    *((method, pattern, no_manager) for method, pattern in _SWARM),
    *((method, pattern, not_yet) for method, pattern in _NOT_YET),
)
