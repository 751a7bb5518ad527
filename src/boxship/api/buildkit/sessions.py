"""The sessions that are open, and who waits for one.

A client opens its session and begins its build at the same time, so either may come first.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from boxship.api.buildkit.session import Session
from boxship.api.call import Call
from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.wire.buildkit.session import SESSION_ID, SESSION_NAME, SHARED_KEY

_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client says of its session."""

    id: str
    shared_key: str
    """What tells its directories from others' between builds; empty: nothing is kept of them."""


def offered(call: Call) -> Offer:
    """Read the headers of a request that opens a session."""
    headers = call.request.headers
    identifier, shared = headers.get(SESSION_ID, ""), headers.get(SHARED_KEY, "")
    if not identifier:
        raise InvalidArgumentError(f"the header {SESSION_ID} must name the session")
    if not shared:
        return Offer(identifier, "")
    named = f"{headers.get(SESSION_NAME, '')}\0{shared}"
    return Offer(identifier, hashlib.sha256(named.encode()).hexdigest())


class Sessions:
    """Sessions by the name that their client gave them."""

    def __init__(self) -> None:
        self._taken: dict[str, Session] = {}
        """Also those whose connection doesn't stand yet."""
        self._open: dict[str, Session] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def begun(self, offer: Offer) -> AsyncIterator[Session]:
        """Make a session whose connection is opened meanwhile; then builds find it.

        ConflictError: there is one of that name.
        """
        if offer.id in self._taken:
            raise ConflictError(f"session {offer.id} exists already")
        session = Session(offer.id, offer.shared_key, lambda: self._gone(session))
        self._taken[offer.id] = session
        try:
            yield session
        except BaseException:
            self._gone(session)
            raise
        if session.client.connection.closed:  # meanwhile
            self._gone(session)
            return
        async with self._changed:
            self._open[session.id] = session
            self._changed.notify_all()

    def find(self, identifier: str) -> Session | None:
        """Return a session if it is open now."""
        return self._open.get(identifier)

    async def get(self, identifier: str) -> Session:
        """Return a session, waiting a moment for one to come. NotFoundError."""
        try:
            async with asyncio.timeout(_WITHIN), self._changed:
                await self._changed.wait_for(lambda: identifier in self._open)
                return self._open[identifier]
        except TimeoutError:
            raise NotFoundError(f"no active session for {identifier}") from None

    def close(self) -> None:
        """End all."""
        for session in list(self._open.values()):
            session.client.close()

    def _gone(self, session: Session) -> None:
        for known in (self._taken, self._open):
            if known.get(session.id) is session:
                del known[session.id]
