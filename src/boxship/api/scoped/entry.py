"""How a request gets in by a scope: whose it is, what it may reach, and a line in the log."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from weakref import WeakSet

from boxship.api.authorization import Asked, Endpoint
from boxship.api.backend import Backend
from boxship.api.errors import status_of
from boxship.api.http.body import ClientGoneError
from boxship.api.http.entrance import Tokens
from boxship.api.http.messages import (
    Answer,
    Chunk,
    Detachable,
    HandedOver,
    Request,
    Response,
    Stream,
)
from boxship.api.http.outgoing import let_go
from boxship.api.requester import requester_of
from boxship.api.scoped.backend import limited_backend
from boxship.api.scoped.denial import HiddenError
from boxship.api.scoped.routes import ANYBODY, PERMISSIONS
from boxship.base.clock import format_ns
from boxship.base.errors import ForbiddenError, NotFoundError, UnauthorizedError
from boxship.engine.access.audit import AuditEntry
from boxship.engine.access.scope import Scope
from boxship.engine.access.service import TOKEN_PREFIX, Access

_BEARER = "bearer "
_STREAMING, _UPGRADED = 200, 101
_MOST_BACKENDS = 64

Note = Callable[[int, Exception | None], None]
"""Writes how a request went into the log."""


class ScopedEntry:
    """See ``boxship.api.authorization.Scopes``."""

    def __init__(self, access: Access, backend: Backend) -> None:
        self._access = access
        self._backend = backend
        self._backends: dict[str, tuple[Scope, Backend]] = {}
        self._sessions: dict[str, WeakSet[Detachable]] = {}
        """Connections that were handed over, by their scopes' names."""
        access.when_removed(self._end_sessions)

    def limits(self, request: Request) -> bool:
        """Tell whether a request has the limits of a scope: by its door, or by its token."""
        entrance = request.connection.entrance
        if entrance.scope or entrance.tokens is Tokens.DEMANDED:
            return True
        return entrance.tokens is Tokens.TAKEN and bool(bearer(request))

    async def answer(self, asked: Asked, endpoint: Endpoint) -> Answer:
        """Have a request answered within its scope. ForbiddenError, UnauthorizedError: refused."""
        name = ""
        try:
            scope = self._scope(asked)
            name = scope.name
            _check_route(scope, asked)
            coming = endpoint(self._limited(scope))
            answer = await coming if isinstance(coming, Awaitable) else coming
        except Exception as error:
            self._write(name, asked, status_of(error), error)
            raise
        if isinstance(answer, HandedOver):
            self._keep_session(scope, asked.request.connection)
        if isinstance(answer, Stream):
            answer = replace(answer, chunks=_ScopedChunks(answer.chunks, self._holds(scope)))
        if PERMISSIONS.get((asked.request.method, asked.pattern)) is ANYBODY:
            return answer  # what every client asks before anything else would drown the rest
        return _noted(answer, lambda status, error: self._write(name, asked, status, error))

    def refused(self, asked: Asked, error: Exception) -> None:
        """Write down that a judge has refused a request, or its answer."""
        try:
            name = self._scope(asked).name
        except (ForbiddenError, UnauthorizedError):
            name = ""
        self._write(name, asked, status_of(error), error, refused=True)

    def _holds(self, scope: Scope) -> Callable[[], bool]:
        """Return what tells whether a scope is still there."""
        return lambda: self._access.knows(scope)

    def _keep_session(self, scope: Scope, connection: Detachable) -> None:
        """Remember a session in a container: it must not outlive its scope."""
        if self._access.knows(scope):
            self._sessions.setdefault(scope.name, WeakSet()).add(connection)
        else:
            connection.abort()

    def _end_sessions(self, scope: Scope) -> None:
        for connection in tuple(self._sessions.pop(scope.name, ())):
            connection.abort()

    def _scope(self, asked: Asked) -> Scope:
        """Return whose limits a request has. One that was removed lets nobody in any more."""
        entrance = asked.identity.entrance
        if not entrance.scope:
            token = bearer(asked.request)
            if not token:
                raise UnauthorizedError("a token is needed here, as Authorization: Bearer TOKEN")
            scope = self._access.of_token(token)
            if scope is None:
                raise UnauthorizedError("no such token: it is wrong, or its scope was removed")
            return scope
        try:
            return self._access.get(entrance.scope)
        except NotFoundError as error:
            raise ForbiddenError(f"the scope {entrance.scope} was removed") from error

    def _limited(self, scope: Scope) -> Backend:
        known = self._backends.get(scope.name)
        if known is None or known[0] is not scope:
            if len(self._backends) >= _MOST_BACKENDS:  # of scopes that are gone, most of them
                self._backends.clear()
            known = scope, limited_backend(scope, self._backend)
            self._backends[scope.name] = known
        return known[1]

    def _write(
        self,
        scope: str,
        asked: Asked,
        status: int,
        error: Exception | None,
        *,
        refused: bool = False,
    ) -> None:
        refused = refused or isinstance(error, ForbiddenError | HiddenError | UnauthorizedError)
        request = asked.request
        by = requester_of(request)
        self._access.audit.write(
            AuditEntry(
                time=format_ns(self._backend.clock.now_ns()),
                scope=scope,
                door="socket" if asked.identity.entrance.scope else "token",
                method=request.method,
                path=request.path,
                allowed=not refused,
                status=status,
                reason=str(error) if error is not None else "",
                pid=by.pid,
                uid=by.uid,
                command=by.command,
                address=by.address,
                agent=by.agent,
            )
        )


