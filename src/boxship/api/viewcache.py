"""Encoded views, kept until what they were made of changes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST_BYTES = 4 << 20


class ViewCache:
    """Answers, or parts of them, by what they show.

    Nobody has to say that something has changed: with an answer stands all that it was made of,
    and it is served only while that equals what it would be made of now. Records are frozen, so
    that one that has changed is another. Of all answers the latest used are kept, up to ``most``
    bytes. Not thread-safe: use it from the event loop.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._views: OrderedDict[Hashable, tuple[object, bytes]] = OrderedDict()

    def get(self, key: Hashable, made_of: object, make: Callable[[], bytes]) -> bytes:
        """Return what ``make`` makes of ``made_of``, perhaps made earlier under the same key.

        ``made_of`` is compared with ``==``, in which a tuple's members that are the same object
        cost next to nothing.
        """
        view = self.find(key, made_of)
        if view is None:
            view = make()
            self.keep(key, made_of, view)
        return view

    def find(self, key: Hashable, made_of: object) -> bytes | None:
        """Return what is kept under the key, if it was made of the same."""
        known = self._views.get(key)
        if known is None:
            return None
        if known[0] != made_of:
            self._forget(key)
            return None
        self._views.move_to_end(key)
        return known[1]

    def keep(self, key: Hashable, made_of: object, view: bytes) -> None:
        """Keep a view for later, unless it is larger than all of them may be."""
        if key in self._views:
            self._forget(key)
        if len(view) > self._most:
            return
        self._views[key] = made_of, view
        self._bytes += len(view)
        while self._bytes > self._most:
            self._forget(next(iter(self._views)))

    def _forget(self, key: Hashable) -> None:
        _, view = self._views.pop(key)
        self._bytes -= len(view)
