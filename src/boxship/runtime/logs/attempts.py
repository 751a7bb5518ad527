"""How often a target is tried, for drivers with options for that.

After a failure the sender makes a new driver; what has been tried before is therefore kept here,
beside all of them. A process has one target, so there is one count.
"""

from typing import Final

from boxship.runtime.logs.driver import DeliveryError
from boxship.runtime.logs.words import reason

_GROWTH: Final = 1.5
_LONGEST: Final = 60.0
"""Seconds between two attempts, at most."""


class Attempts:
    """Failures in a row. ``most`` before an entry is given up, ``pause`` seconds after the first.

    A ``pause`` of None leaves it to the sender; ``growing`` makes each longer than the one before.
    """

    _failures = 0

    def __init__(self, most: int, pause: float | None, *, growing: bool = False) -> None:
        self._most, self._pause, self._growing = most, pause, growing

    def failed(self, error: Exception) -> DeliveryError:
        """Count a failure, and return what the sender is to be told of it."""
        delivered = error.delivered if isinstance(error, DeliveryError) else 0
        failures = 1 if delivered else Attempts._failures + 1
        refused = failures > self._most
        Attempts._failures = 0 if refused else failures
        return DeliveryError(
            reason(error), delivered=delivered, refused=refused, retry_after=self._wait(failures)
        )

    def succeeded(self) -> None:
        """Begin to count anew."""
        Attempts._failures = 0

    def _wait(self, failures: int) -> float | None:
        if self._pause is None:
            return None
        growth = _GROWTH ** min(failures - 1, 20) if self._growing else 1
        return min(self._pause * growth, _LONGEST)
