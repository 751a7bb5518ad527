"""Scopes: sockets and tokens with limits, and what was asked by them."""

from boxship.api.openapi.operation import Body, Operation, done, flag, lines, number, ok, text
from boxship.engine.access.audit import AuditEntry
from boxship.wire.sockets import SocketBody, SocketMade, SocketRow

OPERATIONS = (
    Operation(
        "POST", "/boxship/sockets/create", "SocketCreate",
        "Make a socket or a token that can do what is said, and nothing else",
        body=Body(SocketBody), replies=(ok(SocketMade, "It can be used", 201),),
        errors=(409, 503), beyond=True,
    ),
    Operation(
        "GET", "/boxship/sockets", "SocketList", "List sockets and tokens with limits",
        replies=(ok(tuple[SocketRow, ...], "By name"),), beyond=True,
    ),
    Operation(
        "GET", "/boxship/sockets/audit", "SocketAudit", "Tell what was asked by sockets and tokens",
        (
            text("scope", "Only by this one"),
            number("limit", "How many of the last; 0: all", minimum=0),
            flag("follow", "Go on with what is asked from now on"),
        ),
        replies=(lines(AuditEntry, "The latest are the last"),), beyond=True,
    ),
    Operation(
        "GET", "/boxship/sockets/{name}", "SocketInspect", "Describe a socket or token",
        replies=(ok(SocketRow, "What it can do"),), errors=(404,), beyond=True,
    ),
    Operation(
        "DELETE", "/boxship/sockets/{name}", "SocketDelete",
        "Remove a socket or token, and send its clients away",
        replies=(done("It is gone"),), errors=(404, 503), beyond=True,
    ),
)  # fmt: skip
