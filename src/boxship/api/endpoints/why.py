"""Why something is as it is, and who holds it; beyond Docker. The shape is ``boxship.model.why``.

::

    GET /containers/web/why
    {"Kind":"container","Id":"…","Name":"web","Status":"exited",
     "Answer":"SIGKILL killed it at …, sent by docker kill (process 4711, user 0)",
     "Facts":["It has no restart policy, so it stays as it is."],"Holders":[],"Takes":[…],
     "Past":[{"At":"…","What":"created","By":{"Pid":4700,"Uid":0,"Command":"docker create"}},…]}

    GET /boxship/ports/why?port=8080&protocol=tcp
    GET /boxship/disk/why
"""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.base.errors import InvalidArgumentError
from boxship.model.ports import LAST_PORT, PROTOCOLS


async def container(call: Call) -> Answer:
    return call.json(await call.backend.reasons().container(call.target))


async def image(call: Call) -> Answer:
    return call.json(await call.backend.reasons().image(call.target))


async def volume(call: Call) -> Answer:
    return call.json(await call.backend.reasons().volume(call.target))


async def network(call: Call) -> Answer:
    return call.json(await call.backend.reasons().network(call.target))


async def port(call: Call) -> Answer:
    number, protocol = call.integer("port") or 0, call.text("protocol") or "tcp"
    if not 0 < number <= LAST_PORT:
        raise InvalidArgumentError(f"invalid port: {number}: must be from 1 to {LAST_PORT}")
    if protocol not in PROTOCOLS:
        allowed = ", ".join(PROTOCOLS)
        raise InvalidArgumentError(f"invalid protocol: {protocol}: must be one of {allowed}")
    return call.json(await call.backend.reasons().port(number, protocol))


async def disk(call: Call) -> Answer:
    return call.json(await call.backend.reasons().disk())


ROUTES = (
    ("GET", "/containers/{id}/why", container),
    ("GET", "/images/{name...}/why", image),
    ("GET", "/volumes/{name}/why", volume),
    ("GET", "/networks/{id}/why", network),
    ("GET", "/boxship/ports/why", port),
    ("GET", "/boxship/disk/why", disk),
)
