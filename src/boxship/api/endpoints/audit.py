"""The log of where containers connected to, which Docker has not.

::

    GET /boxship/networks/audit?container=web&verdict=deny&limit=100
    [{"time":"…","verdict":"deny","container":"…","name":"web","destination":"203.0.113.9",…}, …]

The latest are the last ones. The shape is that of ``boxship.model.connection``.
"""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.base.errors import InvalidArgumentError

_VERDICTS = ("", "allow", "deny")


async def audit(call: Call) -> Answer:
    verdict, limit = call.text("verdict"), call.integer("limit") or 0
    if verdict not in _VERDICTS:
        raise InvalidArgumentError(f"invalid verdict: {verdict}: must be allow or deny")
    if limit < 0:
        raise InvalidArgumentError(f"invalid limit: {limit}: must not be negative")
    found = await call.backend.containers.connections(call.text("container"), verdict, limit)
    return call.json_list(list(found))


ROUTES = (("GET", "/boxship/networks/audit", audit),)
