"""What refuses every call: in the place of each part that a scope has no business with."""

from typing import NoReturn

from boxship.base.errors import ForbiddenError, NotFoundError
from boxship.engine.access.scope import Scope


class HiddenError(NotFoundError):
    """There is such an object, and not for this scope; to a client it looks like none."""


class Denial:
    """Base of everything a scope gets to call: what a class doesn't define is refused.

    So a use case that is added to the engine later is closed to scopes until somebody opens it.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getattr__(self, name: str) -> NoReturn:
        raise ForbiddenError(f"the scope {self._scope.name} does not allow this")
