"""Errors as the statuses of gRPC calls."""

import logging

from boxship.api.buildkit.progress import failure_place
from boxship.api.grpc.server import Ending
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
    UnauthorizedError,
    UnavailableError,
)
from boxship.engine.build.failures import InvalidDockerfileError, StepFailedError
from boxship.wire.buildkit.failure import encode_failure
from boxship.wire.grpc.status import Code, Status

log = logging.getLogger(__name__)

KEPT_IMAGE = "boxship-kept-image"
"""Trailer of a failed Solve: the image that was made of the failed step's files."""
_CODES: tuple[tuple[type[BoxshipError], Code], ...] = (
    (InvalidArgumentError, Code.INVALID_ARGUMENT),
    (UnauthorizedError, Code.UNAUTHENTICATED),
    (ForbiddenError, Code.PERMISSION_DENIED),
    (NotFoundError, Code.NOT_FOUND),
    (ConflictError, Code.FAILED_PRECONDITION),
    (NotImplementedYetError, Code.UNIMPLEMENTED),
    (UnavailableError, Code.UNAVAILABLE),
)


def ending_of(error: Exception) -> Ending:
    """Return how a call ends that has failed like this."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return Ending(Status(code, str(error)))
    if not isinstance(error, BoxshipError):
        log.error("a call of a builder failed", exc_info=error)
    return Ending(Status(Code.INTERNAL, str(error) or type(error).__name__))


def ending_of_build(error: Exception) -> Ending:
    """Return how a Solve ends whose build has failed.

    The code is UNKNOWN whatever it was: clients print any other code before the text.
    """
    if not isinstance(error, BoxshipError):
        log.error("a build failed", exc_info=error)
    place, trailers = None, {}
    if isinstance(error, InvalidDockerfileError | StepFailedError):
        place = error.place
    if isinstance(error, StepFailedError) and error.kept_image:
        trailers = {KEPT_IMAGE: [error.kept_image]}
    text = str(error) or type(error).__name__
    places = () if place is None else (failure_place(place),)
    details = encode_failure(Code.UNKNOWN, text, places) if places else b""
    return Ending(Status(Code.UNKNOWN, text, details), trailers)
