"""Notes of what was asked, for whoever wants to know which routes have tests.

Where the environment variable ``BOXSHIP_API_CALLS`` names a file, each request that has reached its
endpoint adds a line to it (names only: values may be secret)::

    {"method":"GET","pattern":"/containers/json","given":["all"],"body":false,"status":200}

Elsewhere endpoints are called as they are, and this costs nothing.
"""

import os
from collections.abc import Awaitable
from dataclasses import dataclass

from msgspec import Struct, json

from boxship.api.call import Call
from boxship.api.errors import status_of
from boxship.api.http.messages import Answer, Response
from boxship.api.router import Endpoint

VARIABLE = "BOXSHIP_API_CALLS"
_HEADERS = ("X-Registry-Auth",)
_BEGUN = 200


class Note(Struct, frozen=True):
    """One request; ``given`` are names of parameters and of headers that are described as such."""

    method: str
    pattern: str
    given: tuple[str, ...]
    body: bool
    status: int


@dataclass(frozen=True, slots=True)
class Noted:
    """An endpoint that notes its calls."""

    method: str
    pattern: str
    endpoint: Endpoint
    path: str

    async def __call__(self, call: Call) -> Answer:
        status = _BEGUN
        try:
            coming = self.endpoint(call)
            answer = await coming if isinstance(coming, Awaitable) else coming
            if isinstance(answer, Response):
                status = answer.status
        except Exception as error:
            status = status_of(error)
            raise
        finally:
            self._note(call, status)
        return answer

    def _note(self, call: Call, status: int) -> None:
        headers = call.request.headers
        given = (*call.request.query, *(name for name in _HEADERS if name.lower() in headers))
        body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        note = Note(self.method, self.pattern, given, body, status)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.encode(note) + b"\n")
        finally:
            os.close(fd)


def noted(method: str, pattern: str, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint, noting its calls if that is wanted."""
    path = os.environ.get(VARIABLE)
    return Noted(method, pattern, endpoint, path) if path else endpoint
