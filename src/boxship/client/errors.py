"""A daemon's answer of 400 and more as an exception of ``boxship.base.errors``."""

import json

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    ForbiddenError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
    NotModifiedError,
    UnauthorizedError,
    UnavailableError,
)

ERRORS_BY_STATUS: dict[int, type[BoxshipError]] = {
    304: NotModifiedError,
    400: InvalidArgumentError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    500: InternalError,
    501: NotImplementedYetError,
    503: UnavailableError,
}


class DaemonUnreachableError(UnavailableError):
    """No daemon answers at the endpoint."""


class ConnectionBrokenError(UnavailableError):
    """The daemon went away in the middle of an answer."""


def error_for(status: int, body: bytes, path: str) -> BoxshipError:
    """The exception for an answer; its text is the daemon's, marked as such."""
    kind = ERRORS_BY_STATUS.get(status)
    if kind is None:
        kind = InvalidArgumentError if 400 <= status < 500 else InternalError
    message = _message(body)
    if not message:
        return kind(f"request returned status {status} for {path}; is this a Docker Engine API?")
    return kind(f"Error response from daemon: {message}")


def _message(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        return text
    message = document.get("message") if isinstance(document, dict) else None
    return message.strip() if isinstance(message, str) else text
