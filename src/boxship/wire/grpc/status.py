"""How a call ended.

Codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html. The text travels percent-encoded
in the trailer ``grpc-message``, details as a ``google.rpc.Status`` in ``grpc-status-details-bin``
(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
"""

from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import quote, unquote


class Code(IntEnum):
    """gRPC's status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Status:
    """The end of a call. ``details`` is an encoded ``google.rpc.Status``, or empty."""

    code: Code = Code.OK
    message: str = ""
    details: bytes = b""


OK = Status()


class GrpcError(Exception):
    """A call ended with another status than OK."""

    def __init__(self, code: Code, message: str, details: bytes = b"") -> None:
        super().__init__(message)
        self.status = Status(code, message, details)

    @property
    def code(self) -> Code:
        return self.status.code


_UNQUOTED = "".join(chr(c) for c in range(0x20, 0x7F) if c != ord("%"))


def quoted(message: str) -> str:
    """Return a status text as its trailer has it."""
    return quote(message, safe=_UNQUOTED, errors="surrogateescape")


def unquoted(text: str) -> str:
    return unquote(text, errors="replace")


def code_of(text: str) -> Code:
    """Return the code that a trailer's number stands for; UNKNOWN for what is none."""
    try:
        return Code(int(text))
    except ValueError:
        return Code.UNKNOWN


_FROM_HTTP = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}


def code_of_http(status: str) -> Code:
    """Return what an answer without a gRPC status means, by its HTTP status."""
    try:
        return _FROM_HTTP.get(int(status), Code.UNKNOWN)
    except ValueError:
        return Code.UNKNOWN
