"""The one table from error classes to HTTP status, and what goes into the answer."""

import logging

from boxship.api.http.body import ClientGoneError
from boxship.api.http.messages import Request, Response
from boxship.base import errors
from boxship.wire.errors import encode_error

log = logging.getLogger(__name__)

# The first class that fits counts, so subclasses stand before their bases.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidArgumentError, 400),
    (errors.UnauthorizedError, 401),
    (errors.ForbiddenError, 403),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.NotModifiedError, 304),
    (errors.NotImplementedYetError, 501),
    (errors.UnavailableError, 503),
    (errors.InternalError, 500),
    (errors.BoxshipError, 500),
)


def status_of(error: Exception) -> int:
    """Return the status for an error; 500 for what nobody raised on purpose."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def answer_error(request: Request, error: Exception) -> Response:
    """Turn an error into its answer. What isn't one of ours is a defect, and is logged."""
    if isinstance(error, ClientGoneError):
        raise error
    status = status_of(error)
    message = str(error)
    if not isinstance(error, errors.BoxshipError):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        message = f"{type(error).__name__}: {error}"
    elif status >= 500 and not isinstance(error, errors.NotImplementedYetError):
        log.error("%s %s: %s", request.method, request.path, message)
    if status == 304:
        return Response(status)
    return Response(status, encode_error(message))
