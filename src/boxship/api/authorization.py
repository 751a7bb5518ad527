"""The one gate in front of every endpoint: who asks, and whether it may be.

::

    route ─► Gate ─┬─ nobody to be asked ─────────────────────► endpoint ─► answer
                   └─ Identity ─► judge 1 … judge n ─► endpoint ─► judge 1 … judge n ─► answer
                                     └ ForbiddenError ─► 403

Where nobody has to be asked, which is the usual case, a request passes in one comparison. Judges
are asked in order, the first that refuses counts; a refusal says who refused and why. Two kinds are
known: the limits of a scope (``boxship.api.scoped``), and authorization plugins.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from boxship.api.backend import Backend
from boxship.api.errors import answer_error
from boxship.api.http.entrance import MAIN, Entrance
from boxship.api.http.messages import Answer, HandedOver, Request, Response, Stream
from boxship.api.http.outgoing import let_go
from boxship.base.errors import BoxshipError, ForbiddenError


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as the connection proves it.

    ``user`` is the common name of a client's certificate, and ``method`` then ``TLS``, as Docker
    tells authorization plugins. Whoever comes in by a unix socket has neither; ``requester.py``
    knows the process.
    """

    user: str = ""
    method: str = ""
    entrance: Entrance = MAIN
    certificates: tuple[bytes, ...] = ()
    """What the client has sent of its chain, PEM, its own certificate first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has found its route, and who sent it.

    ``pattern`` is the route's, as in the table of routes; ``target`` its variable's text. Of the
    body, ``request.body.peek(limit)`` shows what the endpoint will read.
    """

    identity: Identity
    request: Request
    pattern: str
    target: str
    notes: dict[str, object] = field(default_factory=dict)
    """What judges keep of a request for its answer, each kind under a name of its own."""


class Judge(Protocol):
    """Somebody who is asked. ForbiddenError: it must not be; any other error forbids it, too."""

    async def before(self, asked: Asked) -> None:
        """Judge a request before its endpoint is called."""

    async def after(self, asked: Asked, answer: Response | Stream) -> None:
        """Judge an answer before its first byte leaves.

        Of a stream there is the header alone. A connection that was handed over can't be judged:
        its header has left.
        """


Endpoint = Callable[[Backend], Answer | Awaitable[Answer]]
"""Answers the request with what it is given to call."""


class Scopes(Protocol):
    """Who lets in those that have the limits of a scope; see ``boxship.api.scoped``."""

    def limits(self, request: Request) -> bool:
        """Tell whether a request has the limits of a scope: by its door, or by its token."""

    async def answer(self, asked: Asked, endpoint: Endpoint) -> Answer:
        """Have it answered within its scope. ForbiddenError, UnauthorizedError: refused."""

    def refused(self, asked: Asked, error: Exception) -> None:
        """Take note that a judge has refused a request, or its answer."""


class Gate:
    """What stands before the endpoints of one API."""

    def __init__(
        self, judges: tuple[Judge, ...] = (), scopes: Callable[[], Scopes] | None = None
    ) -> None:
        self.judges = judges
        """Can be replaced at any time; requests under way keep those that they began with."""
        self._scopes = scopes

    def stands_open(self, request: Request) -> bool:
        """Tell whether a request needs nobody's consent."""
        return not self.judges and request.connection.entrance is MAIN

    async def pass_through(self, asked: Asked, backend: Backend, endpoint: Endpoint) -> Answer:
        """Ask everybody, have the request answered, ask again. ForbiddenError: refused."""
        judges = self.judges
        try:
            for judge in judges:
                await judge.before(asked)
        except Exception as error:
            self._note_refusal(asked, error)
            raise
        answer = await self._answer_or_error(asked, backend, endpoint)
        if isinstance(answer, HandedOver):
            return answer
        try:
            for judge in judges:
                await judge.after(asked, answer)
        except BaseException as error:
            if isinstance(error, Exception):
                self._note_refusal(asked, error)
            if isinstance(answer, Stream):
                await let_go(answer.chunks)
            raise
        return answer

    def _note_refusal(self, asked: Asked, error: Exception) -> None:
        if asked.identity.entrance is not MAIN and self._scopes is not None:
            scopes = self._scopes()
            if scopes.limits(asked.request):
                scopes.refused(asked, error)

    async def _answer_or_error(self, asked: Asked, backend: Backend, endpoint: Endpoint) -> Answer:
        """An error is an answer to judges as well: it may tell what nobody is to know."""
        try:
            return await self._answer(asked, backend, endpoint)
        except BoxshipError as error:
            if not self.judges:
                raise
            return answer_error(asked.request, error)

    async def _answer(self, asked: Asked, backend: Backend, endpoint: Endpoint) -> Answer:
        if asked.identity.entrance is not MAIN:
            if self._scopes is None:  # nobody could say what is allowed here
                raise ForbiddenError("there are no scopes")
            scopes = self._scopes()
            if scopes.limits(asked.request):
                return await scopes.answer(asked, endpoint)
        coming = endpoint(backend)
        return await coming if isinstance(coming, Awaitable) else coming


def identity_of(request: Request) -> Identity:
    """Say who asks, by the connection."""
    connection = request.connection
    user = connection.certified_name
    method = "TLS" if user else ""
    return Identity(user, method, connection.entrance, connection.certificates)
