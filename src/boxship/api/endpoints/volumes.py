"""Volumes, as far as they are there: there are none."""

from boxship.api.call import Call, plain_json
from boxship.api.http.messages import Answer
from boxship.base.errors import NotFoundError


async def list_volumes(_call: Call) -> Answer:
    return plain_json({"Volumes": [], "Warnings": None})


async def inspect_volume(call: Call) -> Answer:
    raise NotFoundError(f"get {call.target}: no such volume")


ROUTES = (
    ("GET", "/volumes", list_volumes),
    ("GET", "/volumes/{name}", inspect_volume),
)
