"""What lives as long as the daemon, and is made when the first request needs it."""

from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


class Kept:
    """At most one object of each kind."""

    def __init__(self) -> None:
        self._objects: dict[type, object] = {}

    def get(self, kind: type[T], make: Callable[[], T]) -> T:
        """Return the object of that kind, made now if there is none."""
        if kind not in self._objects:
            self._objects[kind] = make()
        return cast("T", self._objects[kind])
