"""All scopes: made, found, removed, and kept; their sockets are opened by the daemon.

::

    records: scopes(name, body)          body: Scope as JSON
    token:   "bst_" and 43 characters; shown once, when the scope is made

The record is the commit point: a socket is opened behind it, and opened again at each start.
"""

import asyncio
import hashlib
import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from boxship.base.clock import Clock
from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError, NotFoundError
from boxship.engine.access.audit import AuditLog
from boxship.engine.access.permissions import parse_permissions
from boxship.engine.access.scope import (
    Scope,
    check_labels,
    check_name,
    decode_scope,
    encode_scope,
)
from boxship.engine.records.database import Database

log = logging.getLogger(__name__)

TOKEN_PREFIX = "bst_"
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class CreateScope:
    """A wish for a scope, as people write it. ``token``: with a token instead of a socket."""

    name: str
    allow: tuple[str, ...]
    labels: Mapping[str, str]
    token: bool = False
    group: str = ""


@dataclass(frozen=True)
class CreatedScope:
    """A new scope; ``token`` is told nowhere else."""

    scope: Scope
    token: str = ""


class Doors(Protocol):
    """Who opens sockets for scopes."""

    async def open(self, scope: Scope) -> None:
        """Let people in by the scope's socket. InvalidArgumentError: there is no such group."""

    async def close(self, scope: Scope) -> None:
        """Let nobody in any more, and send those away who are in."""

    def path(self, scope: Scope) -> str:
        """Return where the scope's socket is."""


class Access:
    """Every scope of an engine. Not thread-safe: call it from the event loop."""

    def __init__(
        self, bodies: Iterable[bytes], database: Database, clock: Clock, audit: AuditLog
    ) -> None:
        """``bodies`` are the records of all scopes there are."""
        self.audit = audit
        self._database = database
        self._clock = clock
        self._doors: Doors | None = None
        self._farewells: list[Callable[[Scope], None]] = []
        self._changing = asyncio.Lock()
        self._scopes: dict[str, Scope] = {}
        self._by_token: dict[str, Scope] = {}
        for body in bodies:
            self._add(decode_scope(body))

    @property
    def has_doors(self) -> bool:
        return self._doors is not None

    def set_doors(self, doors: Doors) -> None:
        """Have sockets opened by ``doors`` from now on."""
        self._doors = doors

    def when_removed(self, farewell: Callable[[Scope], None]) -> None:
        """Have somebody told of each scope that is gone."""
        self._farewells.append(farewell)

    async def open_doors(self) -> None:
        """Open the sockets of all scopes; one that can't be opened keeps no other shut."""
        for scope in self.list():
            try:
                await self._open(scope)
            except BoxshipError as error:
                log.error("the socket of the scope %s: %s", scope.name, error)  # noqa: TRY400

    def list(self) -> list[Scope]:
        """Return all scopes, by name."""
        return sorted(self._scopes.values(), key=lambda scope: scope.name)

    def get(self, name: str) -> Scope:
        """Return the scope of that name. NotFoundError: there is none."""
        try:
            return self._scopes[name]
        except KeyError:
            raise NotFoundError(f"no such scope: {name}") from None

    def knows(self, scope: Scope) -> bool:
        """Tell whether a scope is still there; another of its name isn't the same."""
        return self._scopes.get(scope.name) is scope

    def of_token(self, token: str) -> Scope | None:
        """Return the scope that a token is of."""
        return self._by_token.get(_digest(token))

    def path(self, scope: Scope) -> str:
        """Return where a scope's socket is; empty for one with a token."""
        return "" if scope.token_sha256 or self._doors is None else self._doors.path(scope)

    async def create(self, wish: CreateScope) -> CreatedScope:
        """Make a scope. ConflictError: there is one; InvalidArgumentError says what is wrong."""
        check_name(wish.name)
        check_labels(wish.labels)
        if wish.token and wish.group:
            raise InvalidArgumentError("a group is for sockets: a scope with a token has none")
        token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES) if wish.token else ""
        scope = Scope(
            name=wish.name,
            permissions=tuple(sorted(parse_permissions(wish.allow))),
            labels=dict(wish.labels),
            token_sha256=_digest(token) if token else "",
            group=wish.group,
            created_ns=self._clock.now_ns(),
        )
        async with self._changing:
            if scope.name in self._scopes:
                raise ConflictError(f"there is a scope {scope.name} already")
            self._add(scope)
            try:
                await self._store(scope)
                await self._open(scope)
            except BaseException:
                await self._forget(scope)
                raise
        return CreatedScope(scope, token)

    async def remove(self, name: str) -> None:
        """Remove a scope: what came in by it is sent away. NotFoundError: there is none."""
        async with self._changing:  # one that is being made gets its door first, and loses it
            scope = self.get(name)
            await self._forget(scope)
            if self._doors is not None and not scope.token_sha256:
                await self._doors.close(scope)

    def _add(self, scope: Scope) -> None:
        self._scopes[scope.name] = scope
        if scope.token_sha256:
            self._by_token[scope.token_sha256] = scope

    async def _open(self, scope: Scope) -> None:
        if self._doors is not None and not scope.token_sha256:
            await self._doors.open(scope)

    async def _store(self, scope: Scope) -> None:
        body = encode_scope(scope)

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO scopes(name, body) VALUES(?, ?)", (scope.name, body))

        await self._database.write(insert)

    async def _forget(self, scope: Scope) -> None:
        self._scopes.pop(scope.name, None)
        self._by_token.pop(scope.token_sha256, None)
        for farewell in self._farewells:
            farewell(scope)

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM scopes WHERE name = ?", (scope.name,))

        await self._database.write(delete)


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """Read ``name=value`` words. InvalidArgumentError: a word has no value."""
    labels = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidArgumentError(f"invalid label {text}: a scope's label is name=value")
        labels[name] = value
    return labels


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
