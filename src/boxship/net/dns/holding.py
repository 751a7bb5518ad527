"""Answers that wait until the firewall lets their addresses through."""

from collections.abc import Callable

HOLD_FOR = 0.5
"""Seconds; then the answer is given whatever became of the rule."""
MOST = 1024


class Held:
    """Answers by ticket, the oldest first. Used by one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[int, tuple[float, Callable[[], None]]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, give: Callable[[], None]) -> int:
        """Keep an answer; the oldest is given if there are too many."""
        if len(self._waiting) >= MOST:
            self.release(next(iter(self._waiting)))
        self._next += 1
        self._waiting[self._next] = (self._clock() + HOLD_FOR, give)
        return self._next

    def release(self, ticket: int) -> None:
        """Give the answer, if it was not given yet."""
        _, give = self._waiting.pop(ticket, (0.0, _nothing))
        give()

    def sweep(self) -> None:
        """Give those that have waited long enough."""
        now = self._clock()
        for ticket, (until, _) in list(self._waiting.items()):
            if until > now:
                break
            self.release(ticket)


def _nothing() -> None:
    """Was given before."""