def bearer(request: Request) -> str:
    """Return the token that a request shows; empty if it shows none of ours."""
    given = request.headers.get("authorization", "")
    token = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
    return token if token.startswith(TOKEN_PREFIX) else ""


def _check_route(scope: Scope, asked: Asked) -> None:
    permission = PERMISSIONS.get((asked.request.method, asked.pattern))
    if permission is None:
        raise ForbiddenError(
            f"the scope {scope.name} does not allow {asked.request.method} {asked.pattern}: "
            "no scope does"
        )
    if permission is not ANYBODY:
        scope.demand(permission)


def _noted(answer: Answer, note: Note) -> Answer:
    """Write down how it went: now, or once a stream has shown that it begins well."""
    if isinstance(answer, Stream) and answer.awaits_first:
        return replace(answer, chunks=_NotedChunks(answer.chunks, note))
    if isinstance(answer, Response):
        note(answer.status, None)
    else:
        note(_UPGRADED if isinstance(answer, HandedOver) else _STREAMING, None)
    return answer


class _ScopedChunks(AsyncIterator[Chunk]):
    """Chunks that end with their scope: what comes after it was removed is told nobody."""

    def __init__(self, chunks: AsyncIterator[Chunk], holds: Callable[[], bool]) -> None:
        self._chunks, self._holds = chunks, holds

    async def __anext__(self) -> Chunk:
        chunk = await anext(self._chunks)
        if not self._holds():
            raise ClientGoneError("the scope was removed")
        return chunk

    async def aclose(self) -> None:
        await let_go(self._chunks)


class _NotedChunks(AsyncIterator[Chunk]):
    """Chunks of which the first decides what the answer is."""

    def __init__(self, chunks: AsyncIterator[Chunk], note: Note) -> None:
        self._chunks = chunks
        self._note: Note | None = note

    async def __anext__(self) -> Chunk:
        note, self._note = self._note, None
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            if note is not None:
                note(_STREAMING, None)
            raise
        except Exception as error:
            if note is not None:
                note(status_of(error), error)
            raise
        if note is not None:
            note(_STREAMING, None)
        return chunk

    async def aclose(self) -> None:
        await let_go(self._chunks)
