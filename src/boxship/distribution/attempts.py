"""Trying again: what is worth it, and after which pause."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    RateLimitedError,
    RegistryError,
    RegistryUnavailableError,
    RegistryUnreachableError,
)
from boxship.distribution.settings import Retries


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt failed and another follows after ``delay`` seconds. ``attempt`` counts from 1."""

    attempt: int
    delay: float
    error: Exception


OnRetry = Callable[[Retry], None]


class Attempts:
    """Counts failures in a row. ``stubborn`` also waits for a registry that nobody listens for."""

    def __init__(
        self,
        retries: Retries,
        cancel: Cancel | None,
        on_retry: OnRetry | None = None,
        *,
        stubborn: bool = False,
    ) -> None:
        self._retries = retries
        self._cancel = cancel or Cancel()
        self._on_retry = on_retry
        self._stubborn = stubborn
        self._failed = 0

    def succeeded(self) -> None:
        """There was progress: what fails from now on is counted anew."""
        self._failed = 0

    def failed(self, error: RegistryError) -> None:
        """Pause before the next attempt. Raise ``error`` if there is to be none."""
        self._failed += 1
        pause = self._pause(error)
        if pause is None or self._failed >= self._retries.attempts:
            raise error
        if self._on_retry is not None:
            self._on_retry(Retry(self._failed, pause, error))
        self._cancel.wait(pause)

    def _pause(self, error: RegistryError) -> float | None:
        if isinstance(error, RegistryUnreachableError) and not self._stubborn:
            return None
        if not isinstance(error, RegistryUnavailableError | RateLimitedError):
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self._retries.longest else None
        bound: float = min(self._retries.longest, self._retries.first * 2 ** (self._failed - 1))
        # Half of it by lot: clients that failed together shouldn't come back together.
        return bound * random.uniform(0.5, 1.0)
