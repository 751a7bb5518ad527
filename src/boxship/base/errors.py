"""Errors as classes of what the caller can do about them.

::

    BoxshipError
    ├── InvalidArgumentError    correct the request            HTTP 400
    ├── UnauthorizedError       log in                         HTTP 401
    ├── ForbiddenError          ask somebody else              HTTP 403
    ├── NotFoundError           name something that exists     HTTP 404
    ├── ConflictError           change the object's state      HTTP 409
    ├── NotModifiedError        nothing: it is so already      HTTP 304
    ├── NotImplementedYetError  use something else             HTTP 501
    ├── UnavailableError        try again later                HTTP 503
    └── InternalError           report it                      HTTP 500

The mapping to HTTP status stands once, in ``boxship.api.errors``; the one to exit codes once, in
``boxship.cli.exitcodes``. No code decides by an error's text.
"""


class BoxshipError(Exception):
    """Base of every error that Boxship raises on purpose. ``str(error)`` is for a person."""


class InvalidArgumentError(BoxshipError):
    """The request itself is wrong; it names the field and what is allowed."""


class StartRefusedError(InvalidArgumentError):
    """The container's command cannot be executed.

    ``exit_code`` is what a shell would say: 127 not found, 126 not executable, 128 otherwise.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UnauthorizedError(BoxshipError):
    """Credentials are missing or wrong."""


class ForbiddenError(BoxshipError):
    """Credentials are right and do not suffice."""


class NotFoundError(BoxshipError):
    """There is no object of that name."""


class ConflictError(BoxshipError):
    """The object's state, or another object, stands in the way."""


class NotModifiedError(BoxshipError):
    """The object is already in the state asked for."""


class NotImplementedYetError(BoxshipError):
    """Docker has it and this version of Boxship does not."""


class UnavailableError(BoxshipError):
    """A part is missing for now: the launcher restarts, the disk is full, a peer is away."""


class NoSwarmManagerError(UnavailableError):
    """It is for swarms, which this engine is in none of."""

    def __init__(self) -> None:
        super().__init__(
            'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to '
            "connect this node to swarm and try again."
        )


class InternalError(BoxshipError):
    """A defect of Boxship."""
