"""The endpoints of one repository, and which of them answers.

An endpoint that fails is followed by the next. Of the last error and those before it the one of the
registry itself is told; mirrors are only shortcuts. Plain HTTP, the last resort of an insecure
registry, is remembered once it worked.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from boxship.distribution.cancel import Cancel
from boxship.distribution.capabilities import Capability
from boxship.distribution.errors import (
    CertificateProblemError,
    RegistryError,
    RegistryUnavailableError,
    RegistryUnreachableError,
    TransferCancelledError,
)
from boxship.distribution.session import Ask, Session
from boxship.distribution.settings import Retries

ResultT = TypeVar("ResultT")

_AT_MIRRORS = 2
_TLS_WANTED = 400
"""What a TLS server says to plain HTTP."""


class PlainHosts:
    """Hosts that turned out to speak plain HTTP; shared by all repositories of a daemon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plain: set[str] = set()

    def remember(self, session: Session) -> None:
        with self._lock:
            self._plain.add(_host(session))

    def forget(self, session: Session) -> None:
        with self._lock:
            self._plain.discard(_host(session))

    def __contains__(self, session: Session) -> bool:
        with self._lock:
            return _host(session) in self._plain


class Sources:
    """Sessions in the order in which they are asked."""

    def __init__(self, sessions: tuple[Session, ...], plain: PlainHosts) -> None:
        self._sessions = sessions
        self._plain = plain
        self._distrusted: set[Session] = set()

    def candidates(self, capability: Capability) -> tuple[Session, ...]:
        """Those that may be asked for it, best first; never empty."""
        able = [s for s in self._sessions if capability in s.endpoint.capabilities]
        speaking = tuple(s for s in able if s.endpoint.is_plain or s not in self._plain)
        if not speaking:
            word = capability.name.lower()
            raise RegistryError(f"no endpoint of this registry is allowed to {word} by hosts.toml")
        # Of a plain host, TLS is no alternative: who alone is left is asked again, and told of.
        return tuple(s for s in speaking if s not in self._distrusted) or speaking

    def first(self, capability: Capability, action: Callable[[Session], ResultT]) -> ResultT:
        """Do ``action`` with the first endpoint that doesn't fail."""
        candidates = self.candidates(capability)
        told: RegistryError | None = None
        for session in candidates:
            try:
                result = action(session)
            except TransferCancelledError:
                raise
            except RegistryError as error:
                self.failed(session, error)
                told = more_telling(told, error, session)
                if not self.goes_on(session, error):
                    break
            else:
                self.worked(session)
                return result
        assert told is not None
        raise told

    def settled(
        self, capability: Capability, scopes: frozenset[str], cancel: Cancel | None
    ) -> Session:
        """Find the endpoint by a request that costs nothing, for those that can't be repeated."""
        candidates = self.candidates(capability)
        if len(candidates) == 1 or candidates[0].endpoint.is_plain:
            return candidates[0]

        def at(session: Session) -> Session:
            session.ask(Ask("GET", "", scopes, (200, 401, 403, 404)), cancel).close()
            return session

        return self.first(capability, at)

    def worked(self, session: Session) -> None:
        """``session`` gave an answer."""
        if not session.endpoint.own:
            return
        if session.endpoint.is_plain:
            self._plain.remember(session)

    def failed(self, session: Session, error: RegistryError) -> None:
        """``session`` gave none."""
        if isinstance(error, RegistryUnreachableError):
            self._plain.forget(session)

    def distrust(self, session: Session) -> None:
        """``session`` gave wrong bytes."""
        self._distrusted.add(session)

    def goes_on(self, session: Session, error: RegistryError) -> bool:
        """Whether the next endpoint may know better.

        Mirrors may fail in any way. What the registry itself says is final, but that it doesn't
        speak TLS (or not any more plain HTTP).
        """
        if not session.endpoint.own:
            return True
        return isinstance(error, RegistryUnavailableError | CertificateProblemError)

    def retries_at(self, session: Session, retries: Retries) -> Retries:
        """Where there is another endpoint, patience is short."""
        if session is self._sessions[-1]:
            return retries
        attempts = 1 if session.endpoint.own else min(_AT_MIRRORS, retries.attempts)
        return replace(retries, attempts=attempts)


def more_telling(
    told: RegistryError | None, error: RegistryError, session: Session
) -> RegistryError:
    """Of two errors the one to show: that of the registry itself, of its plain door the last."""
    if told is None or session.endpoint.own:
        if session.endpoint.is_plain and told is not None and error.status == _TLS_WANTED:
            return told
        return error
    return told


def _host(session: Session) -> str:
    return session.endpoint.origin.partition("://")[2]
