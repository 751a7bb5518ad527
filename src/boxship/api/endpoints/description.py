"""The API's own description. It is made when somebody asks, since few ever do."""

from boxship.api.call import Call
from boxship.api.http.messages import Answer, Response


async def describe(_call: Call) -> Answer:
    """Answer with the document, which is the same for every version that is asked for."""
    from boxship.api.openapi.document import encoded  # the daemon's memory is not for this

    return Response(200, encoded())


ROUTES = (("GET", "/openapi.json", describe),)
