"""Scopes, which Docker has not: sockets and tokens that can do just what is said of them.

What they need is imported with the first of them.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from boxship.api.call import NO_CONTENT, Call
from boxship.api.http.messages import Answer, Stream
from boxship.base.clock import format_ns
from boxship.base.errors import InvalidArgumentError
from boxship.wire.sockets import SocketBody, SocketMade, SocketRow

if TYPE_CHECKING:
    from boxship.engine.access.audit import AuditEntry
    from boxship.engine.access.scope import Scope


async def create(call: Call) -> Answer:
    from boxship.engine.access.service import CreateScope

    body = await call.body(SocketBody)
    access = call.backend.access()
    wish = CreateScope(body.name, body.allow, body.labels or {}, body.token, body.group)
    made = await access.create(wish)
    row = _row(call, made.scope)
    return call.json(SocketMade(**msgspec.structs.asdict(row), token=made.token), 201)


def list_all(call: Call) -> Answer:
    return call.json_list([_row(call, scope) for scope in call.backend.access().list()])


def inspect(call: Call) -> Answer:
    return call.json(_row(call, call.backend.access().get(call.target)))


async def remove(call: Call) -> Answer:
    await call.backend.access().remove(call.target)
    return NO_CONTENT


def audit(call: Call) -> Answer:
    """Tell the latest lines and, if that is asked for, those to come."""
    limit = call.integer("limit") or 0
    if limit < 0:
        raise InvalidArgumentError(f"invalid limit: {limit}: must not be negative")
    follow = call.boolean("follow")
    entries = call.backend.access().audit.tell(call.text("scope"), limit, follow=follow)
    return Stream(_lines(entries), endless=follow)


async def _lines(entries: "AsyncGenerator[AuditEntry, None]") -> AsyncGenerator[bytes, None]:
    async with aclosing(entries):
        async for entry in entries:
            yield msgspec.json.encode(entry) + b"\n"


def _row(call: Call, scope: "Scope") -> SocketRow:
    from boxship.engine.access.permissions import shown

    return SocketRow(
        name=scope.name,
        kind="token" if scope.token_sha256 else "socket",
        allow=shown(scope.permissions),
        labels=scope.labels,
        path=call.backend.access().path(scope),
        group=scope.group,
        created=format_ns(scope.created_ns),
    )


ROUTES = (
    ("POST", "/boxship/sockets/create", create),
    ("GET", "/boxship/sockets", list_all),
    ("GET", "/boxship/sockets/audit", audit),
    ("GET", "/boxship/sockets/{name}", inspect),
    ("DELETE", "/boxship/sockets/{name}", remove),
)
