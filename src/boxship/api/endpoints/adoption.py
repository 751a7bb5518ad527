"""Objects of another engine that become this one's: a route for each kind; beyond Docker.

::

    POST /boxship/adoption/networks     AdoptedNetwork   → Adopted
    POST /boxship/adoption/volumes      AdoptedVolume    → a stream of progress
    POST /boxship/adoption/containers   an archive       → Adopted

The shapes, and what is in the archive, are those of ``boxship.model.adoption``. Images come by
``/images/load``. Nearly no daemon is ever asked for it, so the shapes are loaded with the first
request.
"""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from boxship.api.call import Call, plain_json
from boxship.api.http.messages import Answer, Stream
from boxship.api.streams import told
from boxship.api.views.transfers import copying
from boxship.engine.housekeeping.volumecopies import Copied
from boxship.wire.jsonstream import Progress

if TYPE_CHECKING:
    from boxship.model.adoption import AdoptedVolume


async def network(call: Call) -> Answer:
    from boxship.model.adoption import AdoptedNetwork

    wanted = await call.body(AdoptedNetwork)
    return plain_json(await call.backend.adoption().network(wanted), 201)


async def volume(call: Call) -> Answer:
    from boxship.model.adoption import AdoptedVolume

    wanted = await call.body(AdoptedVolume)
    return Stream(told(_copying(call, wanted)), awaits_first=True, endless=True)


async def _copying(call: Call, wanted: "AdoptedVolume") -> AsyncGenerator[Progress, None]:
    events = call.backend.adoption().volume(wanted)
    try:
        async for event in events:
            if isinstance(event, Copied):
                yield copying(event, wanted.name)
            else:
                yield Progress(status="Already here" if event.already else "Made", id=event.id)
    finally:
        await events.aclose()


async def container(call: Call) -> Answer:
    archive = aiter(call.request.body)
    return plain_json(await call.backend.adoption().container(archive, call.requester), 201)


ROUTES = (
    ("POST", "/boxship/adoption/networks", network),
    ("POST", "/boxship/adoption/volumes", volume),
    ("POST", "/boxship/adoption/containers", container),
)
